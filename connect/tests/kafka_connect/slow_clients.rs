//! Clients that are slow on purpose: each is given up when its time is over, and holds up nobody else.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use stack::Kafka;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::rest::Rest;

/// What a client has for the head of a request, and for its body.
const PATIENCE: Duration = Duration::from_secs(1);
/// By then a connection has to be over on a busy machine, too.
const LATEST: Duration = Duration::from_secs(30);

/// Send `beginning` at once and `drop` after `drop`, until the other side has had enough; answers what it said.
async fn dribble(address: &str, beginning: &str, drop: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(beginning.as_bytes()).await?;
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_millis(50));
    let dribbling = async {
        // The answer may come before the sending fails, or after.
        while writing.write_all(drop).await.is_ok() {
            tick.tick().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        read = tokio::time::timeout(LATEST, reading.read_to_end(&mut answer)) => {
            // Bytes that were on their way when it hung up make it a reset.
            let _ = read.context("the connection was kept open")?;
        }
        () = dribbling => {}
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_given_up() -> Result<()> {
    let kafka = Kafka::start().await?;
    let rest = Rest::start(|config| config.rest_patience = PATIENCE, &kafka).await?;
    let started = Instant::now();
    let head = "POST /connectors HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    // Bytes come all the time, and no end: of a header, of the head, of a body.
    let in_a_header = format!("{head}X-Slow: ");
    let length = format!("{head}Content-Length: 1000000\r\n\r\n{{");
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let silent = format!("{head}Content-Length: 100\r\n\r\n{{\"name\":");
    let (header, heads, body, chunks, silence, nothing) = tokio::try_join!(
        dribble(&rest.address, &in_a_header, b"x"),
        dribble(&rest.address, head, b"X-More: y\r\n"),
        dribble(&rest.address, &length, b" "),
        dribble(&rest.address, &chunked, b"1\r\n \r\n"),
        dribble(&rest.address, &silent, b""),
        dribble(&rest.address, "", b""),
    )?;
    ensure!(started.elapsed() >= PATIENCE, "nobody had a second");
    for (what, answer) in [("header", header), ("head", heads), ("nothing", nothing)] {
        ensure!(answer.is_empty(), "{what}: {answer}");
    }
    for (what, answer) in [("body", body), ("chunks", chunks), ("silence", silence)] {
        // Where bytes are under way the answer may be lost with the connection.
        ensure!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
            "{what}: {answer}"
        );
        ensure!(what != "silence" || !answer.is_empty(), "no answer");
    }
    // A connection that is kept alive and silent ends too.
    let kept = "GET /connectors HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answer = dribble(&rest.address, kept, b"").await?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(rest.get("/connectors").await?.text, "[]");
    rest.end().await
}
