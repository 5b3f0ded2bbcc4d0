use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Time between two looks at a condition.
const INTERVAL: Duration = Duration::from_millis(20);

/// Looks until `condition` gives a value, and returns that value.
///
/// `Ok(None)` from `condition` means not yet. An error means not yet as well: servers that are starting refuse in many
/// ways; the last error is the cause of the one returned when `timeout` has passed. `what` completes the sentence
/// "waiting for".
pub async fn until<T, F>(what: &str, timeout: Duration, mut condition: F) -> Result<T>
where
    F: AsyncFnMut() -> Result<Option<T>>,
{
    let deadline = Instant::now() + timeout;
    let mut last = None;
    loop {
        match tokio::time::timeout_at(deadline.into(), condition()).await {
            Ok(Ok(Some(value))) => return Ok(value),
            Ok(Ok(None)) => last = None,
            Ok(Err(error)) => last = Some(error),
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            let message = format!(
                "waiting for {what}: not so after {} s",
                timeout.as_secs_f32()
            );
            return match last {
                Some(error) => Err(error).context(message),
                None => bail!(message),
            };
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
