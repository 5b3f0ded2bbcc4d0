use std::net::{IpAddr, Ipv6Addr};

/// `host` or `host:port` of a Host or an Origin header, in small letters and without the dot that may end a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// An address of IPv6 keeps its brackets.
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Place {
    /// None where it is malformed. Nothing is guessed: what a browser reads in another way would be let in by mistake.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            return Some(Self {
                host: format!("[{address}]"),
                port: port(rest)?,
            });
        }
        let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
        let host = host.strip_suffix('.').unwrap_or(host);
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_label = |label: &str| !label.is_empty() && label.bytes().all(letter);
        host.split('.').all(is_label).then_some(())?;
        Some(Self {
            host: host.to_owned(),
            port: port(rest)?,
        })
    }

    /// Nobody can let these point elsewhere.
    pub(super) fn is_loopback_or_address(&self) -> bool {
        let name = self.host.as_str();
        let bare = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        name == "localhost"
            || name.ends_with(".localhost")
            || bare.unwrap_or(name).parse::<IpAddr>().is_ok()
    }
}

/// What follows a host: nothing, or a colon and a number. The outer None is anything else.
#[expect(clippy::option_option, reason = "malformed, none, or one")]
fn port(rest: &str) -> Option<Option<u16>> {
    if rest.is_empty() {
        return Some(None);
    }
    let digits = rest.strip_prefix(':')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?.map(Some)
}
