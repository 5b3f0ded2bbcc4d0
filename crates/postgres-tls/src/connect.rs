//! Ordinary connections in the ways that `sslmode` allows, in libpq's order, and why none worked.

use std::{error::Error, fmt, time::Duration};

use tokio::time::timeout;
use tokio_postgres::{Client, Config, Connection, Socket, config, error::SqlState};

use crate::{
    Attempt, AuthRefused, ChannelBindingMode, ClientTls, LongestMessage, PostgresTlsStream,
    TlsProblem, TlsSettings, TlsSetupError, stream::Securing,
};

/// Why no ordinary connection was had, or why it failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// A certificate or key cannot be used, or settings contradict each other.
    Setup(Box<TlsSetupError>),
    /// The server refused, or the connection was lost.
    Postgres(tokio_postgres::Error),
    /// Something accepted the connection and said nothing for so long.
    Silent(Duration),
    /// Neither way that `sslmode` allows worked.
    BothWays {
        /// Of the way that was tried first.
        first: Box<ConnectError>,
        /// Of the other one.
        second: Box<ConnectError>,
    },
}

impl ConnectError {
    /// The SQLSTATE of the server's answer.
    pub fn code(&self) -> Option<&SqlState> {
        self.postgres()?.code()
    }

    /// The error of tokio-postgres, if there is one.
    pub fn postgres(&self) -> Option<&tokio_postgres::Error> {
        match self.decisive() {
            Self::Postgres(error) => Some(error),
            Self::Setup(_) | Self::Silent(_) | Self::BothWays { .. } => None,
        }
    }

    /// Whether the server asks for a password, and there is none. Only a change of settings helps.
    pub fn lacks_password(&self) -> bool {
        // The library has no kind for it that it would tell, only this text.
        const TEXT: &str = "password missing";
        self.postgres()
            .and_then(Error::source)
            .is_some_and(|reason| reason.to_string() == TEXT)
    }

    /// What is wrong with TLS, if that is what is wrong.
    pub fn tls_problem(&self) -> Option<TlsProblem> {
        match self.decisive() {
            Self::Postgres(error) => TlsProblem::find(error),
            Self::Setup(_) | Self::Silent(_) | Self::BothWays { .. } => None,
        }
    }

    /// What the server asked for and may not ask for, if that is what is wrong.
    pub fn auth_refused(&self) -> Option<AuthRefused> {
        AuthRefused::find(self.postgres()?)
    }

    /// Of two errors the one that says more: a server that lets nobody in on the second way says nothing about who came.
    fn decisive(&self) -> &Self {
        match self {
            Self::BothWays { first, second } if second.is_locked_way() => first,
            Self::BothWays { second, .. } => second,
            one @ (Self::Setup(_) | Self::Postgres(_) | Self::Silent(_)) => one,
        }
    }

    /// SQLSTATE 28000: there is no entry in pg_hba.conf.
    fn is_locked_way(&self) -> bool {
        self.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
    }

    /// Whether the server refused who came or how: another way may be let in. Libpq tries it then and in no other case.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Postgres(error) => match error.code() {
                Some(code) => is_refusal(code.code()),
                None => TlsProblem::find(error).is_some(),
            },
            Self::Setup(_) | Self::Silent(_) | Self::BothWays { .. } => false,
        }
    }
}

/// SQLSTATE class 28, "Invalid Authorization Specification": no entry in pg_hba.conf, a wrong password.
fn is_refusal(code: &str) -> bool {
    code.starts_with("28")
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(error) => write!(f, "{error}"),
            Self::Postgres(error) => match (TlsProblem::find(error), AuthRefused::find(error)) {
                (Some(problem), _) => write!(f, "{problem}"),
                (None, Some(refused)) => write!(f, "{refused}"),
                (None, None) => write!(f, "{error}"),
            },
            Self::Silent(patience) => write!(
                f,
                "the server did not let us in and refused nothing for {} s: what listens there accepts connections and does not answer",
                patience.as_secs()
            ),
            Self::BothWays { first, second } => {
                write!(f, "{}; before that {}", Reason(second), Reason(first))
            }
        }
    }
}

impl From<tokio_postgres::Error> for ConnectError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

/// An error with its sources on one line.
struct Reason<'a>(&'a ConnectError);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self
            .0
            .postgres()
            .and_then(tokio_postgres::Error::as_db_error)
        {
            Some(answer) => f.write_str(answer.message()),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Setup(error) => error.source(),
            Self::Postgres(error) => Some(error),
            // Told whole.
            Self::Silent(_) | Self::BothWays { .. } => None,
        }
    }
}

/// How long a server that was reached may take until it lets us in. It is longer than a handshake may take, so that a
/// server that falls silent in one is named as such.
const LOGIN: Duration = Duration::from_secs(20);

/// An ordinary connection, by the ways that `settings.mode` allows. `config`'s own ideas of TLS do not count. What the
/// server sends is bounded by what the connection is for.
///
/// # Errors
/// None of the ways worked.
pub async fn connect(
    config: &Config,
    settings: &TlsSettings,
    longest: LongestMessage,
) -> Result<(Client, Connection<Socket, PostgresTlsStream<Socket>>), ConnectError> {
    let mut config = config.clone();
    config.channel_binding(match settings.channel_binding {
        ChannelBindingMode::Disable => config::ChannelBinding::Disable,
        ChannelBindingMode::Prefer => config::ChannelBinding::Prefer,
        ChannelBindingMode::Require => config::ChannelBinding::Require,
    });
    let mut first: Option<ConnectError> = None;
    let addresses = config.get_hosts().len().max(config.get_hostaddrs().len());
    let reaching = config.get_connect_timeout().copied().unwrap_or_default();
    let patience = LOGIN + reaching * u32::try_from(addresses).unwrap_or(1);
    if config.get_hosts().is_empty() {
        // tokio-postgres secures only what has a name.
        for address in config.get_hostaddrs().to_vec() {
            config.host(address.to_string());
        }
    }
    let unix_only = config.get_hostaddrs().is_empty()
        && config
            .get_hosts()
            .iter()
            .all(|host| matches!(host, config::Host::Unix(_)));
    let attempts = if unix_only {
        &[Attempt::Plain]
    } else {
        settings.mode.attempts()
    };
    for attempt in attempts {
        let tls =
            ClientTls::load(settings).map_err(|error| ConnectError::Setup(Box::new(error)))?;
        if unix_only {
            config.ssl_mode(config::SslMode::Disable);
        } else {
            config.ssl_mode(config::SslMode::Require);
            config.ssl_negotiation(config::SslNegotiation::Direct);
        }
        let securing = Securing {
            tls: tls.clone(),
            attempt: *attempt,
            longest,
        };
        let outcome = timeout(patience, config.connect(securing)).await;
        let error = match outcome {
            Ok(Ok(connected)) => return Ok(connected),
            Ok(Err(error)) => ConnectError::Postgres(error),
            Err(_) => ConnectError::Silent(patience),
        };
        let error = match first.take() {
            None => error,
            Some(first) => {
                return Err(ConnectError::BothWays {
                    first: Box::new(first),
                    second: Box::new(error),
                });
            }
        };
        // Where no handshake was begun the first way was already the one without TLS.
        let other_way = match attempt {
            Attempt::TlsWhereOffered => tls.has_begun(),
            Attempt::Plain => true,
            Attempt::Tls => false,
        };
        if !other_way || !error.is_refusal() {
            return Err(error);
        }
        first = Some(error);
    }
    // Each mode has an attempt, and the last one returns.
    Err(first.unwrap_or(ConnectError::Silent(patience)))
}
