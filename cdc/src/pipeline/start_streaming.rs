//! START_REPLICATION and its options, and the wait for a slot that somebody else still reads.
//!
//! The options on which ordinals depend are remembered with the position (`selection`): a connector does not go on
//! within a transaction with others.

use std::time::Duration;

use super::stream_start::StreamStart;
use crate::PipelineStatus;
use crate::{
    Error, ErrorKind,
    quoting::{quote_identifier, quote_literal},
    source::{
        Control,
        connection::ReplicationConnection,
        server::server_version,
        server_error::{OBJECT_IN_USE, sqlstate},
        slot_reader,
    },
};
use connector::ConnectorConfig;

/// The first version whose pgoutput streams open transactions and sends logical messages.
const STREAMING_SERVER_VERSION: u32 = 140_000;

/// What to do about a slot that somebody reads.
const IN_USE: &str = "end who reads the slot (pg_stat_replication), or set another `slot.name`: a slot is of one connector";

/// Delay before the second attempt to take over a slot; a killed predecessor's walsender notices within milliseconds.
const FIRST_SLOT_RETRY: Duration = Duration::from_millis(100);

/// Wait until nobody reads the slot, as `start_streaming` does. Asked before a snapshot: where another connector takes one
/// with this slot, a slot beside it is not made before that one's transaction has ended.
///
/// # Errors
/// Somebody still reads it after `slot.max.retries` times `slot.retry.delay.ms`.
pub(super) async fn wait_for_slot(
    config: &ConnectorConfig,
    control: &mut Control,
    status: &PipelineStatus,
) -> Result<(), Error> {
    let name = &config.slot_name;
    let deadline = retry_deadline(config);
    let mut delay = FIRST_SLOT_RETRY;
    while let Some(pid) = slot_reader(control.client().await?, name).await? {
        // The server's words for START_REPLICATION.
        let error = Error::new(
            ErrorKind::Database,
            format!("use replication slot `{name}` for a snapshot and the changes after it"),
        )
        .with_source(format!(
            "replication slot \"{name}\" is active for PID {pid}"
        ))
        .with_hint(IN_USE);
        if tokio::time::Instant::now() >= deadline {
            return Err(error);
        }
        status.set_trouble(Some(service::render_error(&error, Some(error.hint()))));
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(config.slot_retry_delay.max(FIRST_SLOT_RETRY));
    }
    Ok(())
}

fn retry_deadline(config: &ConnectorConfig) -> tokio::time::Instant {
    let patience = config
        .slot_retry_delay
        .saturating_mul(config.slot_max_retries);
    tokio::time::Instant::now() + patience
}

/// START_REPLICATION. A slot that is still in use is tried again `slot.max.retries` times `slot.retry.delay.ms`.
///
/// # Errors
/// The server refuses: slot, options or publication are not such that it can stream.
pub(super) async fn start_streaming(
    config: &ConnectorConfig,
    mut connection: ReplicationConnection,
    control: &mut Control,
    start: &StreamStart,
    status: &PipelineStatus,
) -> Result<ReplicationConnection, Error> {
    let version = server_version(control.client().await?).await?;
    let options = options(config, version);
    let command = format!(
        "START_REPLICATION SLOT {} LOGICAL {} ({})",
        quote_identifier(&config.slot_name),
        start.from,
        options.join(", ")
    );
    let deadline = retry_deadline(config);
    let mut delay = FIRST_SLOT_RETRY;
    loop {
        match connection
            .start_replication(&command, &config.slot_name)
            .await
        {
            Ok(()) => return Ok(connection),
            Err(error) if sqlstate(&error) == Some(OBJECT_IN_USE) => {
                let error = error.with_hint(IN_USE);
                if tokio::time::Instant::now() >= deadline {
                    return Err(error);
                }
                let told = service::render_error(&error, Some(error.hint()));
                tracing::debug!(slot = %config.slot_name, ?delay, "the slot is still in use");
                status.set_trouble(Some(told));
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(config.slot_retry_delay.max(FIRST_SLOT_RETRY));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Options of START_REPLICATION, each a name and a value.
fn options(config: &ConnectorConfig, version: u32) -> Vec<String> {
    let mut options = vec![format!(
        "proto_version '{}'",
        if version >= STREAMING_SERVER_VERSION {
            2
        } else {
            1
        }
    )];
    options.push(format!(
        "publication_names '{}'",
        quote_identifier(&config.publication_name).replace('\'', "''")
    ));
    if version >= STREAMING_SERVER_VERSION {
        options.push("streaming 'on'".to_owned());
        options.push("messages 'true'".to_owned());
    }
    for (name, value) in &config.slot_stream_params {
        options.retain(|option| option.split_once(' ').is_none_or(|(own, _)| own != name));
        options.push(format!(
            "{} {}",
            quote_identifier(name),
            quote_literal(value)
        ));
    }
    options
}

/// The options on which it depends what a transaction has to send, and with it the ordinals of its changes. How it is
/// sent changes none. What the publication of that name holds is the server's catalog at the place in the WAL, so it is
/// the same whenever it is sent.
pub(super) fn selection(config: &ConnectorConfig, version: u32) -> String {
    const HOW: [&str; 3] = ["proto_version", "streaming", "binary"];
    let mut what = options(config, version);
    what.retain(|option| {
        let name = option.split_once(' ').map_or("", |(name, _)| name);
        !HOW.contains(&name.trim_matches('"'))
    });
    what.sort_unstable();
    what.join(", ")
}
