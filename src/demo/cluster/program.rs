//! Programs that are run to their end, or until the demo is asked to stop.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Output, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio_util::sync::CancellationToken;

use super::leash::Leash;

/// How often it is looked whether a program has ended, or is to end.
const LOOK: Duration = Duration::from_millis(10);
/// How long a program may take over its end before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// Run a program to its end. None: it was asked to stop, and the program is gone with all that it had started. Ctrl-C
/// does not reach it otherwise, or its own end would be told as an error.
pub fn run(
    command: &mut Command,
    leash: &Leash,
    stop: &CancellationToken,
) -> io::Result<Option<Output>> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()?;
    leash.hold_program(child.id());
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            leash.let_go();
            break status;
        }
        if stop.is_cancelled() {
            end(&mut child)?;
            leash.let_go();
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    };
    Ok(Some(Output {
        status,
        stdout: read(stdout)?,
        stderr: read(stderr)?,
    }))
}

/// What a program says would fill its pipe if nobody read it.
fn reader(pipe: Option<impl Read + Send + 'static>) -> Option<JoinHandle<io::Result<Vec<u8>>>> {
    let mut pipe = pipe?;
    Some(std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes)?;
        Ok(bytes)
    }))
}

fn read(reader: Option<JoinHandle<io::Result<Vec<u8>>>>) -> io::Result<Vec<u8>> {
    match reader.map(JoinHandle::join) {
        None => Ok(Vec::new()),
        Some(Ok(bytes)) => bytes,
        Some(Err(_)) => Err(io::Error::other("the thread that reads a program panicked")),
    }
}

fn end(child: &mut Child) -> io::Result<()> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let signal = |signal: Signal| {
        if let Some(group) = group {
            // One that has ended meanwhile needs none.
            let _ = kill_process_group(group, signal);
        }
    };
    signal(Signal::TERM);
    let deadline = Instant::now() + GRACE;
    while child.try_wait()?.is_none() {
        if Instant::now() > deadline {
            signal(Signal::KILL);
            child.wait()?;
            break;
        }
        std::thread::sleep(LOOK);
    }
    // What it has started may have outlived it.
    signal(Signal::KILL);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_ends_by_itself_or_when_it_is_asked_to() {
        let stop = CancellationToken::new();
        let mut script = Command::new("sh");
        script
            .args(["-c", "seq 100000; echo done >&2"])
            .stderr(Stdio::piped());
        let output = run(&mut script, &Leash::default(), &stop)
            .expect("run")
            .expect("an end");
        assert!(output.status.success() && output.stdout.len() > 100_000);
        assert_eq!(output.stderr, b"done\n");

        let asked = stop.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            asked.cancel();
        });
        let mut script = Command::new("sh");
        script.args(["-c", "sleep 600 & sleep 600"]);
        let began = Instant::now();
        assert!(
            run(&mut script, &Leash::default(), &stop)
                .expect("run")
                .is_none()
        );
        assert!(began.elapsed() < Duration::from_secs(60));
    }
}
