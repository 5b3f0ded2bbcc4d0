use service::Disposition;

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
}

impl service::ErrorKind for ErrorKind {
    fn disposition(self) -> Disposition {
        match self {
            Self::Connection | Self::Database | Self::Delivery => Disposition::Retry,
            Self::Configuration
            | Self::Permission
            | Self::SlotLost
            | Self::Protocol
            | Self::Encode
            | Self::Fenced
            | Self::Spill => Disposition::Halt,
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Configuration => "correct the named setting and start again",
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
            Self::Protocol => {
                "the server sent something unexpected: report it with the server's version"
            }
            Self::Encode => "exclude the named column or table, or change its handling mode",
            Self::Delivery => "check Kafka; what was not acknowledged is sent again",
            Self::Fenced => "run one process per connector name",
            Self::Spill => "free space on the disk of the spill folder",
        }
    }
}

/// What was attempted, on what, and why it failed.
pub type Error = service::Error<ErrorKind>;
