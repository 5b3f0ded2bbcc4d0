use std::time::{Duration, Instant};

use clap::Subcommand;
use lakewriter::lake::{Bucket, create_bucket};

use super::{lake, start};
use crate::failure::Failure;
use crate::settings::Settings;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make the bucket of lake.url (s3://bucket/...), or another one, if it is not there
    Create {
        /// Another bucket than lake.url's
        name: Option<String>,
        /// Keep trying while the server is not up yet
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        wait: u64,
    },
}

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    let Action::Create { name, wait } = arguments.action;
    let config = lake::config(settings);
    let name = name
        .or_else(|| bucket_of(&config.url))
        .ok_or_else(|| Failure::Usage(format!("lake.url `{}` names no bucket", config.url)))?;
    let deadline = Instant::now() + Duration::from_secs(wait);
    start(settings, "info")?.block_on(async {
        let mut backoff =
            service::Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        loop {
            match create_bucket(&config, &name).await {
                Ok(Bucket::Created) => say!("bucket `{name}` created"),
                Ok(Bucket::Exists) => say!("bucket `{name}` is there"),
                Err(error)
                    if error.disposition() == lakewriter::Disposition::Retry
                        && Instant::now() < deadline =>
                {
                    let delay = backoff.next_delay();
                    tracing::warn!(error = %error, attempt = backoff.attempt(), ?delay, "the object store is not ready");
                    tokio::time::sleep(delay).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            return Ok(());
        }
    })
}

/// `s3://bucket/prefix` -> `bucket`.
fn bucket_of(url: &str) -> Option<String> {
    let rest = url
        .strip_prefix("s3://")
        .or_else(|| url.strip_prefix("s3a://"))?;
    let bucket = rest.split('/').next()?;
    (!bucket.is_empty()).then(|| bucket.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_names_the_bucket() {
        assert_eq!(bucket_of("s3://lake/a/b").as_deref(), Some("lake"));
        assert_eq!(bucket_of("s3://lake").as_deref(), Some("lake"));
        assert_eq!(bucket_of("data/lake"), None);
    }
}
