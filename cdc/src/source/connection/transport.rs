use std::{io, path::Path, time::Duration};

use tokio::net::{TcpStream, UnixStream};

use super::socket::Socket;
use crate::{Error, ErrorKind, config::DatabaseConfig};

/// How long one attempt to reach the server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The socket to the server.
#[derive(Debug)]
pub(super) enum Transport {
    Plain(Socket),
}

impl Transport {
    pub(super) async fn connect(database: &DatabaseConfig) -> Result<Self, Error> {
        let attempt = async {
            if database.hostname.starts_with('/') {
                let path =
                    Path::new(&database.hostname).join(format!(".s.PGSQL.{}", database.port));
                let stream = UnixStream::connect(path).await?;
                return Socket::new(stream.into_std()?).map(Self::Plain);
            }
            let stream = TcpStream::connect((database.hostname.as_str(), database.port)).await?;
            // Status updates are small and must not wait for an answer to the one before.
            stream.set_nodelay(true)?;
            if database.tcp_keepalive {
                rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
            }
            Socket::new(stream.into_std()?).map(Self::Plain)
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(Ok(transport)) => Ok(transport),
            Ok(Err(error)) => Err(unreachable_server(database).with_source(error)),
            Err(elapsed) => Err(unreachable_server(database).with_source(elapsed)),
        }
    }

    /// Whether reading may wait a moment to read more at once.
    pub(super) fn set_lagging(&mut self, lagging: bool) {
        match self {
            Self::Plain(socket) => socket.set_lagging(lagging),
        }
    }

    /// Cancel-safe: bytes are either in `buffer` and counted, or still in the socket.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer).await,
        }
    }

    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes).await,
        }
    }
}

fn unreachable_server(database: &DatabaseConfig) -> Error {
    Error::new(
        ErrorKind::Connection,
        format!(
            "connect to postgresql at `{}` port {}",
            database.hostname, database.port
        ),
    )
}
