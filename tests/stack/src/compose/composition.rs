use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Signal;

use super::address::{Addresses, Ports};
use super::file::{ComposeFile, Condition};
use super::service::{Kind, Launch, NativeService};
use super::state::Started;
use crate::Lifetime;

/// Longest time that a one-shot service may take.
const COMPLETION: Duration = Duration::from_secs(120);
/// Compose's `stop_grace_period` of our services.
const GRACE: Duration = Duration::from_secs(30);

/// The services of a compose file that run natively, in the order of their start.
#[derive(Debug)]
pub struct Composition {
    addresses: Addresses,
    running: Vec<NativeService>,
    left_out: Vec<String>,
}

impl Composition {
    /// Starts every service that needs no container, each when the conditions of its `depends_on` are met, and waits
    /// until all are healthy. `folder` takes volumes, mounted files and logs. `progress` hears of every step.
    ///
    /// # Errors
    /// A service that ends or does not get healthy, with the end of its log. Those that run by then are stopped.
    pub async fn start(
        file: &ComposeFile,
        ports: Ports,
        folder: &Path,
        lifetime: Lifetime,
        mut progress: impl FnMut(&str),
    ) -> Result<Self> {
        let mut starting = Starting(Some(Self {
            addresses: Addresses::new(file, ports)?,
            running: Vec::new(),
            left_out: Vec::new(),
        }));
        if let Some(composition) = &mut starting.0 {
            let started = composition.start_all(file, folder, lifetime, &mut progress);
            if let Err(error) = started.await {
                composition.stop().await;
                return Err(error);
            }
        }
        starting.0.take().context("a composition that has started")
    }

    /// Starts one service again beside the others of a composition that runs on its published ports, as
    /// [`Lifetime::Detached`], whatever has become of those that it depends on.
    pub async fn start_one(file: &ComposeFile, folder: &Path, name: &str) -> Result<Started> {
        let addresses = Addresses::new(file, Ports::Published)?;
        let service = file.services.get(name);
        let kind = service
            .and_then(Kind::of)
            .ok_or_else(|| anyhow!("no service `{name}` runs without its container"))?;
        let launch = Launch::prepare(file, name, &addresses, folder, Lifetime::Detached)?;
        let native = launch
            .start(kind)
            .await
            .with_context(|| format!("start service `{name}`"))?;
        let log = native.child.log().to_owned();
        Started::new(name, native.child.pid(), addresses.of(name), log)
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
        progress: &mut impl FnMut(&str),
    ) -> Result<()> {
        let kinds = file.services.values().filter_map(Kind::of);
        Kind::fetch(kinds.collect(), progress).await?;
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
                progress(&format!("{name} waits for {}", waits.join(", ")));
            }
            for (dependency, wanted) in &service.depends_on {
                self.meet(dependency, wanted.condition)
                    .await
                    .with_context(|| format!("service `{name}` waits"))?;
            }
            progress(&format!("{name} is starting"));
            let launch = Launch::prepare(file, name, &self.addresses, folder, lifetime)?;
            let native = launch
                .start(kind)
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
            progress(&format!("{} is healthy", native.name));
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
            let signal = stop_signal(service.kind);
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
            service.child.end(stop_signal(service.kind), GRACE);
        }
    }
}

/// What asks a service to stop: PostgreSQL's fast shutdown is SIGINT, SIGTERM would wait for its clients.
fn stop_signal(kind: Kind) -> Signal {
    match kind {
        Kind::Postgres => Signal::INT,
        _ => Signal::TERM,
    }
}
