//! What is new in a version of PostgreSQL, each tried on a server of that version, whatever version a run is for.

mod failover;
mod generated_columns;
mod invalidation;
mod publications;
mod standby;
mod unvalidated_not_null;

use anyhow::Result;
use stack::{Postgres, PostgresOptions, PostgresVersion};

/// A server of that version with these settings.
async fn server(version: PostgresVersion, settings: &[(&str, &str)]) -> Result<Postgres> {
    let settings = settings.iter();
    Postgres::start_with(PostgresOptions {
        version: Some(version),
        settings: settings
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..PostgresOptions::default()
    })
    .await
}
