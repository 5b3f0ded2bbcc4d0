use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
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

/// `folder`, where `account` can reach it and a Unix socket's path in it is not too long; else a folder of `/var/tmp`
/// that is always the same for `folder` (a checkout in root's home is closed to other users).
pub fn reachable_home(folder: &Path, account: Option<Account>) -> Result<PathBuf> {
    /// Longest path of a Unix socket, less the name that PostgreSQL puts into the folder.
    const SOCKET_FOLDER_MAX: usize = 107 - ".s.PGSQL.65535.lock".len();
    const SEARCH_BY_OTHERS: u32 = 0o001;
    let open = |parent: &Path| {
        std::fs::metadata(parent).is_ok_and(|meta| meta.mode() & SEARCH_BY_OTHERS != 0)
    };
    let reachable = account.is_none() || folder.ancestors().skip(1).all(open);
    if reachable && folder.as_os_str().len() <= SOCKET_FOLDER_MAX {
        return Ok(folder.to_owned());
    }
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    let home = PathBuf::from(format!("/var/tmp/tributary-stack-{:016x}", hasher.finish()));
    std::fs::create_dir_all(&home).with_context(|| format!("make `{}`", home.display()))?;
    Ok(home)
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
