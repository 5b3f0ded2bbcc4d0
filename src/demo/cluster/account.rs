//! Who the server runs as: PostgreSQL refuses root.

use std::{fs, os::unix::process::CommandExt as _, path::Path, process::Command};

use anyhow::Context as _;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

/// None where this user may run the server itself.
pub fn unprivileged_account() -> anyhow::Result<Option<Account>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").context("read `/etc/passwd`")?;
    ["postgres", "nobody"]
        .iter()
        .find_map(|name| account_of(&passwd, name))
        .map(Some)
        .context("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`: run the demo as an ordinary user")
}

fn account_of(passwd: &str, name: &str) -> Option<Account> {
    let line = passwd
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some(Account {
        uid: fields.next()?.parse().ok()?,
        gid: fields.next()?.parse().ok()?,
    })
}

pub fn run_as(command: &mut Command, account: Option<Account>) {
    command.current_dir("/");
    if let Some(Account { uid, gid }) = account {
        command.uid(uid).gid(gid);
    }
}

pub fn give_to(path: &Path, account: Option<Account>) -> anyhow::Result<()> {
    if let Some(Account { uid, gid }) = account {
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .with_context(|| format!("give `{}` to user {uid}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_come_from_passwd() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\npostgres:x:114:121::/var/lib/postgresql:/bin/sh\n";
        assert_eq!(
            account_of(passwd, "postgres"),
            Some(Account { uid: 114, gid: 121 })
        );
        assert_eq!(account_of(passwd, "nobody"), None);
    }
}
