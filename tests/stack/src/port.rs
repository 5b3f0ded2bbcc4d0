use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail};

/// Ports below those that the kernel gives to outgoing connections (from 32768 on Linux, 49152 elsewhere): between the
/// choice of a port and its use by a server that takes seconds to start, a connection of anybody's could take it.
const RANGE: std::ops::Range<u16> = 12_000..32_000;

/// A TCP port of the loopback address that nothing listens on now and that was not given out before by this process.
/// Another process may take it before it is used: whoever starts a server on it checks that the server is the one that
/// answers.
pub fn free_port() -> Result<u16> {
    static NEXT: OnceLock<AtomicU32> = OnceLock::new();
    let length = u32::from(RANGE.end - RANGE.start);
    // processes that run side by side begin at different places
    let next = NEXT.get_or_init(|| {
        AtomicU32::new(std::hash::RandomState::new().build_hasher().finish() as u32 % length)
    });
    for _ in 0..length {
        let step = next.fetch_add(1, Ordering::Relaxed) % length;
        let port = RANGE
            .start
            .saturating_add(u16::try_from(step).unwrap_or_default());
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!(
        "no loopback port is free from {} to {}",
        RANGE.start,
        RANGE.end
    )
}

/// Whether process `pid` itself holds a listening socket on `port`. Read from `/proc` on Linux; taken for granted where
/// there is no `/proc`.
pub fn listens(pid: u32, port: u16) -> bool {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
    if tables.iter().all(Result::is_err) {
        return true;
    }
    let inodes: Vec<String> = tables
        .into_iter()
        .flatten()
        .flat_map(|table| listening_inodes(&table, port))
        .collect();
    let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    descriptors
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|target| {
            let target = target.to_string_lossy();
            inodes.iter().any(|inode| {
                target
                    .strip_prefix("socket:[")
                    .and_then(|t| t.strip_suffix(']'))
                    == Some(inode)
            })
        })
}

/// Pid and name of the process that listens on `port`, where there is one that this user may look at.
pub fn holder(port: u16) -> Option<(u32, String)> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let pid: u32 = pids.find(|pid| listens(*pid, port))?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some((pid, name.trim().to_owned()))
}

/// The inodes of the sockets in state LISTEN on `port`, from the text of `/proc/net/tcp` (see proc(5)).
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let port = format!(":{port:04X}");
    let inode = |line: &str| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        (local.ends_with(&port) && state == LISTEN)
            .then(|| fields.nth(5).map(str::to_owned))
            .flatten()
    };
    table.lines().filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inode_of_a_listening_socket_is_found() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 20921 1 0 100 0 0 10 0\n   \
            1: 0100007F:1538 0100007F:C001 01 00000000:00000000 00:00000000 00000000   101        0 20922 1 0 20 4 0 10 -1\n";
        assert_eq!(listening_inodes(table, 0x1538), ["20921"]);
        assert!(listening_inodes(table, 0x1539).is_empty());
    }

    #[test]
    fn no_port_is_given_out_twice() {
        let ports: std::collections::BTreeSet<u16> =
            (0..50).map(|_| free_port().expect("a port")).collect();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
    }

    #[test]
    fn a_listener_belongs_to_this_process_and_to_no_other() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let port = listener.local_addr().expect("address").port();
        assert!(listens(std::process::id(), port));
        if cfg!(target_os = "linux") {
            let (pid, name) = holder(port).expect("this process");
            assert!(
                pid == std::process::id() && !name.is_empty(),
                "{pid} {name}"
            );
        }
        assert!(!listens(1, port) || !cfg!(target_os = "linux"));
    }
}
