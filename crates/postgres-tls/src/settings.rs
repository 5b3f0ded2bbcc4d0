//! How a connection is to be secured, in libpq's words.

use std::{path::PathBuf, str::FromStr};

use service::Secret;

use crate::{RequireAuth, ServerProof, SslMode};

/// Libpq's `channel_binding`, pgjdbc's `channelBinding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelBindingMode {
    /// No channel binding.
    Disable,
    /// SCRAM-SHA-256-PLUS where the server offers it over TLS.
    #[default]
    Prefer,
    /// Nothing but SCRAM-SHA-256-PLUS.
    Require,
}

impl FromStr for ChannelBindingMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            _ => Err(format!(
                "channel binding `{text}` is none of disable, prefer, require"
            )),
        }
    }
}

/// How to secure a connection. The files are read anew for each connection, so that renewed certificates are taken up.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    /// `sslmode`.
    pub mode: SslMode,
    /// `sslrootcert`: a file in PEM or DER, or the word `system` for the operating system's roots. None:
    /// `~/.postgresql/root.crt` where that exists; for `verify-full` the system's otherwise.
    pub root_certificates: Option<PathBuf>,
    /// `sslcert`. None: `~/.postgresql/postgresql.crt` where that exists.
    pub certificate: Option<PathBuf>,
    /// `sslkey`: PEM, or PKCS#8 in DER as pgjdbc wants it. None: `~/.postgresql/postgresql.pk8` (pgjdbc's name) or
    /// `~/.postgresql/postgresql.key` (libpq's) where one exists.
    pub key: Option<PathBuf>,
    /// `sslpassword`, of the key.
    pub key_password: Option<Secret>,
    /// `channel_binding`.
    pub channel_binding: ChannelBindingMode,
    /// What the server may ask for. A Unix socket is not looked at.
    pub require_auth: RequireAuth,
}

/// `sslrootcert=system`.
const SYSTEM: &str = "system";

/// Where the roots come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roots {
    File(PathBuf),
    System,
    Absent,
}

impl TlsSettings {
    /// One mode, everything else by default.
    pub fn new(mode: SslMode) -> Self {
        Self {
            mode,
            ..Self::default()
        }
    }

    /// What libpq's environment variables say (`PGSSLMODE`, `PGSSLROOTCERT`, ...). An empty one counts as not set.
    ///
    /// # Errors
    /// A value is none that libpq knows; the text names the variable.
    pub fn from_environment(
        mut variable: impl FnMut(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let mut settings = Self::default();
        for (name, parameter) in [
            ("PGSSLMODE", "sslmode"),
            ("PGSSLROOTCERT", "sslrootcert"),
            ("PGSSLCERT", "sslcert"),
            ("PGSSLKEY", "sslkey"),
            ("PGCHANNELBINDING", "channel_binding"),
            ("PGREQUIREAUTH", "require_auth"),
        ] {
            if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
                settings
                    .set(parameter, &value)
                    .map_err(|reason| format!("{name}: {reason}"))?;
            }
        }
        Ok(settings)
    }

    /// Set one by libpq's name. False: it is none of TLS.
    ///
    /// # Errors
    /// The value is none that libpq knows.
    pub fn set(&mut self, parameter: &str, value: &str) -> Result<bool, String> {
        match parameter {
            "sslmode" => {
                self.mode = value
                    .parse()
                    .map_err(|error: crate::UnknownSslMode| error.to_string())?;
            }
            "sslrootcert" => self.root_certificates = path(value),
            "sslcert" => self.certificate = path(value),
            "sslkey" => self.key = path(value),
            "sslpassword" => self.key_password = Some(Secret::new(value)),
            "channel_binding" => self.channel_binding = value.parse()?,
            "require_auth" => self.require_auth = value.parse()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// What a connection over TCP proves of the server, with TLS or without.
    pub fn proof(&self, is_tls: bool) -> ServerProof {
        let verifies = match self.mode {
            SslMode::Disable | SslMode::Allow | SslMode::Prefer => false,
            SslMode::Require => self.roots() != Roots::Absent,
            SslMode::VerifyCa | SslMode::VerifyFull => true,
        };
        match (is_tls, verifies) {
            (true, true) => ServerProof::Known,
            (true, false) => ServerProof::UnverifiedTls,
            (false, _) => ServerProof::Plain,
        }
    }

    pub(crate) fn roots(&self) -> Roots {
        match &self.root_certificates {
            Some(path) if path.as_os_str() == SYSTEM => Roots::System,
            Some(path) => Roots::File(path.clone()),
            None => match at_home("root.crt") {
                Some(path) => Roots::File(path),
                None if self.mode == SslMode::VerifyFull => Roots::System,
                None => Roots::Absent,
            },
        }
    }

    /// Certificate and key of the client. Some of only one is an error of the caller's.
    pub(crate) fn client_files(&self) -> (Option<PathBuf>, Option<PathBuf>) {
        let certificate = self
            .certificate
            .clone()
            .or_else(|| at_home("postgresql.crt"));
        let key = self
            .key
            .clone()
            .or_else(|| at_home("postgresql.pk8"))
            .or_else(|| at_home("postgresql.key"));
        match certificate {
            // A key alone is of no use: libpq does not look at it either.
            None if self.key.is_none() => (None, None),
            certificate => (certificate, key),
        }
    }
}

fn path(value: &str) -> Option<PathBuf> {
    (!value.is_empty()).then(|| PathBuf::from(value))
}

/// A file of `~/.postgresql`, where it exists.
fn at_home(name: &str) -> Option<PathBuf> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty())?;
    let path = PathBuf::from(home).join(".postgresql").join(name);
    path.exists().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_libpqs_names() {
        let settings = TlsSettings::from_environment(|name| match name {
            "PGSSLMODE" => Some("verify-full".to_owned()),
            "PGSSLROOTCERT" => Some("system".to_owned()),
            "PGSSLCERT" => Some(String::new()),
            "PGCHANNELBINDING" => Some("require".to_owned()),
            _ => None,
        })
        .expect("settings");
        assert_eq!(settings.mode, SslMode::VerifyFull);
        assert_eq!(settings.roots(), Roots::System);
        assert_eq!(settings.certificate, None);
        assert_eq!(settings.channel_binding, ChannelBindingMode::Require);
        let wrong =
            TlsSettings::from_environment(|name| (name == "PGSSLMODE").then(|| "on".to_owned()));
        let reason = wrong.expect_err("not a mode");
        assert!(
            reason.starts_with("PGSSLMODE: ") && reason.contains("`on`"),
            "{reason}"
        );
    }

    #[test]
    fn passwords_are_not_printed() {
        let mut settings = TlsSettings::default();
        assert_eq!(settings.set("sslpassword", "hunter2"), Ok(true));
        assert_eq!(settings.set("host", "x"), Ok(false));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
