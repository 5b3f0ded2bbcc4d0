use std::time::Duration;

use super::{CompactionLimits, DEFAULT_HISTORY};

/// What is done, and how long older versions stay readable.
#[derive(Debug, Clone, PartialEq)]
pub struct Maintenance {
    /// Cron expression with seconds: when busy tables are looked at (UTC).
    pub schedule: String,
    pub limits: CompactionLimits,
    /// Versions of the last so many seconds can be read, and nobody who began to read within them loses a file.
    pub history: Duration,
}

/// Every minute, at the second zero.
pub const DEFAULT_SCHEDULE: &str = "0 * * * * *";

impl Default for Maintenance {
    fn default() -> Self {
        Self {
            schedule: DEFAULT_SCHEDULE.to_owned(),
            limits: CompactionLimits::default(),
            history: DEFAULT_HISTORY,
        }
    }
}
