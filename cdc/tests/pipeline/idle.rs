use anyhow::{Result, ensure};
use stack::{Postgres, until};

use crate::{
    connector::{PATIENCE, config, matching, start, until_events, value},
    recording::Store,
};

/// The captured table is quiet while another one is busy: the slot follows all the same, and only so far as is stored.
#[tokio::test]
async fn an_idle_captured_table_does_not_keep_wal() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute("postgres", "create table quiet(id int primary key); create table busy(id int); insert into quiet values (1);")
        .await?;
    let mut config = config(&postgres);
    config.filter.table_include = matching(&["public\\.quiet"]);
    let store = Store::default();
    // Once where the server filters, once where we do.
    for (publication, autocreate) in [
        ("narrow", connector::PublicationAutocreate::Filtered),
        ("wide", connector::PublicationAutocreate::AllTables),
    ] {
        config.publication_name = publication.to_owned();
        config.publication_autocreate = autocreate;
        let running = start(&config, &store, 100);
        running.streaming().await?;
        until_events(&store, 1).await?;
        postgres
            .execute(
                "postgres",
                "insert into busy select generate_series(1, 20000)",
            )
            .await?;
        let target = value(&postgres, "select pg_current_wal_lsn()::text").await?;
        until("the slot to follow", PATIENCE, async || {
            let follows = value(
                &postgres,
                &format!(
                    "select (confirmed_flush_lsn >= '{target}')::text from pg_replication_slots"
                ),
            )
            .await?;
            let confirmed = value(
                &postgres,
                "select confirmed_flush_lsn::text from pg_replication_slots",
            )
            .await?;
            let stored = store
                .lock()
                .resume
                .as_ref()
                .and_then(|resume| resume.end_lsn);
            let confirmed: pgoutput::Lsn = confirmed.parse()?;
            ensure!(
                Some(confirmed.0) <= stored,
                "confirmed {confirmed} before it was stored"
            );
            Ok((follows == "true").then_some(()))
        })
        .await?;
        ensure!(running.status.counts().creates == 0);
        running.stop().await?;
        if publication == "narrow" {
            postgres
                .execute("postgres", "select pg_drop_replication_slot('debezium')")
                .await?;
            *store.lock() = crate::recording::Durable::default();
        }
    }
    ensure!(store.len() == 1);
    Ok(())
}
