use std::{io, path::Path, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};

use crate::{Error, ErrorKind, config::DatabaseConfig};

/// How long one attempt to reach the server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The socket to the server.
#[derive(Debug)]
pub(super) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Transport {
    pub(super) async fn connect(database: &DatabaseConfig) -> Result<Self, Error> {
        let attempt = async {
            if database.hostname.starts_with('/') {
                let path =
                    Path::new(&database.hostname).join(format!(".s.PGSQL.{}", database.port));
                return UnixStream::connect(path).await.map(Self::Unix);
            }
            let stream = TcpStream::connect((database.hostname.as_str(), database.port)).await?;
            // Status updates are small and must not wait for an answer to the one before.
            stream.set_nodelay(true)?;
            if database.tcp_keepalive {
                rustix::net::sockopt::set_socket_keepalive(&stream, true)?;
            }
            Ok(Self::Tcp(stream))
        };
        match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(Ok(transport)) => Ok(transport),
            Ok(Err(error)) => Err(unreachable_server(database).with_source(error)),
            Err(elapsed) => Err(unreachable_server(database).with_source(elapsed)),
        }
    }

    pub(super) const fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// Cancel-safe: bytes are either in `buffer` and counted, or still in the socket.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer).await,
            Self::Unix(stream) => stream.read(buffer).await,
        }
    }

    pub(super) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes).await,
            Self::Unix(stream) => stream.write_all(bytes).await,
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
