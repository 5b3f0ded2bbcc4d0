use postgres_tls::{ConnectError, Connector};

use crate::parse::ParseError;

/// Why a run ended early. What was committed before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("read the connection string of the generator")]
    ConnectionString(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("connect the generator to PostgreSQL at {address}")]
    Connect {
        /// Host, port, user and sslmode.
        address: String,
        /// Of TLS.
        hint: Option<String>,
        #[source]
        source: ConnectError,
    },
    #[error("read what the tables `users` and `tweets` hold")]
    Read(#[source] ConnectError),
    #[error("write a transaction of tweets and users")]
    Write(#[source] ConnectError),
    /// A row with an id of ours is there, but not the transaction that would have written it.
    #[error("write a transaction of tweets and users: somebody else wrote one of its ids")]
    Collision(#[source] ConnectError),
    #[error("create the tables `users` and `tweets`")]
    CreateTables(#[source] ConnectError),
    /// The mix has no inserts, and no tweets are left.
    #[error("update or delete tweets: the table `tweets` has none left")]
    NothingToChange,
    #[error("start the schedule `{expression}`")]
    Schedule {
        expression: String,
        #[source]
        source: service::ScheduleError,
    },
    #[error("check the settings of the generator")]
    Settings(#[source] ParseError),
    /// Making rows panicked; that is a defect of the generator.
    #[error("make rows")]
    Rows(#[source] tokio::task::JoinError),
}

impl Error {
    pub(super) fn connect(connector: &Connector, source: ConnectError) -> Self {
        Self::Connect {
            address: connector.address(),
            hint: connector.hint(&source),
            source,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        use tokio_postgres::error::SqlState;
        match self {
            Self::ConnectionString(_) => Some(
                "give keywords (`host=/run/postgresql user=generator dbname=postgres`) or a URL (`postgres://...`)",
            ),
            Self::Connect {
                hint: Some(hint), ..
            } => Some(hint),
            Self::Connect { source, .. } if source.lacks_password() => Some(
                "the server asks for a password: set generator.password, or give it in the connection string",
            ),
            Self::Connect { source, .. } => match source.code() {
                Some(&SqlState::INVALID_PASSWORD) => {
                    Some("give the password that db/02-roles.sql set for the role")
                }
                Some(&SqlState::INVALID_CATALOG_NAME) => {
                    Some("create the database, or name another in the connection string")
                }
                _ => Some("see that the server runs and that host and port are right"),
            },
            Self::Read(error) | Self::Write(error) => match error.code() {
                Some(&SqlState::UNDEFINED_TABLE | &SqlState::UNDEFINED_COLUMN) => {
                    Some("create the tables with db/01-schema.sql")
                }
                Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                    Some("grant the role what db/02-roles.sql grants")
                }
                _ => None,
            },
            Self::Collision(_) => {
                Some("run one generator with the same seed at a time, or give another seed")
            }
            Self::NothingToChange => {
                Some("add inserts to the mix, for example insert=80,update=15,delete=5")
            }
            Self::CreateTables(_) | Self::Schedule { .. } | Self::Settings(_) | Self::Rows(_) => {
                None
            }
        }
    }
}
