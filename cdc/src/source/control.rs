//! The ordinary connections beside the replication connection: for the catalog, slots, publications and snapshots.
//!
//! They print values as the replication connection does, so that a value is the same text whichever way it came.

use postgres_tls::{ConnectError, LongestMessage};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

use super::{
    address::{Address, auth_error, permission_hint, tls_error},
    connection::{OUTPUT_SETTINGS, SERVER_ENCODING, SQL_ASCII, UNCONVERTED},
    server_error::{ServerError, control_error},
};
use crate::{Error, ErrorKind};
use connector::DatabaseConfig;

/// An ordinary connection, opened when needed and opened again when it was lost; for the catalog, slots, publications
/// and snapshots.
#[derive(Debug)]
pub struct Control {
    database: DatabaseConfig,
    connection: Option<OrdinaryConnection>,
}

/// An ordinary connection: its client, and the task that moves its bytes, which ends by itself once the client is gone
/// and everything that was asked for has been read.
#[derive(Debug)]
pub(crate) struct OrdinaryConnection {
    pub(crate) client: Client,
    pub(crate) task: JoinHandle<()>,
}

impl Control {
    pub fn new(database: &DatabaseConfig) -> Self {
        Self {
            database: database.clone(),
            connection: None,
        }
    }

    /// The open connection.
    ///
    /// # Errors
    /// `Connection` when the server cannot be reached, `Permission` when it refuses.
    pub async fn client(&mut self) -> Result<&mut Client, Error> {
        let connection = match self.connection.take() {
            Some(connection) if !connection.client.is_closed() => connection,
            _ => connect(&self.database, LongestMessage::Answer).await?,
        };
        Ok(&mut self.connection.insert(connection).client)
    }

    /// The open connection does not answer: nobody waits for it any more, and the next one asked for is a new one.
    pub(crate) fn give_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.task.abort();
        }
    }

    /// A connection for somebody who reads rows of tables with it: they may be as long as PostgreSQL makes them. It takes
    /// the place of the open one, so that the server has no more sessions than before.
    ///
    /// # Errors
    /// As `client`.
    pub(crate) async fn reader(&mut self) -> Result<OrdinaryConnection, Error> {
        self.connection = None;
        connect(&self.database, LongestMessage::Row).await
    }
}

/// A new ordinary connection with the same output settings as the replication connection.
///
/// # Errors
/// `Connection` when the server cannot be reached, `Permission` when it refuses, `Configuration` when
/// `database.initial.statements` fail.
pub(crate) async fn connect(
    database: &DatabaseConfig,
    longest: LongestMessage,
) -> Result<OrdinaryConnection, Error> {
    let mut config = tokio_postgres::Config::new();
    let options: Vec<String> = OUTPUT_SETTINGS
        .iter()
        // tokio-postgres sends the encoding itself.
        .filter(|(name, _)| *name != "client_encoding")
        .map(|(name, value)| format!("-c {name}={value}"))
        .chain([format!(
            "-c statement_timeout={}",
            database.query_timeout.as_millis()
        )])
        .collect();
    config
        .user(&database.user)
        .dbname(&database.dbname)
        .application_name("tributary")
        .options(options.join(" "))
        .keepalives(database.tcp_keepalive)
        .connect_timeout(std::time::Duration::from_secs(10))
        .port(database.port);
    if database.hostname.starts_with('/') {
        config.host_path(&database.hostname);
    } else {
        config.host(&database.hostname);
    }
    if !database.password.is_empty() {
        config.password(database.password.reveal());
    }
    let what = || format!("PostgreSQL at {}", Address(database));
    let connecting = postgres_tls::connect(&config, &database.tls, longest);
    let (client, connection) = service::told(what, connecting)
        .await
        .map_err(|error| not_connected(database, error))?;
    let is_sql_ascii = connection.parameter(SERVER_ENCODING) == Some(SQL_ASCII);
    let task = tokio::spawn(async move {
        let Err(error) = connection.await else {
            return;
        };
        match postgres_tls::answer_refused(&error) {
            Some(reason) => tracing::warn!(reason, "gave a connection to PostgreSQL up"),
            // The client's next call reports it too, with what it attempted.
            None => tracing::debug!(error = %error, "control connection ended"),
        }
    });
    if is_sql_ascii {
        let set = client.batch_execute(UNCONVERTED).await;
        set.map_err(|error| control_error(format!("run `{UNCONVERTED}`"), error))?;
    }
    for statement in &database.initial_statements {
        client.batch_execute(statement).await.map_err(|error| {
            Error::new(
                ErrorKind::Configuration,
                "run `database.initial.statements`",
            )
            .with_source(error)
        })?;
    }
    Ok(OrdinaryConnection { client, task })
}

fn not_connected(database: &DatabaseConfig, error: ConnectError) -> Error {
    let attempted = format!(
        "connect to database `{}` at {}",
        database.dbname,
        Address(database)
    );
    if let Some(problem) = error.tls_problem()
        && let Some(told) = tls_error(attempted.clone(), &problem, database)
    {
        return told;
    }
    if let Some(refused) = error.auth_refused() {
        return auth_error(attempted, refused);
    }
    if error.lacks_password() {
        return Error::new(ErrorKind::Configuration, attempted)
            .with_source(error)
            .with_hint("the server asks for a password: set `database.password`");
    }
    let answer = error
        .postgres()
        .and_then(tokio_postgres::Error::as_db_error)
        .map(ServerError::from);
    let kind = match (&answer, &error) {
        (Some(answer), _) => answer.kind(),
        (None, ConnectError::Setup(_)) => ErrorKind::Configuration,
        (None, _) => ErrorKind::Connection,
    };
    let hint = match &answer {
        Some(answer) if answer.remedy().is_some() => answer.remedy(),
        _ if kind == ErrorKind::Permission => Some(permission_hint(database)),
        _ => None,
    };
    let hint = match (&error, hint) {
        (ConnectError::BothWays { .. }, Some(hint)) => {
            Some(format!("{hint}; both ways failed: {error}"))
        }
        (_, hint) => hint,
    };
    let told = Error::new(kind, attempted);
    let told = match (error, answer) {
        (_, Some(answer)) => told.with_source(answer),
        (ConnectError::Postgres(error), None) => told.with_source(error),
        (other, None) => told.with_source(other),
    };
    match hint {
        Some(hint) => told.with_hint(hint),
        None => told,
    }
}
