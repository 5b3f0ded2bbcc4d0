//! Servers that take connections and then say nothing: each wait has an end of its own, and the error says for what.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cdc::{
    Error, ErrorKind,
    source::{Control, connection::ReplicationConnection},
};
use connector::{ConnectorConfig, DatabaseConfig};
use postgres_tls::SslMode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Longer than any of the waits.
const PATIENCE: Duration = Duration::from_secs(45);

/// A listener that answers each connection's first bytes with `answer` and then never again; its port.
async fn silent(answer: &'static [u8]) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 64];
                if !answer.is_empty() {
                    let _some = stream.read(&mut request).await?;
                    stream.write_all(answer).await?;
                }
                // Until the client gives up.
                while stream.read(&mut request).await? > 0 {}
                std::io::Result::Ok(())
            });
        }
    });
    Ok(port)
}

fn database(port: u16, mode: SslMode) -> Result<DatabaseConfig> {
    let properties = [
        ("name", "silent"),
        ("topic.prefix", "silent"),
        ("database.hostname", "127.0.0.1"),
        ("database.user", "u"),
        ("database.password", "hunter2"),
        ("database.dbname", "d"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut properties = std::collections::BTreeMap::from(properties);
    properties.insert("database.port".to_owned(), port.to_string());
    properties.insert("database.sslmode".to_owned(), mode.to_string());
    Ok(ConnectorConfig::parse(&properties)?.config.database)
}

async fn given_up(
    label: &str,
    said: &str,
    connect: impl Future<Output = Option<Error>>,
) -> Result<()> {
    let started = Instant::now();
    let error = tokio::time::timeout(PATIENCE, connect)
        .await
        .with_context(|| format!("{label}: no end after {PATIENCE:?}"))?
        .with_context(|| format!("{label}: connected"))?;
    let text = service::render_error(&error, Some(error.hint()));
    ensure!(error.kind() == ErrorKind::Connection, "{label}: {text}");
    ensure!(
        text.contains(said) && text.contains("127.0.0.1") && text.contains("hint"),
        "{label}: {text}"
    );
    ensure!(!text.contains("hunter2"), "{label}: {text}");
    ensure!(
        started.elapsed() > Duration::from_secs(5),
        "{label}: {text}"
    );
    Ok(())
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_and_named() -> Result<()> {
    const STILL: &[u8] = b"";
    const HANDSHAKE: &str = "in the TLS handshake that it agreed to";
    const QUESTION: &str = "SSLRequest";
    const ORDINARY: &str = "accepts connections and does not answer";
    const LOGIN: &str = "gave no answer for";
    let cases = [
        (STILL, SslMode::Disable, LOGIN, ORDINARY),
        (STILL, SslMode::Prefer, QUESTION, QUESTION),
        (STILL, SslMode::VerifyFull, QUESTION, QUESTION),
        (b"S", SslMode::Prefer, HANDSHAKE, HANDSHAKE),
        (b"S", SslMode::Require, HANDSHAKE, HANDSHAKE),
        (b"N", SslMode::Prefer, LOGIN, ORDINARY),
    ];
    let waits = cases.map(|(answer, mode, replication, ordinary)| async move {
        let database = database(silent(answer).await?, mode)?;
        let label = |kind: &str| {
            format!(
                "{kind} with {mode} after `{}`",
                String::from_utf8_lossy(answer)
            )
        };
        let (by_replication, by_ordinary) = (label("replication"), label("ordinary"));
        let mut control = Control::new(&database);
        tokio::try_join!(
            given_up(&by_replication, replication, async {
                ReplicationConnection::connect(&database).await.err()
            }),
            given_up(&by_ordinary, ordinary, async {
                control.client().await.err()
            }),
        )
    });
    futures::future::try_join_all(waits).await.map(drop)
}
