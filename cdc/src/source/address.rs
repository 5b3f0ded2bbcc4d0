//! Where a connection goes and how, for messages.

use std::{error::Error as StdError, fmt};

use postgres_tls::{AuthRefused, TlsProblem};
use service::ErrorKind as _;

use crate::{Error, ErrorKind};
use connector::DatabaseConfig;

/// Host, port, user and sslmode.
pub(super) struct Address<'a>(pub(super) &'a DatabaseConfig);

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.0;
        write!(
            f,
            "`{}` port {} as `{}`",
            database.hostname, database.port, database.user
        )?;
        // A Unix socket has no TLS.
        if !database.hostname.starts_with('/') {
            write!(f, " with sslmode={}", database.tls.mode)?;
        }
        Ok(())
    }
}

/// The error of `attempted`, if TLS is what failed in `error`. Nothing but a change of settings or certificates mends it.
pub(super) fn tls_error(
    attempted: impl Into<String>,
    error: &(dyn StdError + 'static),
    database: &DatabaseConfig,
) -> Option<Error> {
    TlsProblem::find(error).map(|problem| problem_error(attempted, problem, database))
}

/// The error of `attempted` on a server that has no TLS.
pub(super) fn without_tls(attempted: impl Into<String>, database: &DatabaseConfig) -> Error {
    problem_error(attempted, TlsProblem::ServerWithoutTls, database)
}

fn problem_error(
    attempted: impl Into<String>,
    problem: TlsProblem,
    database: &DatabaseConfig,
) -> Error {
    let hint = problem.hint(database.tls.mode, &database.hostname);
    Error::new(ErrorKind::Configuration, attempted)
        .with_source(problem)
        .with_hint(hint)
}

/// The error of `attempted` where the server asked for what it may not ask for. Trying again changes nothing.
pub(super) fn auth_error(attempted: impl Into<String>, refused: AuthRefused) -> Error {
    Error::new(ErrorKind::Permission, attempted)
        .with_source(refused)
        .with_hint(refused.hint("database.requireAuth"))
}

/// What to do where the server refuses who we are and says no remedy itself.
pub(super) fn permission_hint(database: &DatabaseConfig) -> String {
    let certificate = if database.tls.certificate.is_some() {
        ""
    } else {
        "; where it asks for a client certificate, name it in `database.sslcert` and `database.sslkey`"
    };
    format!("{}{certificate}", ErrorKind::Permission.hint())
}
