//! A run of the generator: finds what the tables hold, then makes changes and writes them until it is stopped.

use std::sync::Arc;

use tokio::{task::spawn_blocking, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    batch::{Batch, Form, Transaction},
    pacer::{Pacer, ROWS_PER_TRANSACTION},
    postgres::Error,
    postgres::{Outcome, Writer},
    progress::{Progress, State, Summary},
    settings::Settings,
    world::World,
};

/// From so many changes on a transaction is a COPY; below, INSERT has less to wait for.
const COPY_FROM: u64 = 50;
/// A run that only takes away learns more tweets of the table when it knows fewer than this.
const FEW_TWEETS: usize = 2_000;

/// Writes changes until the count is reached or `shutdown` is cancelled; then the current transaction is still ended.
///
/// Goes on from what the tables hold: new ids are above all that are there. Survives restarts of the server, without a
/// row lost or written twice.
///
/// # Errors
/// The settings do not make sense, there is no connection within a minute, or the server refuses a statement for good.
pub async fn run(
    settings: Settings,
    progress: Arc<Progress>,
    shutdown: CancellationToken,
) -> Result<Summary, Error> {
    let summary = write_changes(&settings, &progress, &shutdown).await;
    progress.set_state(State::Stopped);
    summary
}

async fn write_changes(
    settings: &Settings,
    progress: &Progress,
    shutdown: &CancellationToken,
) -> Result<Summary, Error> {
    settings.check().map_err(Error::Settings)?;
    let begin = Committed::of(progress);
    let mut started = Instant::now();
    let Some(mut writer) = Writer::connect(settings, progress, shutdown).await? else {
        return Ok(begin.summary(progress, started, false));
    };
    let seed = settings.seed.unwrap_or_else(rand::random);
    let found = writer.find(World::worker(seed)).await?;
    tracing::info!(
        pace = %settings.pace, mix = %settings.mix, seed = settings.seed, after_id = found.greatest_tweet_id,
        users = found.people.len(), "generator starts"
    );
    let run = Run {
        oldest_known: found.known.last().map(|tweet| tweet.id),
        left: settings.count.unwrap_or(u64::MAX),
        settings,
        progress,
        shutdown,
        writer,
    };
    let world = World::new(seed, settings.seed.is_none(), settings.mix, found);
    let pacer = Pacer::start(settings).await?;
    progress.set_state(State::Running);
    started = Instant::now();
    let outcome = match pacer {
        Some(mut pacer) => {
            let outcome = run.paced(world, &mut pacer).await;
            pacer.stop().await;
            outcome
        }
        None => run.unlimited(world).await,
    };
    Ok(begin.summary(progress, started, outcome? == Outcome::Unknown))
}

/// What the loops keep between two transactions.
struct Run<'a> {
    settings: &'a Settings,
    progress: &'a Progress,
    shutdown: &'a CancellationToken,
    writer: Writer<'a>,
    /// The oldest tweet of the table that was ever known; none where there are no older ones.
    oldest_known: Option<i64>,
    /// Changes still to be made.
    left: u64,
}

impl Run<'_> {
    /// Waits until changes are due, makes them, writes them.
    async fn paced(mut self, mut world: World, pacer: &mut Pacer) -> Result<Outcome, Error> {
        let mut buffer = Vec::new();
        while self.left > 0 {
            let due = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => break,
                due = pacer.next() => due,
            };
            let Some(rows) = due else { break };
            self.learn(&mut world).await?;
            let transaction = make(&mut world, rows.min(self.left), buffer);
            if self.write(&transaction).await? == Outcome::Unknown {
                return Ok(Outcome::Unknown);
            }
            buffer = transaction.into_buffer();
        }
        Ok(Outcome::Committed)
    }

    /// Makes the next changes on another thread while the server works on the last.
    async fn unlimited(mut self, mut world: World) -> Result<Outcome, Error> {
        let most = u64::from(
            self.settings
                .rows_per_transaction
                .unwrap_or(ROWS_PER_TRANSACTION),
        );
        self.learn(&mut world).await?;
        let mut transaction = make(&mut world, most.min(self.left), Vec::new());
        let mut buffer = Vec::new();
        while self.left > 0 && !self.shutdown.is_cancelled() {
            self.learn(&mut world).await?;
            let rows = most.min(self.left.saturating_sub(transaction.tally().changes()));
            let next = spawn_blocking(move || {
                let next = make(&mut world, rows, buffer);
                (world, next)
            });
            if self.write(&transaction).await? == Outcome::Unknown {
                return Ok(Outcome::Unknown);
            }
            buffer = transaction.into_buffer();
            (world, transaction) = next.await.map_err(Error::Rows)?;
        }
        Ok(Outcome::Committed)
    }

    async fn write(&mut self, transaction: &Transaction) -> Result<Outcome, Error> {
        let tally = transaction.tally();
        if tally.changes() == 0 {
            return Err(Error::NothingToChange);
        }
        let outcome = self.writer.write(transaction).await?;
        if outcome == Outcome::Committed {
            self.left = self.left.saturating_sub(tally.changes());
            self.progress.committed(tally);
        }
        Ok(outcome)
    }

    /// Learns older tweets of the table where a run of many deletes soon knows none.
    async fn learn(&mut self, world: &mut World) -> Result<(), Error> {
        if self.settings.mix.deletes()
            && world.known_tweets() < FEW_TWEETS
            && let Some(oldest) = self.oldest_known
        {
            let older = self.writer.older_tweets(oldest).await?;
            self.oldest_known = older.last().map(|tweet| tweet.id);
            world.learn(older);
        }
        Ok(())
    }
}

/// A transaction of so many changes, or fewer where there is nothing left to change.
fn make(world: &mut World, rows: u64, buffer: Vec<u8>) -> Transaction {
    let form = if rows >= COPY_FROM {
        Form::Copy
    } else {
        Form::Values
    };
    let mut batch = Batch::new(form, buffer);
    for _ in 0..rows {
        if !world.change(&mut batch) {
            break;
        }
    }
    batch.finish()
}

/// What had been committed at some moment.
struct Committed([u64; 5]);

impl Committed {
    fn of(progress: &Progress) -> Self {
        Self([
            progress.inserted(),
            progress.updated(),
            progress.deleted(),
            progress.users_written(),
            progress.transactions(),
        ])
    }

    #[expect(clippy::indexing_slicing, reason = "a place is one of the array's")]
    fn summary(
        &self,
        progress: &Progress,
        started: Instant,
        last_outcome_unknown: bool,
    ) -> Summary {
        let Self(now) = Self::of(progress);
        let since = |place: usize| now[place].saturating_sub(self.0[place]);
        Summary {
            inserted: since(0),
            updated: since(1),
            deleted: since(2),
            users_written: since(3),
            transactions: since(4),
            elapsed: started.elapsed(),
            last_outcome_unknown,
        }
    }
}
