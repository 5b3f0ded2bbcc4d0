//! All tables of a lake, followed until the stop signal.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use datafusion::{
    execution::{memory_pool::FairSpillPool, runtime_env::RuntimeEnvBuilder},
    prelude::{SessionConfig, SessionContext},
};
use lakewriter::{Lake, LakeCounters};
use tokio_util::sync::CancellationToken;

use crate::{
    Follower, Settings, Step,
    error::{Attempted as _, Error},
};

/// How a lake is followed.
#[derive(Debug, Clone)]
pub struct Mirror {
    pub settings: Settings,
    /// How often is looked for commits.
    pub every: Duration,
    /// Bytes that reading and sorting may take; they go on on disk.
    pub memory_bytes: usize,
    /// After the stop signal what was committed last is folded, for this long at most.
    pub last: Duration,
}

impl Default for Mirror {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            every: Duration::from_millis(250),
            memory_bytes: 512 << 20,
            last: Duration::from_secs(10),
        }
    }
}

/// New tables are looked for this often, and whether somebody else writes to the lake.
const LOOK_AROUND: Duration = Duration::from_secs(10);

/// A table that failed is tried again after this long.
const REST: Duration = Duration::from_secs(5);

/// Keep `current` of every table of the lake beside `changes`, until `stop`. The writer of the same process tells by its
/// progress that there is something to do. What fails is logged and tried again: `changes` goes on without it.
///
/// # Errors
/// There is no memory pool to be made.
pub async fn follow(
    lake: Lake,
    mirror: Mirror,
    progress: Option<Arc<LakeCounters>>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(mirror.memory_bytes)))
        .build_arc()
        .attempted(|| "bound the memory of `current`".to_owned())?;
    let session = SessionContext::new_with_config_rt(SessionConfig::new(), runtime);
    let mut tables: HashMap<String, Table> = HashMap::new();
    let mut commits = 0;
    let mut looked: Option<Instant> = None;
    loop {
        let news = progress.as_ref().map(|progress| progress.commits());
        let due = looked.is_none_or(|looked| looked.elapsed() >= LOOK_AROUND);
        let told = news.is_some_and(|news| news != commits);
        if due || told || progress.is_none() {
            commits = news.unwrap_or_default();
            if due || tables.is_empty() {
                looked = Some(Instant::now());
                find(&lake, &session, &mirror.settings, &mut tables).await;
            }
            tables.values_mut().for_each(|table| table.due = true);
        }
        for table in tables.values_mut() {
            if stop.is_cancelled() {
                break;
            }
            table.advance(&stop).await;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(mirror.every) => {}
        }
    }
    // What the writer committed last.
    let last = async {
        find(&lake, &session, &mirror.settings, &mut tables).await;
        for table in tables.values_mut() {
            table.due = true;
            table.advance(&CancellationToken::new()).await;
        }
    };
    if tokio::time::timeout(mirror.last, last).await.is_err() {
        tracing::info!("`current` is behind `changes`: the next start goes on");
    }
    Ok(())
}

async fn find(
    lake: &Lake,
    session: &SessionContext,
    settings: &Settings,
    tables: &mut HashMap<String, Table>,
) {
    let folders: HashSet<String> = match lake.list_changes().await {
        Ok(folders) => folders.into_iter().collect(),
        Err(error) => {
            tracing::warn!(%error, "the lake's tables cannot be listed: `current` waits");
            return;
        }
    };
    for folder in folders {
        tables.entry(folder).or_insert_with_key(|folder| Table {
            follower: Follower::new(lake, session, folder, settings.clone()),
            due: true,
            rests: None,
            last: Step::Idle,
        });
    }
}

struct Table {
    follower: Follower,
    /// There may be something to do.
    due: bool,
    /// It failed, and is not asked before.
    rests: Option<Instant>,
    last: Step,
}

impl Table {
    /// Steps until nothing is left to do.
    async fn advance(&mut self, stop: &CancellationToken) {
        while self.due && !stop.is_cancelled() {
            if self.rests.is_some_and(|until| until > Instant::now()) {
                return;
            }
            self.rests = None;
            let table = self.follower.folder().to_owned();
            let step = match self.follower.step().await {
                Ok(step) => step,
                Err(error) => {
                    self.rests = Some(Instant::now() + REST);
                    let (error, hint) = (error.chain(), Error::hint());
                    tracing::warn!(
                        error,
                        hint,
                        table,
                        "`current` could not be brought on: trying again"
                    );
                    return;
                }
            };
            match step {
                Step::Idle => self.due = false,
                Step::Folded {
                    version,
                    gone,
                    come,
                } => {
                    tracing::debug!(table, version, gone, come, "changes folded");
                }
                Step::Rebuilt { version, reason } => {
                    tracing::info!(table, version, %reason, "current made anew");
                }
                Step::Held if self.last != Step::Held => {
                    tracing::info!(table, "current waits for all rows of a snapshot");
                }
                Step::Missing { of, there } if self.last != step => {
                    tracing::warn!(
                        table,
                        of,
                        there,
                        hint = "look for them in `_dead_letters`, or see whether Kafka has compacted the topic; a new snapshot puts it right, and so does moving the folder of `current` away: then it is made of the rows that are there",
                        "rows of a snapshot do not come: current stays as it was before it"
                    );
                }
                Step::NoKey if self.last != Step::NoKey => {
                    tracing::info!(
                        table,
                        "no key tells the rows apart: there is `changes` and no `current`"
                    );
                    self.due = false;
                }
                Step::Overtaken => {
                    tracing::debug!(table, "somebody else committed: reading the table again")
                }
                Step::NoKey => self.due = false,
                Step::Held | Step::Missing { .. } | Step::Resting => {}
            }
            self.last = step;
            if matches!(step, Step::Held | Step::Missing { .. } | Step::Resting) {
                return;
            }
        }
    }
}
