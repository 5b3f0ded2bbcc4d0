//! What can be known of a server before a connector is started on it, and while one runs.
//!
//! Nothing is changed: the session is read-only, and the only other thing that is done is to open a replication connection
//! and to close it. What the role may not see is an error of its own question, so that the others are answered.

mod holders;
mod publication;
mod role;
mod server;
mod slot;
mod tables;

pub use holders::{Holder, HolderKind};
pub use publication::PublicationFacts;
pub use role::RoleFacts;
pub use server::{IdleSlot, ServerFacts};
pub use slot::{Retained, SlotFacts};
pub use tables::{ColumnFacts, TableFacts};

use std::time::Duration;

use postgres_tls::LongestMessage;
use tokio_postgres::{Client, Row, types::FromSql};

use super::{connection::ReplicationConnection, control::connect, server_error::control_error};
use crate::Error;
use connector::ConnectorConfig;

/// Takes the place of the connector's own statements, which may change something.
const READ_ONLY: &str = "set default_transaction_read_only = on";

/// How long one question may take the server.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open session of somebody who only looks.
#[derive(Debug)]
pub struct Look {
    config: ConnectorConfig,
    client: Client,
}

impl Look {
    /// Connect as the connector would.
    ///
    /// # Errors
    /// `Connection` when the server cannot be reached, `Permission` when it refuses.
    pub async fn open(config: &ConnectorConfig) -> Result<Self, Error> {
        let mut config = config.clone();
        config.database.initial_statements = vec![READ_ONLY.to_owned()];
        config.database.query_timeout = PATIENCE;
        let session = connect(&config.database, LongestMessage::Answer).await?;
        Ok(Self {
            config,
            client: session.client,
        })
    }

    /// Open a replication connection and close it: whether the role may, and whether the server lets it in.
    ///
    /// # Errors
    /// Why not.
    pub async fn may_replicate(&self) -> Result<(), Error> {
        let connection = ReplicationConnection::connect(&self.config.database).await?;
        connection.terminate().await;
        Ok(())
    }
}

/// A column of an answer.
fn column<'r, T: FromSql<'r>>(row: &'r Row, index: usize, attempted: &str) -> Result<T, Error> {
    row.try_get(index)
        .map_err(|error| control_error(attempted, error))
}

/// A number that is never below zero.
fn count(row: &Row, index: usize, attempted: &str) -> Result<u64, Error> {
    let number: i64 = column(row, index, attempted)?;
    Ok(u64::try_from(number).unwrap_or(0))
}
