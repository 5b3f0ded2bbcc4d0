use anyhow::{Result, ensure};
use stack::Postgres;

use crate::{
    connector::{config, start, until_events},
    recording::Store,
};

/// The server is restarted in order, then killed, over TCP: the connector comes back by itself and goes on exactly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn survives_restarts_of_the_server() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute("postgres", "create table t(id int primary key)")
        .await?;
    let store = Store::default();
    let mut config = config(&postgres);
    config.database.hostname = "127.0.0.1".to_owned();
    let running = start(&config, &store, 100);
    running.streaming().await?;
    let mut total = 0;
    for kill in [false, true, false] {
        postgres
            .execute(
                "postgres",
                &format!(
                    "insert into t select generate_series({}, {})",
                    total + 1,
                    total + 500
                ),
            )
            .await?;
        total += 500;
        until_events(&store, total).await?;
        if kill {
            postgres.kill9()?;
        }
        postgres.restart().await?;
    }
    postgres
        .execute("postgres", "insert into t values (-1)")
        .await?;
    until_events(&store, total + 1).await?;
    let restarts = running.status.restarts();
    running.stop().await?;
    ensure!(restarts >= 3, "{restarts}");
    let events = store.events();
    ensure!(events.len() == total + 1, "{}", events.len());
    ensure!(
        events
            .windows(2)
            .all(|pair| pair[0].position < pair[1].position)
    );
    Ok(())
}
