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
}
