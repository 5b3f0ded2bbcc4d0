use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use super::address::Addresses;
use super::file::Service;

/// Where a service finds natively what is mounted into its container.
#[derive(Debug, Default)]
pub struct Mounts {
    /// Path in the container, path here.
    targets: Vec<(String, PathBuf)>,
}

impl Mounts {
    /// Makes the folders of named volumes under `folder/volumes`, and copies bound files and folders to
    /// `folder/<service>`, the addresses in JSON files mapped.
    pub fn prepare(
        name: &str,
        service: &Service,
        root: &Path,
        folder: &Path,
        addresses: &Addresses,
    ) -> Result<Self> {
        let mut targets = Vec::new();
        for volume in &service.volumes {
            let mut parts = volume.split(':');
            let (source, target) = parts.next().zip(parts.next()).ok_or_else(|| {
                anyhow!("service `{name}`: write volume `{volume}` as source:target")
            })?;
            let native = if source.starts_with(['.', '/']) {
                let copy = folder
                    .join(name)
                    .join("mounted")
                    .join(target.trim_start_matches('/'));
                let context = || format!("copy `{source}` for service `{name}`");
                copy_mapped(&root.join(source), &copy, name, addresses).with_context(context)?;
                copy
            } else {
                let native = folder.join("volumes").join(source);
                std::fs::create_dir_all(&native)
                    .with_context(|| format!("make volume `{source}`"))?;
                native
            };
            targets.push((target.to_owned(), native));
        }
        Ok(Self { targets })
    }

    /// The path here of a path in the container, where it lies in a mount.
    pub fn find(&self, path: &str) -> Option<PathBuf> {
        self.targets.iter().find_map(|(target, native)| {
            let rest = path.strip_prefix(target.as_str())?;
            match rest.strip_prefix('/') {
                Some(rest) => Some(native.join(rest)),
                None => rest.is_empty().then(|| native.clone()),
            }
        })
    }

    /// A word of a command or of the environment, mapped where it is a path in a mount.
    pub fn rewrite(&self, word: String) -> String {
        self.find(&word)
            .map_or(word, |path| path.to_string_lossy().into_owned())
    }
}

fn copy_mapped(from: &Path, to: &Path, service: &str, addresses: &Addresses) -> Result<()> {
    if from.is_dir() {
        // what was there in the last run may be gone from the source
        let _ = std::fs::remove_dir_all(to);
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            copy_mapped(
                &entry.path(),
                &to.join(entry.file_name()),
                service,
                addresses,
            )?;
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut bytes = std::fs::read(from).with_context(|| format!("read `{}`", from.display()))?;
    if from
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        let mut value: Value = serde_json::from_slice(&bytes)
            .with_context(|| format!("read `{}` as JSON", from.display()))?;
        addresses.rewrite_json(service, &mut value)?;
        bytes = serde_json::to_vec_pretty(&value)?;
    }
    std::fs::write(to, bytes).with_context(|| format!("write `{}`", to.display()))
}
