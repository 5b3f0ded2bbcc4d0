use std::time::Duration;

/// Delays between attempts: doubling from `initial` to `max`, each shortened by up to a fifth so that two processes
/// that failed together do not come back together.
#[derive(Debug, Clone)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    attempt: u32,
    noise: u64,
}

impl Backoff {
    /// The first delay, and the longest one.
    pub fn new(initial: Duration, max: Duration) -> Self {
        let noise = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |since| u64::from(since.subsec_nanos()) | 1);
        Self {
            initial,
            max,
            attempt: 0,
            noise,
        }
    }

    /// How many delays were handed out since the last reset.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The delay before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        let doubled = self
            .initial
            .saturating_mul(1_u32.checked_shl(self.attempt).unwrap_or(u32::MAX));
        self.attempt = self.attempt.saturating_add(1);
        // xorshift64: quality does not matter here, a dependency would.
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        let delay = doubled.min(self.max);
        delay - delay.mul_f64((self.noise % 1000) as f64 / 5000.0)
    }

    /// Start from `initial` again: something worked.
    pub const fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_maximum() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for want in [100_u64, 200, 400, 800, 1000, 1000] {
            let delay = backoff.next_delay();
            let want = Duration::from_millis(want);
            assert!(
                delay <= want && delay >= want.mul_f64(0.8),
                "{delay:?} for {want:?}"
            );
        }
        backoff.reset();
        assert!(backoff.next_delay() <= Duration::from_millis(100));
    }

    #[test]
    fn many_attempts_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        for _ in 0..100 {
            assert!(backoff.next_delay() <= Duration::from_secs(60));
        }
    }
}
