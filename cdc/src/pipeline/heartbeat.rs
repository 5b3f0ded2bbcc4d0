use debezium::SourceRecord;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::{Error, EventSink, source::HeartbeatAction};
use connector::ConnectorConfig;

/// Heartbeat records and the query that goes with them (`heartbeat.interval.ms`, `heartbeat.action.query`).
pub(super) struct Heartbeat {
    beats: Interval,
    action: Option<HeartbeatAction>,
}

impl Heartbeat {
    /// None where heartbeats are off. The first one is due after one interval.
    pub(super) fn new(config: &ConnectorConfig) -> Option<Self> {
        let heartbeat = config.records.heartbeat.as_ref()?;
        let mut beats = interval_at(Instant::now() + heartbeat.interval, heartbeat.interval);
        // As Debezium's, whose next one is due an interval after the last.
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let action = heartbeat.action_query.as_deref();
        Some(Self {
            beats,
            action: action.map(|query| HeartbeatAction::new(&config.database, query)),
        })
    }

    /// Send one, due or not.
    pub(super) fn beat<S: EventSink>(&self, sink: &mut S) -> Result<(), Error> {
        if let Some(action) = &self.action {
            action.run();
        }
        sink.write_record(&SourceRecord::Heartbeat)
    }
}

/// Until the next one is due; for ever where they are off. Cancel-safe.
pub(super) async fn due(heartbeat: &mut Option<Heartbeat>) {
    tick(heartbeat.as_mut().map(|heartbeat| &mut heartbeat.beats)).await;
}

/// Until the next time; for ever where there is none. Cancel-safe.
pub(super) async fn tick(interval: Option<&mut Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
