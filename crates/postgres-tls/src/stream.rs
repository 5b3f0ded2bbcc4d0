//! The stream that tokio-postgres reads from and writes to, watched while the server lets us in.
//!
//! What the server may not ask for is not answered, and no message is longer than it may be.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use crate::{
    Attempt, ClientTls, Negotiated, TlsProblem,
    client::channel_binding,
    login_watch::{LoginRefused, LoginWatch},
    message_watch::{LongestMessage, MessageWatch},
};

/// A connection for tokio-postgres, with TLS or without, that is watched: what the server may not ask for while it lets us
/// in, and lengths that it may not announce afterwards, are errors of reading that tokio-postgres never gets to answer.
#[derive(Debug)]
pub struct PostgresTlsStream<S> {
    socket: Negotiated<S>,
    watch: LoginWatch,
    messages: MessageWatch,
}

/// The ways to secure a socket. tokio-postgres takes each for direct TLS: it has no hook for a connection without.
#[derive(Debug, Clone)]
pub(crate) struct Securing {
    pub(crate) tls: ClientTls,
    pub(crate) attempt: Attempt,
    pub(crate) longest: LongestMessage,
}

impl<S> MakeTlsConnect<S> for Securing
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = PostgresTlsStream<S>;
    type TlsConnect = Handshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Handshake, io::Error> {
        Ok(Handshake {
            host: domain.to_owned(),
            securing: self.clone(),
        })
    }
}

/// What is said before the login, if anything.
pub struct Handshake {
    securing: Securing,
    host: String,
}

impl<S> TlsConnect<S> for Handshake
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = PostgresTlsStream<S>;
    type Error = io::Error;
    type Future = Connecting<S>;

    fn connect(self, stream: S) -> Connecting<S> {
        Connecting(Box::pin(self.secured(stream)))
    }
}

impl Handshake {
    async fn secured<S>(self, stream: S) -> io::Result<PostgresTlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Securing {
            tls,
            attempt,
            longest,
        } = self.securing;
        let socket = match attempt {
            Attempt::Plain => Negotiated::Plain(stream),
            Attempt::TlsWhereOffered | Attempt::Tls => tls.negotiate(stream, &self.host).await?,
        };
        let is_tls = matches!(socket, Negotiated::Tls(_));
        if attempt == Attempt::Tls && !is_tls {
            return Err(io::Error::other(TlsProblem::ServerWithoutTls));
        }
        let watch = tls.watch(is_tls);
        Ok(PostgresTlsStream {
            socket,
            watch,
            messages: MessageWatch::new(longest),
        })
    }
}

type Secured<S> = dyn Future<Output = io::Result<PostgresTlsStream<S>>> + Send;

/// What is under way before the login.
pub struct Connecting<S>(Pin<Box<Secured<S>>>);

impl<S> Future for Connecting<S> {
    type Output = io::Result<PostgresTlsStream<S>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for PostgresTlsStream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let data = match &self.socket {
            Negotiated::Plain(_) => None,
            Negotiated::Tls(stream) => channel_binding(stream),
        };
        data.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for PostgresTlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = match &mut self.socket {
            Negotiated::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Negotiated::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        };
        if matches!(read, Poll::Ready(Ok(())))
            && let Some(come) = buffer.filled().get(before..)
        {
            let after_login = self.watch.see(come).map_err(|refused| match refused {
                LoginRefused::Auth(refused) => {
                    io::Error::new(io::ErrorKind::PermissionDenied, refused)
                }
                LoginRefused::TooLong(_) | LoginRefused::TooMuch => {
                    io::Error::new(io::ErrorKind::InvalidData, refused)
                }
            })?;
            self.messages
                .see(after_login)
                .map_err(|refused| io::Error::new(io::ErrorKind::InvalidData, refused))?;
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for PostgresTlsStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Negotiated::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Negotiated::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Negotiated::Plain(stream) => Pin::new(stream).poll_flush(context),
            Negotiated::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Negotiated::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Negotiated::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
