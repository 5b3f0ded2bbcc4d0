//! Proves: a demo whose PostgreSQL dies ends with an error that says so, and goes on from there the next time; one that is
//! asked to stop does so at any moment, without an error, and leaves nothing running, also where it is asked twice.
//! Steps: `kill -9` of the postmaster while rows arrive, then another run; SIGINT so many milliseconds after the start, from
//! before there is a cluster until rows arrive.
//! Requires: PostgreSQL.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use stack::{Process, until};

use crate::demo::{Demo, RUN, lake_rows};

const SIGINT: i32 = 2;

#[tokio::test]
async fn a_demo_whose_postgresql_dies_says_so() -> Result<()> {
    let demo = Demo::new()?;
    let mut run = demo.start(&["--rate", "200/s"])?;
    let line = run.wait_for_line("socket folder ", RUN).await?;
    let (_, home) = line.split_once("socket folder ").context("no folder")?;
    until("the lake to get rows", RUN, async || {
        Ok((lake_rows(&run.output()?) > 0).then_some(()))
    })
    .await?;
    let pid_file = format!("{}/postgres/postmaster.pid", home.trim());
    let pid = std::fs::read_to_string(&pid_file).context(pid_file)?;
    let pid = pid.lines().next().and_then(|line| line.parse().ok());
    let pid = rustix_pid(pid)?;
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
    let status = run.wait(RUN).await;
    let output = run.output()?;
    ensure!(
        status?.code() == Some(1)
            && output.contains("PostgreSQL server of the demo has ended")
            && output.contains("signal: 9"),
        "{output}"
    );

    let mut again = demo.start(&["--seconds", "2"])?;
    let status = again.wait(RUN).await?;
    ensure!(status.success(), "{}", again.output()?);
    Ok(())
}

fn rustix_pid(pid: Option<i32>) -> Result<rustix::process::Pid> {
    pid.and_then(rustix::process::Pid::from_raw)
        .context("no pid")
}

#[tokio::test]
async fn a_demo_can_be_stopped_at_any_moment() -> Result<()> {
    for millis in [0, 10, 30, 100, 300, 500, 700, 900, 1200, 1600, 2000, 3000] {
        let demo = Demo::new()?;
        let mark = format!("TRIBUTARY_DEMO_TEST_{}_{millis}=1", std::process::id());
        let (name, value) = mark.split_once('=').context("a variable")?;
        let mut command = demo.command(&[])?;
        command.env(name, value);
        let mut run = Process::spawn("tributary demo", command)?;
        // Whatever it is doing by then: this is the moment, not a condition.
        tokio::time::sleep(Duration::from_millis(millis)).await;
        run.interrupt()?;
        let status = run.wait(RUN).await?;
        let output = run.output()?;
        // Before it listens to signals this one ends it.
        let killed = status.signal() == Some(SIGINT) && output.is_empty();
        ensure!(
            (status.success() || killed) && !output.contains("error") && !output.contains("WARN"),
            "after {millis} ms: {status}\n{output}"
        );
        let left = marked(&mark)?;
        ensure!(left.is_empty(), "after {millis} ms {left:?} run\n{output}");
        eprintln!("{millis} ms: {status}, {} lines", output.lines().count());
    }
    Ok(())
}

/// `tributary demo | head -1`: the pipe is closed from the first line on.
#[tokio::test]
async fn a_demo_whose_reader_has_gone_ends_as_always() -> Result<()> {
    let demo = Demo::new()?;
    let mut command = demo.command(&["--seconds", "3"])?;
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    command.stdout(writer);
    let ended = tokio::task::spawn_blocking(move || command.output());
    let ended = tokio::time::timeout(RUN, ended).await???;
    let told = String::from_utf8_lossy(&ended.stderr);
    ensure!(
        ended.status.success() && !told.contains("panicked") && !told.contains("Broken pipe"),
        "{}\n{told}",
        ended.status
    );
    Ok(())
}

/// Who is asked twice ends at once; its server then ends by itself.
#[tokio::test]
async fn a_demo_that_is_stopped_twice_leaves_no_server() -> Result<()> {
    for rows in [false, true] {
        let demo = Demo::new()?;
        let mark = format!("TRIBUTARY_DEMO_TWICE_{}_{rows}=1", std::process::id());
        let (name, value) = mark.split_once('=').context("a variable")?;
        let mut command = demo.command(&["--rate", "500/s"])?;
        command.env(name, value);
        let mut run = Process::spawn("tributary demo", command)?;
        match rows {
            // While the cluster is made.
            false => tokio::time::sleep(Duration::from_millis(300)).await,
            true => {
                until("the lake to get rows", RUN, async || {
                    Ok((lake_rows(&run.output()?) > 0).then_some(()))
                })
                .await?;
            }
        }
        run.interrupt()?;
        // Two at the same moment would be one.
        tokio::time::sleep(Duration::from_millis(5)).await;
        run.interrupt()?;
        let status = run.wait(RUN).await?;
        let output = run.output()?;
        ensure!(
            matches!(status.code(), Some(0 | 130)) && !output.contains("error"),
            "{status}\n{output}"
        );
        eprintln!("twice, rows {rows}: {status}");
        until("the server to end", RUN, async || {
            Ok(marked(&mark)?.is_empty().then_some(()))
        })
        .await
        .with_context(|| format!("{:?}", marked(&mark)))?;
    }
    Ok(())
}

/// The processes that have this in their environment.
fn marked(mark: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let path = entry?.path();
        let environment = std::fs::read(path.join("environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        if variables.any(|variable| variable == mark.as_bytes()) {
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            found.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    Ok(found)
}
