//! TLS to a PostgreSQL server: the files that the settings name, and the handshake (PostgreSQL manual, "Message Flow",
//! "SSL Session Encryption").

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use service::tls::{
    ClientCertificate, TlsFileError, certificates, crypto_provider, private_key, root_store,
    system_root_store,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};
use tokio_rustls::{Connect, TlsConnector, client::TlsStream};

use crate::{
    SslMode, TlsSettings,
    certificate::server_end_point,
    login_watch::LoginWatch,
    settings::Roots,
    verifier::{ServerVerifier, Trust, Trusted},
};

/// Why TLS cannot be used as the settings say.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the message of each says what it is")]
pub enum TlsSetupError {
    #[error(transparent)]
    File(#[from] TlsFileError),
    #[error(
        "sslmode=verify-ca has no root certificate to verify with: name it in sslrootcert, or put it at ~/.postgresql/root.crt"
    )]
    NoRoots,
    #[error(
        "sslmode={0} is too weak for sslrootcert=system, whose authorities sign for anybody: use verify-full"
    )]
    WeakWithSystemRoots(SslMode),
    #[error("sslcert and sslkey belong together: {0} is missing")]
    HalfIdentity(&'static str),
    #[error("use sslcert and sslkey: they do not belong together, or their kind is not supported")]
    Identity(#[source] rustls::Error),
    #[error("set up TLS")]
    Rustls(#[from] rustls::Error),
}

/// TLS as the settings say, with the files read.
#[derive(Debug, Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
    /// The same without a name in the hello, where the host is an address.
    nameless: Arc<ClientConfig>,
    verifies_host: bool,
    settings: TlsSettings,
    /// Whether a handshake was begun.
    begun: Arc<AtomicBool>,
}

/// SSLRequest: length 8, code 1234 5679 (PostgreSQL manual, "Message Formats").
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

impl ClientTls {
    /// Read what the settings name.
    ///
    /// # Errors
    /// A file cannot be used, or the settings contradict each other.
    pub fn load(settings: &TlsSettings) -> Result<Self, TlsSetupError> {
        let provider = crypto_provider();
        let verifier = ServerVerifier::new(trust(settings)?, &provider);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match identity(settings)? {
            Some(own) => builder
                .with_client_auth_cert(own.chain, own.key)
                .map_err(TlsSetupError::Identity)?,
            None => builder.with_no_client_auth(),
        };
        let mut nameless = config.clone();
        nameless.enable_sni = false;
        Ok(Self {
            config: Arc::new(config),
            nameless: Arc::new(nameless),
            verifies_host: settings.mode == SslMode::VerifyFull,
            settings: settings.clone(),
            begun: Arc::new(AtomicBool::new(false)),
        })
    }

    /// Ask for TLS on a new socket and shake hands. None: the server answered that it has no TLS, and the socket can be
    /// used without.
    ///
    /// # Errors
    /// The socket or the handshake failed: see [`TlsProblem::find`]. `TimedOut` where the server falls silent.
    pub async fn negotiate<S>(&self, mut stream: S, host: &str) -> io::Result<Negotiated<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = self.server_name(host)?;
        let mut answer = [0];
        let asked = async {
            stream.write_all(&SSL_REQUEST).await?;
            stream.flush().await?;
            stream.read_exact(&mut answer).await
        };
        match timeout(PATIENCE, asked).await {
            Ok(answered) => answered.map(|_| ())?,
            Err(_) => return Err(silent("to the question whether it has TLS (SSLRequest)")),
        }
        match answer {
            // Nothing is read beyond the answer, so nothing that came without TLS can be taken for what came with it.
            [b'S'] => match timeout(PATIENCE, self.begin(name, stream)).await {
                Ok(shaken) => Ok(Negotiated::Tls(Box::new(shaken?))),
                Err(_) => Err(silent(HANDSHAKE)),
            },
            [b'N'] => Ok(Negotiated::Plain(stream)),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the answer to SSLRequest is neither S nor N: this is no PostgreSQL server",
            )),
        }
    }

    /// Follows a login on a connection of this kind.
    pub(crate) fn watch(&self, is_tls: bool) -> LoginWatch {
        LoginWatch::new(self.settings.require_auth, self.settings.proof(is_tls))
    }

    /// Whether this or a clone of it began a handshake: the server has TLS.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    pub(crate) fn server_name(&self, host: &str) -> io::Result<ServerName<'static>> {
        match ServerName::try_from(host.to_owned()) {
            Ok(name) => Ok(name),
            Err(_) if self.verifies_host => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "`{host}` cannot stand in a certificate, so sslmode=verify-full has nothing to compare"
                ),
            )),
            // Not compared with anything, and not sent.
            Err(_) => Ok(ServerName::IpAddress(
                std::net::Ipv4Addr::UNSPECIFIED.into(),
            )),
        }
    }

    pub(crate) fn begin<S>(&self, name: ServerName<'static>, stream: S) -> Connect<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.begun.store(true, Ordering::Relaxed);
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other kinds of names are alike here"
        )]
        let config = match name {
            ServerName::DnsName(_) => &self.config,
            _ => &self.nameless,
        };
        TlsConnector::from(Arc::clone(config)).connect(name, stream)
    }
}

/// How long a server may take to answer SSLRequest, and again for its part of the handshake.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
pub(crate) const HANDSHAKE: &str = "in the TLS handshake that it agreed to";

/// The error of a server that does not answer to something.
pub(crate) fn silent(to: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!(
            "the server accepted the connection and gave no answer {to} for {} s",
            PATIENCE.as_secs()
        ),
    )
}

/// What a server answered to SSLRequest.
#[derive(Debug)]
pub enum Negotiated<S> {
    /// It has no TLS; the socket can be used as it is.
    Plain(S),
    /// The handshake is done.
    Tls(Box<TlsStream<S>>),
}

/// The data of `tls-server-end-point` for SCRAM-SHA-256-PLUS. None: the server's certificate has no such data.
pub fn channel_binding<S>(stream: &TlsStream<S>) -> Option<Vec<u8>> {
    let (_, session) = stream.get_ref();
    server_end_point(session.peer_certificates()?.first()?)
}

fn trust(settings: &TlsSettings) -> Result<Trust, TlsSetupError> {
    let trusted = match (settings.mode, settings.roots()) {
        (SslMode::Disable | SslMode::Allow | SslMode::Prefer, _)
        | (SslMode::Require, Roots::Absent) => return Ok(Trust::Anyone),
        (SslMode::VerifyCa | SslMode::VerifyFull, Roots::Absent) => {
            return Err(TlsSetupError::NoRoots);
        }
        (mode @ (SslMode::Require | SslMode::VerifyCa), Roots::System) => {
            return Err(TlsSetupError::WeakWithSystemRoots(mode));
        }
        (SslMode::VerifyFull, Roots::System) => Trusted {
            roots: system_root_store()?,
            certificates: Vec::new(),
        },
        (_, Roots::File(path)) => {
            let roots: RootCertStore = root_store(&path)?;
            Trusted {
                roots,
                certificates: certificates(&path)?,
            }
        }
    };
    Ok(match settings.mode {
        SslMode::VerifyFull => Trust::RootsAndHost(trusted),
        SslMode::Disable
        | SslMode::Allow
        | SslMode::Prefer
        | SslMode::Require
        | SslMode::VerifyCa => Trust::Roots(trusted),
    })
}

fn identity(settings: &TlsSettings) -> Result<Option<ClientCertificate>, TlsSetupError> {
    match settings.client_files() {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(ClientCertificate {
            chain: certificates(&certificate)?,
            key: private_key(&key, settings.key_password.as_ref())?,
        })),
        (Some(_), None) => Err(TlsSetupError::HalfIdentity("sslkey")),
        (None, Some(_)) => Err(TlsSetupError::HalfIdentity("sslcert")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn refused(settings: &TlsSettings) -> String {
        ClientTls::load(settings)
            .expect_err("settings that contradict each other")
            .to_string()
    }

    #[test]
    fn contradictions_are_named() {
        let mut settings = TlsSettings::new(SslMode::VerifyCa);
        settings.root_certificates = Some(PathBuf::from("system"));
        assert!(refused(&settings).contains("use verify-full"));
        settings.mode = SslMode::Require;
        assert!(refused(&settings).contains("sslmode=require is too weak"));
        settings.root_certificates = Some(PathBuf::from("missing/root.crt"));
        assert!(refused(&settings).contains("missing/root.crt"));
        // Not verified, not read.
        settings.mode = SslMode::Prefer;
        assert!(ClientTls::load(&settings).is_ok());
        settings.key = Some(PathBuf::from("missing.key"));
        assert!(refused(&settings).contains("sslcert is missing"));
    }

    #[test]
    fn a_host_that_is_no_name_can_only_be_used_unverified() {
        let tls = ClientTls::load(&TlsSettings::new(SslMode::Require)).expect("no files");
        assert!(tls.server_name("not a name").is_ok());
        assert!(matches!(
            tls.server_name("my_db"),
            Ok(ServerName::DnsName(_))
        ));
        let strict = ClientTls {
            verifies_host: true,
            ..tls
        };
        let error = strict
            .server_name("not a name")
            .expect_err("nothing to compare");
        assert!(error.to_string().contains("not a name"), "{error}");
    }
}
