use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::serve::Listener;
use service::tls::{certificates, crypto_provider, private_key, root_store};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, server::WebPkiClientVerifier},
    server::TlsStream,
};

use cdc::{Error, ErrorKind};

/// The certificate of the REST face.
#[derive(Debug, Clone)]
pub struct RestTls {
    /// PEM: the server's certificate and what signed it.
    pub certificate: PathBuf,
    /// PEM: its private key; it may be the same file.
    pub key: PathBuf,
    /// PEM: who signs the certificates that clients must show; without it they need none.
    pub client_ca: Option<PathBuf>,
}

/// A client has so long for its part of the handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Connections that may wait between handshake and service.
const READY: usize = 16;

/// Accepts TLS connections; a handshake that is slow or fails holds up nobody else.
pub(crate) struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    /// # Errors
    /// A file cannot be read, or key and certificate do not belong together.
    pub(crate) fn new(tls: &RestTls, listener: TcpListener) -> Result<Self, Error> {
        let attempted = || {
            Error::new(
                ErrorKind::Configuration,
                format!(
                    "serve the REST face with the certificate `{}` and the key `{}`",
                    tls.certificate.display(),
                    tls.key.display()
                ),
            )
        };
        let builder = ServerConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| attempted().with_source(error))?;
        let builder = match &tls.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let roots = root_store(path).map_err(|error| attempted().with_source(error))?;
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), crypto_provider());
                let verifier = verifier
                    .build()
                    .map_err(|error| attempted().with_source(error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain =
            certificates(&tls.certificate).map_err(|error| attempted().with_source(error))?;
        let key = private_key(&tls.key, None).map_err(|error| attempted().with_source(error))?;
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| attempted().with_source(error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let address = listener
            .local_addr()
            .map_err(|error| attempted().with_source(error))?;
        let (accepted, ready) = mpsc::channel(READY);
        tokio::spawn(accept(
            listener,
            TlsAcceptor::from(Arc::new(config)),
            accepted,
        ));
        Ok(Self { address, ready })
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    accepted: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    loop {
        let (stream, client) = tokio::select! {
            () = accepted.closed() => return,
            connection = listener.accept() => match connection {
                Ok(connection) => connection,
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    // Too many open files do not close by asking again at once.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    // Nobody takes it any more: the worker ends.
                    let _ = accepted.send((stream, client)).await;
                }
                Ok(Err(error)) => tracing::debug!(%client, %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%client, "a TLS handshake took too long"),
            }
        });
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // The accepting task has ended, and with it the worker.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}
