use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since the Unix epoch; the clock ends in 2262.
pub(super) fn now_nanos() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}
