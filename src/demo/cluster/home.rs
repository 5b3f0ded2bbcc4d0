//! Where the cluster and its socket live when the demo's own folder will not do. Both places lie in folders that
//! everybody may write to, so each carries a mark that says whose it is, and is neither used nor removed without it.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

use super::{
    account::{Account, give_to},
    is_ours,
};

/// Longest path of a Unix socket (`sun_path`), less the name PostgreSQL puts into the folder.
const SOCKET_FOLDER_MAX: usize = 107 - ".s.PGSQL.5432.lock".len();

/// In the demo's folder: a link to the cluster's home, where that lies elsewhere.
const LINK: &str = "cluster";

/// In a home elsewhere: the path of the demo's folder.
const OWNER: &str = "tributary-demo.owner";

/// In a socket folder elsewhere: a link to the cluster's home.
const HOME: &str = "home";

/// `folder` itself, or a folder under `/var/tmp` where the server's user cannot reach it (a checkout in root's home).
pub fn reachable_home(folder: &Path, account: Option<Account>) -> anyhow::Result<PathBuf> {
    let Some(account) = account else {
        return Ok(folder.to_owned());
    };
    if fs::read_link(folder.join(LINK)).is_err() && is_reachable(folder, account) {
        give_to(folder, Some(account))?;
        return Ok(folder.to_owned());
    }
    let link = folder.join(LINK);
    let home = match fs::read_link(&link) {
        Ok(home) => home,
        Err(_) => {
            let home = home_elsewhere(folder);
            std::os::unix::fs::symlink(&home, &link)
                .with_context(|| format!("link `{}`", link.display()))?;
            home
        }
    };
    take(&home, Some(account))?;
    match owner(&home) {
        Some(owner) if owner != folder && owner.exists() => bail!(
            "`{}` holds the cluster of the demo in `{}`: use another --folder",
            home.display(),
            owner.display()
        ),
        _ => mark(&home, folder)?,
    }
    eprintln!(
        "the server's user cannot reach {}: the cluster is in {}",
        folder.display(),
        home.display()
    );
    give_to(&home, Some(account))?;
    Ok(home)
}

/// Where the cluster of a demo's folder is.
pub fn home(folder: &Path) -> PathBuf {
    fs::read_link(folder.join(LINK)).unwrap_or_else(|_| folder.to_owned())
}

fn is_reachable(folder: &Path, account: Account) -> bool {
    folder.ancestors().skip(1).all(|parent| {
        fs::metadata(parent).is_ok_and(|meta| {
            meta.mode() & 0o001 != 0
                || (meta.uid() == account.uid && meta.mode() & 0o100 != 0)
                || (meta.gid() == account.gid && meta.mode() & 0o010 != 0)
        })
    })
}

fn home_elsewhere(folder: &Path) -> PathBuf {
    PathBuf::from(format!("/var/tmp/tributary-demo-{}", token(folder)))
}

fn socket_elsewhere(home: &Path) -> PathBuf {
    PathBuf::from(format!("/tmp/tributary-demo-{}", token(home)))
}

/// A stable short name for a path.
fn token(path: &Path) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    format!("{:08x}", hasher.finish() as u32)
}

/// A folder of the socket: `home`, or a short one of `/tmp`.
pub fn socket_folder(home: &Path, account: Option<Account>) -> anyhow::Result<PathBuf> {
    if home.as_os_str().len() <= SOCKET_FOLDER_MAX {
        return Ok(home.to_owned());
    }
    let short = socket_elsewhere(home);
    take(&short, account)?;
    let link = short.join(HOME);
    match fs::read_link(&link) {
        Ok(target) if target == home => {}
        Ok(target) => bail!(
            "`{}` belongs to the demo whose cluster is in `{}`: use another --folder",
            short.display(),
            target.display()
        ),
        Err(_) => std::os::unix::fs::symlink(home, &link)
            .with_context(|| format!("link `{}`", link.display()))?,
    }
    give_to(&short, account)?;
    Ok(short)
}

/// The cluster's home, from the folder of its socket.
pub fn home_of_socket(socket_folder: &Path) -> PathBuf {
    fs::read_link(socket_folder.join(HOME)).unwrap_or_else(|_| socket_folder.to_owned())
}

/// Make a folder, or use one that is there if it is this user's or the server's: everybody may have made it.
fn take(folder: &Path, account: Option<Account>) -> anyhow::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        made => return made.with_context(|| format!("make the folder `{}`", folder.display())),
    }
    let meta = fs::symlink_metadata(folder)?;
    let me = rustix::process::geteuid().as_raw();
    if !meta.is_dir() || (meta.uid() != me && Some(meta.uid()) != account.map(|a| a.uid)) {
        bail!(
            "`{}` is there already and belongs to user {}: use another --folder",
            folder.display(),
            meta.uid()
        );
    }
    Ok(())
}

fn owner(home: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(home.join(OWNER)).ok()?;
    Some(PathBuf::from(text.trim_end_matches('\n')))
}

fn mark(home: &Path, folder: &Path) -> anyhow::Result<()> {
    let path = home.join(OWNER);
    fs::write(&path, format!("{}\n", folder.display()))
        .with_context(|| format!("write `{}`", path.display()))
}

/// Remove what the demo of `folder` made outside of it. What carries another demo's mark, or none, stays.
pub fn remove_elsewhere(folder: &Path) -> anyhow::Result<()> {
    let home = home(folder);
    let socket = socket_elsewhere(&home);
    if fs::read_link(socket.join(HOME)).is_ok_and(|target| target == home) {
        fs::remove_dir_all(&socket).with_context(|| format!("remove `{}`", socket.display()))?;
    }
    let is_folder = fs::symlink_metadata(&home).is_ok_and(|meta| meta.is_dir());
    if home == folder || !is_folder {
        return Ok(());
    }
    let marked = owner(&home).is_some_and(|owner| owner == folder);
    // Older demos left no mark: theirs is the place that the folder's own path leads to.
    let unmarked = owner(&home).is_none() && home == home_elsewhere(folder);
    if marked || (unmarked && is_ours(&home.join("postgres"))) {
        fs::remove_dir_all(&home).with_context(|| format!("remove `{}`", home.display()))?;
    } else {
        eprintln!(
            "left alone: `{}` carries no mark of this demo",
            home.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_stable_and_differ() {
        assert_eq!(token(Path::new("/a")), token(Path::new("/a")));
        assert_ne!(token(Path::new("/a")), token(Path::new("/b")));
    }

    #[test]
    fn a_home_elsewhere_goes_only_with_its_mark() -> anyhow::Result<()> {
        let place = tempfile::tempdir()?;
        let (folder, foreign) = (place.path().join("demo"), place.path().join("photos"));
        fs::create_dir(&folder)?;
        fs::create_dir(&foreign)?;
        fs::write(foreign.join("me.png"), "x")?;
        std::os::unix::fs::symlink(&foreign, folder.join(LINK))?;

        remove_elsewhere(&folder)?;
        assert!(foreign.join("me.png").exists());

        mark(&foreign, &place.path().join("another demo"))?;
        remove_elsewhere(&folder)?;
        assert!(foreign.join("me.png").exists());

        mark(&foreign, &folder)?;
        remove_elsewhere(&folder)?;
        assert!(!foreign.exists());
        Ok(())
    }
}
