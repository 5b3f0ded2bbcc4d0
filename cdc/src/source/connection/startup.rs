use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256},
    },
    message::{backend::Message, frontend},
};

use super::ReplicationConnection;
use crate::{Error, ErrorKind, config::DatabaseConfig, source::server_error::ServerError};

/// Settings that fix how values are printed, so that a value has one text whatever the role's or the database's
/// defaults are. A snapshot's connection uses the same.
pub(crate) const OUTPUT_SETTINGS: [(&str, &str); 6] = [
    ("client_encoding", "UTF8"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
];

impl ReplicationConnection {
    /// Startup and authentication; PostgreSQL manual, "Start-up". Ends with the first ReadyForQuery.
    pub(super) async fn start_up(&mut self, database: &DatabaseConfig) -> Result<(), Error> {
        let mut parameters = vec![
            ("user", database.user.as_str()),
            ("database", database.dbname.as_str()),
            ("replication", "database"),
            ("application_name", "tributary"),
        ];
        parameters.extend(OUTPUT_SETTINGS);
        let mut out = BytesMut::new();
        frontend::startup_message(parameters, &mut out).map_err(|error| {
            Error::new(ErrorKind::Configuration, "write the startup message").with_source(error)
        })?;
        self.send(&out).await?;
        let mut scram = None;
        loop {
            out.clear();
            match self.next_message().await? {
                Message::ReadyForQuery(_) => return Ok(()),
                Message::AuthenticationOk
                | Message::ParameterStatus(_)
                | Message::BackendKeyData(_)
                | Message::NoticeResponse(_) => continue,
                Message::ErrorResponse(body) => {
                    let server = ServerError::from_response(&body);
                    let kind = server.kind();
                    return Err(server.into_error(kind, log_in(database)));
                }
                Message::AuthenticationCleartextPassword => {
                    frontend::password_message(password(database)?, &mut out)
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(database.user.as_bytes(), password(database)?, body.salt());
                    frontend::password_message(hash.as_bytes(), &mut out)
                }
                Message::AuthenticationSasl(body) => {
                    let offered = body
                        .mechanisms()
                        .any(|mechanism| Ok(mechanism == SCRAM_SHA_256));
                    if !offered.unwrap_or(false) {
                        return Err(unsupported(database));
                    }
                    let exchange = scram.insert(ScramSha256::new(
                        password(database)?,
                        ChannelBinding::unsupported(),
                    ));
                    frontend::sasl_initial_response(SCRAM_SHA_256, exchange.message(), &mut out)
                }
                Message::AuthenticationSaslContinue(body) => match scram.as_mut() {
                    Some(exchange) => exchange
                        .update(body.data())
                        .and_then(|()| frontend::sasl_response(exchange.message(), &mut out)),
                    None => return Err(unsupported(database)),
                },
                Message::AuthenticationSaslFinal(body) => match scram.as_mut() {
                    // Proves that the server knows the password too.
                    Some(exchange) => exchange.finish(body.data()),
                    None => return Err(unsupported(database)),
                },
                _ => return Err(unsupported(database)),
            }
            .map_err(|error| {
                Error::new(ErrorKind::Permission, log_in(database)).with_source(error)
            })?;
            if !out.is_empty() {
                self.send(&out).await?;
            }
        }
    }
}

fn password(database: &DatabaseConfig) -> Result<&[u8], Error> {
    if database.password.is_empty() {
        return Err(Error::new(ErrorKind::Permission, log_in(database))
            .with_hint("the server asks for a password: set `database.password`"));
    }
    Ok(database.password.reveal().as_bytes())
}

fn log_in(database: &DatabaseConfig) -> String {
    format!(
        "log in to database `{}` as `{}` for replication",
        database.dbname, database.user
    )
}

fn unsupported(database: &DatabaseConfig) -> Error {
    Error::new(ErrorKind::Permission, log_in(database)).with_hint(
        "the server asks for an authentication method that is not supported: use trust, password, md5 or scram-sha-256 in pg_hba.conf",
    )
}
