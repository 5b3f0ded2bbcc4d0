//! The PostgreSQL end: connecting, reading what is there, writing transactions.

mod error;
mod found;
mod writer;

use std::time::Duration;

use postgres_tls::{ConnectError, Connector, TlsSettings};
use service::Secret;
use tokio_postgres::{Client, Statement, error::SqlState};

pub use error::Error;
pub use found::{find, older_tweets};
pub use writer::{Outcome, Writer};

use crate::batch::TWEET_COLUMNS;

const SCHEMA: &str = include_str!("../../db/01-schema.sql");
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Creates the tables `users` and `tweets` where they are missing, as `db/01-schema.sql` defines them.
///
/// # Errors
/// The connection string cannot be read, no connection is had, or the role may not create tables.
pub async fn create_tables(dsn: &str) -> Result<(), Error> {
    let connector = configuration(dsn, None)?;
    let client = connect(&connector)
        .await
        .map_err(|error| Error::connect(&connector, error))?;
    // `if not exists` still reports a race between two that create the same table, so they take turns.
    client
        .batch_execute(&format!(
            "begin; select pg_advisory_xact_lock(7233174017); {SCHEMA}; commit"
        ))
        .await
        .map_err(|error| Error::CreateTables(error.into()))
}

/// Whether a connection string can be read. Nothing is connected to.
///
/// # Errors
/// It cannot, or it has a parameter that is not supported.
pub fn check_dsn(dsn: &str) -> Result<(), Error> {
    Connector::parse(dsn, TlsSettings::default())
        .map(drop)
        .map_err(|error| Error::ConnectionString(error.into()))
}

/// What the string does not say about TLS, libpq's environment variables say.
fn configuration(dsn: &str, password: Option<&Secret>) -> Result<Connector, Error> {
    let defaults = TlsSettings::from_environment(|name| std::env::var(name).ok())
        .map_err(|reason| Error::ConnectionString(reason.into()))?;
    let mut connector =
        Connector::parse(dsn, defaults).map_err(|error| Error::ConnectionString(error.into()))?;
    let config = &mut connector.config;
    if let Some(password) = password {
        config.password(password.reveal());
    }
    if config.get_application_name().is_none() {
        config.application_name("tributary-generator");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    Ok(connector)
}

async fn connect(connector: &Connector) -> Result<Client, ConnectError> {
    let (client, connection) = connector.connect().await?;
    tokio::spawn(async move {
        // Its error also ends every request of the client, which handles it.
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection ended");
        }
    });
    client
        .batch_execute("set standard_conforming_strings = on; set synchronous_commit = on; set client_min_messages = warning")
        .await?;
    Ok(client)
}

/// A connection that can write.
struct WritingConnection {
    client: Client,
    copy: Statement,
}

impl WritingConnection {
    async fn open(connector: &Connector) -> Result<Self, ConnectError> {
        let client = connect(connector).await?;
        let copy = client
            .prepare(&format!("copy tweets ({TWEET_COLUMNS}) from stdin"))
            .await?;
        Ok(Self { client, copy })
    }
}

/// Whether the same thing may work later: the connection broke or the server is short of something.
fn is_passing(error: &ConnectError) -> bool {
    if error.postgres().is_none() || error.tls_problem().is_some() || error.lacks_password() {
        // A setting or a certificate has to change.
        return false;
    }
    let Some(code) = error.code() else {
        // Not an answer of the server: the socket failed. What cannot be read or sent is our own mistake, but it cannot
        // be told from a broken stream; a server that answers would show it at the next attempt.
        return true;
    };
    // Classes of appendix A of the manual: connection exception, transaction rollback, insufficient resources,
    // operator intervention, system error.
    matches!(code.code().get(..2), Some("08" | "40" | "53" | "57" | "58"))
        || *code == SqlState::LOCK_NOT_AVAILABLE
}
