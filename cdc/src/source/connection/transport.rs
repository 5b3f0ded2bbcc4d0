//! What the replication connection runs over: a Unix socket, TCP, or TLS over TCP.

use std::{io, path::Path, time::Duration};

use futures::FutureExt;
use postgres_tls::{Attempt, ClientTls, Negotiated, channel_binding};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::client::TlsStream;

use super::socket::Socket;
use crate::{
    Error, ErrorKind,
    source::address::{Address, tls_error},
};
use connector::DatabaseConfig;

/// How long one attempt to reach the server may take; the TLS handshake has a time of its own.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The socket to the server.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(Socket),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// `attempt` does not count for a Unix socket, which has no TLS.
    pub(super) async fn connect(
        database: &DatabaseConfig,
        attempt: Attempt,
    ) -> Result<Self, Error> {
        let tls = match attempt {
            Attempt::Plain => None,
            Attempt::Tls | Attempt::TlsWhereOffered => {
                let read = ClientTls::load(&database.tls);
                Some(read.map_err(|error| {
                    Error::new(ErrorKind::Configuration, connecting(database)).with_source(error)
                })?)
            }
        };
        let connected = async {
            if database.hostname.starts_with('/') {
                let path =
                    Path::new(&database.hostname).join(format!(".s.PGSQL.{}", database.port));
                let stream = reached(UnixStream::connect(path)).await?;
                return Socket::new(stream.into_std()?).map(Self::Plain);
            }
            let address = (database.hostname.as_str(), database.port);
            let stream = reached(TcpStream::connect(address)).await?;
            // Status updates are small and must not wait for an answer to the one before.
            stream.set_nodelay(true)?;
            if database.tcp_keepalive {
                rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
            }
            let stream = match tls {
                None => stream,
                Some(tls) => match tls.negotiate(stream, &database.hostname).await? {
                    Negotiated::Tls(stream) => return Ok(Self::Tls(stream)),
                    Negotiated::Plain(stream) => stream,
                },
            };
            Socket::new(stream.into_std()?).map(Self::Plain)
        };
        let failed = |error: io::Error| match tls_error(connecting(database), &error, database) {
            Some(told) => told,
            None => Error::new(ErrorKind::Connection, connecting(database)).with_source(error),
        };
        match connected.await {
            Ok(Self::Plain(_)) if attempt == Attempt::Tls => Err(
                crate::source::address::without_tls(connecting(database), database),
            ),
            Ok(transport) => Ok(transport),
            Err(error) => Err(failed(error)),
        }
    }

    /// Whether reading may wait a moment to read more at once.
    pub(super) fn set_lagging(&mut self, lagging: bool) {
        match self {
            Self::Plain(socket) => socket.set_lagging(lagging),
            // A TLS record is at most 16 KiB: there is nothing to gather.
            Self::Tls(_) => {}
        }
    }

    /// Nobody waits for the socket until the next `read`.
    pub(super) fn rest(&mut self) {
        match self {
            Self::Plain(socket) => socket.rest(),
            // The runtime goes on watching it, which costs no more than it did.
            Self::Tls(_) => {}
        }
    }

    pub(super) const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The data of channel binding `tls-server-end-point`, where the connection has it.
    pub(super) fn channel_binding(&self) -> Option<Vec<u8>> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => channel_binding(stream),
        }
    }

    /// Cancel-safe: bytes are either in `buffer` and counted, or still in the socket.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer).await,
            Self::Tls(stream) => stream.read(buffer).await,
        }
    }

    /// Without waiting; None when nothing is there.
    pub(super) fn read_now(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match self {
            Self::Plain(socket) => socket.read_now(buffer),
            Self::Tls(stream) => stream.read(buffer).now_or_never().transpose(),
        }
    }

    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
        }
    }
}

async fn reached<S>(connecting: impl Future<Output = io::Result<S>>) -> io::Result<S> {
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(reached) => reached,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!(
                "nothing answered for {} s: the host is down, or a firewall drops what is sent there",
                CONNECT_TIMEOUT.as_secs()
            ),
        )),
    }
}

fn connecting(database: &DatabaseConfig) -> String {
    format!("connect to postgresql at {}", Address(database))
}
