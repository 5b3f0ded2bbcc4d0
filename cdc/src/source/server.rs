use std::time::Duration;

use pgoutput::Lsn;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{
    connection::{SERVER_ENCODING, SQL_ASCII},
    server_error::control_error,
};
use crate::{Error, ErrorKind};

/// Changes can only be decoded from WAL that was written for it.
///
/// # Errors
/// `Configuration` when `wal_level` is not `logical`.
pub(crate) async fn require_logical_wal(client: &Client) -> Result<(), Error> {
    let level = wal_level(client).await?;
    if level == "logical" {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Configuration,
        format!("read changes from the WAL: wal_level is `{level}`, not `logical`"),
    )
    .with_hint("alter system set wal_level = logical; then restart the server"))
}

/// `wal_level`.
///
/// # Errors
/// The server cannot be asked.
pub(crate) async fn wal_level(client: &Client) -> Result<String, Error> {
    show(client, "wal_level").await
}

/// Whether the database converts no text: its values may be of any encoding.
///
/// # Errors
/// The server cannot be asked.
pub(crate) async fn is_sql_ascii(client: &Client) -> Result<bool, Error> {
    Ok(show(client, SERVER_ENCODING).await? == SQL_ASCII)
}

/// `server_version_num`: 150018 is 15.18.
///
/// # Errors
/// The server cannot be asked.
pub(crate) async fn server_version(client: &Client) -> Result<u32, Error> {
    let text = show(client, "server_version_num").await?;
    text.parse().map_err(|error| {
        Error::new(
            ErrorKind::Protocol,
            format!("read server_version_num `{text}`"),
        )
        .with_source(error)
    })
}

/// `wal_sender_timeout`; None when it is off.
///
/// # Errors
/// The server cannot be asked.
pub(crate) async fn wal_sender_timeout(client: &Client) -> Result<Option<Duration>, Error> {
    Ok(duration(&show(client, "wal_sender_timeout").await?))
}

/// The end of the WAL that is flushed; of a standby, of what it has replayed, because nothing beyond that is decoded.
pub(super) const WAL_END: &str = "select (case when pg_catalog.pg_is_in_recovery()
    then pg_catalog.pg_last_wal_replay_lsn() else pg_catalog.pg_current_wal_flush_lsn() end)::text";

/// The end of the WAL now.
///
/// # Errors
/// The server cannot be asked.
pub(crate) async fn wal_flush_lsn(client: &Client) -> Result<Lsn, Error> {
    const ATTEMPTED: &str = "read the end of the WAL";
    // Asked every second: a simple query is one round trip, a prepared one three.
    let messages = client
        .simple_query(WAL_END)
        .await
        .map_err(|error| control_error(ATTEMPTED, error))?;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other messages of a server are alike here"
    )]
    let text = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let text = text.ok_or_else(|| {
        Error::new(ErrorKind::Protocol, ATTEMPTED).with_source("the server answered without a row")
    })?;
    text.parse()
        .map_err(|error| Error::new(ErrorKind::Protocol, ATTEMPTED).with_source(error))
}

async fn show(client: &Client, name: &str) -> Result<String, Error> {
    client
        .query_one("select pg_catalog.current_setting($1)", &[&name])
        .await
        .and_then(|row| row.try_get(0))
        .map_err(|error| control_error(format!("read setting `{name}`"), error))
}

/// A setting as `current_setting` prints it: a number and the largest unit that divides it. Zero is off.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit_millis = match text.strip_prefix(digits)?.trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let value: u64 = digits.parse().ok()?;
    (value > 0).then(|| Duration::from_millis(value.saturating_mul(unit_millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, want) in [
            ("1min", Some(60_000)),
            ("90s", Some(90_000)),
            ("500ms", Some(500)),
            ("2h", Some(7_200_000)),
            ("0", None),
            ("soon", None),
        ] {
            assert_eq!(duration(text), want.map(Duration::from_millis), "{text}");
        }
    }
}
