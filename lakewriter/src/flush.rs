//! When the open batch is committed: a decision without a clock or a socket.

use std::time::Duration;

/// What is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OpenSize {
    pub(crate) bytes: usize,
    pub(crate) rows: usize,
    /// Since its first record was read.
    pub(crate) age: Duration,
}

/// When to commit at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlushLimits {
    pub(crate) bytes: usize,
    pub(crate) rows: usize,
    pub(crate) freshness: Duration,
}

/// Why a batch is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FlushReason {
    Bytes,
    Rows,
    Freshness,
    /// The process stops.
    Drain,
    /// No row is open, but the lake should be told how far the partitions were read.
    Positions,
}

/// Whether to commit now, and why.
pub(crate) fn flush_reason(
    open: OpenSize,
    limits: FlushLimits,
    draining: bool,
) -> Option<FlushReason> {
    if open.rows == 0 && open.bytes == 0 {
        None
    } else if open.bytes >= limits.bytes {
        Some(FlushReason::Bytes)
    } else if open.rows >= limits.rows {
        Some(FlushReason::Rows)
    } else if draining {
        Some(FlushReason::Drain)
    } else if open.age >= limits.freshness {
        Some(FlushReason::Freshness)
    } else {
        None
    }
}

/// Longest wait for a record while a commit is in flight, whose end wakes nobody.
const BESIDE_A_COMMIT: Duration = Duration::from_millis(20);
/// Longest wait for a record at all: a stop is noticed that late.
const IDLE: Duration = Duration::from_millis(200);

/// How long the next record may be waited for before something else is due.
pub(crate) fn patience(open: OpenSize, limits: FlushLimits, in_flight: bool) -> Duration {
    if in_flight {
        return BESIDE_A_COMMIT;
    }
    if open.rows == 0 && open.bytes == 0 {
        return IDLE;
    }
    let left = limits.freshness.saturating_sub(open.age);
    left.clamp(Duration::from_millis(1), IDLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_limit_that_is_reached_decides() {
        let limits = FlushLimits {
            bytes: 1000,
            rows: 10,
            freshness: Duration::from_secs(5),
        };
        let open = |bytes, rows, secs| OpenSize {
            bytes,
            rows,
            age: Duration::from_secs(secs),
        };
        for (open, draining, want) in [
            (open(0, 0, 9), true, None),
            (open(1, 1, 4), false, None),
            (open(1, 1, 5), false, Some(FlushReason::Freshness)),
            (open(1, 1, 0), true, Some(FlushReason::Drain)),
            (open(1000, 1, 0), false, Some(FlushReason::Bytes)),
            (open(1, 10, 0), true, Some(FlushReason::Rows)),
        ] {
            assert_eq!(flush_reason(open, limits, draining), want, "{open:?}");
        }
    }

    #[test]
    fn nothing_that_is_due_is_slept_through() {
        let limits = FlushLimits {
            bytes: 1000,
            rows: 10,
            freshness: Duration::from_millis(500),
        };
        let open = |rows, millis| OpenSize {
            bytes: 0,
            rows,
            age: Duration::from_millis(millis),
        };
        for (open, in_flight, millis) in [
            (open(0, 0), false, 200),
            (open(0, 0), true, 20),
            (open(1, 0), false, 200),
            (open(1, 450), false, 50),
            (open(1, 500), false, 1),
            (open(1, 500), true, 20),
        ] {
            let want = Duration::from_millis(millis);
            assert_eq!(patience(open, limits, in_flight), want, "{open:?}");
        }
    }
}
