use std::time::Duration;

use tokio::time::Instant;

/// The first rest, before anything is known of how much comes.
const FIRST: Duration = Duration::from_millis(10);
/// Below this nothing is gained over being woken.
const LEAST: Duration = Duration::from_millis(1);
/// What is read after a rest should be less than this: a socket holds some 200 kB, and while it is full the server waits.
const MUCH_BYTES: usize = 64 * 1024;

/// While the sink sends nothing anyway, rows are left in the socket and read all at once: the runtime is woken once for
/// all of them, not once for each.
///
/// A rest never lasts longer than the sink's own, so that it adds no latency, and gets shorter the more comes meanwhile,
/// so that it never stops the server.
#[derive(Debug)]
pub(super) struct Rest {
    length: Duration,
    until: Option<Instant>,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            length: FIRST,
            until: None,
        }
    }
}

impl Rest {
    /// Until when to rest, where `sink_rests_until` is the sink's answer; None: not at all.
    pub(super) fn begin(
        &mut self,
        sink_rests_until: Option<Instant>,
        now: Instant,
    ) -> Option<Instant> {
        let sends = sink_rests_until.filter(|sends| *sends > now + LEAST)?;
        // One that has begun is not made longer by what else happens meanwhile.
        let until = *self.until.get_or_insert(now + self.length);
        Some(until.min(sends))
    }

    /// So many bytes were there after a rest.
    pub(super) fn ended(&mut self, bytes: usize) {
        self.until = None;
        if bytes > MUCH_BYTES {
            self.length = (self.length / 2).max(LEAST);
        } else if bytes < MUCH_BYTES / 4 {
            self.length = (self.length * 2).min(Duration::from_secs(1));
        }
    }
}

/// Until a rest is over; for ever where there is none. Cancel-safe.
pub(super) async fn rested(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_when_the_sink_sends_and_not_later() {
        let now = Instant::now();
        let at = |millis| now + Duration::from_millis(millis);
        let mut rest = Rest::default();
        assert_eq!(rest.begin(None, now), None);
        assert_eq!(rest.begin(Some(now), now), None);
        assert_eq!(rest.begin(Some(at(50)), now), Some(at(10)));
        assert_eq!(rest.begin(Some(at(50)), at(5)), Some(at(10)));
        rest.ended(100);
        assert_eq!(rest.begin(Some(at(50)), at(10)), Some(at(30)));
        rest.ended(100);
        assert_eq!(rest.begin(Some(at(50)), at(30)), Some(at(50)));
    }

    #[test]
    fn the_more_comes_the_shorter_it_is() {
        let now = Instant::now();
        let far = Some(now + Duration::from_secs(60));
        let mut rest = Rest::default();
        for (bytes, millis) in [
            (MUCH_BYTES + 1, 5_000),
            (MUCH_BYTES / 2, 5_000),
            (MUCH_BYTES + 1, 2_500),
            (MUCH_BYTES + 1, 1_250),
            (MUCH_BYTES + 1, 1_000),
            (0, 2_000),
        ] {
            rest.ended(bytes);
            let until = rest.begin(far, now).map(|until| until - now);
            assert_eq!(until, Some(Duration::from_micros(millis)), "{bytes}");
        }
    }
}
