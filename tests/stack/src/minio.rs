//! A MinIO server of a test's own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::child::{Child, Lifetime};
use crate::{Identity, free_port, get, port, program, until};

const ACCESS_KEY: &str = "tributary";
const SECRET_KEY: &str = "tributary-secret";
const START: Duration = Duration::from_secs(60);

/// How a [`Minio`] differs from the usual test server.
#[derive(Clone, Debug, Default)]
pub struct MinioOptions {
    /// Buckets that exist from the start.
    pub buckets: Vec<String>,
    /// Serve HTTPS only, with this certificate.
    pub tls: Option<Identity>,
}

/// A MinIO server (S3, path style, conditional PUT) in a temporary folder.
#[derive(Debug)]
pub struct Minio {
    process: Mutex<Child>,
    port: u16,
    console_port: u16,
    is_tls: bool,
    folder: TempDir,
}

impl Minio {
    /// Starts a server that has these buckets.
    pub async fn start(buckets: &[&str]) -> Result<Self> {
        Self::start_with(MinioOptions {
            buckets: buckets.iter().map(|bucket| (*bucket).to_owned()).collect(),
            tls: None,
        })
        .await
    }

    /// Starts a server.
    pub async fn start_with(options: MinioOptions) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tributary-minio-")
            .tempdir()
            .context("make a folder")?;
        for bucket in &options.buckets {
            make_bucket(&folder, bucket)?;
        }
        std::fs::create_dir_all(folder.path().join("data")).context("make MinIO's data folder")?;
        let certificates = folder.path().join("certs");
        std::fs::create_dir_all(&certificates).context("make MinIO's folder of certificates")?;
        if let Some(identity) = &options.tls {
            std::fs::write(certificates.join("public.crt"), &identity.certificate)
                .and_then(|()| std::fs::write(certificates.join("private.key"), &identity.key))
                .context("write MinIO's certificate")?;
        }
        let (port, console_port) = (free_port()?, free_port()?);
        let process = Mutex::new(launch(&folder, port, console_port).await?);
        let minio = Self {
            process,
            port,
            console_port,
            is_tls: options.tls.is_some(),
            folder,
        };
        minio.ready().await?;
        Ok(minio)
    }

    /// URL of the S3 API; with TLS by the name `localhost`.
    pub fn endpoint(&self) -> String {
        if self.is_tls {
            return format!("https://localhost:{}", self.port);
        }
        format!("http://127.0.0.1:{}", self.port)
    }

    /// URL of the console.
    pub fn console(&self) -> String {
        format!("http://127.0.0.1:{}", self.console_port)
    }

    pub fn access_key(&self) -> &'static str {
        ACCESS_KEY
    }

    pub fn secret_key(&self) -> &'static str {
        SECRET_KEY
    }

    /// The server's log file.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("minio.log")
    }

    /// Pid of the server, the last one where it has ended.
    pub fn pid(&self) -> u32 {
        self.child().pid()
    }

    /// Makes a bucket: with one local drive a bucket is a folder of the data folder.
    pub fn create_bucket(&self, name: &str) -> Result<()> {
        make_bucket(&self.folder, name)
    }

    /// Kills the server without warning.
    pub fn kill9(&self) -> Result<()> {
        self.child().kill()
    }

    /// Starts the server again on the same data and ports, killing it first where it runs.
    pub async fn restart(&self) -> Result<()> {
        self.kill9()?;
        let child = launch(&self.folder, self.port, self.console_port).await?;
        *self.child() = child;
        self.ready().await
    }

    async fn ready(&self) -> Result<()> {
        // its health checks answer before it can serve: a request without a signature must be refused, not put off
        // with TLS that a plain request is refused must do
        let refused = if self.is_tls { 400 } else { 403 };
        let url = format!("http://127.0.0.1:{}/", self.port);
        let ready = until("MinIO to answer", START, async || {
            // an ended process will never answer: give that up at once, as a value
            if let Err(error) = self.child().expect_running() {
                return Ok(Some(Err(error)));
            }
            if get(&url).await?.status != refused {
                return Ok(None);
            }
            if !port::listens(self.pid(), self.port) {
                bail!("port {} is held by another process", self.port);
            }
            Ok(Some(Ok(())))
        });
        ready.await?
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_bucket(folder: &TempDir, name: &str) -> Result<()> {
    let path = folder.path().join("data").join(name);
    std::fs::create_dir_all(&path).with_context(|| format!("make bucket `{name}`"))
}

async fn launch(folder: &TempDir, port: u16, console_port: u16) -> Result<Child> {
    let mut command = Command::new(program::minio().await?);
    command
        .arg("server")
        .arg(folder.path().join("data"))
        .arg("--certs-dir")
        .arg(folder.path().join("certs"))
        .args([
            "--address",
            &format!("127.0.0.1:{port}"),
            "--console-address",
            &format!("127.0.0.1:{console_port}"),
        ])
        .env("MINIO_ROOT_USER", ACCESS_KEY)
        .env("MINIO_ROOT_PASSWORD", SECRET_KEY)
        .env("MINIO_UPDATE", "off")
        .current_dir(folder.path());
    Child::spawn(
        "MinIO",
        command,
        &folder.path().join("minio.log"),
        Lifetime::Owned,
    )
}
