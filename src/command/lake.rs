use std::path::PathBuf;

use lakewriter::LakeConfig;
use service::Secret;

use crate::settings::Settings;

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
