use std::path::PathBuf;

use lakewriter::{
    LakeConfig,
    maintain::{CompactionLimits, Maintenance},
};
use service::Secret;
use sha2::{Digest as _, Sha256};

use super::quantity;
use crate::settings::{Settings, SettingsError};

/// What `lake.maintenance`, `lake.history` and `lake.target_file_size` say; None: `off`.
pub fn maintenance(settings: &Settings) -> Result<Option<Maintenance>, SettingsError> {
    let schedule = settings.get("lake.maintenance").unwrap_or_default();
    if schedule == "off" {
        return Ok(None);
    }
    Ok(Some(Maintenance {
        schedule: service::normalize_schedule(schedule).unwrap_or_else(|| schedule.to_owned()),
        limits: limits(settings)?,
        history: settings.parse::<quantity::Time>("lake.history")?.0,
    }))
}

/// When files are written anew.
pub fn limits(settings: &Settings) -> Result<CompactionLimits, SettingsError> {
    let target = settings.parse::<quantity::Bytes>("lake.target_file_size")?;
    Ok(CompactionLimits {
        target_bytes: target.0 as u64,
        ..CompactionLimits::default()
    })
}

/// The `lake.*` settings.
pub fn config(settings: &Settings) -> LakeConfig {
    let mut config = LakeConfig::new(settings.get("lake.url").unwrap_or_default());
    config.endpoint = settings.get("lake.endpoint").map(str::to_owned);
    config.allow_http = config
        .endpoint
        .as_deref()
        .is_some_and(|endpoint| endpoint.starts_with("http://"));
    config.ca_file = settings
        .get("lake.ca_file")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("AWS_CA_BUNDLE")?)))
        .filter(|path| !path.as_os_str().is_empty());
    config.region = settings.get("lake.region").map(str::to_owned);
    config.access_key = settings.get("lake.access_key_id").map(str::to_owned);
    config.secret_key = settings.get("lake.secret_access_key").map(Secret::new);
    config
}

/// The lake's address, which a folder has only as a whole path.
pub fn absolute(url: &str) -> String {
    if url.contains("://") {
        return url.to_owned();
    }
    let folder = std::path::absolute(url);
    folder.map_or_else(|_| url.to_owned(), |folder| folder.display().to_string())
}

/// What tells lakes apart in names: the beginning of the SHA-256 of an address, eight hexadecimal digits.
pub fn number(address: &str) -> String {
    let digest = Sha256::digest(address.as_bytes());
    let bytes = digest.iter().take(4);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}
