use std::any::Any;

use pgoutput::Lsn;
use service::Disposition;
use tokio::task::JoinError;

/// What kind of thing went wrong; decides what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A setting is missing or wrong.
    Configuration,
    /// A server cannot be reached or went away.
    Connection,
    /// The server refused who we are or what we may do.
    Permission,
    /// PostgreSQL answered an SQL or replication command with an error that a retry may cure.
    Database,
    /// The slot or publication is missing, invalidated, recreated or of another kind: going on could lose changes.
    SlotLost,
    /// The server's WAL is not the one that the stored position is of: LSNs were used a second time.
    LsnsReused,
    /// Bytes that are not the protocol.
    Protocol,
    /// A change that cannot be written as an event.
    Encode,
    /// Kafka did not take what was sent, and a retry may cure it.
    Delivery,
    /// Another process took over this connector's transactional id.
    Fenced,
    /// The local disk (spill files).
    Spill,
    /// Something that cannot happen: a rule of ours is broken, and going on could lose or repeat a change.
    Defect,
}

impl service::ErrorKind for ErrorKind {
    fn disposition(self) -> Disposition {
        match self {
            Self::Connection | Self::Database | Self::Delivery => Disposition::Retry,
            Self::Configuration
            | Self::Permission
            | Self::SlotLost
            | Self::LsnsReused
            | Self::Protocol
            | Self::Encode
            | Self::Fenced
            | Self::Spill
            | Self::Defect => Disposition::Halt,
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Configuration => connector::ErrorKind::Configuration.hint(),
            Self::Connection => "check that the server runs and that host and port are right",
            Self::Permission => {
                "check user, password and pg_hba.conf; cdc needs REPLICATION and SELECT on the captured tables"
            }
            Self::Database => {
                "see the server's message above; the connector starts again by itself"
            }
            Self::SlotLost => {
                "changes since the last delivered position may be gone: drop the slot and take a new snapshot"
            }
            Self::LsnsReused => {
                "delete the connector's stored position (offsets) and start again, or set `snapshot.mode` to `when_needed`: it takes a new snapshot, whose positions come after all that were delivered"
            }
            Self::Protocol => {
                "the server sent something unexpected: report it with the server's version"
            }
            Self::Encode => "exclude the named column or table, or change its handling mode",
            Self::Delivery => "check Kafka; what was not acknowledged is sent again",
            Self::Fenced => {
                "another process writes from the same stored position: run one worker for each config.storage.topic and offset.storage.topic"
            }
            Self::Spill => "free space on the disk of the spill folder",
            Self::Defect => {
                "this is a defect of tributary: report it with this text; what was acknowledged is stored, and a restart goes on from there"
            }
        }
    }
}

impl From<connector::ErrorKind> for ErrorKind {
    fn from(kind: connector::ErrorKind) -> Self {
        match kind {
            connector::ErrorKind::Configuration => Self::Configuration,
        }
    }
}

/// What was attempted, on what, and why it failed.
pub type Error = service::Error<ErrorKind>;

/// A rule of ours that is broken. `rule` says what always holds, and `seen` what was found.
pub(crate) fn defect(rule: &str, seen: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Defect, format!("keep to a rule: {rule}")).with_source(seen.to_string())
}

/// LSNs between two places were used a second time.
pub(crate) fn lsns_reused(attempted: &str, found: &str, (from, to): (Lsn, Lsn)) -> Error {
    Error::new(
        ErrorKind::LsnsReused,
        format!(
            "{attempted}: {found}; the server continues an older state (a restored backup, or a standby that was promoted before it had everything), changes committed between {from} and {to} may be lost, and what was delivered from there may no longer be in the database"
        ),
    )
}

/// `attempted` was not done because its task did not end as it should. A panic is a defect.
pub fn unfinished(attempted: impl Into<String>, error: JoinError) -> Error {
    match error.try_into_panic() {
        Ok(panic) => panicked(attempted, panic.as_ref()),
        // The runtime ends.
        Err(cancelled) => Error::new(ErrorKind::Delivery, attempted).with_source(cancelled),
    }
}

/// `attempted` panicked with this.
pub(crate) fn panicked(attempted: impl Into<String>, panic: &(dyn Any + Send)) -> Error {
    let said = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => *text,
        (None, Some(text)) => text.as_str(),
        (None, None) => "it said nothing",
    };
    Error::new(ErrorKind::Defect, attempted).with_source(format!("it panicked: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_a_defect() {
        let panicking = tokio::spawn(async { panic!("{}", "index 7 of 3") });
        let error = unfinished("count", panicking.await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Defect);
        let text = service::render_error(&error, Some(error.hint()));
        assert!(
            text.contains("index 7 of 3") && text.contains("report it"),
            "{text}"
        );
        let cancelled = tokio::spawn(std::future::pending::<()>());
        cancelled.abort();
        let error = unfinished("count", cancelled.await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Delivery);
    }
}
