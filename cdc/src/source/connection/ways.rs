//! The ways that `sslmode` allows, one after the other.

use std::time::Duration;

use bytes::BytesMut;
use postgres_tls::{Attempt, TlsProblem};

use super::{FrameBuffer, ReplicationConnection, Transport, startup::log_in};
use crate::{
    Error, ErrorKind,
    source::{address::tls_error, server_error::sqlstate},
};
use connector::DatabaseConfig;

/// No entry in pg_hba.conf.
const INVALID_AUTHORIZATION: &str = "28000";

/// How long the server may take from the first message until it lets us in.
const LOGIN: Duration = Duration::from_secs(20);

impl ReplicationConnection {
    /// Connect, start up, authenticate.
    ///
    /// # Errors
    /// `Connection` when the server cannot be reached, `Permission` when it refuses, `Configuration` when the database
    /// does not exist or TLS cannot be had as `database.sslmode` wants it.
    pub async fn connect(database: &DatabaseConfig) -> Result<Self, Error> {
        let attempts = if database.hostname.starts_with('/') {
            &[Attempt::Plain]
        } else {
            database.tls.mode.attempts()
        };
        let mut first = None;
        for (number, attempt) in attempts.iter().enumerate() {
            let refused = match Self::open(database, *attempt).await {
                Ok(connection) => return Ok(connection),
                Err(refused) => refused,
            };
            match first.take() {
                Some(first) => return Err(both(first, refused.error)),
                None if refused.other_way && number + 1 < attempts.len() => {
                    first = Some(refused.error);
                }
                None => return Err(refused.error),
            }
        }
        // Not reached: each mode has a way, and the last one returns.
        Err(first.unwrap_or_else(|| Error::new(ErrorKind::Configuration, "connect without a way")))
    }

    async fn open(database: &DatabaseConfig, attempt: Attempt) -> Result<Self, RefusedWay> {
        let mut connection = Self {
            transport: Transport::connect(database, attempt)
                .await
                .map_err(|error| RefusedWay {
                    // No handshake: libpq goes on without TLS.
                    other_way: TlsProblem::find(&error).is_some(),
                    error,
                })?,
            buffer: FrameBuffer::new(),
            out: BytesMut::with_capacity(256),
        };
        let started = tokio::time::timeout(LOGIN, connection.start_up(database)).await;
        let error = match started {
            Ok(Ok(())) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => {
                return Err(RefusedWay {
                    error: silent(database),
                    other_way: false,
                });
            }
        };
        let error = connection.or_alert(database, error).await;
        // With TLS where offered, a connection without it was the second way already.
        let first_way = attempt != Attempt::TlsWhereOffered || connection.transport.is_tls();
        Err(RefusedWay {
            other_way: first_way && is_refusal(&error),
            error,
        })
    }

    /// With TLS 1.3 the server looks at our certificate after the handshake is over for us: its alert is then found where
    /// the first answer should be, and a write may have failed before.
    async fn or_alert(&mut self, database: &DatabaseConfig, error: Error) -> Error {
        if !self.transport.is_tls() || error.kind() != ErrorKind::Connection {
            return error;
        }
        if let Some(told) = tls_error(log_in(database), &error, database) {
            return told;
        }
        match self.fill().await {
            Err(after) => tls_error(log_in(database), &after, database).unwrap_or(error),
            Ok(()) => error,
        }
    }
}

fn silent(database: &DatabaseConfig) -> Error {
    Error::new(ErrorKind::Connection, log_in(database)).with_source(format!(
        "the server accepted the connection and gave no answer for {} s",
        LOGIN.as_secs()
    ))
}

struct RefusedWay {
    error: Error,
    /// Whether the server refused who came or how, so that another way may be let in. Libpq tries it then.
    other_way: bool,
}

/// SQLSTATE class 28, "Invalid Authorization Specification", or TLS itself.
fn is_refusal(error: &Error) -> bool {
    sqlstate(error).is_some_and(|code| code.starts_with("28")) || TlsProblem::find(error).is_some()
}

/// Of two errors the one that says more, with the other one's cause in its hint: a server that lets nobody in on the
/// second way says nothing about who came.
fn both(first: Error, second: Error) -> Error {
    let (told, other, way) = if sqlstate(&second) == Some(INVALID_AUTHORIZATION) {
        (first, second, "after")
    } else {
        (second, first, "before")
    };
    let cause = std::error::Error::source(&other).map_or_else(String::new, ToString::to_string);
    let hint = format!(
        "{}; the other way, tried {way}, failed too: {cause}",
        told.hint()
    );
    told.with_hint(hint)
}
