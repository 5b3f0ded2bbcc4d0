//! Proves: `stack up` that is cut off leaves nothing behind that `stack down` and the next `stack up` do not know, and a
//! port that somebody else holds is told, with its service and its holder, before anything is started.
//! Steps: starts that never become healthy, ended by SIGTERM and by SIGKILL while PostgreSQL makes its database and while
//! MinIO runs; a start with two ports taken by this test.
//! Requires: MinIO, PostgreSQL.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stack::{Process, until};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);

struct Stack {
    folder: TempDir,
    ports: [u16; 3],
}

impl Stack {
    /// PostgreSQL and then MinIO, which is healthy where `health` answers.
    fn new(health: &str) -> Result<Self> {
        let stack = Self {
            folder: tempfile::tempdir()?,
            ports: [
                stack::free_port()?,
                stack::free_port()?,
                stack::free_port()?,
            ],
        };
        stack.compose(health)?;
        Ok(stack)
    }

    fn compose(&self, health: &str) -> Result<()> {
        let [minio, console, postgres] = self.ports;
        let text = format!(
            "services:
  postgres:
    image: postgres:15
    environment: {{POSTGRES_PASSWORD: so-secret, POSTGRES_DB: shop}}
    ports: ['127.0.0.1:{postgres}:5432']
    volumes: ['postgres-data:/var/lib/postgresql/data']
  minio:
    image: minio
    command: [server, /data, --address, ':9000', --console-address, ':9001']
    environment: {{MINIO_ROOT_USER: somebody, MINIO_ROOT_PASSWORD: so-secret}}
    ports: ['127.0.0.1:{minio}:9000', '127.0.0.1:{console}:9001']
    volumes: ['minio-data:/data']
    depends_on: {{postgres: {{condition: service_started}}}}
    healthcheck: {{test: [CMD, curl, 'http://127.0.0.1:9000{health}']}}
"
        );
        std::fs::write(self.folder.path().join("docker-compose.yml"), text)?;
        Ok(())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
        command
            .args(words)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Result<Output> {
        self.command(words)
            .output()
            .with_context(|| format!("run stack {words:?}"))
    }

    fn said(&self, words: &[&str]) -> Result<String> {
        let output = self.run(words)?;
        ensure!(output.status.success(), "stack {words:?}: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn state_file(&self) -> PathBuf {
        self.folder.path().join("data/stack/state.json")
    }

    /// The pid that is written down for a service.
    fn pid(&self, service: &str) -> Option<i32> {
        let state: Value = serde_json::from_slice(&std::fs::read(self.state_file()).ok()?).ok()?;
        let services = state.get("services")?.as_array()?.iter();
        let mut named = services.filter(|it| it.get("service").is_some_and(|it| it == service));
        i32::try_from(named.next()?.get("pid")?.as_i64()?).ok()
    }

    /// A start that never ends, once `service` runs, whose pid is the second.
    async fn start_until(&self, service: &str) -> Result<(Process, i32)> {
        let up = Process::spawn("stack up", self.command(&["up"]))?;
        let started = until(service, PATIENCE, async || Ok(self.pid(service))).await;
        let pid = started.with_context(|| up.output().unwrap_or_default())?;
        ensure!(runs(pid), "{service} does not run");
        Ok((up, pid))
    }

    /// Whether anything listens on a port of the stack.
    fn is_quiet(&self) -> bool {
        self.ports
            .iter()
            .all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Err(error) = self.said(&["down"]) {
            eprintln!("{error:#}");
        }
    }
}

fn runs(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}/exe")).exists()
}

const NEVER: &str = "/never";
const LIVE: &str = "/minio/health/live";

#[tokio::test]
async fn a_start_that_is_asked_to_end_stops_what_it_has_started() -> Result<()> {
    let stack = Stack::new(NEVER)?;
    // The first time PostgreSQL is waited for while it starts, the second time MinIO after it.
    for service in ["postgres", "minio"] {
        let (mut up, pid) = stack.start_until(service).await?;
        up.terminate()?;
        let status = up.wait(PATIENCE).await?;
        let output = up.output()?;
        ensure!(
            !status.success() && output.contains("ended by SIGTERM"),
            "{output}"
        );
        ensure!(
            !runs(pid) && stack.is_quiet(),
            "{service} runs on:\n{output}"
        );
        let status = stack.said(&["status"])?;
        ensure!(status.contains("nothing was started"), "{status}");
    }
    Ok(())
}

#[tokio::test]
async fn a_start_that_is_killed_leaves_what_down_and_up_know() -> Result<()> {
    let stack = Stack::new(NEVER)?;
    let (mut up, minio) = stack.start_until("minio").await?;
    let postgres = stack.pid("postgres").context("PostgreSQL's pid")?;
    up.kill9()?;
    ensure!(runs(minio) && runs(postgres), "they end with `stack up`");
    let down = stack.said(&["down"])?;
    ensure!(
        !runs(minio) && !runs(postgres) && stack.is_quiet(),
        "{down}"
    );

    let (mut up, minio) = stack.start_until("minio").await?;
    up.kill9()?;
    ensure!(runs(minio), "MinIO ends with `stack up`");
    stack.compose(LIVE)?;
    let up = stack.said(&["up"])?;
    ensure!(
        !runs(minio)
            && up.contains("the last start was cut off")
            && up.contains("minio is healthy"),
        "{up}"
    );
    let again = stack.pid("minio").context("MinIO's pid")?;
    ensure!(runs(again), "{up}");
    let up = stack.said(&["up"])?;
    ensure!(stack.pid("minio") == Some(again), "{up}");
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_before_anything_starts() -> Result<()> {
    let stack = Stack::new(LIVE)?;
    let [minio, console, postgres] = stack.ports;
    let taken = [
        TcpListener::bind(("127.0.0.1", console))?,
        TcpListener::bind(("0.0.0.0", postgres))?,
    ];
    let began = Instant::now();
    let output = stack.run(&["up"])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let me = format!("pid {}", std::process::id());
    for (port, service) in [(console, "minio"), (postgres, "postgres")] {
        let told = format!("port {port} of service `{service}` is held by ");
        let line = said.lines().find(|line| line.contains(&told));
        ensure!(line.is_some_and(|line| line.contains(&me)), "{said}");
    }
    ensure!(
        !output.status.success() && !said.contains(&minio.to_string()),
        "{output:?}"
    );
    ensure!(
        began.elapsed() < Duration::from_secs(20) && !stack.state_file().exists(),
        "{said}"
    );
    drop(taken);
    let up = stack.said(&["up"])?;
    ensure!(up.contains("minio is healthy"), "{up}");

    // One that ends, and whose port somebody has taken meanwhile, is not started in vain.
    let pid = stack
        .pid("minio")
        .and_then(Pid::from_raw)
        .context("a pid")?;
    kill_process(pid, Signal::KILL)?;
    let held = until("the port", PATIENCE, async || {
        Ok(TcpListener::bind(("127.0.0.1", minio)).ok())
    })
    .await?;
    let output = stack.run(&["restart", "minio"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        said.contains(&format!("port {minio} of service `minio` is held by ")),
        "{output:?}"
    );
    drop(held);
    Ok(())
}
