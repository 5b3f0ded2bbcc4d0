//! PostgreSQL -> lake in one process: no Kafka, no connector JSON, exactly once.

mod check;
mod globs;
mod hint;
mod panel;
mod patience;
mod road;
mod sink;
mod slot;
mod source;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use cdc::{Phase, PipelineStatus};
use lakewriter::LakeCounters;
use service::Secret;
use tokio_util::sync::CancellationToken;

pub use self::{
    globs::Globs,
    road::{Road, drive},
    slot::SlotName,
    source::{Source, SourceSnapshot, connector},
};
use self::{
    panel::{Panel, Reading},
    patience::Patience,
};
use crate::failure::Failure;

/// What a mirror is asked for.
#[derive(Debug)]
pub struct Plan {
    /// Its connector has the slot's name yet to be given.
    pub road: Road,
    pub slot: SlotName,
    /// Copy, catch up to the WAL's end at the start, and end.
    pub once: bool,
    /// Command that asks the lake, for the last line.
    pub question: String,
}

/// Time between two looks whether a mirror that ends by itself has everything.
const LOOK: Duration = Duration::from_millis(50);

/// A mirror that ends by itself waits so long for `current`: nobody goes on with it afterwards.
const CURRENT_AFTER_ONCE: Duration = Duration::from_secs(600);

/// Run until `stop`, or with `once` until the lake has everything that was committed before the start. What was read is in
/// the lake then.
///
/// # Errors
/// The database or the lake cannot be used, with what to do about it; or going on could lose or repeat a change.
pub async fn run(mut plan: Plan, stop: CancellationToken) -> Result<(), Failure> {
    let began = Instant::now();
    if plan.once {
        plan.road.last = Some(CURRENT_AFTER_ONCE);
    }
    let connector = &mut plan.road.connector;
    let place = format!(
        "`{}` on `{}` port {}",
        connector.database.dbname, connector.database.hostname, connector.database.port
    );
    let checked = async {
        let (lake, pipeline) = (&plan.road.lake, plan.road.pipeline.as_str());
        let mut slot = plan.slot.of(lake, pipeline).await?;
        slot.give_to(connector);
        check::check(connector, &mut slot, &place).await?;
        slot.name_in(lake, pipeline).await
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => return Ok(()),
        checked = checked => checked?,
    }
    let target = cdc::source::current_wal_lsn(&connector.database)
        .await
        .map_err(hint::of_a_mirror)?;
    let status = Arc::new(PipelineStatus::default());
    let lake = Arc::new(LakeCounters::default());
    let stop_road = CancellationToken::new();
    let lake_place = plan.road.lake.place();
    say!("mirror: {place} to the lake at {lake_place}");
    let mut road = tokio::spawn(drive(
        plan.road,
        Arc::clone(&status),
        Arc::clone(&lake),
        stop_road.clone(),
    ));
    let panel = Panel::new();
    let mut shown = tokio::time::interval(panel.period());
    let mut look = tokio::time::interval(LOOK);
    let read = || Reading::of(began.elapsed(), &status, &lake);
    let mut patience = Patience::default();
    // The last failure, where this one ends by itself and no start brings anything any more.
    let mut given_up = None;
    let ended = loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break None,
            ended = &mut road => break Some(ended),
            _ = shown.tick() => panel.show(&read()),
            _ = look.tick(), if plan.once => {
                if status.phase() == Phase::Streaming && status.confirmed() >= target {
                    break None;
                }
                let reached = (status.confirmed(), lake.rows_visible());
                if patience.ends(Instant::now(), reached, status.restarts())
                    && let Some(trouble) = status.trouble()
                {
                    given_up = Some(trouble);
                    break None;
                }
            }
        }
    };
    stop_road.cancel();
    let ended = match ended {
        Some(ended) => ended,
        None => road.await,
    };
    panel.close(&read());
    let ended = ended.context("wait for the reader of the WAL")?;
    ended.map_err(hint::of_a_mirror)?;
    let reached = status.confirmed();
    if let Some(trouble) = given_up {
        return Err(Failure::Halted {
            what: format!(
                "mirror {place} once: given up after {} failures; the last one: {}",
                status.restarts(),
                hint::in_own_words(trouble.trim()).replace('\n', "; ")
            ),
            hint: "mend that and start it again: it goes on where the lake is. Without --once it goes on trying".to_owned(),
        });
    }
    if plan.once && reached < target {
        return Err(Failure::Halted {
            what: format!(
                "mirror {place} once: stopped before everything up to LSN {target} was in the lake, which has it up to {reached}"
            ),
            hint: "start it again: it goes on where the lake is".to_owned(),
        });
    }
    if reached == pgoutput::Lsn(0) {
        say!(
            "stopped before anything new was in the lake: a copy is there when it is complete, and the next start goes on from where the lake is"
        );
        return Ok(());
    }
    say!("ended; the lake has everything up to LSN {reached}");
    say!("ask it: {}", plan.question);
    Ok(())
}

/// The password: of the connection string, of the setting, or of libpq's variable.
pub fn password(setting: Option<&str>) -> Option<Secret> {
    let variable = std::env::var("PGPASSWORD").ok();
    setting.map(str::to_owned).or(variable).map(Secret::new)
}
