//! Writes transactions to PostgreSQL, each exactly once, across lost connections.
//!
//! After a lost connection a row of the transaction tells whether it was committed; only if it was not is it sent
//! again.

use std::{pin::pin, time::Duration};

use futures::{SinkExt as _, future::try_join};
use postgres_tls::{ConnectError, Connector};
use service::Backoff;
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;
use tokio_util::sync::CancellationToken;

use super::{WritingConnection, configuration, find, is_passing, older_tweets};
use crate::{
    batch::Transaction,
    postgres::Error,
    progress::{Progress, State},
    settings::Settings,
    world::{Found, KnownTweet},
};

const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// How long the very first connection is tried for: long enough for a server that is just starting, short enough to
/// notice a wrong address.
const FIRST_CONNECTION_PATIENCE: Duration = Duration::from_secs(60);

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Committed,
    /// The run was stopped while the connection was lost.
    Unknown,
}

/// Writes transactions, each exactly once, across lost connections.
pub struct Writer<'a> {
    connector: Connector,
    session: Option<WritingConnection>,
    backoff: Backoff,
    progress: &'a Progress,
    shutdown: &'a CancellationToken,
}

impl<'a> Writer<'a> {
    /// Connects. None if the run is stopped before that succeeds.
    pub async fn connect(
        settings: &Settings,
        progress: &'a Progress,
        shutdown: &'a CancellationToken,
    ) -> Result<Option<Self>, Error> {
        let mut writer = Self {
            connector: configuration(&settings.dsn, settings.password.as_ref())?,
            session: None,
            backoff: Backoff::new(FIRST_DELAY, LONGEST_DELAY),
            progress,
            shutdown,
        };
        let patience = Instant::now() + FIRST_CONNECTION_PATIENCE;
        while !shutdown.is_cancelled() {
            let what = || format!("PostgreSQL at {}", writer.connector.address());
            match service::told(what, WritingConnection::open(&writer.connector)).await {
                Ok(session) => {
                    writer.session = Some(session);
                    writer.backoff.reset();
                    return Ok(Some(writer));
                }
                Err(error) if is_passing(&error) && Instant::now() < patience => {
                    writer.wait(&error).await
                }
                Err(error) => return Err(Error::connect(&writer.connector, error)),
            }
        }
        Ok(None)
    }

    /// Reads what the tables hold.
    pub async fn find(&mut self, worker: u16) -> Result<Found, Error> {
        find(&self.session().await.map_err(Error::Read)?.client, worker)
            .await
            .map_err(|error| Error::Read(error.into()))
    }

    /// Reads tweets that come before this id.
    pub async fn older_tweets(&mut self, before: i64) -> Result<Vec<KnownTweet>, Error> {
        older_tweets(&self.session().await.map_err(Error::Read)?.client, before)
            .await
            .map_err(|error| Error::Read(error.into()))
    }

    /// Writes a transaction, once: after a lost connection its id of a new tweet says whether it was committed, and only
    /// if it was not is it sent again. Returns before that only if the run is stopped or the server refuses it for good.
    pub async fn write(&mut self, transaction: &Transaction) -> Result<Outcome, Error> {
        let mut doubtful = false;
        loop {
            match self.attempt(transaction, doubtful).await {
                Ok(()) => {
                    self.backoff.reset();
                    self.progress.set_state(State::Running);
                    return Ok(Outcome::Committed);
                }
                // The connection is given up in each case, which also ends the failed transaction.
                Err(error) if is_passing(&error) => {
                    self.session = None;
                    doubtful = true;
                    self.progress.set_state(State::Retrying);
                    self.wait(&error).await;
                    if self.shutdown.is_cancelled() {
                        return Ok(Outcome::Unknown);
                    }
                }
                // Either the first attempt was committed after we had looked for it, or the id is somebody else's.
                Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                    self.session = None;
                    if !doubtful {
                        return Err(Error::Collision(error));
                    }
                    match self.is_committed(transaction).await {
                        Ok(true) => {}
                        Ok(false) => return Err(Error::Collision(error)),
                        Err(error) if is_passing(&error) => self.wait(&error).await,
                        Err(error) => return Err(Error::Read(error)),
                    }
                }
                Err(error) => {
                    self.session = None;
                    return Err(Error::Write(error));
                }
            }
        }
    }

    async fn attempt(
        &mut self,
        transaction: &Transaction,
        doubtful: bool,
    ) -> Result<(), ConnectError> {
        if doubtful && self.is_committed(transaction).await? {
            return Ok(());
        }
        send(self.session().await?, transaction).await
    }

    /// Whether the transaction is known to be in the table.
    async fn is_committed(&mut self, transaction: &Transaction) -> Result<bool, ConnectError> {
        let Some(id) = transaction.evidence() else {
            return Ok(false);
        };
        let client = &self.session().await?.client;
        Ok(client
            .query_one_scalar("select exists (select from tweets where id = $1)", &[&id])
            .await?)
    }

    async fn session(&mut self) -> Result<&WritingConnection, ConnectError> {
        let session = match self
            .session
            .take()
            .filter(|session| !session.client.is_closed())
        {
            Some(session) => session,
            None => WritingConnection::open(&self.connector).await?,
        };
        Ok(self.session.insert(session))
    }

    async fn wait(&mut self, error: &ConnectError) {
        let delay = self.backoff.next_delay();
        let attempt = self.backoff.attempt();
        // The text of the library names only what it was doing; the reason is its source.
        let reason = error
            .postgres()
            .and_then(std::error::Error::source)
            .map(ToString::to_string)
            .unwrap_or_default();
        let address = self.connector.address();
        tracing::warn!(attempt, ?delay, %error, reason, "no connection to PostgreSQL at {address}, trying again");
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = sleep(delay) => {}
        }
    }
}

/// Sends the whole transaction with as few waits as there are answers needed.
async fn send(session: &WritingConnection, transaction: &Transaction) -> Result<(), ConnectError> {
    let WritingConnection { client, copy } = session;
    let Some(lines) = transaction.copy() else {
        // Several statements in one query message are one transaction.
        return Ok(client.batch_execute(transaction.before()).await?);
    };
    // A COPY alone is a transaction of its own.
    let alone = transaction.before().is_empty() && transaction.after().is_empty();
    let sink = if alone {
        client.copy_in(copy).await?
    } else {
        let before = format!("begin;\n{}", transaction.before());
        try_join(client.batch_execute(&before), client.copy_in(copy))
            .await?
            .1
    };
    let mut sink = pin!(sink);
    sink.send(lines.clone()).await?;
    if alone {
        sink.as_mut().finish().await?;
    } else {
        let after = format!("{}commit", transaction.after());
        try_join(sink.as_mut().finish(), client.batch_execute(&after)).await?;
    }
    Ok(())
}
