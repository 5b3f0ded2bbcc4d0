//! What went wrong with TLS, found in an error's chain, and what to do about it.

use std::{error::Error, fmt, io};

use rustls::{AlertDescription, CertificateError};

use crate::SslMode;

/// What went wrong with TLS, in words that say what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The server answered that it has no TLS, and `sslmode` demands it.
    ServerWithoutTls,
    /// Nobody that is trusted has signed the certificate.
    UnknownIssuer,
    /// The certificate was valid until some time ago.
    Expired,
    /// The certificate will be valid from some later time on.
    NotYetValid,
    /// The certificate is for these hosts.
    WrongHost(Vec<String>),
    /// The certificate cannot be used for another reason.
    UnusableCertificate(String),
    /// The server does not take the client's certificate.
    ClientCertificate(String),
    /// No common version or cipher, or bytes that are not TLS.
    Handshake(String),
}

impl TlsProblem {
    /// The problem in an error's chain, if TLS has one.
    pub fn find(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(error) = error.downcast_ref::<rustls::Error>() {
                return Some(Self::of(error));
            }
            if let Some(found) = error.downcast_ref::<Self>() {
                return Some(found.clone());
            }
            // An io::Error does not show what it wraps as its source, but that one's source.
            next = match error
                .downcast_ref::<io::Error>()
                .and_then(io::Error::get_ref)
            {
                Some(inner) => Some(inner),
                None => error.source(),
            };
        }
        None
    }

    fn of(error: &rustls::Error) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other errors of rustls are alike here"
        )]
        match error {
            rustls::Error::InvalidCertificate(error) => Self::of_certificate(error),
            rustls::Error::AlertReceived(alert) => Self::of_alert(*alert),
            other => Self::Handshake(other.to_string()),
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other errors of rustls are alike here"
        )]
        match error {
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::NotValidForName => Self::WrongHost(Vec::new()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::WrongHost(presented.iter().map(|name| plain(name)).collect())
            }
            other => Self::UnusableCertificate(other.to_string()),
        }
    }

    fn of_alert(alert: AlertDescription) -> Self {
        use AlertDescription as Alert;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other alerts of TLS are alike here"
        )]
        match alert {
            Alert::UnknownCA
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::AccessDenied
            | Alert::DecryptError => Self::ClientCertificate(format!("{alert:?}")),
            other => Self::Handshake(format!("the server answered {other:?}")),
        }
    }

    /// What the operator can do about it. The names are libpq's; Debezium's have `database.` before them.
    pub fn hint(&self, mode: SslMode, host: &str) -> String {
        match self {
            Self::ServerWithoutTls => format!(
                "set ssl=on at the server, or use sslmode=prefer, which goes without TLS where there is none; sslmode={mode} does not"
            ),
            Self::UnknownIssuer => "name the root certificate that signed the server's in sslrootcert; if it is named, this is another server or the server does not send its intermediate certificates".to_owned(),
            Self::Expired => "renew the server's certificate (and check this machine's clock)".to_owned(),
            Self::NotYetValid => "check the clocks of this machine and of the one that made the certificate".to_owned(),
            Self::WrongHost(_) => format!(
                "connect to a name that the certificate is for, or make one whose subjectAltName has `{host}`; sslmode=verify-ca does not compare names"
            ),
            Self::UnusableCertificate(_) => "make the server a certificate of X.509 version 3 (openssl x509 -req -extfile ... with a subjectAltName) that is no authority itself; sslmode=require without sslrootcert does not verify it".to_owned(),
            Self::ClientCertificate(_) => "name a client certificate in sslcert, with its key in sslkey, that is signed by a root in the server's ssl_ca_file and not expired".to_owned(),
            Self::Handshake(_) => "the server must speak TLS 1.2 or 1.3 with a cipher of ECDHE and AES-GCM or ChaCha20-Poly1305: check ssl_min_protocol_version, ssl_max_protocol_version and ssl_ciphers".to_owned(),
        }
    }
}

/// `localhost` of `DnsName("localhost")`, as the TLS library prints a certificate's names.
fn plain(name: &str) -> String {
    let inside = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(name).trim_matches('"').to_owned()
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerWithoutTls => f.write_str("the server has no TLS"),
            Self::UnknownIssuer => {
                f.write_str("the server's certificate is not signed by a trusted root certificate")
            }
            Self::Expired => f.write_str("the server's certificate has expired"),
            Self::NotYetValid => f.write_str("the server's certificate is not valid yet"),
            Self::WrongHost(names) if names.is_empty() => {
                f.write_str("the server's certificate is for another host")
            }
            Self::WrongHost(names) => {
                write!(f, "the server's certificate is for {}", names.join(", "))
            }
            Self::UnusableCertificate(reason) => {
                write!(f, "the server's certificate cannot be verified: {reason}")
            }
            Self::ClientCertificate(alert) => {
                write!(f, "the server does not take our certificate ({alert})")
            }
            Self::Handshake(reason) => write!(f, "no TLS handshake: {reason}"),
        }
    }
}

impl Error for TlsProblem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_found_below_io_errors() {
        let wrapped = |error: rustls::Error| io::Error::new(io::ErrorKind::InvalidData, error);
        for (error, said, remedy) in [
            (
                rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer),
                "not signed by a trusted root",
                "sslrootcert",
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::Expired),
                "has expired",
                "renew",
            ),
            (
                rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
                    expected: "db".try_into().expect("a name"),
                    presented: vec!["DnsName(\"other\")".to_owned()],
                }),
                "certificate is for other",
                "subjectAltName has `db`",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::UnknownCA),
                "our certificate",
                "ssl_ca_file",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::ProtocolVersion),
                "ProtocolVersion",
                "TLS 1.2",
            ),
        ] {
            let problem = TlsProblem::find(&wrapped(error)).expect("a problem");
            assert!(problem.to_string().contains(said), "{problem}");
            let hint = problem.hint(SslMode::VerifyFull, "db");
            assert!(hint.contains(remedy), "{hint}");
        }
        assert_eq!(TlsProblem::find(&io::Error::other("x")), None);
        let refused = TlsProblem::find(&TlsProblem::ServerWithoutTls);
        assert_eq!(refused, Some(TlsProblem::ServerWithoutTls));
    }
}
