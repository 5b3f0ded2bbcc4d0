/// How busy each hour of the day (UTC) is, in percent of the day's mean.
const ACTIVITY: [u32; 24] = [
    80, 70, 62, 55, 50, 52, 60, 72, 86, 98, 106, 112, 118, 124, 128, 130, 132, 134, 136, 138, 132,
    122, 108, 95,
];

/// How busy an hour of the day (UTC, 0 to 23) is, in percent of the day's mean.
pub fn activity_percent(hour: usize) -> u32 {
    ACTIVITY.get(hour).copied().unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_mean() {
        assert_eq!(ACTIVITY.iter().sum::<u32>(), 2400);
    }
}
