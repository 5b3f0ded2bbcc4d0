use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGINT or SIGTERM; the second ends the process at once with code 130.
///
/// Nothing depends on the orderly end: a killed process resumes from what is durable.
///
/// # Errors
/// The signal handlers cannot be installed.
pub fn stop_on_signal() -> std::io::Result<CancellationToken> {
    stop_on_signal_and(|| {})
}

/// As `stop_on_signal`; before the process ends at once, `at_once` is called.
///
/// # Errors
/// As `stop_on_signal`.
pub fn stop_on_signal_and(
    at_once: impl Fn() + Send + 'static,
) -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        for count in 0_u8.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if count > 0 {
                at_once();
                std::process::exit(130);
            }
            tracing::info!("stopping: draining to the next durable point (again to stop at once)");
            token.cancel();
        }
    });
    Ok(stop)
}
