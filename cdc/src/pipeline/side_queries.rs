//! What the stream asks beside itself, over an ordinary connection.
//!
//! Invariant: no query stands between two reads of the socket. One query at a time runs as a future that the stream's
//! loop polls among everything else; each has a deadline, after which its connection is given up. Only a change whose
//! table has to be described first waits for an answer, and status updates go on meanwhile.

use std::{collections::BTreeSet, pin::Pin, time::Duration};

use pgoutput::Lsn;
use tokio::time::timeout;

use crate::{
    Error, ErrorKind,
    followed::Followed,
    source::{
        Control, MatchingTables,
        catalog::{CatalogMemory, resolve_relation},
        later_tables::{has_later_tables, oids},
        server::wal_flush_lsn,
        slot::slot_xmin,
    },
    table::{RelationDescription, SnapshotTable, StreamedTable},
};
use connector::ConnectorConfig;

/// How long the first answer may take; each further attempt, on a new connection, may take twice as long.
const PATIENCE: Duration = Duration::from_secs(5);

/// Attempts to have a table described: 35 seconds together.
const ATTEMPTS: u32 = 3;

/// After this long it is said that the stream waits.
const SAY_AFTER: Duration = Duration::from_secs(1);

/// What can be asked.
#[derive(Debug)]
pub(super) enum Question {
    /// Complete a Relation message.
    Table {
        xid: u32,
        description: RelationDescription,
        /// Enums whose labels have to be read again first.
        enums: Vec<u32>,
    },
    /// The end of the server's WAL.
    WalEnd,
    /// The slot's `catalog_xmin`.
    Xmin,
    /// Whether tables are to be copied.
    LaterTables {
        followed: Followed,
        unpublishable: BTreeSet<u32>,
    },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Answer {
    Table(RelationDescription, StreamedTable),
    WalEnd(Lsn),
    Xmin(Option<u64>),
    LaterTables {
        /// Tables are to be copied.
        later: bool,
        /// Tables could be, if they might be read.
        unreadable: Vec<SnapshotTable>,
    },
    /// It was not to be had, and the stream does without.
    None,
}

/// The ordinary connection and what is remembered of its answers.
#[derive(Debug)]
pub(super) struct Side<'a> {
    pub(super) control: &'a mut Control,
    pub(super) memory: &'a mut CatalogMemory,
}

type Running<'a> = Pin<Box<dyn Future<Output = (Side<'a>, Result<Answer, Error>)> + Send + 'a>>;

/// At most one query that runs and one that waits for it.
pub(super) struct SideQueries<'a> {
    config: &'a ConnectorConfig,
    /// Lent to the query that runs.
    side: Option<Side<'a>>,
    running: Option<Running<'a>>,
    next: Option<Question>,
}

impl<'a> SideQueries<'a> {
    pub(super) fn new(config: &'a ConnectorConfig, side: Side<'a>) -> Self {
        Self {
            config,
            side: Some(side),
            running: None,
            next: None,
        }
    }

    /// Ask for a table. The stream must wait for the answer before it asks for another.
    pub(super) fn ask(&mut self, question: Question) {
        self.next = Some(question);
    }

    /// Ask unless something else is under way: it will be asked again.
    pub(super) fn ask_if_idle(&mut self, question: Question) {
        if self.running.is_none() && self.next.is_none() {
            self.next = Some(question);
        }
    }

    /// The next answer; pending while nothing was asked. Cancel-safe.
    ///
    /// # Errors
    /// The answer was refused, or did not come in time.
    pub(super) async fn answer(&mut self) -> Result<Answer, Error> {
        if self.running.is_none()
            && let Some(side) = self.side.take()
        {
            match self.next.take() {
                Some(question) => {
                    self.running = Some(Box::pin(ask(side, self.config, question)));
                }
                None => self.side = Some(side),
            }
        }
        let Some(running) = &mut self.running else {
            return std::future::pending().await;
        };
        let (side, answer) = running.as_mut().await;
        self.running = None;
        self.side = Some(side);
        answer
    }
}

async fn ask<'a>(
    mut side: Side<'a>,
    config: &'a ConnectorConfig,
    question: Question,
) -> (Side<'a>, Result<Answer, Error>) {
    let answer = match question {
        Question::Table {
            xid,
            description,
            enums,
        } => table(&mut side, config, xid, &description, &enums)
            .await
            .map(|table| Answer::Table(description, table)),
        Question::WalEnd => wal_end(&mut side).await,
        Question::Xmin => xmin(&mut side, config).await,
        Question::LaterTables {
            followed,
            unpublishable,
        } => later_tables(&mut side, config, &followed, &unpublishable).await,
    };
    (side, answer)
}

async fn table(
    side: &mut Side<'_>,
    config: &ConnectorConfig,
    xid: u32,
    relation: &RelationDescription,
    enums: &[u32],
) -> Result<StreamedTable, Error> {
    let name = format!("{}.{}", relation.namespace, relation.name);
    let mut patience = PATIENCE;
    for attempt in 1..=ATTEMPTS {
        let asked = attempt_table(side, config, xid, relation, enums);
        let answer = timeout(patience, asked).await;
        if let Ok(answer) = answer {
            return answer;
        }
        side.control.give_up();
        tracing::warn!(table = %name, xid, attempt, of = ATTEMPTS, seconds = patience.as_secs(), "the catalog did not answer: its connection is given up");
        patience *= 2;
    }
    Err(Error::new(
        ErrorKind::Connection,
        format!("read the catalog of table `{name}` for transaction {xid}: no answer in {ATTEMPTS} attempts"),
    )
    .with_hint("look in pg_stat_activity for what application `tributary` waits for: a lock on a system table, or a backend that hangs"))
}

async fn attempt_table(
    side: &mut Side<'_>,
    config: &ConnectorConfig,
    xid: u32,
    relation: &RelationDescription,
    enums: &[u32],
) -> Result<StreamedTable, Error> {
    let Side { control, memory } = side;
    let query = async {
        let client = control.client().await?;
        if !enums.is_empty() {
            memory.labels.refresh(client, enums).await?;
        }
        resolve_relation(client, xid, relation, config, memory).await
    };
    tokio::pin!(query);
    if let Ok(answer) = timeout(SAY_AFTER, &mut query).await {
        return answer;
    }
    tracing::info!(schema = %relation.namespace, table = %relation.name, xid, "the stream waits: the catalog was asked for a table and does not answer yet");
    query.await
}

/// Only for show: a failure shows in the stream soon enough.
async fn wal_end(side: &mut Side<'_>) -> Result<Answer, Error> {
    let asked = async { wal_flush_lsn(side.control.client().await?).await };
    let answer = timeout(PATIENCE, asked).await;
    Ok(match answer {
        Ok(Ok(lsn)) => Answer::WalEnd(lsn),
        Ok(Err(_)) => Answer::None,
        Err(_) => {
            side.control.give_up();
            tracing::warn!(
                seconds = PATIENCE.as_secs(),
                "the server did not tell the end of its WAL: the connection is given up"
            );
            Answer::None
        }
    })
}

async fn xmin(side: &mut Side<'_>, config: &ConnectorConfig) -> Result<Answer, Error> {
    let asked = async { slot_xmin(side.control.client().await?, &config.slot_name).await };
    let answer = timeout(PATIENCE, asked).await;
    match answer {
        Ok(xmin) => xmin.map(Answer::Xmin),
        Err(_) => {
            side.control.give_up();
            tracing::warn!(slot = %config.slot_name, seconds = PATIENCE.as_secs(), "the server did not tell the slot's catalog_xmin: the connection is given up, and events keep the one before");
            Ok(Answer::None)
        }
    }
}

/// What cannot be asked now is asked again: a table that comes a little later is copied a little later.
async fn later_tables(
    side: &mut Side<'_>,
    config: &ConnectorConfig,
    followed: &Followed,
    unpublishable: &BTreeSet<u32>,
) -> Result<Answer, Error> {
    let asked = async {
        let client = side.control.client().await?;
        let matching = MatchingTables::read(client, config).await?;
        let captured = oids(&matching.captured(config));
        let later = has_later_tables(client, config, &captured, (followed, unpublishable)).await?;
        Ok::<_, Error>((later, matching.unreadable(config)))
    };
    let answer = timeout(PATIENCE, asked).await;
    Ok(match answer {
        Ok(Ok((later, unreadable))) => Answer::LaterTables { later, unreadable },
        Ok(Err(_)) => Answer::None,
        Err(_) => {
            side.control.give_up();
            Answer::None
        }
    })
}
