//! An ErrorResponse of the server, and what its SQLSTATE means for a connector.
//!
//! SQLSTATE, detail and hint are kept, each text up to 4,096 bytes.

use std::fmt;

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorResponseBody;

use crate::{Error, ErrorKind};

/// An ErrorResponse, as far as it helps to mend the cause; PostgreSQL manual, "Error and Notice Message Fields".
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerError {
    /// FATAL, ERROR or PANIC, in the server's language.
    pub severity: String,
    /// SQLSTATE, five characters.
    pub code: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

/// `55006`: the slot is in use by another process.
pub(crate) const OBJECT_IN_USE: &str = "55006";
/// `42710`: somebody created it between our look and our command.
pub(crate) const DUPLICATE_OBJECT: &str = "42710";
/// `55P03`: a lock was not granted within `lock_timeout`.
pub(crate) const LOCK_NOT_AVAILABLE: &str = "55P03";
const OBJECT_NOT_IN_PREREQUISITE_STATE: &str = "55000";
const UNDEFINED_OBJECT: &str = "42704";
const UNDEFINED_FILE: &str = "58P01";

/// Longer texts of a server are cut: they come into logs, states and answers of the REST face whole.
const LONGEST_TEXT: usize = 4096;

/// Invariant: no text of a server is longer than `LONGEST_TEXT` here.
fn cut(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let (kept, _) = text.split_at(text.floor_char_boundary(LONGEST_TEXT));
    format!("{kept}... ({} bytes in all)", text.len())
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {}", self.message, self.code)?;
        if let Some(detail) = &self.detail {
            write!(f, "; {detail}")?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for ServerError {}

impl ServerError {
    pub(crate) fn from_response(body: &ErrorResponseBody) -> Self {
        let mut error = Self::default();
        let mut fields = body.fields();
        // A field list that breaks off still names what came before.
        while let Ok(Some(field)) = fields.next() {
            let text = cut(&String::from_utf8_lossy(field.value_bytes()));
            match field.type_() {
                b'S' => error.severity = text,
                b'C' => error.code = text,
                b'M' => error.message = text,
                b'D' => error.detail = Some(text),
                b'H' => error.hint = Some(text),
                _ => {}
            }
        }
        error
    }

    /// What the SQLSTATE means for a connector, whatever was attempted.
    pub fn kind(&self) -> ErrorKind {
        match self.code.as_str() {
            "42501" => ErrorKind::Permission,
            code if code.starts_with("28") => ErrorKind::Permission,
            "3D000" | "0A000" => ErrorKind::Configuration,
            "53300" => ErrorKind::Connection,
            code if code.starts_with("08") || code.starts_with("57P") => ErrorKind::Connection,
            _ => ErrorKind::Database,
        }
    }

    /// What to do, where the server says nothing itself.
    pub fn remedy(&self) -> Option<String> {
        if let Some(hint) = &self.hint {
            return Some(hint.clone());
        }
        let remedy = match self.code.as_str() {
            "53300" if self.message.contains("max_wal_senders") => {
                "raise max_wal_senders on the server, or end another replication connection (pg_stat_replication)"
            }
            "53300" => {
                "raise max_connections on the server or the limit of the role or the database, or close other connections (pg_stat_activity)"
            }
            "53400" => {
                "raise max_replication_slots on the server, or drop a slot that nobody reads (pg_replication_slots)"
            }
            "3D000" => "correct `database.dbname`, or create the database",
            "25006" => {
                "the server is a standby or read-only: do this on its primary, or connect to that"
            }
            "57P03" => "the server starts, stops or recovers: wait until it takes connections",
            "57P01" | "57P02" => "the server was stopped: start it again",
            _ => return None,
        };
        Some(remedy.to_owned())
    }

    /// What the SQLSTATE means when streaming from a slot is refused or breaks off.
    pub fn streaming_kind(&self) -> ErrorKind {
        match self.code.as_str() {
            OBJECT_NOT_IN_PREREQUISITE_STATE | UNDEFINED_OBJECT | UNDEFINED_FILE => {
                ErrorKind::SlotLost
            }
            _ => self.kind(),
        }
    }

    pub(crate) fn into_error(self, kind: ErrorKind, attempted: impl Into<String>) -> Error {
        let hint = self.remedy();
        let error = Error::new(kind, attempted).with_source(self);
        match hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

impl From<&tokio_postgres::error::DbError> for ServerError {
    fn from(error: &tokio_postgres::error::DbError) -> Self {
        Self {
            severity: cut(error.severity()),
            code: cut(error.code().code()),
            message: cut(error.message()),
            detail: error.detail().map(cut),
            hint: error.hint().map(cut),
        }
    }
}

/// An error of an ordinary connection.
pub(crate) fn control_error(attempted: impl Into<String>, error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(db) => {
            let server = ServerError::from(db);
            let kind = server.kind();
            server.into_error(kind, attempted)
        }
        None => Error::new(ErrorKind::Connection, attempted).with_source(error),
    }
}

/// The SQLSTATE in an error's chain.
pub(crate) fn sqlstate(error: &Error) -> Option<&str> {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<ServerError>())
        .map(|server| server.code.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exhausted_servers_come_with_what_to_raise() {
        for (code, message, want) in [
            (
                "53300",
                "sorry, too many clients already",
                "max_connections",
            ),
            (
                "53300",
                "number of requested standby connections exceeds max_wal_senders (currently 1)",
                "max_wal_senders",
            ),
            (
                "53400",
                "all replication slots are in use",
                "max_replication_slots",
            ),
        ] {
            let mut error = ServerError {
                code: code.to_owned(),
                message: message.to_owned(),
                ..ServerError::default()
            };
            let said = error.remedy().unwrap_or_default();
            assert!(said.contains(want), "{message}: {said}");
            error.hint = Some("the server knows better".to_owned());
            assert_eq!(error.remedy(), error.hint);
        }
        assert_eq!(ServerError::default().remedy(), None);
    }

    #[test]
    fn texts_of_a_server_are_cut() {
        let text = cut(&"\u{e4}".repeat(1 << 20));
        assert!(text.len() < LONGEST_TEXT + 100, "{}", text.len());
        assert!(text.ends_with("\u{e4}... (2097152 bytes in all)"));
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn sqlstate_decides_the_kind() {
        for (code, kind, streaming) in [
            ("28P01", ErrorKind::Permission, ErrorKind::Permission),
            ("28000", ErrorKind::Permission, ErrorKind::Permission),
            ("42501", ErrorKind::Permission, ErrorKind::Permission),
            ("3D000", ErrorKind::Configuration, ErrorKind::Configuration),
            ("57P01", ErrorKind::Connection, ErrorKind::Connection),
            ("53300", ErrorKind::Connection, ErrorKind::Connection),
            ("55006", ErrorKind::Database, ErrorKind::Database),
            ("42704", ErrorKind::Database, ErrorKind::SlotLost),
            ("55000", ErrorKind::Database, ErrorKind::SlotLost),
            ("58P01", ErrorKind::Database, ErrorKind::SlotLost),
        ] {
            let error = ServerError {
                code: code.to_owned(),
                ..ServerError::default()
            };
            assert_eq!(error.kind(), kind, "{code}");
            assert_eq!(error.streaming_kind(), streaming, "{code}");
        }
    }
}
