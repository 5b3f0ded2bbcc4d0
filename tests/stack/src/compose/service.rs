//! The programs that stand for containers: how each is started, and how it is known to be well.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use super::address::Addresses;
use super::file::{ComposeFile, Service};
use super::mounts::Mounts;
use super::newborn::{Born, Newborn};
use crate::child::{Child, Lifetime};
use crate::kafka::{Broker, answers};
use crate::postgres::Cluster;
use crate::{get, port, program, tributary, until, user};

/// Longest time until a server that was started answers.
const START: Duration = Duration::from_secs(120);

/// A program that can stand for a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Postgres,
    Kafka,
    Minio,
    Tributary,
}

impl Kind {
    /// What runs a service natively; `None` for what needs its container (pgAdmin, Kafka UI).
    pub fn of(service: &Service) -> Option<Self> {
        let image = service.image.rsplit('/').next().unwrap_or_default();
        let name = image.split(':').next().unwrap_or_default();
        match name {
            _ if service.build.is_some() => Some(Self::Tributary),
            "postgres" => Some(Self::Postgres),
            "kafka" => Some(Self::Kafka),
            "minio" => Some(Self::Minio),
            _ => None,
        }
    }
}

impl Kind {
    /// What asks it to stop: PostgreSQL's fast shutdown is SIGINT, SIGTERM would wait for its clients.
    pub const fn stop_signal(self) -> Signal {
        match self {
            Self::Postgres => Signal::INT,
            Self::Kafka | Self::Minio | Self::Tributary => Signal::TERM,
        }
    }

    /// Makes sure that the programs of these are here, all at the same time: the first time that takes minutes.
    pub async fn fetch(kinds: BTreeSet<Self>, progress: &mut impl FnMut(&str)) -> Result<()> {
        let wanted = |kind| kinds.contains(&kind);
        let postgres = async {
            match wanted(Self::Postgres) {
                true => tokio::try_join!(program::postgres(None), program::psql())
                    .map(|(folder, _)| Some(folder)),
                false => Ok(None),
            }
        };
        let kafka = async {
            match wanted(Self::Kafka) {
                true => program::kafka().await.map(Some),
                false => Ok(None),
            }
        };
        let minio = async {
            match wanted(Self::Minio) {
                true => program::minio().await.map(Some),
                false => Ok(None),
            }
        };
        let (postgres, kafka, minio) = tokio::try_join!(postgres, kafka, minio)?;
        for (name, path) in [("PostgreSQL", postgres), ("Kafka", kafka), ("MinIO", minio)] {
            if let Some(path) = path {
                progress(&format!("{name} is in {}", path.display()));
            }
        }
        Ok(())
    }
}

/// How it is known that a service is well.
#[derive(Debug)]
pub enum Health {
    /// The server takes connections.
    Postgres(Cluster),
    Kafka {
        bootstrap: String,
        cluster_id: String,
    },
    /// `GET` answers 200.
    Http(String),
    /// The command of the health check ends with 0.
    Check(Vec<String>),
    /// There is no health check: it runs.
    Running,
}

/// Takes a process into care until its service is complete.
type Care<'a> = dyn FnMut(Child) -> Result<Newborn> + 'a;

/// A service of the compose file as a native process.
#[derive(Debug)]
pub struct NativeService {
    pub name: String,
    pub kind: Kind,
    pub child: Child,
    pub health: Health,
}

/// One service of the file on its way to a process.
pub struct Launch<'a> {
    pub name: &'a str,
    pub service: &'a Service,
    pub addresses: &'a Addresses,
    pub mounts: Mounts,
    /// Working folder and log of this service.
    pub home: PathBuf,
    pub lifetime: Lifetime,
}

impl<'a> Launch<'a> {
    /// Prepares folders and mounted files of a service under `folder`.
    pub fn prepare(
        file: &'a ComposeFile,
        name: &'a str,
        addresses: &'a Addresses,
        folder: &Path,
        lifetime: Lifetime,
    ) -> Result<Self> {
        let Some(service) = file.services.get(name) else {
            bail!("there is no service `{name}`")
        };
        let home = folder.join(name);
        std::fs::create_dir_all(&home).with_context(|| format!("make `{}`", home.display()))?;
        let mounts = Mounts::prepare(name, service, &file.root, folder, addresses)?;
        Ok(Self {
            name,
            service,
            addresses,
            mounts,
            home,
            lifetime,
        })
    }

    /// Starts the process, of which `born` hears before it is waited for.
    pub async fn start(self, kind: Kind, born: &mut Born<'_>) -> Result<NativeService> {
        let mut newborn = |child| Newborn::new(child, kind.stop_signal(), born);
        let (child, health) = match kind {
            Kind::Postgres => self.postgres(&mut newborn).await?,
            Kind::Kafka => self.kafka(&mut newborn).await?,
            Kind::Minio => self.minio(&mut newborn).await?,
            Kind::Tributary => self.tributary(&mut newborn)?,
        };
        Ok(NativeService {
            name: self.name.to_owned(),
            kind,
            child: child.grown()?,
            health,
        })
    }

    /// The image's PGDATA in its volume, made by initdb and by the files of the init folder when it is new.
    async fn postgres(&self, newborn: &mut Care<'_>) -> Result<(Newborn, Health)> {
        let environment = self.environment()?;
        let setting = |name: &str, default: &str| {
            environment
                .get(name)
                .map_or(default, String::as_str)
                .to_owned()
        };
        let account = user::unprivileged()?;
        let home = user::reachable_home(&self.home, account)?;
        let volume = self
            .mounts
            .find("/var/lib/postgresql/data")
            .unwrap_or_else(|| home.join("data"));
        let cluster = Cluster {
            data: if home == self.home {
                volume
            } else {
                home.join("data")
            },
            port: self.addresses.native(self.name, 5432)?,
            user: setting("POSTGRES_USER", "postgres"),
            password: setting("POSTGRES_PASSWORD", "postgres"),
            home,
            version: None,
            locales: None,
            account,
        };
        let new = !cluster.exists();
        if new {
            if let Some(account) = account {
                std::fs::create_dir_all(&cluster.data)?;
                account.own(&cluster.data)?;
            }
            cluster.initdb().await?;
        }
        let mut settings = Vec::new();
        let mut words = self.service.command.iter().skip(1);
        while let Some(word) = words.next() {
            match (
                word.as_str(),
                words.next().and_then(|setting| setting.split_once('=')),
            ) {
                ("-c", Some(setting)) => settings.push(setting),
                _ => bail!(
                    "service `{}`: only `-c name=value` is known after `postgres`",
                    self.name
                ),
            }
        }
        let mut child = newborn(cluster.launch(settings, self.lifetime).await?)?;
        if new {
            until("PostgreSQL to answer", START, async || {
                if let Err(error) = child.expect_running() {
                    return Ok(Some(Err(error)));
                }
                cluster.connect("postgres").await.map(|_| Some(Ok(())))
            })
            .await??;
            self.init_database(
                &cluster,
                &setting("POSTGRES_DB", &cluster.user),
                &environment,
            )
            .await?;
        }
        Ok((child, Health::Postgres(cluster)))
    }

    async fn init_database(
        &self,
        cluster: &Cluster,
        database: &str,
        environment: &BTreeMap<String, String>,
    ) -> Result<()> {
        if database != "postgres" {
            let sql = format!("create database \"{}\"", database.replace('"', "\"\""));
            cluster
                .connect("postgres")
                .await?
                .batch_execute(&sql)
                .await
                .context("make the database")?;
        }
        let Some(folder) = self.mounts.find("/docker-entrypoint-initdb.d") else {
            return Ok(());
        };
        let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .with_context(|| format!("read `{}`", folder.display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
            .collect();
        files.sort_unstable();
        for file in files {
            cluster.run_file(database, &file, environment).await?;
        }
        Ok(())
    }

    /// Apache Kafka's image turns `KAFKA_X_Y__Z` into the property `x.y_z`.
    async fn kafka(&self, newborn: &mut Care<'_>) -> Result<(Newborn, Health)> {
        let environment = self.environment()?;
        let properties = environment.iter().filter_map(|(name, value)| {
            let name = name
                .strip_prefix("KAFKA_")
                .filter(|name| !name.ends_with("_OPTS"))?
                .to_lowercase();
            let name = name
                .replace("___", "-")
                .replace("__", "\0")
                .replace('_', ".")
                .replace('\0', "_");
            Some((name, value.as_str()))
        });
        let properties: Vec<(String, &str)> = properties.collect();
        let setting = |name: &str| environment.get(name).cloned().unwrap_or_default();
        let broker = Broker {
            home: self.home.clone(),
            data: PathBuf::from(setting("KAFKA_LOG_DIRS")),
            cluster_id: setting("CLUSTER_ID"),
            heap: setting("KAFKA_HEAP_OPTS")
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            scram: Vec::new(),
        };
        broker.write_config(
            properties
                .iter()
                .map(|(name, value)| (name.as_str(), *value)),
        )?;
        broker.format().await?;
        let child = newborn(broker.launch(self.lifetime).await?)?;
        let bootstrap = format!("127.0.0.1:{}", self.addresses.native(self.name, 9092)?);
        Ok((
            child,
            Health::Kafka {
                bootstrap,
                cluster_id: broker.cluster_id,
            },
        ))
    }

    async fn minio(&self, newborn: &mut Care<'_>) -> Result<(Newborn, Health)> {
        let child = newborn(self.spawn(Command::new(program::minio().await?))?)?;
        let url = match &self.service.healthcheck {
            Some(check) => check.test.iter().find(|word| word.starts_with("http://")),
            None => None,
        };
        let Some(url) = url else {
            bail!("service `{}` has no health check with a URL", self.name)
        };
        Ok((child, Health::Http(self.word(url)?)))
    }

    fn tributary(&self, newborn: &mut Care<'_>) -> Result<(Newborn, Health)> {
        let child = newborn(self.spawn(tributary()?)?)?;
        let health = match &self.service.healthcheck {
            None => Health::Running,
            Some(check) => match check.test.split_first_chunk() {
                Some(([cmd, program], arguments)) if cmd == "CMD" && program == "tributary" => {
                    Health::Check(
                        arguments
                            .iter()
                            .map(|word| self.word(word))
                            .collect::<Result<_>>()?,
                    )
                }
                _ => bail!(
                    "service `{}`: its health check is not `tributary ...`",
                    self.name
                ),
            },
        };
        Ok((child, health))
    }

    /// Starts a program with the service's command as arguments, and its environment.
    fn spawn(&self, mut command: Command) -> Result<Child> {
        for (name, _) in std::env::vars_os() {
            // settings of the caller's are none of the service's
            if name.to_string_lossy().starts_with("TRIBUTARY_")
                && name.to_string_lossy().contains("__")
            {
                command.env_remove(name);
            }
        }
        for word in &self.service.command {
            command.arg(self.word(word)?);
        }
        command.envs(self.environment()?).current_dir(&self.home);
        Child::spawn(
            self.name,
            command,
            &self.home.join("output.log"),
            self.lifetime,
        )
    }

    fn environment(&self) -> Result<BTreeMap<String, String>> {
        let pairs = self.service.environment.iter();
        pairs
            .map(|(name, value)| Ok((name.clone(), self.word(value)?)))
            .collect()
    }

    fn word(&self, text: &str) -> Result<String> {
        Ok(self
            .mounts
            .rewrite(self.addresses.rewrite(self.name, text)?))
    }
}

impl NativeService {
    /// Waits until the service is well, and is the one that was started here.
    pub async fn wait_healthy(&mut self) -> Result<()> {
        let what = format!("service `{}` to be healthy", self.name);
        let (child, health) = (&mut self.child, &self.health);
        let log = child.log().to_owned();
        let healthy = until(&what, START, async || {
            if let Err(error) = child.expect_running() {
                return Ok(Some(Err(error)));
            }
            let port = health.probe().await?;
            match port.is_none_or(|port| port::listens(child.pid(), port)) {
                true => Ok(Some(Ok(()))),
                false => bail!(
                    "port {} is held by another process",
                    port.unwrap_or_default()
                ),
            }
        });
        healthy
            .await
            .with_context(|| format!("the end of its log:\n{}", crate::child::tail(&log)))?
    }
}

impl Health {
    /// One look; the port that answered, where one did.
    async fn probe(&self) -> Result<Option<u16>> {
        match self {
            Self::Running => Ok(None),
            Self::Postgres(cluster) => {
                cluster.connect("postgres").await?;
                Ok(Some(cluster.port))
            }
            Self::Kafka {
                bootstrap,
                cluster_id,
            } => {
                let port = bootstrap
                    .rsplit(':')
                    .next()
                    .and_then(|port| port.parse().ok());
                let (bootstrap, cluster_id) = (bootstrap.clone(), cluster_id.clone());
                match tokio::task::spawn_blocking(move || answers(&bootstrap, &cluster_id))
                    .await??
                {
                    true => Ok(port),
                    false => bail!("Kafka has no broker yet"),
                }
            }
            Self::Http(url) => match get(url).await?.status {
                200 => Ok(port_of(url)),
                status => bail!("`{url}` answers {status}"),
            },
            Self::Check(arguments) => {
                let output = tokio::process::Command::from(tributary()?)
                    .args(arguments)
                    .output()
                    .await?;
                if !output.status.success() {
                    bail!(
                        "`tributary {}`: {}",
                        arguments.join(" "),
                        String::from_utf8_lossy(&output.stderr)
                    );
                }
                Ok(arguments.iter().find_map(|word| port_of(word)))
            }
        }
    }
}

/// The port of an `http://host:port/` URL.
fn port_of(url: &str) -> Option<u16> {
    let authority = url.strip_prefix("http://")?.split('/').next()?;
    authority.rsplit_once(':')?.1.parse().ok()
}
