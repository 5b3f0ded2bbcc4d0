//! Maintenance beside a writer: busy tables are compacted as they grow, and every table is looked at once in a while.

use std::{sync::Arc, time::Instant};

use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Compacted, Expired, Extent, Maintenance, Vacuumed, compact, expire, round, vacuum};
use crate::{
    Error,
    lake::{
        CHANGES, CURRENT, DEAD_LETTERS, Lake, POSITIONS,
        delta::{LakeTable, TableProperties, maintenance},
    },
};

/// What a look at a table did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upkeep {
    pub compacted: Compacted,
    pub expired: Expired,
    /// Data files that were deleted, and their bytes.
    pub deleted_files: u64,
    pub deleted_bytes: u64,
}

/// Maintenance that runs; dropped, it stops at the next batch of rows and leaves nothing behind.
#[derive(Debug)]
pub struct MaintenanceTask(#[expect(dead_code, reason = "it is there to be dropped")] DropGuard);

/// Keeps the tables of a lake small.
#[derive(Debug, Clone)]
pub struct Maintainer {
    lake: Lake,
    settings: Arc<Maintenance>,
}

impl Maintainer {
    pub fn new(lake: Lake, settings: Maintenance) -> Self {
        Self {
            lake,
            settings: Arc::new(settings),
        }
    }

    /// Run until the returned value is dropped, on threads of its own. None: there is no runtime for it, which is logged.
    pub fn start(self) -> Option<MaintenanceTask> {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        maintenance()?.spawn(async move {
            if let Err(error) = self.run(&stopped).await {
                let schedule = &self.settings.schedule;
                tracing::warn!(%error, schedule, "the lake is not kept small: its schedule cannot be started");
            }
        });
        Some(MaintenanceTask(stop.drop_guard()))
    }

    /// Until stopped. What goes wrong is logged and tried again the next time: a table that is not compacted is as right
    /// as one that is.
    ///
    /// # Errors
    /// The schedule cannot be started.
    pub async fn run(&self, stop: &CancellationToken) -> Result<(), service::ScheduleError> {
        let mut schedule = service::Schedule::start(&self.settings.schedule).await?;
        let mut last_round: Option<Instant> = None;
        let round = round(self.settings.history);
        loop {
            let ticked = tokio::select! {
                () = stop.cancelled() => false,
                ticked = schedule.tick() => ticked,
            };
            if !ticked {
                break;
            }
            if last_round.is_none_or(|last| last.elapsed() >= round) {
                last_round = Some(Instant::now());
                self.round(stop).await;
            } else {
                let least = u32::try_from(self.settings.limits.files).unwrap_or(u32::MAX);
                for relative in self.lake.activity().take(least) {
                    self.told(&relative, self.compact(&relative, stop).await);
                }
            }
        }
        schedule.stop().await;
        Ok(())
    }

    /// Every table, one after the other.
    async fn round(&self, stop: &CancellationToken) {
        let tables = match self.lake.list_changes().await {
            Ok(tables) => tables,
            Err(error) => {
                self.told("", Err::<Compacted, _>(error));
                return;
            }
        };
        let own = [DEAD_LETTERS, POSITIONS].map(str::to_owned);
        for relative in tables.into_iter().chain(own) {
            if stop.is_cancelled() {
                return;
            }
            self.told(&relative, self.upkeep(&relative, stop).await);
            // Whoever keeps the rows as they are now writes its small files anew itself, and knows which became which.
            if let Some(folder) = relative.strip_suffix(CHANGES) {
                let current = format!("{folder}{CURRENT}");
                self.told(&current, self.sweep(&current).await);
            }
        }
    }

    /// Delete what the history of a table does not need.
    async fn sweep(&self, relative: &str) -> Result<(), Error> {
        let Some(mut table) = LakeTable::open(&self.lake, relative).await? else {
            return Ok(());
        };
        self.forget_old(&mut table).await.map(drop)
    }

    async fn forget_old(&self, table: &mut LakeTable) -> Result<(Expired, Vacuumed), Error> {
        table.checkpoint_if_behind().await?;
        let expired = expire(&self.lake, table, self.settings.history).await?;
        let vacuumed = vacuum(&self.lake, table, self.settings.history, false).await?;
        Ok((expired, vacuumed))
    }

    fn told<T>(&self, relative: &str, result: Result<T, Error>) {
        if let Err(error) = result {
            tracing::warn!(
                error = %service::render_error(&error, None),
                table = relative,
                "maintenance is left for the next time"
            );
        }
    }

    async fn compact(&self, relative: &str, stop: &CancellationToken) -> Result<Compacted, Error> {
        let Some(mut table) = LakeTable::open(&self.lake, relative).await? else {
            return Ok(Compacted::default());
        };
        let limits = &self.settings.limits;
        compact(&self.lake, &mut table, limits, Extent::Tiers, stop, |_| {}).await
    }

    /// Compact a table, delete what its history does not need, and see that it says how long that is.
    ///
    /// # Errors
    /// The store's; what was done stays done.
    pub async fn upkeep(&self, relative: &str, stop: &CancellationToken) -> Result<Upkeep, Error> {
        let Some(mut table) = LakeTable::open(&self.lake, relative).await? else {
            return Ok(Upkeep::default());
        };
        table
            .keep_properties(&TableProperties::of_history(self.settings.history))
            .await?;
        let compacted = compact(
            &self.lake,
            &mut table,
            &self.settings.limits,
            Extent::Tiers,
            stop,
            |_| {},
        )
        .await?;
        let (expired, vacuumed) = self.forget_old(&mut table).await?;
        Ok(Upkeep {
            compacted,
            expired,
            deleted_files: vacuumed.files.len() as u64,
            deleted_bytes: vacuumed.bytes,
        })
    }
}
