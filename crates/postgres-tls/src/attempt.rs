use std::{fmt, str::FromStr};

/// `sslmode`. Without effect on Unix sockets, as in libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// Only without TLS.
    Disable,
    /// Without TLS; with it where the server refuses that.
    Allow,
    /// With TLS; without it where the server has none, refuses it or no handshake succeeds.
    #[default]
    Prefer,
    /// Only with TLS. The server's certificate is verified as by `VerifyCa` where root certificates are given, as
    /// libpq does and pgjdbc does not; else not at all.
    Require,
    /// And the server's certificate is signed by a trusted root.
    VerifyCa,
    /// And it is for the host that was asked for.
    VerifyFull,
}

impl SslMode {
    const NAMES: [(&'static str, Self); 6] = [
        ("disable", Self::Disable),
        ("allow", Self::Allow),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    /// How to try, in this order.
    pub const fn attempts(self) -> &'static [Attempt] {
        match self {
            Self::Disable => &[Attempt::Plain],
            Self::Allow => &[Attempt::Plain, Attempt::Tls],
            Self::Prefer => &[Attempt::TlsWhereOffered, Attempt::Plain],
            Self::Require | Self::VerifyCa | Self::VerifyFull => &[Attempt::Tls],
        }
    }
}

/// One way to connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// Without TLS.
    Plain,
    /// With TLS, or on the same socket without it where the server answers that it has none.
    TlsWhereOffered,
    /// With TLS, or not at all.
    Tls,
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, mode)| mode == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// Not one of the six.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sslmode `{0}` is none of disable, allow, prefer, require, verify-ca, verify-full")]
pub struct UnknownSslMode(String);

impl FromStr for SslMode {
    type Err = UnknownSslMode;

    /// In any case, as Debezium reads it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::NAMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, mode)| *mode)
            .ok_or_else(|| UnknownSslMode(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_libpqs() {
        for (name, mode) in SslMode::NAMES {
            assert_eq!(name.parse(), Ok(mode));
            assert_eq!(name.to_uppercase().parse(), Ok(mode));
            assert_eq!(mode.to_string(), name);
        }
        let error = "verify".parse::<SslMode>().expect_err("not a mode");
        assert!(error.to_string().contains("verify-full"), "{error}");
    }

    #[test]
    fn only_allow_and_prefer_have_a_second_way() {
        for (_, mode) in SslMode::NAMES {
            let two = matches!(mode, SslMode::Allow | SslMode::Prefer);
            assert_eq!(mode.attempts().len(), if two { 2 } else { 1 }, "{mode}");
            let plain = mode.attempts().contains(&Attempt::Plain);
            assert_eq!(plain, two || mode == SslMode::Disable, "{mode}");
        }
    }
}
