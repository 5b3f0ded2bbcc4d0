//! Starts the services of a compose file natively, each when what it depends on is ready.
//!
//! What was started is ended again when the start is given up.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::address::{Addresses, Ports};
use super::file::{ComposeFile, Condition};
use super::service::{Kind, Launch, NativeService};
use super::state::Started;
use super::taken::expect_free;
use crate::Lifetime;
use crate::child::Child;

/// Longest time that a one-shot service may take.
const COMPLETION: Duration = Duration::from_secs(120);
/// Compose's `stop_grace_period` of our services.
const GRACE: Duration = Duration::from_secs(30);

/// Hears of a start while it goes on.
pub trait Observer {
    /// A step that people may want to read of.
    fn step(&mut self, line: &str);

    /// A process runs, of whose service nothing else is known yet. An error gives up the start.
    fn started(&mut self, _: &Started) -> Result<()> {
        Ok(())
    }
}

impl<F: FnMut(&str)> Observer for F {
    fn step(&mut self, line: &str) {
        self(line);
    }
}

/// The services of a compose file that run natively, in the order of their start.
#[derive(Debug)]
pub struct Composition {
    addresses: Addresses,
    running: Vec<NativeService>,
    left_out: Vec<String>,
}

impl Composition {
    /// Starts every service that needs no container, each when the conditions of its `depends_on` are met, and waits
    /// until all are healthy. `folder` takes volumes, mounted files and logs.
    ///
    /// # Errors
    /// A port of theirs that is taken: nothing is started then. A service that ends or does not get healthy, with the end of its log. Those that run by then are stopped.
    pub async fn start(
        file: &ComposeFile,
        ports: Ports,
        folder: &Path,
        lifetime: Lifetime,
        mut observer: impl Observer,
    ) -> Result<Self> {
        let mut starting = Starting(Some(Self {
            addresses: Addresses::new(file, ports)?,
            running: Vec::new(),
            left_out: Vec::new(),
        }));
        if let Some(composition) = &mut starting.0 {
            let started = composition.start_all(file, folder, lifetime, &mut observer);
            if let Err(error) = started.await {
                composition.stop().await;
                return Err(error);
            }
        }
        starting.0.take().context("a composition that has started")
    }

    /// Starts one service again beside the others of a composition that runs on its published ports, as
    /// [`Lifetime::Detached`], whatever has become of those that it depends on. `born` hears of it before it is waited for.
    pub async fn start_one(
        file: &ComposeFile,
        folder: &Path,
        name: &str,
        mut born: impl FnMut(&Started) -> Result<()>,
    ) -> Result<Started> {
        let addresses = Addresses::new(file, Ports::Published)?;
        let service = file.services.get(name);
        let kind = service
            .and_then(Kind::of)
            .ok_or_else(|| anyhow!("no service `{name}` runs without its container"))?;
        expect_free(file, &addresses, &[name])?;
        let launch = Launch::prepare(file, name, &addresses, folder, Lifetime::Detached)?;
        let mut tell = |child: &Child| born(&started(name, &addresses, child)?);
        let native = launch
            .start(kind, &mut tell)
            .await
            .with_context(|| format!("start service `{name}`"))?;
        started(name, &addresses, &native.child)
    }

    /// The environment of a service, with the addresses that stand for those of containers.
    pub fn environment(
        &self,
        file: &ComposeFile,
        service: &str,
    ) -> Result<BTreeMap<String, String>> {
        let pairs = file.services.get(service).map(|found| &found.environment);
        pairs
            .into_iter()
            .flatten()
            .map(|(name, value)| Ok((name.clone(), self.addresses.rewrite(service, value)?)))
            .collect()
    }

    async fn start_all(
        &mut self,
        file: &ComposeFile,
        folder: &Path,
        lifetime: Lifetime,
        observer: &mut impl Observer,
    ) -> Result<()> {
        let native = file.services.iter();
        let native = native.filter(|(_, service)| Kind::of(service).is_some());
        let native: Vec<&str> = native.map(|(name, _)| name.as_str()).collect();
        expect_free(file, &self.addresses, &native)?;
        let kinds = file.services.values().filter_map(Kind::of);
        Kind::fetch(kinds.collect(), &mut |line: &str| observer.step(line)).await?;
        for name in file.start_order()? {
            let Some((service, kind)) = file
                .services
                .get(name)
                .map(|service| (service, Kind::of(service)))
            else {
                continue;
            };
            let Some(kind) = kind else {
                self.left_out.push(name.to_owned());
                continue;
            };
            if !service.depends_on.is_empty() {
                let waits: Vec<&str> = service.depends_on.keys().map(String::as_str).collect();
                observer.step(&format!("{name} waits for {}", waits.join(", ")));
            }
            for (dependency, wanted) in &service.depends_on {
                self.meet(dependency, wanted.condition)
                    .await
                    .with_context(|| format!("service `{name}` waits"))?;
            }
            observer.step(&format!("{name} is starting"));
            let launch = Launch::prepare(file, name, &self.addresses, folder, lifetime)?;
            let addresses = &self.addresses;
            let mut tell = |child: &Child| observer.started(&started(name, addresses, child)?);
            let native = launch
                .start(kind, &mut tell)
                .await
                .with_context(|| format!("start service `{name}`"))?;
            self.running.push(native);
        }
        for native in &mut self.running {
            if native
                .child
                .status()?
                .is_some_and(|status| status.success())
            {
                continue;
            }
            native.wait_healthy().await?;
            observer.step(&format!("{} is healthy", native.name));
        }
        Ok(())
    }

    async fn meet(&mut self, dependency: &str, condition: Condition) -> Result<()> {
        let service = self.get_mut(dependency)?;
        match condition {
            Condition::Started => Ok(()),
            Condition::Healthy => service.wait_healthy().await,
            Condition::CompletedSuccessfully => {
                let status = service.child.wait(COMPLETION).await?;
                if !status.success() {
                    bail!(
                        "`{dependency}` ended with {status}:\n{}",
                        crate::child::tail(service.child.log())
                    );
                }
                Ok(())
            }
        }
    }

    /// Stops what runs, last started first.
    pub async fn stop(&mut self) {
        for service in self.running.iter_mut().rev() {
            let signal = service.kind.stop_signal();
            if service.child.signal(signal).is_err() || service.child.wait(GRACE).await.is_err() {
                let _ = service.child.kill();
            }
        }
    }

    /// The services that run or ran to their end, in the order of their start.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.running.iter().map(|service| service.name.as_str())
    }

    /// The services that need their container.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The loopback port that stands for a port of a service's container.
    pub fn port(&self, service: &str, container_port: u16) -> Result<u16> {
        self.addresses.native(service, container_port)
    }

    /// Pairs of container port and loopback port of a service.
    pub fn ports(&self, service: &str) -> Vec<(u16, u16)> {
        self.addresses.of(service).into_iter().collect()
    }

    /// Pid and log file of a service.
    pub fn process(&self, service: &str) -> Result<(u32, PathBuf)> {
        let found = self.running.iter().find(|native| native.name == service);
        let native = found.ok_or_else(|| anyhow!("no service `{service}` runs"))?;
        Ok((native.child.pid(), native.child.log().to_owned()))
    }

    /// Fails when a service has ended that should run, with the end of its log.
    pub fn expect_running(&mut self, service: &str) -> Result<()> {
        self.get_mut(service)?.child.expect_running()
    }

    fn get_mut(&mut self, service: &str) -> Result<&mut NativeService> {
        let found = self
            .running
            .iter_mut()
            .find(|native| native.name == service);
        found.ok_or_else(|| anyhow!("no service `{service}` runs"))
    }
}

/// A composition that is not up yet: given up, it takes along what it has started, whoever owns that.
struct Starting(Option<Composition>);

impl Drop for Starting {
    fn drop(&mut self) {
        let running = self.0.iter_mut().flat_map(|it| it.running.iter_mut().rev());
        for service in running {
            service.child.end(service.kind.stop_signal(), GRACE);
        }
    }
}

fn started(name: &str, addresses: &Addresses, child: &Child) -> Result<Started> {
    let log = child.log().to_owned();
    Started::new(name, child.pid(), addresses.of(name), log)
}
