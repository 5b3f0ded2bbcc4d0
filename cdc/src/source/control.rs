use tokio_postgres::{Client, NoTls};

use super::{connection::OUTPUT_SETTINGS, server_error::control_error};
use crate::{Error, ErrorKind, config::DatabaseConfig};

/// An ordinary connection, opened when needed and opened again when it was lost; for the catalog, slots, publications
/// and snapshots.
#[derive(Debug)]
pub struct Control {
    database: DatabaseConfig,
    client: Option<Client>,
}

impl Control {
    pub fn new(database: &DatabaseConfig) -> Self {
        Self {
            database: database.clone(),
            client: None,
        }
    }

    /// The open connection.
    ///
    /// # Errors
    /// `Connection` when the server cannot be reached, `Permission` when it refuses.
    pub async fn client(&mut self) -> Result<&mut Client, Error> {
        let client = match self.client.take() {
            Some(client) if !client.is_closed() => client,
            _ => connect(&self.database).await?,
        };
        Ok(self.client.insert(client))
    }
}

/// A new ordinary connection with the same output settings as the replication connection.
pub(crate) async fn connect(database: &DatabaseConfig) -> Result<Client, Error> {
    let mut config = tokio_postgres::Config::new();
    let options: Vec<String> = OUTPUT_SETTINGS
        .iter()
        // tokio-postgres sends the encoding itself.
        .filter(|(name, _)| *name != "client_encoding")
        .map(|(name, value)| format!("-c {name}={value}"))
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
    let attempted = || {
        format!(
            "connect to database `{}` at `{}` port {} as `{}`",
            database.dbname, database.hostname, database.port, database.user
        )
    };
    let (client, connection) = config
        .connect(NoTls)
        .await
        .map_err(|error| control_error(attempted(), error))?;
    tokio::spawn(async move {
        // The client's next call reports it too, with what it attempted.
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "control connection ended");
        }
    });
    for statement in &database.initial_statements {
        client.batch_execute(statement).await.map_err(|error| {
            Error::new(
                ErrorKind::Configuration,
                "run `database.initial.statements`",
            )
            .with_source(error)
        })?;
    }
    Ok(client)
}
