//! The whole road in one process: generator, PostgreSQL, reader of the WAL, lake.

mod cluster;
mod folder;
mod panel;
mod summary;

use std::{
    path::PathBuf,
    process::ExitStatus,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use cdc::PipelineStatus;
use connector::ConnectorConfig;
use generator::Pace;
use lakewriter::{LakeConfig, LakeCounters, maintain::Maintenance};
use tokio_util::sync::CancellationToken;

use self::{
    cluster::Cluster,
    folder::Folder,
    panel::{Panel, Reading},
};
pub use self::{cluster::Leash, folder::clean};
use crate::{
    failure::Failure,
    mirror::{Globs, Road, Source, SourceSnapshot, connector, drive},
};

/// Name of the demo's slot, publication, position and first folder of the lake.
const NAME: &str = "twitter";

/// What the demo is asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Holds the cluster and the lake.
    pub folder: PathBuf,
    pub pace: Pace,
    pub mix: generator::Mix,
    pub seed: Option<u64>,
    /// Ends by itself after this long.
    pub lasts: Option<Duration>,
    /// Time between two commits to the lake.
    pub freshness: Duration,
}

impl Plan {
    fn lake(&self) -> PathBuf {
        self.folder.join("lake")
    }
}

/// Run until the plan or `stop` ends it; what was read by then is in the lake. `leash` holds what runs beside this process.
///
/// # Errors
/// A part could not start, or halted.
pub async fn run(plan: Plan, leash: Leash, stop: CancellationToken) -> Result<(), Failure> {
    let began = Instant::now();
    // Held to the end of this process: its server and its lake have one writer.
    let folder = Folder::claim(&plan.folder)?;
    say!(
        "PostgreSQL: starting a private cluster under {}",
        plan.folder.display()
    );
    let Some(mut cluster) = Cluster::start(folder.path(), &leash, &stop)? else {
        say!("ended before the server was up");
        return Ok(());
    };
    say!(
        "PostgreSQL: ready after {:.1} s, socket folder {}",
        began.elapsed().as_secs_f64(),
        cluster.socket_folder().display()
    );
    summary::print_questions(&plan, &cluster);
    let dsn = cluster.dsn("postgres");
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        made = generator::create_tables(&dsn) => made.context("make the tables `users` and `tweets`")?,
    }
    if stop.is_cancelled() {
        say!("ended before the first tweet");
        return Ok(cluster.stop()?);
    }

    let generated = Arc::new(generator::Progress::default());
    let status = Arc::new(PipelineStatus::default());
    let lake = Arc::new(LakeCounters::default());

    let mut generate = generator::Settings::new(cluster.dsn("postgres"));
    generate.pace = plan.pace.clone();
    generate.mix = plan.mix;
    generate.seed = plan.seed;
    let stop_generator = stop.child_token();
    let generator = tokio::spawn(generator::run(
        generate,
        Arc::clone(&generated),
        stop_generator.clone(),
    ));

    let stop_road = CancellationToken::new();
    let way = way(&plan, &cluster)?;
    let connector = way.connector.clone();
    let mut road = tokio::spawn(drive(
        way,
        Arc::clone(&status),
        Arc::clone(&lake),
        stop_road.clone(),
    ));

    let read = || reading(began, &generated, &status, &lake);
    let panel = Panel::new();
    let mut timer = tokio::time::interval(panel.period());
    let mut first_row_seen = false;
    let end = async {
        match plan.lasts {
            Some(lasts) => tokio::time::sleep(lasts).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(end);
    // Stop first, then the road's own end, then the time, then the next look.
    let halted = loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break None,
            ended = &mut road => break Some(ended),
            () = &mut end => break None,
            _ = timer.tick() => {
                // The parts would wait for it for ever.
                if cluster.has_ended()?.is_some() {
                    break None;
                }
                panel.show(&read());
                if !first_row_seen && lake.rows_visible() > 0 {
                    first_row_seen = true;
                    tracing::debug!(after = ?began.elapsed(), "first row visible in the lake");
                }
            }
        }
    };
    stop_generator.cancel();
    let summary = generator.await.context("wait for the generator")?;
    let ended = match halted {
        Some(ended) => ended,
        None => {
            drain(&connector, &status, &mut cluster).await?;
            stop_road.cancel();
            road.await
        }
    };
    panel.close(&read());
    // What it did to the others is no news beside it.
    if let Some(status) = cluster.has_ended()? {
        return Err(server_ended(&plan, status, &cluster));
    }
    ended.context("wait for the reader of the WAL")??;
    let summary = summary?;
    summary::print(&plan, &summary, &lake).await?;
    cluster.stop()?;
    Ok(())
}

/// From the demo's PostgreSQL to its lake: a mirror as anybody's.
fn way(plan: &Plan, cluster: &Cluster) -> anyhow::Result<Road> {
    let source = Source {
        dsn: cluster.dsn("postgres"),
        password: None,
        tables: Globs::parse("public.users,public.tweets").map_err(anyhow::Error::msg)?,
        exclude: Globs::default(),
        slot: NAME.to_owned(),
        snapshot: SourceSnapshot::Initial,
    };
    let folder = plan.lake();
    let folder = folder
        .to_str()
        .with_context(|| format!("use `{}` as a lake: not UTF-8", folder.display()))?;
    let mut lake = LakeConfig::new(folder);
    lake.namespace = Some(NAME.to_owned());
    Ok(Road {
        connector: connector(source, &plan.folder.join("spill"))?,
        lake,
        pipeline: NAME.to_owned(),
        freshness: plan.freshness,
        maintenance: Some(Maintenance::default()),
        last: None,
    })
}

/// The demo's own server is gone, and nobody of ours ended it.
fn server_ended(plan: &Plan, status: ExitStatus, cluster: &Cluster) -> Failure {
    Failure::Halted {
        what: format!(
            "go on: the PostgreSQL server of the demo has ended with {status}; its last words:\n{}",
            cluster.last_words()
        ),
        hint: format!(
            "start the demo again in `{}`: what was committed is in its PostgreSQL, and the lake goes on from where it is",
            plan.folder.display()
        ),
    }
}

/// The last transactions of the generator are still on their way: wait until the slot has confirmed them, or the server has
/// ended.
async fn drain(
    connector: &ConnectorConfig,
    status: &PipelineStatus,
    cluster: &mut Cluster,
) -> anyhow::Result<()> {
    if cluster.has_ended()?.is_some() {
        return Ok(());
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let target = match cdc::source::current_wal_lsn(&connector.database).await {
        Ok(target) => target,
        // The server is gone: nothing more will come.
        Err(error) => {
            tracing::warn!(error = %error, "the end of the WAL is not known");
            return Ok(());
        }
    };
    while status.confirmed() < target && Instant::now() < deadline && cluster.has_ended()?.is_none()
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn reading(
    began: Instant,
    generated: &generator::Progress,
    status: &PipelineStatus,
    lake: &LakeCounters,
) -> Reading {
    let events = status.counts();
    Reading {
        elapsed: began.elapsed(),
        tweets_written: generated.inserted(),
        created: events.creates,
        updated: events.updates,
        deleted: events.deletes,
        read: status.rows_snapshotted(),
        lake_rows: lake.rows_visible(),
        lag_bytes: status.lag_bytes(),
        freshness_p50: lake.freshness(0.5),
        freshness_p99: lake.freshness(0.99),
    }
}
