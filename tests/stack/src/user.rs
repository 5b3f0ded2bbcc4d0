use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow};

/// The account a server runs as when this process is root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

/// The account PostgreSQL must run as: `None`, this very user, unless that is root, which PostgreSQL refuses. Then it is
/// `postgres` where a package made that user, else `nobody`.
pub fn unprivileged() -> Result<Option<Account>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd")
        .context("read `/etc/passwd` for a user other than root")?;
    ["postgres", "nobody"].iter().find_map(|name| account(&passwd, name)).map(Some).ok_or_else(|| {
        anyhow!("PostgreSQL refuses to run as root, and there is neither a user `postgres` nor `nobody`; make one")
    })
}

/// The account `name` of a passwd(5) file.
fn account(passwd: &str, name: &str) -> Option<Account> {
    let mut fields = passwd
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut f| (f.next() == Some(name)).then_some(f))?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Account { uid, gid })
}

impl Account {
    /// Makes `command` run as this account, without root's other groups.
    pub fn apply(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a file or folder to this account.
    pub fn own(self, path: &Path) -> Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("give `{}` to user {}", path.display(), self.uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_from_its_line() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\npostgres2:x:7:8::/:\npostgres:x:101:104:a,,,:/var:/bin/bash\n";
        assert_eq!(
            account(passwd, "postgres"),
            Some(Account { uid: 101, gid: 104 })
        );
        assert_eq!(account(passwd, "nobody"), None);
    }
}
