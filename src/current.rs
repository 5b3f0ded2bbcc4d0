//! `current` beside the writer of `changes`, in the same process.

use std::{sync::Arc, time::Duration};

use ::mirror::Mirror;
use lakewriter::{Lake, LakeConfig, LakeCounters, maintain::Maintenance};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The writer makes a lake's folder, and may not have done so yet.
const UNTIL_THERE_IS_A_LAKE: Duration = Duration::from_millis(500);

/// Keeps `current` until it is stopped.
pub struct Keeper {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Keeper {
    /// `maintenance`: that of the lake, which tells how long older versions can be read. `last`: how long folding may take
    /// after the stop, where it is not as usual.
    pub fn start(
        config: LakeConfig,
        progress: Arc<LakeCounters>,
        maintenance: Option<&Maintenance>,
        last: Option<Duration>,
    ) -> Self {
        let mut mirror = Mirror::default();
        if let Some(last) = last {
            mirror.last = last;
        }
        if let Some(maintenance) = maintenance {
            mirror.settings.history = maintenance.history;
        }
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let lake = loop {
                // Nothing was written: there is nothing to keep, and the first look comes soon enough.
                let last = stopped.is_cancelled();
                if last || progress.commits() > 0 {
                    match Lake::connect(&config) {
                        Ok(lake) => break lake,
                        Err(_) if last => return,
                        Err(_) => {}
                    }
                }
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = tokio::time::sleep(UNTIL_THERE_IS_A_LAKE) => {}
                }
            };
            if let Err(error) = ::mirror::follow(lake, mirror, Some(progress), stopped).await {
                tracing::warn!(error = error.chain(), "`current` is not kept");
            }
        });
        Self { task, stop }
    }

    /// Folds what the writer has committed, and ends.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "`current` ended early");
        }
    }
}
