use std::time::{SystemTime, UNIX_EPOCH};

use pgoutput::PgTimestamp;

/// Nanoseconds since the Unix epoch; the clock ends in 2262.
pub(crate) fn now_nanos() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}

/// Now, as PostgreSQL counts.
pub(crate) fn postgres_now() -> PgTimestamp {
    let micros = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros());
    PgTimestamp::from_unix_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}
