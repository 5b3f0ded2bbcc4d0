//! Calls of librdkafka that block, on threads of their own.
//!
//! Invariant: nobody waits for such a call at the end. The runtime waits for its own blocking threads when it is dropped,
//! and a call to a Kafka that is away takes up to half a minute, so none of them may be on those.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::{Error, ErrorKind, error::panicked};

/// What `call` answers. Where the future is dropped, the call goes on by itself and its answer is lost.
///
/// # Errors
/// As `call`; `Defect` where it panicked.
pub async fn blocking<T: Send + 'static>(
    attempted: &'static str,
    call: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (send, answer) = oneshot::channel();
    std::thread::Builder::new()
        .name("kafka-call".to_owned())
        .spawn(move || {
            let answer = catch_unwind(AssertUnwindSafe(call));
            // Nobody may be waiting any more.
            let _ = send.send(answer);
        })
        .map_err(|error| Error::new(ErrorKind::Delivery, attempted).with_source(error))?;
    match answer.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(panic)) => Err(panicked(attempted, panic.as_ref())),
        Err(ended) => Err(Error::new(ErrorKind::Defect, attempted).with_source(ended)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn a_call_answers_fails_and_panics() {
        assert_eq!(blocking("ask", || Ok(5)).await.ok(), Some(5));
        let failed = blocking("ask", || {
            Err::<(), _>(Error::new(ErrorKind::Permission, "ask"))
        })
        .await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Permission);
        let call = || -> Result<(), Error> { panic!("what it said") };
        let error = blocking("ask", call).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Defect);
        assert!(service::render_error(&error, None).contains("what it said"));
    }

    #[test]
    fn the_runtime_does_not_wait_for_a_call() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let begun = Instant::now();
        let (release, released) = std::sync::mpsc::channel::<()>();
        runtime.block_on(async {
            let call = blocking("ask", move || {
                let _ = released.recv_timeout(Duration::from_secs(300));
                Ok(())
            });
            let waited = tokio::time::timeout(Duration::from_millis(50), call).await;
            assert!(waited.is_err());
        });
        drop(runtime);
        assert!(begun.elapsed() < Duration::from_secs(60));
        drop(release);
    }
}
