//! A PostgreSQL server of a test's own.

mod cluster;
mod standby;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio_postgres::SimpleQueryMessage;

use crate::child::{Child, Lifetime};
use crate::{Identity, PostgresVersion, free_port, port, until, user};

pub use cluster::Cluster;

const USER: &str = "postgres";
const PASSWORD: &str = "postgres";
/// A start on a busy two-core machine takes a few seconds; recovery after a kill some more.
const START: Duration = Duration::from_secs(60);

/// TLS of a [`Postgres`].
#[derive(Clone, Debug)]
pub struct PostgresTls {
    pub server: Identity,
    /// The root of clients' certificates, in PEM: they are asked for one.
    pub client_root: Option<String>,
}

/// How a [`Postgres`] differs from the usual test server.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// The version, where the test is about one.
    pub version: Option<PostgresVersion>,
    /// `max_slot_wal_keep_size`, such as `"64MB"`; without it slots keep WAL without limit.
    pub max_slot_wal_keep_size: Option<String>,
    /// Flush to disk as in production. Off, what was committed survives a kill of the server, not one of the machine.
    pub fsync: bool,
    pub tls: Option<PostgresTls>,
    /// All of pg_hba.conf, in place of what is said at [`Postgres`].
    pub hba: Option<String>,
    /// A folder of locales beside C, such as [`crate::locales`] has.
    pub locales: Option<PathBuf>,
    /// Further settings, which win over ours.
    pub settings: Vec<(String, String)>,
}

/// A PostgreSQL server of its own, `wal_level=logical`, in a temporary folder.
///
/// TCP on 127.0.0.1 asks for the password by SCRAM-SHA-256, the Unix socket trusts; both take replication connections.
#[derive(Debug)]
pub struct Postgres {
    process: Mutex<Child>,
    cluster: Cluster,
    options: PostgresOptions,
    // removed after the server is gone
    _folder: TempDir,
}

impl Postgres {
    /// Starts a server with the default options.
    pub async fn start() -> Result<Self> {
        Self::start_with(PostgresOptions::default()).await
    }

    /// Starts a server. As root it runs as user `postgres` or `nobody`, because PostgreSQL refuses root.
    pub async fn start_with(options: PostgresOptions) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tributary-postgres-")
            .tempdir()
            .context("make a folder")?;
        let cluster = Cluster {
            data: folder.path().join("data"),
            home: folder.path().to_owned(),
            port: free_port()?,
            user: USER.to_owned(),
            password: PASSWORD.to_owned(),
            version: options.version,
            locales: options.locales.clone(),
            account: user::unprivileged()?,
        };
        cluster.initdb().await?;
        if let Some(tls) = &options.tls {
            cluster.write("server.crt", &tls.server.certificate)?;
            cluster.write("server.key", &tls.server.key)?;
            cluster.write("root.crt", tls.client_root.as_deref().unwrap_or_default())?;
        }
        if let Some(hba) = &options.hba {
            cluster.write("data/pg_hba.conf", hba)?;
        }
        let process = Mutex::new(launch(&cluster, &options).await?);
        let postgres = Self {
            process,
            cluster,
            options,
            _folder: folder,
        };
        postgres.ready().await?;
        Ok(postgres)
    }

    /// TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.cluster.port
    }

    /// The folder of the Unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.cluster.home
    }

    /// The superuser's name.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The superuser's password over TCP.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Connection URI of `database` over TCP.
    pub fn dsn(&self, database: &str) -> String {
        format!(
            "postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}",
            self.cluster.port
        )
    }

    /// The server's log file.
    pub fn log(&self) -> PathBuf {
        self.cluster.log()
    }

    /// Pid of the postmaster, the last one where it has ended.
    pub fn pid(&self) -> u32 {
        self.child().pid()
    }

    /// A connection to `database` over the Unix socket. Ends when the client is dropped.
    pub async fn connect(&self, database: &str) -> Result<tokio_postgres::Client> {
        self.cluster.connect(database).await
    }

    /// Makes a database.
    pub async fn create_database(&self, name: &str) -> Result<()> {
        self.execute(
            "postgres",
            &format!("create database \"{}\"", name.replace('"', "\"\"")),
        )
        .await
    }

    /// Runs SQL, several statements where divided by semicolons, and drops what it returns.
    pub async fn execute(&self, database: &str, sql: &str) -> Result<()> {
        let client = self.connect(database).await?;
        client
            .batch_execute(sql)
            .await
            .with_context(|| format!("run in database `{database}`: {sql}"))
    }

    /// Runs SQL and returns the rows as PostgreSQL prints them.
    pub async fn query(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let client = self.connect(database).await?;
        let messages = client
            .simple_query(sql)
            .await
            .with_context(|| format!("query in database `{database}`: {sql}"))?;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other messages of a server are alike here"
        )]
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|i| row.get(i).map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Stops the server, as `pg_ctl stop -m fast` does, and waits for its end.
    pub async fn stop(&self) -> Result<()> {
        // a fast shutdown waits for walsenders to drain, which a stuck reader can delay for ever
        self.child().signal(Signal::INT)?;
        until("PostgreSQL to stop", START, async || self.child().status()).await?;
        Ok(())
    }

    /// Kills the postmaster without warning. Its backends notice and end by themselves.
    pub fn kill9(&self) -> Result<()> {
        self.child().kill()
    }

    /// Starts the server again on the same data and the same port, stopping it first where it runs.
    pub async fn restart(&self) -> Result<()> {
        self.restart_with(&[]).await
    }

    /// As `restart`, with further settings for this one life; they win.
    pub async fn restart_with(&self, settings: &[(&str, &str)]) -> Result<()> {
        let mut options = self.options.clone();
        let further = settings.iter();
        let further = further.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        options.settings.extend(further);
        if self.child().status()?.is_none() {
            self.stop().await?;
        }
        // after a kill the old backends may still hold the shared memory for a moment: starting is tried again
        until("PostgreSQL to start again", START, async || {
            let child = launch(&self.cluster, &options).await?;
            *self.child() = child;
            self.ready().await.map(Some)
        })
        .await
    }

    /// Waits until the postmaster that was started here answers.
    async fn ready(&self) -> Result<()> {
        let ready = until("PostgreSQL to answer", START, async || {
            // an ended process will never answer: give that up at once, as a value
            if let Err(error) = self.child().expect_running() {
                return Ok(Some(Err(error)));
            }
            self.query("postgres", "select 1").await?;
            if !port::listens(self.pid(), self.cluster.port) {
                bail!("port {} is held by another process", self.cluster.port);
            }
            Ok(Some(Ok(())))
        });
        ready.await?
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // immediate shutdown: the postmaster takes its backends with it before the folder goes
        self.child().end(Signal::QUIT, Duration::from_secs(5));
    }
}

async fn launch(cluster: &Cluster, options: &PostgresOptions) -> Result<Child> {
    let durable = if options.fsync { "on" } else { "off" };
    let ours = [
        ("wal_level", "logical"),
        ("max_wal_senders", "20"),
        // A mirror keeps its slot, and many tests share a server.
        ("max_replication_slots", "100"),
        ("max_prepared_transactions", "10"),
        ("fsync", durable),
        ("full_page_writes", durable),
        ("timezone", "UTC"),
        ("log_timezone", "UTC"),
        (
            "max_slot_wal_keep_size",
            options.max_slot_wal_keep_size.as_deref().unwrap_or("-1"),
        ),
    ];
    let file = |name: &str| cluster.home.join(name).display().to_string();
    let mut tls = Vec::new();
    if let Some(with) = &options.tls {
        tls.push(("ssl", "on".to_owned()));
        tls.push(("ssl_cert_file", file("server.crt")));
        tls.push(("ssl_key_file", file("server.key")));
        if with.client_root.is_some() {
            tls.push(("ssl_ca_file", file("root.crt")));
        }
    }
    let tls = tls.iter().map(|(name, value)| (*name, value.as_str()));
    let theirs = options
        .settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    cluster
        .launch(ours.into_iter().chain(tls).chain(theirs), Lifetime::Owned)
        .await
}
