//! The demo's folder: what the demo made there, and that one demo at a time uses it.
//!
//! What must stay true: nothing is removed that the marker does not name, the marker names nothing that was there
//! before the demo, and whoever makes or removes anything holds the lock.

use std::{
    fs::{self, File, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::cluster::{self, Cluster};
use crate::{failure::Failure, invocation};

const MARKER: &str = "tributary-demo.json";
const LOCK: &str = "tributary-demo.lock";
/// What a line of the lock file begins with.
const LOCKED_BY: &str = "pid ";

/// Everything that a demo makes in its folder, besides marker and lock.
const MADE: [&str; 8] = [
    "postgres",
    "postgres.new",
    "postgres.log",
    "lake",
    "spill",
    "cluster",
    ".s.PGSQL.5432",
    ".s.PGSQL.5432.lock",
];

/// What `tributary-demo.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    /// 1 for this form.
    format: u32,
    /// Names in the folder.
    made: Vec<String>,
    /// The demo made the folder itself.
    made_folder: bool,
    /// Whose a folder was that was there before: the server's user gets it.
    owner: Option<(u32, u32)>,
}

/// A demo's folder, held by this process until it ends, however it ends.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Take a folder for a demo: a new one, one of a demo, or one in which nothing has a name that the demo needs.
    ///
    /// # Errors
    /// Another process uses it, or it holds what no demo made.
    pub fn claim(folder: &Path) -> Result<Self, Failure> {
        // PostgreSQL refuses to run as root: the folder is given to the server's user.
        Self::claim_as(folder, rustix::process::geteuid().is_root())
    }

    fn claim_as(folder: &Path, gives_away: bool) -> Result<Self, Failure> {
        let made_folder = !folder.exists();
        fs::create_dir_all(folder)
            .with_context(|| format!("make the folder `{}`", folder.display()))?;
        let path = fs::canonicalize(folder).context("find the demo's folder")?;
        let (mut lock, made_lock) = take_lock(&path, folder)?;
        let claimed = claim_locked(
            &path,
            folder,
            (made_folder, gives_away),
            &mut lock,
            made_lock,
        );
        if let Err(failure) = claimed {
            if made_lock {
                let _ = fs::remove_file(path.join(LOCK));
            }
            if made_folder {
                let _ = fs::remove_dir(&path);
            }
            return Err(failure);
        }
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn claim_locked(
    path: &Path,
    shown: &Path,
    (made_folder, gives_away): (bool, bool),
    lock: &mut File,
    made_lock: bool,
) -> Result<(), Failure> {
    if read_marker(path)?.is_none() {
        let taken = names_taken(path)?;
        let mut others = names(path)?.into_iter();
        if let Some(other) = others.find(|name| gives_away && !taken.contains(name)) {
            return Err(Failure::Refused {
                what: format!(
                    "use `{}` for the demo: it holds `{other}`, and would be given to the user that PostgreSQL runs as",
                    shown.display()
                ),
                hint: "name another folder with --folder, a new or an empty one, or run the demo as another user than root".to_owned(),
            });
        }
        if (!taken.is_empty() && !is_older_demo(path)) || !(made_lock || is_lock_file(lock)) {
            let taken = taken.first().map_or(LOCK, String::as_str);
            return Err(Failure::Refused {
                what: format!(
                    "use `{}` for the demo: it holds `{taken}`, which no demo made",
                    shown.display()
                ),
                hint: "name another folder with --folder: a new or an empty one".to_owned(),
            });
        }
        let meta = fs::metadata(path).context("look at the demo's folder")?;
        write_marker(
            path,
            &Marker {
                format: 1,
                made: MADE.map(str::to_owned).to_vec(),
                made_folder: made_folder || taken.len() == names(path)?.len(),
                owner: (!made_folder).then_some((meta.uid(), meta.gid())),
            },
        )?;
    }
    say_who(lock).context("write the demo's lock file")?;
    Ok(())
}

/// Remove what the demo made in a folder and for it, and the folder where nothing else is in it.
///
/// # Errors
/// No demo made the folder, or one runs there.
pub fn clean(folder: &Path) -> Result<(), Failure> {
    let Ok(path) = fs::canonicalize(folder) else {
        say!("nothing to remove: there is no {}", folder.display());
        return Ok(());
    };
    let marker = match read_marker(&path)? {
        Some(marker) => marker,
        None if is_older_demo(&path) => Marker {
            format: 1,
            made: MADE.map(str::to_owned).to_vec(),
            made_folder: true,
            owner: None,
        },
        None => return Err(not_made(folder, &names_taken(&path)?)),
    };
    let (mut lock, _) = take_lock(&path, folder)?;
    say_who(&mut lock).context("write the demo's lock file")?;
    Cluster::remove(&path)?;
    // The names are ours alone: a marker that somebody else wrote does not widen them.
    for name in MADE {
        if marker.made.iter().any(|made| made == name) {
            remove(&path.join(name))?;
        }
    }
    // The marker goes last but for the lock: a clean that is killed can be called again.
    remove(&path.join(MARKER))?;
    remove(&path.join(LOCK))?;
    let left = names(&path)?;
    if left.is_empty() && marker.made_folder {
        fs::remove_dir(&path).with_context(|| format!("remove `{}`", folder.display()))?;
        say!("removed {}", folder.display());
        return Ok(());
    }
    if let Some((uid, gid)) = marker.owner {
        std::os::unix::fs::chown(&path, Some(uid), Some(gid))
            .with_context(|| format!("give `{}` back to user {uid}", folder.display()))?;
    }
    say!(
        "removed what the demo made in {}; the folder stays, {} in it",
        folder.display(),
        match left.len() {
            0 => "nothing".to_owned(),
            1 => "one other name".to_owned(),
            others => format!("{others} other names"),
        }
    );
    Ok(())
}

/// `like_ours`: what in it has a name that demos use.
fn not_made(folder: &Path, like_ours: &[String]) -> Failure {
    Failure::Refused {
        what: format!(
            "remove `{}`: it has no `{MARKER}`, so no demo made it, and nothing was removed",
            folder.display()
        ),
        hint: if like_ours.is_empty() {
            "check the path: name the folder that the demo was given".to_owned()
        } else {
            format!(
                "if it is what an older demo left, look into it and remove it by hand: rm -r {}",
                invocation::quoted(&folder.display().to_string())
            )
        },
    }
}

fn read_marker(path: &Path) -> Result<Option<Marker>, Failure> {
    let marker = path.join(MARKER);
    let text = match fs::read(&marker) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(anyhow::Error::from(error)
                .context(format!("read `{}`", marker.display()))
                .into());
        }
    };
    match serde_json::from_slice::<Marker>(&text) {
        Ok(read) if read.format == 1 => Ok(Some(read)),
        Ok(read) => Err(Failure::Usage(format!(
            "read `{}`: it has format {}, this version knows format 1",
            marker.display(),
            read.format
        ))),
        Err(error) => Err(Failure::Usage(format!(
            "read `{}`: {error}",
            marker.display()
        ))),
    }
}

/// Whole or not at all: a marker that is there is a marker that can be read.
fn write_marker(path: &Path, marker: &Marker) -> anyhow::Result<()> {
    let text = serde_json::to_vec_pretty(marker)?;
    let fresh = path.join(format!("{MARKER}.new"));
    let written = File::create(&fresh).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&fresh, path.join(MARKER))
    });
    written.with_context(|| format!("write `{}`", path.join(MARKER).display()))
}

/// The lock file, locked, and whether it was not there before. The lock is the kernel's: it goes with the process.
fn take_lock(path: &Path, shown: &Path) -> Result<(File, bool), Failure> {
    let name = path.join(LOCK);
    loop {
        let made = !name.exists();
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            // A link in its place leads to what is nobody's lock.
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&name)
            .with_context(|| format!("open `{}`", name.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(&mut file, shown)),
            Err(TryLockError::Error(error)) => {
                return Err(anyhow::Error::from(error)
                    .context(format!("lock `{}`", name.display()))
                    .into());
            }
        }
        // Whoever held it before may have removed the file: then this lock excludes nobody.
        let same = fs::metadata(&name)
            .ok()
            .zip(file.metadata().ok())
            .is_some_and(|(named, opened)| {
                (named.dev(), named.ino()) == (opened.dev(), opened.ino())
            });
        if same {
            return Ok((file, made));
        }
    }
}

fn in_use(lock: &mut File, shown: &Path) -> Failure {
    let mut text = String::new();
    let _ = lock.read_to_string(&mut text);
    let pid = text.trim().strip_prefix(LOCKED_BY);
    let by = pid.map_or_else(String::new, |pid| format!(" with pid {pid}"));
    let stop = pid.map_or_else(String::new, |pid| format!(" or with: kill -INT {pid}"));
    Failure::Refused {
        what: format!(
            "use `{}`: the demo{by} runs in this folder",
            shown.display()
        ),
        hint: format!(
            "end it with Ctrl-C{stop}; a second demo needs a folder of its own: --folder"
        ),
    }
}

/// So that a second demo can tell which process holds the lock.
fn say_who(lock: &mut File) -> std::io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{LOCKED_BY}{}", std::process::id())?;
    lock.flush()
}

fn is_lock_file(lock: &mut File) -> bool {
    let mut text = String::new();
    lock.read_to_string(&mut text).is_ok() && (text.is_empty() || text.starts_with(LOCKED_BY))
}

fn names(path: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(path).with_context(|| format!("list `{}`", path.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<anyhow::Result<_>>()?;
    names.retain(|name| name != MARKER && name != LOCK);
    Ok(names)
}

/// What has a name that the demo needs.
fn names_taken(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = names(path)?;
    names.retain(|name| MADE.contains(&name.as_str()));
    Ok(names)
}

/// Demos before the marker: a cluster that says itself that a demo made it, and nothing but what demos make beside it.
fn is_older_demo(path: &Path) -> bool {
    let only_ours =
        names(path).is_ok_and(|names| names.iter().all(|name| MADE.contains(&name.as_str())));
    only_ours && cluster::is_ours(&cluster::home(path).join("postgres"))
}

fn remove(path: &Path) -> anyhow::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    removed.with_context(|| format!("remove `{}`", path.display()))
}

#[cfg(test)]
#[path = "folder/tests.rs"]
mod tests;
