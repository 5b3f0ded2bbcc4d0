//! Connection strings with libpq's parameters of TLS, which tokio-postgres does not know.
//!
//! A parameter that libpq knows and that has no effect here is refused, not passed over.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use tokio_postgres::{Client, Config, Connection, Socket, config::Host};

use crate::{ConnectError, LongestMessage, PostgresTlsStream, TlsSettings, connect};

/// A connection string with libpq's TLS parameters: where to connect, and how to secure it.
#[derive(Debug, Clone)]
pub struct Connector {
    /// What tokio-postgres knows of it.
    pub config: Config,
    /// What it does not know.
    pub tls: TlsSettings,
}

/// Why a connection string cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionStringError {
    /// A parameter of TLS has a value that it cannot have.
    #[error("{0}")]
    Tls(String),
    /// tokio-postgres cannot read the string.
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
}

impl Connector {
    /// Read a URL or `key=value` pairs. What the string does not say about TLS, `defaults` does, which are libpq's
    /// environment variables as a rule.
    ///
    /// # Errors
    /// It cannot be read, or has a parameter that is not supported.
    pub fn parse(text: &str, defaults: TlsSettings) -> Result<Self, ConnectionStringError> {
        let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
        let mut tls = defaults;
        let rest = if is_url {
            without_url_parameters(text, &mut tls)
        } else {
            without_pairs(text, &mut tls)
        };
        Ok(Self {
            config: rest.map_err(ConnectionStringError::Tls)?.parse()?,
            tls,
        })
    }

    /// The first host: a name, an address or the folder of a Unix socket. None: the string names none.
    pub fn host(&self) -> Option<String> {
        match (self.config.get_hosts().first(), self.config.get_hostaddrs()) {
            (Some(Host::Tcp(host)), _) => Some(host.clone()),
            (Some(Host::Unix(folder)), _) => Some(folder.display().to_string()),
            (None, [address, ..]) => Some(address.to_string()),
            (None, []) => None,
        }
    }

    /// Where it goes and how, for messages: the first host, the user, sslmode.
    pub fn address(&self) -> String {
        let host = self.host().unwrap_or_default();
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        let user = self.config.get_user().unwrap_or_default();
        if host.starts_with('/') {
            return format!("`{host}` port {port} as `{user}`");
        }
        format!(
            "`{host}` port {port} as `{user}` with sslmode={}",
            self.tls.mode
        )
    }

    /// What to do about an error of TLS, of its settings, or of what the server asked for.
    pub fn hint(&self, error: &ConnectError) -> Option<String> {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.as_str(),
            _ => "",
        };
        match (error.tls_problem(), error.auth_refused()) {
            (Some(problem), _) => Some(problem.hint(self.tls.mode, host)),
            (None, Some(refused)) => Some(refused.hint("require_auth")),
            (None, None) => None,
        }
    }

    /// Connect.
    ///
    /// # Errors
    /// No way that `sslmode` allows worked.
    pub async fn connect(
        &self,
    ) -> Result<(Client, Connection<Socket, PostgresTlsStream<Socket>>), ConnectError> {
        connect(&self.config, &self.tls, LongestMessage::Answer).await
    }
}

/// Parameters of TLS that libpq knows and we have not, so that they are refused and not passed over.
fn refuse_others(name: &str, value: &str) -> Result<(), String> {
    match (name, value) {
        ("sslnegotiation", "postgres") | ("sslsni", "1") | ("sslcompression", "0") => Ok(()),
        ("sslnegotiation", _) => Err(
            "sslnegotiation is not supported: the server is always asked first, as with sslnegotiation=postgres".to_owned(),
        ),
        (name, _) if name.starts_with("ssl") || name == "requiressl" => Err(format!(
            "{name} is not supported: sslmode, sslrootcert, sslcert, sslkey, sslpassword, channel_binding and require_auth are"
        )),
        _ => Ok(()),
    }
}

/// Whether the parameter was one of TLS and is done with.
fn take(name: &str, value: &str, tls: &mut TlsSettings) -> Result<bool, String> {
    if tls.set(name, value)? {
        return Ok(true);
    }
    refuse_others(name, value)?;
    Ok(matches!(
        name,
        "sslnegotiation" | "sslsni" | "sslcompression"
    ))
}

fn without_url_parameters(text: &str, tls: &mut TlsSettings) -> Result<String, String> {
    let Some((beginning, query)) = text.split_once('?') else {
        return Ok(text.to_owned());
    };
    let mut kept = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !take(&percent_decoded(name), &percent_decoded(value), tls)? {
            kept.push(pair);
        }
    }
    if kept.is_empty() {
        return Ok(beginning.to_owned());
    }
    Ok(format!("{beginning}?{}", kept.join("&")))
}

/// `%41` is `A`; what is no such pair of digits stays.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// `key = value` pairs, values perhaps in single quotes with `\'` and `\\` in them (libpq, "Keyword/Value Connection
/// Strings").
fn without_pairs(text: &str, tls: &mut TlsSettings) -> Result<String, String> {
    let mut kept = String::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once('=') else {
            // Not a pair: the parser that follows says so.
            kept.push_str(rest);
            break;
        };
        let (value, after) = value(after.trim_start());
        if !take(name.trim(), &value, tls)? {
            let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
            kept.push_str(&format!("{}='{quoted}' ", name.trim()));
        }
        rest = after.trim_start();
    }
    Ok(kept)
}

/// The value at the beginning of `text`, and what follows it.
fn value(text: &str) -> (String, &str) {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return (value, text.get(at + 1..).unwrap_or_default()),
            c if c.is_whitespace() && !quoted => {
                return (value, text.get(at..).unwrap_or_default());
            }
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{ChannelBindingMode, SslMode};

    #[test]
    fn parameters_of_tls_are_taken_from_both_forms() {
        for text in [
            "postgresql://u:p%40@db:5433/shop?sslmode=verify-full&connect_timeout=3&sslrootcert=%2Fetc%2Fmy%20root.crt&channel_binding=require",
            "host=db port=5433 user=u password='p@' dbname=shop sslmode=verify-full connect_timeout=3 sslrootcert='/etc/my root.crt' channel_binding = require",
        ] {
            let parsed =
                Connector::parse(text, TlsSettings::default()).expect("a connection string");
            assert_eq!(parsed.config.get_hosts(), [Host::Tcp("db".to_owned())]);
            assert_eq!(parsed.config.get_ports(), [5433]);
            assert_eq!(parsed.config.get_password(), Some(&b"p@"[..]));
            assert_eq!(
                parsed.config.get_connect_timeout().map(|t| t.as_secs()),
                Some(3)
            );
            assert_eq!(parsed.tls.mode, SslMode::VerifyFull);
            assert_eq!(parsed.tls.channel_binding, ChannelBindingMode::Require);
            assert_eq!(
                parsed.tls.root_certificates.as_deref(),
                Some(Path::new("/etc/my root.crt"))
            );
        }
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        for (text, mode) in [
            ("postgres://db/shop", SslMode::Require),
            ("postgres://db/shop?sslmode=disable", SslMode::Disable),
            ("host=db", SslMode::Require),
            (
                "host=db password='it\\'s \\\\ x' sslmode=allow",
                SslMode::Allow,
            ),
        ] {
            let defaults = TlsSettings::new(SslMode::Require);
            let parsed = Connector::parse(text, defaults).expect("a connection string");
            assert_eq!(parsed.tls.mode, mode, "{text}");
        }
        let parsed = Connector::parse("host=db password='it\\'s \\\\ x'", TlsSettings::default());
        let config = parsed.expect("a connection string").config;
        assert_eq!(config.get_password(), Some(&b"it's \\ x"[..]));
    }

    #[test]
    fn what_is_not_supported_is_refused() {
        for (text, said) in [
            ("postgres://db/x?sslmode=on", "sslmode `on`"),
            ("postgres://db/x?sslcrl=a", "sslcrl is not supported"),
            ("host=db sslnegotiation=direct", "sslnegotiation"),
            ("host=db requiressl=1", "requiressl"),
            ("host=db channel_binding=yes", "channel binding `yes`"),
            ("host=db colour=red", "colour"),
            ("host", ""),
        ] {
            let error = Connector::parse(text, TlsSettings::default()).expect_err("refused");
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let told = format!("{error} {}", source.unwrap_or_default());
            assert!(told.contains(said), "{text}: {told}");
        }
    }
}
