//! A PostgreSQL cluster on disk: made, configured, started. Tests and `make stack` have this one manager; that of
//! `tributary demo` is another one, because it is shipped and runs without any of this.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tokio_postgres::NoTls;

use crate::child::{Child, Lifetime};
use crate::user::Account;
use crate::{PostgresVersion, program};

/// One PostgreSQL cluster on disk and how it is run.
///
/// TCP on 127.0.0.1 asks for the password by SCRAM-SHA-256, the Unix socket trusts.
#[derive(Debug)]
pub struct Cluster {
    /// PGDATA.
    pub data: PathBuf,
    /// The folder of the Unix socket, of the log and of what initdb needs.
    pub home: PathBuf,
    pub port: u16,
    pub user: String,
    pub password: String,
    /// The server's version, the usual one where none is asked for.
    pub version: Option<PostgresVersion>,
    /// A folder of locales beside C.
    pub locales: Option<PathBuf>,
    /// What the server runs as, where this process is root.
    pub account: Option<Account>,
}

impl Cluster {
    pub fn log(&self) -> PathBuf {
        self.home.join("postgres.log")
    }

    /// Whether initdb has run.
    pub fn exists(&self) -> bool {
        self.data.join("PG_VERSION").exists()
    }

    /// Makes the cluster: UTF-8, locale C.
    pub async fn initdb(&self) -> Result<()> {
        let programs = program::postgres(self.version).await?;
        let password_file = self.home.join("password");
        std::fs::write(&password_file, &self.password)
            .context("write the password file for initdb")?;
        let mut command = Command::new(programs.join("initdb"));
        command
            .arg("--pgdata")
            .arg(&self.data)
            .args([
                "--username",
                &self.user,
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
            ])
            .args(["--encoding=UTF8", "--locale=C", "--no-sync", "--pwfile"])
            .arg(&password_file)
            .current_dir(&self.home);
        if let Some(account) = self.account {
            account.own(&self.home)?;
            account.own(&password_file)?;
            account.apply(&mut command);
        }
        let output = tokio::process::Command::from(command).output().await;
        let output = output.with_context(|| format!("run initdb of `{}`", programs.display()))?;
        let _ = std::fs::remove_file(&password_file);
        if !output.status.success() {
            let text = [output.stdout, output.stderr].concat();
            bail!(
                "initdb ended with {}:\n{}",
                output.status,
                String::from_utf8_lossy(&text)
            );
        }
        Ok(())
    }

    /// Writes a file of the server's below `home`, which only its account may read.
    pub fn write(&self, name: &str, content: &str) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.home.join(name);
        std::fs::write(&path, content)
            .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)))
            .with_context(|| format!("write `{}`", path.display()))?;
        self.account.map_or(Ok(()), |account| account.own(&path))
    }

    /// Starts the postmaster with these settings, later ones winning over earlier ones.
    pub async fn launch<'a>(
        &self,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
        lifetime: Lifetime,
    ) -> Result<Child> {
        let mut command = Command::new(program::postgres(self.version).await?.join("postgres"));
        command.arg("-D").arg(&self.data).current_dir(&self.home);
        for (name, value) in settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command
            .args([
                "-c",
                &format!("port={}", self.port),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
            ])
            .arg(format!("unix_socket_directories={}", self.home.display()));
        if let Some(locales) = &self.locales {
            command.env("LOCPATH", locales);
        }
        if let Some(account) = self.account {
            account.apply(&mut command);
        }
        Child::spawn("PostgreSQL", command, &self.log(), lifetime)
    }

    /// A connection to `database` over the Unix socket. Ends when the client is dropped.
    pub async fn connect(&self, database: &str) -> Result<tokio_postgres::Client> {
        let mut config = tokio_postgres::Config::new();
        config
            .host_path(&self.home)
            .port(self.port)
            .user(&self.user)
            .dbname(database);
        let (client, connection) = config
            .connect(NoTls)
            .await
            .with_context(|| format!("connect to database `{database}`"))?;
        // an error of the connection reaches whoever uses the client
        tokio::spawn(connection);
        Ok(client)
    }

    /// Runs an SQL file with psql, as the images of PostgreSQL do with the files of their init folder.
    pub async fn run_file(
        &self,
        database: &str,
        file: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Result<()> {
        let mut command = Command::new(program::psql().await?);
        command
            .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--host"])
            .arg(&self.home)
            .args([
                "--port",
                &self.port.to_string(),
                "--username",
                &self.user,
                "--dbname",
                database,
                "--file",
            ])
            .arg(file)
            .envs(environment);
        let output = tokio::process::Command::from(command)
            .output()
            .await
            .context("run psql")?;
        if !output.status.success() {
            let text = [output.stdout, output.stderr].concat();
            bail!(
                "psql of `{}` ended with {}:\n{}",
                file.display(),
                output.status,
                String::from_utf8_lossy(&text)
            );
        }
        Ok(())
    }
}
