//! What every sink of change events does, whatever it writes to: one suite that all of them pass.
//!
//! A sink that is checked is fresh: nothing was written to it before.

mod events;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use cdc::{EventSink, IdleMark, Progress, TransactionEnd};
use debezium::TableSchema;
use pgoutput::Lsn;

pub use events::{event, inserts, table};

/// The longest wait for something to become durable.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a sink that has nothing to tell is listened to.
const SILENCE: Duration = Duration::from_millis(300);

/// Checks all of it, one after the other, on one sink.
///
/// # Errors
/// What the sink does otherwise.
pub async fn keeps_its_word<S: EventSink>(sink: &mut S) -> Result<()> {
    let table = table("behaviour");
    says_nothing_before_there_is_something(sink).await?;
    tells_no_transaction_before_its_end(sink, &table).await?;
    tells_each_event_once_and_never_goes_back(sink, &table).await?;
    takes_a_mark_of_an_idle_time(sink).await?;
    delivers_all_when_it_drains(sink, &table).await
}

async fn says_nothing_before_there_is_something<S: EventSink>(sink: &mut S) -> Result<()> {
    ensure!(sink.has_room(), "a fresh sink has no room");
    ensure!(sink.is_idle(), "a fresh sink is not idle");
    sink.dispatch()?;
    silent(sink, "nothing was written").await
}

async fn tells_no_transaction_before_its_end<S: EventSink>(
    sink: &mut S,
    table: &Arc<TableSchema>,
) -> Result<()> {
    let end = inserts(sink, table, 1000, 0..3)?;
    sink.dispatch()?;
    // Parts of it may be on their way; none of it may be confirmed.
    let mut events = 0;
    while let Ok(progress) = tokio::time::timeout(SILENCE, sink.progress()).await {
        let progress = progress?;
        ensure!(
            progress.flushed.is_none(),
            "{:?} is told durable before the transaction's end",
            progress.flushed
        );
        events += progress.events;
        sink.dispatch()?;
    }
    sink.end_transaction(end)?;
    ensure!(
        !sink.is_idle(),
        "a transaction is open, and the sink is idle"
    );
    let progress = settled(sink, end.end_lsn).await?;
    ensure!(
        events + progress.events == 3,
        "{events} and {progress:?} of 3 events"
    );
    silent(sink, "all is durable").await
}

async fn tells_each_event_once_and_never_goes_back<S: EventSink>(
    sink: &mut S,
    table: &Arc<TableSchema>,
) -> Result<()> {
    let mut last = Lsn(0);
    for commit in 0..20 {
        let end = inserts(
            sink,
            table,
            2000 + 16 * commit,
            10 * commit..10 * commit + 10,
        )?;
        sink.end_transaction(end)?;
        sink.dispatch()?;
        last = end.end_lsn;
    }
    let progress = settled(sink, last).await?;
    ensure!(progress.events == 200, "{} of 200 events", progress.events);
    Ok(())
}

async fn takes_a_mark_of_an_idle_time<S: EventSink>(sink: &mut S) -> Result<()> {
    let end = TransactionEnd {
        position: events::between(9000),
        end_lsn: Lsn(9008),
    };
    match sink.mark_idle(end)? {
        IdleMark::Confirm => silent(sink, "the mark may be confirmed at once").await,
        IdleMark::Deferred => {
            let progress = settled(sink, end.end_lsn).await?;
            ensure!(progress.events == 0, "a mark is {} events", progress.events);
            Ok(())
        }
    }
}

async fn delivers_all_when_it_drains<S: EventSink>(
    sink: &mut S,
    table: &Arc<TableSchema>,
) -> Result<()> {
    let end = inserts(sink, table, 10_000, 1000..1005)?;
    sink.end_transaction(end)?;
    sink.begin_drain();
    let progress = settled(sink, end.end_lsn).await?;
    ensure!(progress.events == 5, "{} of 5 events", progress.events);
    Ok(())
}

/// Delivers until everything is durable. The LSN that was told last, and all events.
async fn settled<S: EventSink>(sink: &mut S, until: Lsn) -> Result<Progress> {
    let mut all = Progress::default();
    let settle = async {
        while !sink.is_idle() {
            sink.dispatch()?;
            let Progress { flushed, events } = sink.progress().await?;
            all.events += events;
            if let Some(flushed) = flushed {
                ensure!(
                    all.flushed.is_none_or(|before| before <= flushed),
                    "{flushed} is told after {:?}",
                    all.flushed
                );
                ensure!(
                    flushed <= until,
                    "{flushed} is told, and {until} was the end"
                );
                all.flushed = Some(flushed);
            }
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(PATIENCE, settle).await {
        Ok(done) => done?,
        Err(_) => bail!("nothing became durable within {} s", PATIENCE.as_secs()),
    }
    ensure!(
        all.flushed == Some(until),
        "the sink is idle at {:?}, and the end is {until}",
        all.flushed
    );
    ensure!(
        sink.has_room(),
        "everything is durable, and there is no room"
    );
    Ok(all)
}

async fn silent<S: EventSink>(sink: &mut S, why: &str) -> Result<()> {
    match tokio::time::timeout(SILENCE, sink.progress()).await {
        Err(_) => Ok(()),
        Ok(told) => {
            let told = told.with_context(|| why.to_owned())?;
            bail!("{why}, and the sink tells {told:?}")
        }
    }
}
