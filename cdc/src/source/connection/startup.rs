//! Startup and authentication of the replication connection; PostgreSQL manual, "Message Flow", "Start-up".
//!
//! What the server may not ask for (`require_auth`, channel binding) is not answered, and a server that lets us in
//! before it has proved that it knows the password is refused where that was asked for.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::{
    authentication::{
        md5_hash,
        sasl::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS},
    },
    message::{backend::Message, frontend},
};

use postgres_tls::{AuthMethod, ChannelBindingMode};

use super::{ReplicationConnection, scram::Offer};
use crate::{
    Error, ErrorKind,
    quoting::quote_identifier,
    source::{
        address::{Address, auth_error, permission_hint},
        server_error::ServerError,
    },
};
use connector::DatabaseConfig;

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

/// The server tells it at the start.
pub(crate) const SERVER_ENCODING: &str = "server_encoding";
/// The encoding of databases that hold any bytes.
pub(crate) const SQL_ASCII: &str = "SQL_ASCII";
/// Such a database converts nothing, and refuses what is no UTF-8 to a client that speaks it: a stream could not go on, and
/// its error says neither table nor row. So the bytes come as they are, and the sink looks at them.
pub(crate) const UNCONVERTED: &str = "set client_encoding = 'SQL_ASCII'";

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
        // An exchange that is not over, or the only allowed one not begun: the server has still to prove itself.
        let mut asked = false;
        let mut is_sql_ascii = false;
        let mut unproven = database.tls.channel_binding == ChannelBindingMode::Require;
        loop {
            out.clear();
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "all other messages of a server are alike here"
            )]
            match self.next_message().await? {
                Message::ReadyForQuery(_) => {
                    self.buffer.login_is_over();
                    if is_sql_ascii {
                        self.simple_query(UNCONVERTED).await?;
                    }
                    return Ok(());
                }
                Message::ParameterStatus(body) => {
                    is_sql_ascii |= body.name().is_ok_and(|name| name == SERVER_ENCODING)
                        && body.value().is_ok_and(|value| value == SQL_ASCII);
                    continue;
                }
                Message::AuthenticationOk if unproven => return Err(unproven_server(database)),
                Message::AuthenticationOk => {
                    if !asked {
                        self.admit(database, AuthMethod::None)?;
                    }
                    continue;
                }
                Message::BackendKeyData(_)
                | Message::NoticeResponse(_) => continue,
                Message::ErrorResponse(body) => {
                    let server = ServerError::from_response(&body);
                    let kind = server.kind();
                    let unhinted = server.remedy().is_none();
                    let role = server.code == INSUFFICIENT_PRIVILEGE;
                    let error = server.into_error(kind, log_in(database));
                    return Err(match (unhinted, kind) {
                        (true, ErrorKind::Permission) if role => {
                            error.with_hint(replication_hint(database))
                        }
                        (true, ErrorKind::Permission) => error.with_hint(permission_hint(database)),
                        _ => error,
                    });
                }
                Message::AuthenticationCleartextPassword if unproven => {
                    return Err(unproven_server(database));
                }
                Message::AuthenticationMd5Password(_) if unproven => {
                    return Err(unproven_server(database));
                }
                Message::AuthenticationCleartextPassword => {
                    self.admit(database, AuthMethod::Password)?;
                    asked = true;
                    frontend::password_message(password(database)?, &mut out)
                }
                Message::AuthenticationMd5Password(body) => {
                    self.admit(database, AuthMethod::Md5)?;
                    asked = true;
                    let hash = md5_hash(database.user.as_bytes(), password(database)?, body.salt());
                    frontend::password_message(hash.as_bytes(), &mut out)
                }
                Message::AuthenticationSasl(body) => {
                    self.admit(database, AuthMethod::ScramSha256)?;
                    asked = true;
                    let mut offer = Offer {
                        is_tls: self.transport.is_tls(),
                        end_point: self.transport.channel_binding(),
                        ..Offer::default()
                    };
                    let mut mechanisms = body.mechanisms();
                    while let Ok(Some(mechanism)) = mechanisms.next() {
                        match mechanism {
                            SCRAM_SHA_256 => offer.plain = true,
                            SCRAM_SHA_256_PLUS => offer.plus = true,
                            _ => {}
                        }
                    }
                    let choice = offer
                        .choose(database.tls.channel_binding)
                        .map_err(|reason| {
                            Error::new(ErrorKind::Permission, log_in(database))
                                .with_source(reason)
                                .with_hint("see `database.channelBinding` and `database.sslmode`; the server's password_encryption must be scram-sha-256")
                        })?;
                    unproven = true;
                    let mechanism = choice.mechanism();
                    tracing::debug!(mechanism, "sasl");
                    let exchange = scram.insert(choice.exchange(password(database)?));
                    frontend::sasl_initial_response(mechanism, exchange.message(), &mut out)
                }
                Message::AuthenticationSaslContinue(body) => match scram.as_mut() {
                    Some(exchange) => exchange
                        .update(body.data())
                        .and_then(|()| frontend::sasl_response(exchange.message(), &mut out)),
                    None => return Err(unsupported(database)),
                },
                Message::AuthenticationSaslFinal(body) => match scram.as_mut() {
                    // Proves that the server knows the password too.
                    Some(exchange) => {
                        let proven = exchange.finish(body.data());
                        unproven = proven.is_err();
                        proven
                    }
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

impl ReplicationConnection {
    /// Whether the server may ask for this; what it may not ask for is not answered.
    fn admit(&self, database: &DatabaseConfig, method: AuthMethod) -> Result<(), Error> {
        if database.hostname.starts_with('/') {
            return Ok(());
        }
        let proof = database.tls.proof(self.transport.is_tls());
        let admitted = database.tls.require_auth.admits(method, proof);
        admitted.map_err(|refused| auth_error(log_in(database), refused))
    }
}

/// `42501`: this user may log in, and not replicate.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

fn replication_hint(database: &DatabaseConfig) -> String {
    format!(
        "alter role {} with replication; (on Amazon RDS: grant rds_replication to it)",
        quote_identifier(&database.user)
    )
}

fn password(database: &DatabaseConfig) -> Result<&[u8], Error> {
    if database.password.is_empty() {
        return Err(Error::new(ErrorKind::Permission, log_in(database))
            .with_hint("the server asks for a password: set `database.password`"));
    }
    Ok(database.password.reveal().as_bytes())
}

pub(super) fn log_in(database: &DatabaseConfig) -> String {
    format!(
        "log in to database `{}` at {} for replication",
        database.dbname,
        Address(database)
    )
}

/// The server lets us in before it has shown that it knows the password: it may be another one.
fn unproven_server(database: &DatabaseConfig) -> Error {
    Error::new(ErrorKind::Permission, log_in(database))
        .with_source("the server wants to go on without proving who it is by SCRAM")
        .with_hint("set scram-sha-256 in pg_hba.conf for this user over TLS, or lower `database.channelBinding`; if both are right, this is not the server")
}

fn unsupported(database: &DatabaseConfig) -> Error {
    Error::new(ErrorKind::Permission, log_in(database)).with_hint(
        "the server asks for an authentication method that is not supported: use trust, password, md5, scram-sha-256 or cert in pg_hba.conf",
    )
}
