use pgoutput::Lsn;
use postgres_tls::LongestMessage;

use super::{control::connect, server::WAL_END, server_error::control_error};
use crate::{Error, ErrorKind};
use connector::DatabaseConfig;

/// The end of the server's flushed WAL now, asked over a connection of its own: everything committed before the call
/// lies below it.
///
/// # Errors
/// The server cannot be reached or asked.
pub async fn current_wal_lsn(database: &DatabaseConfig) -> Result<Lsn, Error> {
    let attempted = "ask for the end of the WAL";
    let row = connect(database, LongestMessage::Answer)
        .await?
        .client
        .query_one(WAL_END, &[])
        .await
        .map_err(|error| control_error(attempted.to_owned(), error))?;
    let text: String = row
        .try_get(0)
        .map_err(|error| control_error(attempted.to_owned(), error))?;
    text.parse::<Lsn>()
        .map_err(|error| Error::new(ErrorKind::Protocol, attempted).with_source(error))
}
