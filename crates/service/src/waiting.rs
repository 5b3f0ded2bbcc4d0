use std::time::Duration;

/// Longer than anything takes that goes well, shorter than anybody's patience.
const SILENCE: Duration = Duration::from_millis(1500);

/// Await `work`; while it is silent, say once what is waited for. `what` completes "waiting for" and names the host.
pub async fn told<T>(what: impl FnOnce() -> String, work: impl Future<Output = T>) -> T {
    told_after(SILENCE, || tracing::warn!("waiting for {}", what()), work).await
}

async fn told_after<T>(silence: Duration, tell: impl FnOnce(), work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => done,
        () = tokio::time::sleep(silence) => {
            tell();
            work.await
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn only_what_takes_long_is_told() {
        let told = Cell::new(false);
        told_after(Duration::from_secs(60), || told.set(true), async {}).await;
        assert!(!told.get());

        let until_told = async {
            while !told.get() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        told_after(Duration::from_millis(1), || told.set(true), until_told).await;
    }
}
