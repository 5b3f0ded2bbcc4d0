use std::{
    io::{Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::failure::Failure;

/// Exits with 0 where the address answers 200. For container health checks: the image has no curl.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to ask, as http://127.0.0.1:8083/healthz
    #[arg(long, value_name = "URL")]
    url: String,
    /// How long to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    timeout: u64,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let timeout = Duration::from_secs(arguments.timeout.max(1));
    ask(&arguments.url, timeout).with_context(|| format!("ask `{}`", arguments.url))?;
    Ok(())
}

fn ask(url: &str, timeout: Duration) -> anyhow::Result<()> {
    let rest = url
        .strip_prefix("http://")
        .context("only http:// addresses can be asked")?;
    let (authority, path) = rest
        .split_once('/')
        .map_or((rest, String::from("/")), |(host, path)| {
            (host, format!("/{path}"))
        });
    let address = if authority.contains(':') {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let target = address
        .to_socket_addrs()?
        .next()
        .context("the host name has no address")?;
    let mut stream = TcpStream::connect_timeout(&target, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    // In one piece: a server that has read the first part only may answer and close.
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.lines().next().unwrap_or_default();
    if status.split_whitespace().nth(1) == Some("200") {
        return Ok(());
    }
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    bail!("it answered `{status}` {}", body.trim())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answering(text: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Closing with something unread would reset the connection.
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(text.as_bytes()).unwrap();
        });
        format!("http://{address}/healthz")
    }

    #[test]
    fn only_200_is_well() {
        let timeout = Duration::from_secs(5);
        ask(&answering("HTTP/1.1 200 OK\r\n\r\nok"), timeout).unwrap();
        let error = ask(
            &answering("HTTP/1.1 503 Service Unavailable\r\n\r\nno slot"),
            timeout,
        )
        .unwrap_err();
        assert!(error.to_string().contains("503") && error.to_string().contains("no slot"));
    }
}
