use std::time::Duration;

/// All tables of the lake are looked at this often at the most.
const LONGEST_ROUND: Duration = Duration::from_secs(3600);
const SHORTEST_ROUND: Duration = Duration::from_secs(60);

/// The time between two looks at all tables.
pub(crate) fn round(history: Duration) -> Duration {
    (history / 6).clamp(SHORTEST_ROUND, LONGEST_ROUND)
}
