//! Kafka -> lake, on one screen: read, append, flush, commit; start over from the lake when anything goes wrong.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use service::Backoff;
use tokio::{
    runtime::Handle,
    task::{JoinError, JoinHandle},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Disposition, Error, ErrorKind, LakeCounters, LakeWriterConfig,
    error::task_ended,
    flush::{FlushLimits, FlushReason, flush_reason, patience},
    lake::Lake,
    maintain::Maintainer,
    publish::{FlushSet, Published},
    source::kafka::{Consumer, LakeAssignments, Lease, OpenBatch, Polled, SchemaTopics, reach},
};

/// How often an idle pipeline looks whether it passed offsets that the lake does not know of.
const LOOK_AT_POSITIONS: Duration = Duration::from_secs(5);

/// A column of a batch holds less than 2 GiB. Kafka's records have less than one (`message.max.bytes`), so a batch that
/// is committed at one never meets that bound.
const MOST_BATCH_BYTES: usize = 1 << 30;

/// Records between two looks at the clock, the stop signal and the commit in flight.
const RECORDS_PER_TURN: usize = 1000;

/// The flush that is on its way, and whose positions it moves.
struct InFlight {
    publishing: JoinHandle<Published>,
    lease: Arc<Lease>,
}

/// Write the topics to the lake until stopped. What was read is committed before the return.
///
/// # Errors
/// Whatever a retry cannot cure; the lake is as it was after its last commit, and a new run goes on from there.
pub async fn run(
    config: LakeWriterConfig,
    counters: Arc<LakeCounters>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
    loop {
        let commits = counters.commits();
        let ended = subscription(&config, &counters, &stop).await;
        counters.set_reading(false);
        let Err(error) = ended else {
            return Ok(());
        };
        if error.disposition() == Disposition::Halt {
            return Err(error);
        }
        if counters.commits() > commits {
            backoff.reset();
        }
        let delay = backoff.next_delay();
        tracing::warn!(
            error = %service::render_error(&error, None),
            attempt = backoff.attempt(),
            ?delay,
            kafka = config.kafka.bootstrap,
            lake = %config.lake.place(),
            "starting over from the lake"
        );
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(delay) => {}
        }
    }
}

/// From joining the group to leaving it.
async fn subscription(
    config: &LakeWriterConfig,
    counters: &Arc<LakeCounters>,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let what = || format!("the lake at {}", config.lake.place());
    let lake = tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        lake = service::told(what, Lake::open(&config.lake)) => lake?,
    };
    let maintenance = config.maintenance.clone();
    let _maintenance = maintenance.map(|wanted| Maintainer::new(lake.clone(), wanted).start());
    let subscription = Subscription {
        config: config.clone(),
        assignments: Arc::new(LakeAssignments::new(
            lake,
            &config.pipeline,
            Handle::current(),
        )),
        counters: Arc::clone(counters),
        stop: stop.clone(),
        runtime: Handle::current(),
    };
    // librdkafka's calls block, its rebalances too: all of them belong to one thread.
    tokio::task::spawn_blocking(move || subscription.run())
        .await
        .map_err(|error| task_ended("read from Kafka", error))?
}

struct Subscription {
    config: LakeWriterConfig,
    assignments: Arc<LakeAssignments>,
    counters: Arc<LakeCounters>,
    stop: CancellationToken,
    runtime: Handle,
}

impl Subscription {
    /// Each turn, in this order: the commit in flight, the end, new partitions, a commit that is due, records.
    fn run(&self) -> Result<(), Error> {
        reach(&self.config.kafka, &self.stop)?;
        if self.stop.is_cancelled() {
            return Ok(());
        }
        let mut schemas = SchemaTopics::read(&self.config.kafka)?;
        let consumer = Consumer::subscribe(
            &self.config.kafka,
            Arc::clone(&self.assignments),
            Arc::clone(&self.counters),
        )?;
        self.counters.heard(0);
        self.counters.set_reading(true);
        let limits = FlushLimits {
            bytes: self.config.max_batch_bytes.min(MOST_BATCH_BYTES),
            rows: self.config.max_batch_rows,
            freshness: self.config.freshness,
        };
        let mut open: Option<OpenBatch> = None;
        let mut in_flight: Option<InFlight> = None;
        let mut looked = Instant::now();
        loop {
            if let Some(commit) = in_flight.take_if(|flush| flush.publishing.is_finished()) {
                self.finish(commit, open.as_mut(), &consumer)?;
            }
            let draining = self.stop.is_cancelled();
            let mut reason = open
                .as_ref()
                .and_then(|batch| flush_reason(batch.size(), limits, draining));
            let look = looked.elapsed() >= LOOK_AT_POSITIONS || draining;
            if let Some(batch) = &mut open
                && (reason.is_some() || look)
            {
                looked = Instant::now();
                batch.pass(&consumer.positions()?);
                if reason.is_none() && batch.floor_is_due(draining) {
                    reason = Some(FlushReason::Positions);
                }
            }
            if let Some(batch) = &mut open
                && let Some(reason) = reason
            {
                // One commit at a time, in order. While it runs the next batch fills; when that is full too, nothing
                // more is read, and Kafka keeps the rest.
                if let Some(commit) = in_flight.take() {
                    in_flight = self.wait(commit, Some(&mut *batch), &consumer)?;
                    if in_flight.is_some() {
                        continue;
                    }
                }
                tracing::debug!(?reason, rows = batch.size().rows, "flush");
                let set = FlushSet::take(batch, draining)?;
                let running = self.assignments.running.begin();
                in_flight = Some(InFlight {
                    lease: Arc::clone(set.lease()),
                    publishing: self
                        .runtime
                        .spawn(set.publish(Arc::clone(&self.counters), running)),
                });
            }
            if draining {
                match in_flight.take() {
                    Some(commit) => in_flight = self.wait(commit, open.as_mut(), &consumer)?,
                    None => return Ok(()),
                }
                continue;
            }
            let changed = schemas.poll();
            if let Some(batch) = &mut open {
                batch.forget(&changed);
                batch.tick();
            }
            let size = open.as_ref().map(OpenBatch::size).unwrap_or_default();
            let patience = patience(size, limits, in_flight.is_some());
            self.read(&consumer, &mut open, &mut schemas, (limits, patience))?;
        }
    }

    /// Records until the turn is over.
    fn read(
        &self,
        consumer: &Consumer<LakeAssignments>,
        open: &mut Option<OpenBatch>,
        schemas: &mut SchemaTopics,
        (limits, mut timeout): (FlushLimits, Duration),
    ) -> Result<(), Error> {
        for _ in 0..RECORDS_PER_TURN {
            let polled = consumer.poll(timeout)?;
            if let Some(assignment) = self.assignments.take() {
                let namespace = self.config.lake.namespace.clone();
                let counters = Arc::clone(&self.counters);
                *open = Some(OpenBatch::new(assignment, namespace, counters));
            }
            if open
                .as_ref()
                .is_some_and(|batch| !batch.assignment.lease.is_held())
            {
                // Its partitions are gone, and with them everything that was not committed.
                *open = None;
            }
            let Polled::Record(record) = polled else {
                break;
            };
            // A record of partitions that were taken away: their next owner reads it from the lake's position on.
            let Some(batch) = open else {
                break;
            };
            batch.take(&record, schemas)?;
            batch.measure(limits.bytes);
            let size = batch.size();
            if size.bytes >= limits.bytes || size.rows >= limits.rows {
                break;
            }
            timeout = Duration::ZERO;
        }
        Ok(())
    }

    /// Wait a little for the commit in flight; gives it back while it runs.
    fn wait(
        &self,
        mut commit: InFlight,
        open: Option<&mut OpenBatch>,
        consumer: &Consumer<LakeAssignments>,
    ) -> Result<Option<InFlight>, Error> {
        let waited = self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_millis(100), &mut commit.publishing).await
        });
        match waited {
            Err(_elapsed) => Ok(Some(commit)),
            Ok(joined) => {
                settle(joined, &commit.lease, open, consumer)?;
                Ok(None)
            }
        }
    }

    fn finish(
        &self,
        commit: InFlight,
        open: Option<&mut OpenBatch>,
        consumer: &Consumer<LakeAssignments>,
    ) -> Result<(), Error> {
        let joined = self.runtime.block_on(commit.publishing);
        settle(joined, &commit.lease, open, consumer)
    }
}

/// What was seen of a flush goes to the positions that it moves, if they are still ours.
fn settle(
    joined: Result<Published, JoinError>,
    lease: &Arc<Lease>,
    open: Option<&mut OpenBatch>,
    consumer: &Consumer<LakeAssignments>,
) -> Result<(), Error> {
    // One that panicked is a defect even where its partitions are gone.
    let published = joined.map_err(|error| task_ended("commit the open batch", error))?;
    let held = open
        .as_ref()
        .is_some_and(|batch| batch.assignment.lease.is_held());
    if let Some(batch) = open
        && Arc::ptr_eq(lease, &batch.assignment.lease)
    {
        batch.assignment.positions.settle(&published.seen)?;
    }
    match published.result {
        Ok(offsets) => {
            consumer.show_lag(&offsets);
            Ok(())
        }
        // It belonged to partitions that are gone: the lake knows what became of it, their new owner reads it there.
        // What cannot happen halts all the same.
        Err(error) if error.kind() != ErrorKind::Defect && !held => {
            tracing::debug!(%error, "a commit for revoked partitions ended");
            Ok(())
        }
        Err(error) => Err(error),
    }
}
