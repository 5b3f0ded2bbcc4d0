//! Web pages reach a worker of this machine through a browser, which says by `Host` and `Origin` where they are from.

use anyhow::{Result, ensure};
use stack::Kafka;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{http::send, rest::Rest};

const FACE: [(&str, &str); 9] = [
    ("GET", "/"),
    ("GET", "/connectors"),
    ("GET", "/connectors/"),
    ("POST", "/connectors"),
    (
        "PUT",
        "/connector-plugins/PostgresConnector/config/validate",
    ),
    ("OPTIONS", "/connectors"),
    ("GET", "/metrics"),
    ("GET", "/healthz"),
    ("GET", "/nosuch"),
];

/// The status of one request with these headers and no others.
async fn status(address: &str, method: &str, path: &str, headers: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let code = answer.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok((code, answer))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_hosts_and_pages_are_refused() -> Result<()> {
    let kafka = Kafka::start().await?;
    let rest = Rest::start(
        |config| {
            config.advertised = Some("connect.example.net:8083".to_owned());
            config.allowed_hosts = vec!["cdc".to_owned(), ".kafka.svc".to_owned()];
        },
        &kafka,
    )
    .await?;
    let port = rest.address.rsplit(':').next().unwrap_or_default();
    for (headers, admitted) in [
        (format!("Host: {}\r\n", rest.address), true),
        (format!("Host: localhost:{port}\r\n"), true),
        ("Host: connect.example.net\r\n".to_owned(), true),
        ("Host: cdc:8083\r\n".to_owned(), true),
        ("Host: worker-0.kafka.svc\r\n".to_owned(), true),
        (
            format!("Host: {0}\r\nOrigin: http://{0}\r\n", rest.address),
            true,
        ),
        (format!("Host: evil.example:{port}\r\n"), false),
        ("Host: cdc.evil.example\r\n".to_owned(), false),
        (
            format!("Host: {}\r\nOrigin: http://evil.example\r\n", rest.address),
            false,
        ),
        (
            format!("Host: evil.example:{port}\r\nOrigin: http://evil.example:{port}\r\n"),
            false,
        ),
        (format!("Host: {}\r\nOrigin: null\r\n", rest.address), false),
    ] {
        for (method, path) in FACE {
            let (code, answer) = status(&rest.address, method, path, &headers).await?;
            ensure!(
                (code != 403) == admitted,
                "{method} {path} {headers}{answer}"
            );
            ensure!(
                admitted || answer.contains("cdc.allowed_hosts"),
                "{method} {path} {headers}{answer}"
            );
        }
    }
    let kept_out = [("Origin".to_owned(), "http://evil.example".to_owned())];
    let body = r#"{"name":"planted","config":{"connector.class":"PostgresConnector"}}"#;
    let answer = send(&rest.address, "POST", "/connectors", &kept_out, Some(body)).await?;
    ensure!(
        answer.status == 403 && answer.json()?["error_code"] == 403,
        "{}",
        answer.text
    );
    rest.end().await
}
