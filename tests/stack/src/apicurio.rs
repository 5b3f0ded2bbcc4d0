use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::child::{Child, Lifetime};
use crate::{free_port, get, port, program, until};

const START: Duration = Duration::from_secs(120);

/// An Apicurio Registry that keeps its schemas in memory.
#[derive(Debug)]
pub struct Apicurio {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Apicurio {
    /// Starts a registry.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tributary-apicurio-")
            .tempdir()
            .context("make a folder")?;
        let port = free_port()?;
        let mut command = Command::new("java");
        command
            .args(["-Xms64m", "-Xmx384m", "-XX:TieredStopAtLevel=1"])
            .arg("-Dquarkus.http.host=127.0.0.1")
            .arg(format!("-Dquarkus.http.port={port}"))
            // Deleting a subject is a part of Confluent's API that is off by default.
            .arg("-Dregistry.rest.artifact.deletion.enabled=true")
            .arg("-jar")
            .arg(program::apicurio().await?)
            .current_dir(folder.path());
        let log = folder.path().join("apicurio.log");
        let process = Child::spawn("Apicurio Registry", command, &log, Lifetime::Owned)?;
        let mut registry = Self {
            process,
            port,
            folder,
        };
        registry.ready().await?;
        Ok(registry)
    }

    /// URL of the registry's own API.
    pub fn own_url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/registry/v2", self.port)
    }

    /// URL of its face for Confluent's clients.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/ccompat/v7", self.port)
    }

    /// The server's log file.
    pub fn log(&self) -> std::path::PathBuf {
        self.folder.path().join("apicurio.log")
    }

    async fn ready(&mut self) -> Result<()> {
        let url = format!("{}/subjects", self.url());
        let ready = until("Apicurio Registry to answer", START, async || {
            // an ended process will never answer: give that up at once, as a value
            if let Err(error) = self.process.expect_running() {
                return Ok(Some(Err(error)));
            }
            if get(&url).await?.status != 200 {
                return Ok(None);
            }
            if !port::listens(self.process.pid(), self.port) {
                bail!("port {} is held by another process", self.port);
            }
            Ok(Some(Ok(())))
        });
        ready.await?
    }
}
