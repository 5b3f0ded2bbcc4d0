//! Rows as long as PostgreSQL makes them, beside answers that have a bound.

use anyhow::{Result, ensure};
use postgres_tls::{LongestMessage, SslMode, TlsSettings, answer_refused};
use stack::Postgres;

use crate::{
    connector::{config, start, until_events},
    recording::Store,
};

/// One message of COPY is longer than any answer about the catalog may be.
#[tokio::test]
async fn a_row_longer_than_any_answer_is_read_by_a_snapshot_and_by_nobody_else() -> Result<()> {
    let postgres = Postgres::start().await?;
    let sql = "create table long(id int primary key, v text); insert into long values (1, repeat('0123456789', 7 * 1024 * 1024))";
    postgres.execute("postgres", sql).await?;
    let store = Store::default();
    let running = start(&config(&postgres), &store, 1);
    until_events(&store, 1).await?;
    running.stop().await?;

    let mut settings = tokio_postgres::Config::new();
    settings
        .host("127.0.0.1")
        .port(postgres.port())
        .user(postgres.user())
        .password(postgres.password())
        .dbname("postgres");
    let tls = TlsSettings {
        mode: SslMode::Disable,
        ..TlsSettings::default()
    };
    let connected = postgres_tls::connect(&settings, &tls, LongestMessage::Answer).await?;
    let (client, connection) = connected;
    let ended = tokio::spawn(connection);
    ensure!(client.query_one("select v from long", &[]).await.is_err());
    let reason = ended.await?.err().as_ref().and_then(answer_refused);
    ensure!(
        reason
            .as_deref()
            .is_some_and(|reason| reason.contains("announces a message of")),
        "{reason:?}"
    );
    Ok(())
}
