//! LSNs that come a second time: the server continues an older state, and that is recognised before anything of it is
//! delivered.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use cdc::ErrorKind;
use connector::{ConnectorConfig, SnapshotMode};
use pgoutput::Lsn;
use stack::{Postgres, until};

use crate::{
    connector::{PATIENCE, config, matching, start, until_events, value},
    recording::Store,
};

pub async fn wal_end(postgres: &Postgres) -> Result<Lsn> {
    Ok(value(postgres, "select pg_current_wal_lsn()::text")
        .await?
        .parse()?)
}

/// Write WAL that is nothing for the connector until its end is beyond `lsn`.
pub async fn grow_beyond(postgres: &Postgres, lsn: Lsn) -> Result<()> {
    while wal_end(postgres).await? <= lsn {
        postgres
            .execute(
                "postgres",
                "insert into other select generate_series(1, 100)",
            )
            .await?;
    }
    Ok(())
}

pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()?;
    ensure!(copied.success(), "copy `{}`", from.display());
    Ok(())
}

/// A server with a table to be captured, and one beside it.
pub async fn server() -> Result<Postgres> {
    let postgres = Postgres::start().await?;
    postgres
        .execute(
            "postgres",
            "create table t(id int primary key, v text); create table other(id int)",
        )
        .await?;
    Ok(postgres)
}

/// A server whose connector has delivered 100 rows, a copy of its stopped cluster, 100 rows that were delivered since,
/// and the copy in place of the cluster again: what an operator does who restores a backup.
struct Restored {
    postgres: Postgres,
    config: ConnectorConfig,
    store: Store,
}

impl Restored {
    async fn new(since: &str, delivered: usize) -> Result<Self> {
        let postgres = server().await?;
        let mut config = config(&postgres);
        config.filter.table_include = matching(&["public\\.t"]);
        let store = Store::default();
        let first = start(&config, &store, 100);
        first.streaming().await?;
        postgres
            .execute(
                "postgres",
                "insert into t select i, 'before' from generate_series(1, 100) i",
            )
            .await?;
        until_events(&store, 100).await?;
        first.stop().await?;
        postgres.stop().await?;
        let data = postgres.socket_dir().join("data");
        let backup = postgres.socket_dir().join("backup");
        copy(&data, &backup)?;
        postgres.restart().await?;
        let second = start(&config, &store, 100);
        second.streaming().await?;
        postgres.execute("postgres", since).await?;
        until_events(&store, delivered).await?;
        let end = wal_end(&postgres).await?;
        until("everything to be stored", PATIENCE, async || {
            let stored = store
                .lock()
                .resume
                .as_ref()
                .and_then(|resume| resume.end_lsn);
            Ok((stored >= Some(end.0)).then_some(()))
        })
        .await?;
        second.stop().await?;
        postgres.stop().await?;
        std::fs::remove_dir_all(&data)?;
        std::fs::rename(&backup, &data)?;
        postgres.restart().await?;
        Ok(Self {
            postgres,
            config,
            store,
        })
    }

    fn stored_end(&self) -> Result<Lsn> {
        let resume = self.store.lock().resume.clone();
        Ok(Lsn(resume
            .and_then(|resume| resume.end_lsn)
            .context("an end")?))
    }

    async fn halts(&self, delivered: usize) -> Result<String> {
        let running = start(&self.config, &self.store, 100);
        let error = running.ended().await?.err().context("it halts")?;
        ensure!(error.kind() == ErrorKind::LsnsReused, "{error:?}");
        let text = error.to_string();
        ensure!(text.contains("may be lost"), "{text}");
        ensure!(error.hint().contains("start again"), "{}", error.hint());
        ensure!(self.store.len() == delivered, "{} events", self.store.len());
        Ok(text)
    }
}

const SINCE: &str = "insert into t select i, 'since' from generate_series(101, 200) i";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_halts_while_its_wal_is_shorter() -> Result<()> {
    let restored = Restored::new(SINCE, 200).await?;
    let text = restored.halts(200).await?;
    ensure!(text.contains("WAL ends at"), "{text}");
    Ok(())
}

/// The WAL has grown beyond the stored position again, with rows that have the LSNs of delivered ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_halts_when_its_wal_is_longer_again() -> Result<()> {
    let restored = Restored::new(SINCE, 200).await?;
    restored
        .postgres
        .execute(
            "postgres",
            "insert into t select i, 'again' from generate_series(101, 400) i",
        )
        .await?;
    grow_beyond(&restored.postgres, restored.stored_end()?).await?;
    let text = restored.halts(200).await?;
    ensure!(text.contains("transaction"), "{text}");
    // It stays so, also with nothing new, and after a crash of the server.
    restored.postgres.kill9()?;
    restored.postgres.restart().await?;
    restored.halts(200).await?;
    Ok(())
}

/// Nothing for the connector was written since the backup, so the stored position is a mark; what the restored server
/// commits below it would be taken for delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_below_an_idle_mark_of_another_history_halt() -> Result<()> {
    let quiet = "insert into other select generate_series(1, 20000)";
    let restored = Restored::new(quiet, 100).await?;
    restored
        .postgres
        .execute("postgres", "insert into t values (101, 'again')")
        .await?;
    grow_beyond(&restored.postgres, restored.stored_end()?).await?;
    let text = restored.halts(100).await?;
    ensure!(text.contains("was committed after"), "{text}");
    Ok(())
}

/// `snapshot.mode=when_needed` takes a snapshot whose positions come after all that was delivered, and goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_needed_begins_a_new_incarnation() -> Result<()> {
    for grown in [false, true] {
        let mut restored = Restored::new(SINCE, 200).await?;
        restored.config.snapshot_mode = SnapshotMode::WhenNeeded;
        let rows = "insert into t select i, 'again' from generate_series(101, 150) i";
        restored.postgres.execute("postgres", rows).await?;
        if grown {
            grow_beyond(&restored.postgres, restored.stored_end()?).await?;
        }
        let running = start(&restored.config, &restored.store, 100);
        until_events(&restored.store, 200 + 150).await?;
        running.streaming().await?;
        restored
            .postgres
            .execute("postgres", "insert into t values (1000, 'new')")
            .await?;
        until_events(&restored.store, 200 + 150 + 1).await?;
        running.kill().await;
        let again = start(&restored.config, &restored.store, 100);
        restored
            .postgres
            .execute("postgres", "insert into t values (1001, 'new')")
            .await?;
        until_events(&restored.store, 200 + 150 + 2).await?;
        again.stop().await?;
        let events = restored.store.events();
        ensure!(events.len() == 352, "{} events", events.len());
        let mut pairs = events.windows(2);
        ensure!(pairs.all(|pair| pair[0].position < pair[1].position));
        let incarnation = |at: usize| events[at].position.incarnation;
        ensure!(incarnation(199) < incarnation(200));
        ensure!(incarnation(200) == incarnation(351));
    }
    Ok(())
}

/// The server, which may have been killed, becomes a standby that nobody feeds.
pub async fn stand_by(postgres: &Postgres) -> Result<()> {
    let signal = postgres.socket_dir().join("data/standby.signal");
    std::fs::write(&signal, "")?;
    // Whoever runs the server has to be able to remove it.
    let owner = std::fs::metadata(postgres.socket_dir().join("data/PG_VERSION"))?;
    use std::os::unix::fs::MetadataExt as _;
    std::os::unix::fs::chown(&signal, Some(owner.uid()), Some(owner.gid()))?;
    postgres.restart().await
}

/// The server becomes such a standby, and is promoted: it goes on on a timeline of its own.
async fn promote(postgres: &Postgres) -> Result<()> {
    postgres.stop().await?;
    stand_by(postgres).await?;
    let promoted = value(postgres, "select pg_promote()::text").await?;
    ensure!(promoted == "true", "not promoted");
    Ok(())
}

/// A standby that lagged is promoted, and what it writes has LSNs of what the primary wrote.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_that_lagged_halts() -> Result<()> {
    let restored = Restored::new(SINCE, 200).await?;
    promote(&restored.postgres).await?;
    restored
        .postgres
        .execute(
            "postgres",
            "insert into t select i, 'again' from generate_series(101, 400) i",
        )
        .await?;
    grow_beyond(&restored.postgres, restored.stored_end()?).await?;
    let text = restored.halts(200).await?;
    ensure!(
        text.contains("timeline 1, which the server left at"),
        "{text}"
    );
    Ok(())
}

/// One that had everything goes on exactly, again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_that_had_everything_goes_on() -> Result<()> {
    let postgres = Postgres::start().await?;
    postgres
        .execute("postgres", "create table t(id int primary key)")
        .await?;
    let config = config(&postgres);
    let store = Store::default();
    for round in 0..4 {
        let running = start(&config, &store, 100);
        running.streaming().await?;
        postgres
            .execute(
                "postgres",
                &format!("insert into t select {round} * 100 + i from generate_series(1, 100) i"),
            )
            .await?;
        until_events(&store, (round + 1) * 100).await?;
        // Once in order, once within what it does.
        if round % 2 == 0 {
            running.stop().await?;
        } else {
            running.kill().await;
        }
        promote(&postgres).await?;
    }
    let events = store.events();
    ensure!(events.len() == 400, "{} events", events.len());
    let mut pairs = events.windows(2);
    ensure!(pairs.all(|pair| pair[0].position < pair[1].position));
    let incarnations = (
        events[0].position.incarnation,
        events[399].position.incarnation,
    );
    ensure!(incarnations.0 == incarnations.1);
    Ok(())
}
