use std::time::{Duration, Instant};

use pgoutput::{Lsn, PgTimestamp, StandbyStatusUpdate};

/// What the walsender is told, and when. The confirmed position only ever grows.
#[derive(Debug, Clone)]
pub struct Feedback {
    confirmed: Lsn,
    /// The highest position seen in the stream.
    received: Lsn,
    told: Lsn,
    told_at: Instant,
    interval: Duration,
}

impl Feedback {
    /// `confirmed` is what the slot already has; at the latest every `interval` the server hears from us.
    pub fn new(confirmed: Lsn, interval: Duration, now: Instant) -> Self {
        Self {
            confirmed,
            received: confirmed,
            told: Lsn::INVALID,
            told_at: now,
            interval,
        }
    }

    pub const fn confirmed(&self) -> Lsn {
        self.confirmed
    }

    pub const fn received(&self) -> Lsn {
        self.received
    }

    pub fn receive(&mut self, lsn: Lsn) {
        self.received = self.received.max(lsn);
    }

    /// Everything before `lsn` is durable downstream.
    pub fn confirm(&mut self, lsn: Lsn) {
        self.confirmed = self.confirmed.max(lsn);
        self.received = self.received.max(lsn);
    }

    /// Whether there is something new to tell, or it is time for a sign of life.
    pub fn due(&self, now: Instant) -> bool {
        self.confirmed > self.told || now.saturating_duration_since(self.told_at) >= self.interval
    }

    /// Append the update's payload to `out`.
    pub fn encode(
        &mut self,
        now: Instant,
        clock: PgTimestamp,
        reply_requested: bool,
        out: &mut Vec<u8>,
    ) {
        self.told = self.confirmed;
        self.told_at = now;
        StandbyStatusUpdate {
            written: self.received,
            flushed: self.confirmed,
            applied: self.confirmed,
            sent_at: clock,
            reply_requested,
        }
        .encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confirmed_never_goes_back() {
        let now = Instant::now();
        let mut feedback = Feedback::new(Lsn(100), Duration::from_secs(10), now);
        feedback.confirm(Lsn(300));
        feedback.confirm(Lsn(200));
        feedback.receive(Lsn(250));
        assert_eq!(feedback.confirmed(), Lsn(300));
        assert_eq!(feedback.received(), Lsn(300));
    }

    #[test]
    fn due_when_there_is_news_or_after_the_interval() {
        let start = Instant::now();
        let interval = Duration::from_secs(10);
        let mut feedback = Feedback::new(Lsn(100), interval, start);
        assert!(feedback.due(start), "the first update is news");
        let mut out = Vec::new();
        feedback.encode(start, PgTimestamp(0), false, &mut out);
        assert!(!feedback.due(start));
        assert!(feedback.due(start + interval));
        feedback.receive(Lsn(500));
        assert!(!feedback.due(start), "received is not durable");
        feedback.confirm(Lsn(400));
        assert!(feedback.due(start));
        out.clear();
        feedback.encode(start, PgTimestamp(0), true, &mut out);
        let lsn = |at: usize| u64::from_be_bytes(out[at..at + 8].try_into().expect("eight bytes"));
        assert_eq!((lsn(1), lsn(9), lsn(17)), (500, 400, 400));
        assert_eq!(out.last(), Some(&1));
    }
}
