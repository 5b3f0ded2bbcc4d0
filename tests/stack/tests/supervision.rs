//! Proves: `stack up` brings up a compose file's services and watches them as compose does: what is killed comes back,
//! what does not run is told, one service can be restarted and its log read, and `down` ends all of it.
//! Steps: a compose file with MinIO on ports of its own, in a folder of its own.
//! Requires: MinIO.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stack::until;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);

struct Stack(TempDir);

impl Stack {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (port, console) = (stack::free_port()?, stack::free_port()?);
        let compose = format!(
            "services:
  minio:
    image: minio
    command: [server, /data, --address, ':9000', --console-address, ':9001']
    environment: {{MINIO_ROOT_USER: somebody, MINIO_ROOT_PASSWORD: so-secret}}
    ports: ['127.0.0.1:{port}:9000', '127.0.0.1:{console}:9001']
    volumes: ['minio-data:/data']
    restart: unless-stopped
    healthcheck: {{test: [CMD, curl, 'http://127.0.0.1:9000/minio/health/live']}}
"
        );
        std::fs::write(folder.path().join("docker-compose.yml"), compose)?;
        Ok(Self(folder))
    }

    fn run(&self, words: &[&str]) -> Result<Output> {
        Command::new(env!("CARGO_BIN_EXE_stack"))
            .args(words)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("run stack {words:?}"))
    }

    /// What a command that succeeds prints.
    fn said(&self, words: &[&str]) -> Result<String> {
        let output = self.run(words)?;
        ensure!(output.status.success(), "stack {words:?}: {output:?}");
        Ok(String::from_utf8(output.stdout)?)
    }

    fn state(&self) -> Result<Value> {
        let text = std::fs::read(self.0.path().join("data/stack/state.json"))?;
        Ok(serde_json::from_slice(&text)?)
    }

    fn pid(&self, pointer: &str) -> Result<i32> {
        let state = self.state()?;
        let pid = state.pointer(pointer).and_then(Value::as_i64);
        Ok(i32::try_from(pid.context("a pid")?)?)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Err(error) = self.said(&["down"]) {
            eprintln!("{error:#}");
        }
    }
}

fn kill9(pid: i32) -> Result<()> {
    let pid = rustix::process::Pid::from_raw(pid).context("a pid")?;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).context("kill")
}

fn runs(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}/exe")).exists()
}

const MINIO: &str = "/services/0/pid";
const SUPERVISOR: &str = "/supervisor/pid";

#[tokio::test]
async fn what_is_killed_comes_back_and_down_ends_everything() -> Result<()> {
    let stack = Stack::new()?;
    let nothing = stack.said(&["status"])?;
    ensure!(nothing.contains("nothing was started"), "{nothing}");
    let up = stack.said(&["up"])?;
    ensure!(
        up.contains("user somebody, password so-secret") && up.contains("minio is healthy"),
        "{up}"
    );

    let first = stack.pid(MINIO)?;
    kill9(first)?;
    let second = until("MinIO to be started again", PATIENCE, async || {
        let pid = stack.pid(MINIO)?;
        Ok((pid != first && runs(pid)).then_some(pid))
    })
    .await?;
    let status = stack.said(&["status"])?;
    ensure!(
        status.contains(&format!("pid {second}")) && status.contains("restarts 1"),
        "{status}"
    );

    let restarted = stack.said(&["restart", "minio"])?;
    let third = stack.pid(MINIO)?;
    ensure!(third != second && runs(third), "{restarted}");
    let unknown = stack.run(&["restart", "mino"])?;
    ensure!(
        !unknown.status.success() && String::from_utf8_lossy(&unknown.stderr).contains("minio"),
        "{unknown:?}"
    );
    let log = stack.said(&["logs", "minio"])?;
    ensure!(log.contains("Formatting 1st pool"), "{log}");

    let supervisor = stack.pid(SUPERVISOR)?;
    kill9(supervisor)?;
    until("the supervisor to be gone", PATIENCE, async || {
        Ok((!runs(supervisor)).then_some(()))
    })
    .await?;
    let status = stack.run(&["status"])?;
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    ensure!(
        !status.status.success() && text.contains("nothing starts again what ends"),
        "{text}"
    );
    kill9(third)?;
    let again = stack.said(&["up"])?;
    let (fourth, supervisor) = (stack.pid(MINIO)?, stack.pid(SUPERVISOR)?);
    ensure!(runs(fourth) && runs(supervisor), "{again}");

    stack.said(&["down"])?;
    ensure!(!runs(fourth) && !runs(supervisor), "down left something");
    let nothing = stack.said(&["status"])?;
    ensure!(nothing.contains("nothing was started"), "{nothing}");
    Ok(())
}
