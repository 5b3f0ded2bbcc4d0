use std::fmt;

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

/// What the pipeline does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Start again from what is durable, after a delay.
    Retry,
    /// Stop and say why.
    Halt,
}

impl ErrorKind {
    /// What to do about it.
    pub const fn disposition(self) -> Disposition {
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

    /// What the operator can do about it.
    pub const fn hint(self) -> &'static str {
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

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What was attempted, on what, and why it failed.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    attempted: String,
    hint: Option<String>,
    source: Option<Cause>,
}

impl Error {
    /// `attempted` says what was being done and on what, lower case, no full stop: ``start replication on slot `orders` ``.
    pub fn new(kind: ErrorKind, attempted: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            attempted: attempted.into(),
            hint: None,
            source: None,
        }))
    }

    #[must_use]
    pub fn with_source(mut self, source: impl Into<Cause>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// A remedy more exact than the kind's own.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    pub fn disposition(&self) -> Disposition {
        self.0.kind.disposition()
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> &str {
        self.0.hint.as_deref().unwrap_or(self.0.kind.hint())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.attempted)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
