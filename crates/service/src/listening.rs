use std::io;

/// What to do where an address cannot be listened on.
pub fn listening_hint(error: &io::Error) -> &'static str {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other errors of the system are alike here"
    )]
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another process listens there: stop it, or choose another address"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine does not have that address: choose one of its own (`ip addr` lists them), 127.0.0.1 for this machine alone, or 0.0.0.0 for all of them"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 are for privileged processes: choose a higher one"
        }
        _ => "choose another address",
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_hint_is_that_of_the_error() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("its address").to_string();
        for (address, said) in [
            (address.as_str(), "another process"),
            // An address of documentation, which no machine has.
            ("192.0.2.1:8083", "does not have that address"),
        ] {
            let error = TcpListener::bind(address).expect_err(address);
            let hint = listening_hint(&error);
            assert!(hint.contains(said), "{error}: {hint}");
        }
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert!(listening_hint(&denied).contains("1024"));
    }
}
