//! Somebody sits in the server's place and asks for the password: nobody tells it.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};
use cdc::source::{Control, connection::ReplicationConnection};
use connector::{ConnectorConfig, DatabaseConfig};
use postgres_tls::{AuthRefused, Connector, SslMode, TlsSettings};
use service::tls::{certificates, crypto_provider, private_key};
use stack::{Authority, Identity};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::authentication::refuses_to_tell;

const PASSWORD: &str = "hunter2-of-the-database";
/// AuthenticationCleartextPassword and AuthenticationMD5Password.
const CLEAR: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
const MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";

/// A listener that asks every client for its password, and keeps what it is told.
struct Rogue {
    port: u16,
    told: Arc<Mutex<Vec<u8>>>,
}

impl Rogue {
    async fn start(request: &'static [u8], tls: Option<TlsAcceptor>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let told: Arc<Mutex<Vec<u8>>> = Arc::default();
        let kept = Arc::clone(&told);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (kept, tls) = (Arc::clone(&kept), tls.clone());
                tokio::spawn(async move {
                    let first = message(&mut stream).await?;
                    // SSLRequest
                    if !first.starts_with(&[0x04, 0xd2, 0x16, 0x2f]) {
                        return ask(stream, request, &kept).await;
                    }
                    match tls {
                        None => stream.write_all(b"N").await?,
                        Some(tls) => {
                            stream.write_all(b"S").await?;
                            let mut stream = tls.accept(stream).await?;
                            message(&mut stream).await?;
                            return ask(stream, request, &kept).await;
                        }
                    }
                    message(&mut stream).await?;
                    ask(stream, request, &kept).await
                });
            }
        });
        Ok(Self { port, told })
    }

    /// What every client said after it was asked.
    fn told(&self) -> Vec<u8> {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn database(&self, mode: SslMode, more: &[(&str, &str)]) -> Result<DatabaseConfig> {
        let (port, mode) = (self.port.to_string(), mode.to_string());
        let all = [
            ("name", "robbed"),
            ("topic.prefix", "robbed"),
            ("database.hostname", "127.0.0.1"),
            ("database.port", &port),
            ("database.user", "u"),
            ("database.password", PASSWORD),
            ("database.dbname", "d"),
            ("database.sslmode", &mode),
        ];
        let all = all.iter().chain(more);
        let all = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Ok(ConnectorConfig::parse(&all.collect::<BTreeMap<_, _>>())?
            .config
            .database)
    }
}

/// A message without a type: its length and the rest, which is answered.
async fn message(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let length = stream.read_u32().await?.saturating_sub(4);
    let mut body = vec![0; usize::try_from(length).unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &[u8],
    kept: &Mutex<Vec<u8>>,
) -> std::io::Result<()> {
    stream.write_all(request).await?;
    let mut answer = [0; 1024];
    // A client that hangs up may do so rudely.
    let length = stream.read(&mut answer).await.unwrap_or(0);
    let answer = answer.get(..length).unwrap_or_default();
    kept.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .extend(answer);
    Ok(())
}

fn acceptor(folder: &Path, identity: &Identity) -> Result<TlsAcceptor> {
    let (certificate, key) = identity.write(folder, "rogue")?;
    let config = rustls::ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates(&certificate)?, private_key(&key, None)?)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn a_server_that_asks_for_the_password_is_not_told_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let identity = Authority::new("anybody")?.server(&["127.0.0.1"])?;
    let tls = acceptor(folder.path(), &identity)?;
    for (label, request, tls, modes) in [
        (
            "password without TLS",
            CLEAR,
            None,
            &[SslMode::Disable, SslMode::Allow, SslMode::Prefer][..],
        ),
        (
            "md5 without TLS",
            MD5,
            None,
            &[SslMode::Disable, SslMode::Prefer],
        ),
        (
            "password over TLS that is not verified",
            CLEAR,
            Some(tls),
            &[SslMode::Prefer, SslMode::Require],
        ),
    ] {
        let rogue = Rogue::start(request, tls).await?;
        for mode in modes {
            let database = rogue.database(*mode, &[])?;
            let remedy = "database.requireAuth=";
            refuses_to_tell(&database, remedy)
                .await
                .with_context(|| format!("{label}, sslmode={mode}"))?;
            by_connection_string(&rogue, *mode).await?;
        }
        let told = rogue.told();
        ensure!(
            !told.windows(7).any(|run| run == b"hunter2") && !told.starts_with(b"p"),
            "{label}: {}",
            String::from_utf8_lossy(&told)
        );
    }
    Ok(())
}

/// The generator's way.
async fn by_connection_string(rogue: &Rogue, mode: SslMode) -> Result<()> {
    for host in ["host=127.0.0.1", "hostaddr=127.0.0.1"] {
        let text = format!(
            "{host} port={} user=u dbname=d password={PASSWORD} sslmode={mode}",
            rogue.port
        );
        let connector = Connector::parse(&text, TlsSettings::default())?;
        let error = connector.connect().await.err().context("let in")?;
        let hint = connector.hint(&error).unwrap_or_default();
        ensure!(hint.contains("require_auth="), "{host}: {error}: {hint}");
        ensure!(AuthRefused::find(&error).is_some(), "{host}: {error:?}");
    }
    Ok(())
}

/// Who trusts the network says so, and then it is told: the test's server would notice a leak.
#[tokio::test]
async fn a_password_is_told_where_that_is_allowed() -> Result<()> {
    let rogue = Rogue::start(CLEAR, None).await?;
    let allowed = [("database.requireAuth", "password")];
    let database = rogue.database(SslMode::Prefer, &allowed)?;
    ensure!(ReplicationConnection::connect(&database).await.is_err());
    ensure!(Control::new(&database).client().await.is_err());
    let told = rogue.told();
    let times = told.windows(7).filter(|run| run == b"hunter2").count();
    ensure!(times == 2, "{}", String::from_utf8_lossy(&told));
    Ok(())
}
