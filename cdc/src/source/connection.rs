//! The replication connection: what tokio-postgres does not offer (`replication=database`, CopyBoth).

mod frame_buffer;
mod scram;
mod socket;
mod startup;
mod transport;
mod ways;

use std::{io, time::Duration};

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::{
    backend::{ERROR_RESPONSE_TAG, Message},
    frontend,
};

use frame_buffer::FrameBuffer;
pub use frame_buffer::{Frame, FrameKind};
pub(crate) use startup::{OUTPUT_SETTINGS, SERVER_ENCODING, SQL_ASCII, UNCONVERTED};
use transport::Transport;

use super::ServerError;
use crate::{Error, ErrorKind};

/// CopyBothResponse: the one message that postgres-protocol does not know.
const COPY_BOTH_RESPONSE_TAG: u8 = b'W';

/// A connection in replication mode, to one database.
#[derive(Debug)]
pub struct ReplicationConnection {
    transport: Transport,
    buffer: FrameBuffer,
    out: BytesMut,
}

/// What a simple query answered: rows of text.
pub type TextRows = Vec<Vec<Option<String>>>;

impl ReplicationConnection {
    /// Whether reading may wait a moment to read more at once: yes while we are behind, no once caught up.
    pub fn set_lagging(&mut self, lagging: bool) {
        self.transport.set_lagging(lagging);
    }

    /// Nobody waits for the socket until the next `fill`: what comes meanwhile wakes nobody.
    pub fn rest(&mut self) {
        self.transport.rest();
    }

    /// Read what is there without waiting, and answer how much that was; 0 is nothing yet.
    ///
    /// # Errors
    /// `Connection` when it is closed or fails.
    pub fn fill_now(&mut self) -> Result<usize, Error> {
        let spare = self.buffer.spare()?;
        match self.transport.read_now(spare).map_err(read_failed)? {
            Some(0) => Err(read_failed(io::ErrorKind::UnexpectedEof.into())),
            Some(count) => {
                self.buffer.filled(count)?;
                Ok(count)
            }
            None => Ok(0),
        }
    }

    /// One read from the socket. Cancel-safe.
    ///
    /// # Errors
    /// `Connection` when it is closed or fails.
    pub async fn fill(&mut self) -> Result<(), Error> {
        let spare = self.buffer.spare()?;
        let count = self.transport.read(spare).await.map_err(read_failed)?;
        if count == 0 {
            return Err(read_failed(io::ErrorKind::UnexpectedEof.into()));
        }
        self.buffer.filled(count)
    }

    /// The next message that is already here.
    ///
    /// # Errors
    /// `Protocol` when the bytes are not a message.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Error> {
        self.buffer.next_frame()
    }

    /// One SQL or replication command by the simple protocol, and the rows of its answer.
    ///
    /// # Errors
    /// The server's error as source, its kind by SQLSTATE.
    pub async fn simple_query(&mut self, sql: &str) -> Result<TextRows, Error> {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out).map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("run `{sql}`")).with_source(error)
        })?;
        self.send(&out).await?;
        let mut rows = Vec::new();
        let mut failed = None;
        loop {
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "all other messages of a server are alike here"
            )]
            match self.next_message().await? {
                Message::DataRow(body) => {
                    let mut row = Vec::new();
                    let mut ranges = body.ranges();
                    while let Some(range) = ranges.next().map_err(|error| {
                        Error::new(ErrorKind::Protocol, format!("read the answer to `{sql}`"))
                            .with_source(error)
                    })? {
                        row.push(range.and_then(|range| {
                            let bytes = body.buffer().get(range)?;
                            Some(String::from_utf8_lossy(bytes).into_owned())
                        }));
                    }
                    rows.push(row);
                }
                Message::ErrorResponse(body) => {
                    let server = ServerError::from_response(&body);
                    let kind = server.kind();
                    failed = Some(server.into_error(kind, format!("run `{sql}`")));
                }
                Message::ReadyForQuery(_) => return failed.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }

    /// The walsender's process.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub(crate) async fn backend_pid(&mut self) -> Result<i32, Error> {
        const SQL: &str = "select pg_catalog.pg_backend_pid()";
        let rows = self.simple_query(SQL).await?;
        let pid = rows
            .first()
            .and_then(|row| row.first()?.as_deref()?.parse().ok());
        pid.ok_or_else(|| {
            Error::new(
                ErrorKind::Protocol,
                format!("run `{SQL}`: the answer is no number"),
            )
        })
    }

    /// START_REPLICATION; afterwards frames are CopyData until the connection ends.
    ///
    /// # Errors
    /// The server's error as source; `SlotLost` when slot or publication cannot serve any more.
    pub async fn start_replication(&mut self, command: &str, slot: &str) -> Result<(), Error> {
        let mut out = BytesMut::new();
        frontend::query(command, &mut out).map_err(|error| {
            Error::new(ErrorKind::Configuration, format!("run `{command}`")).with_source(error)
        })?;
        self.send(&out).await?;
        loop {
            self.wait_frame().await?;
            let Some(frame) = self.buffer.next_frame()? else {
                continue;
            };
            match frame.tag {
                COPY_BOTH_RESPONSE_TAG => return Ok(()),
                ERROR_RESPONSE_TAG => {
                    return Err(streaming_error(
                        frame,
                        format!("start replication on slot `{slot}`"),
                    ));
                }
                _ => {}
            }
        }
    }

    /// Send one CopyData with `payload`.
    ///
    /// # Errors
    /// `Connection` when the socket fails.
    pub async fn send_copy_data(&mut self, payload: &[u8]) -> Result<(), Error> {
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        let result = match frontend::CopyData::new(payload) {
            Ok(frame) => {
                frame.write(&mut out);
                self.send(&out).await
            }
            Err(error) => {
                Err(Error::new(ErrorKind::Protocol, "write a status update").with_source(error))
            }
        };
        self.out = out;
        result
    }

    /// End the copy and the connection. The server has read everything sent before when this returns, or `patience`
    /// is over.
    pub async fn close(mut self, patience: Duration) {
        let farewell = async {
            let mut out = BytesMut::new();
            frontend::copy_done(&mut out);
            self.send(&out).await?;
            // The server answers CopyDone after it has processed what came before it.
            loop {
                self.wait_frame().await?;
                if let Some(frame) = self.buffer.next_frame()?
                    && matches!(frame.tag, b'c' | b'C' | b'Z' | ERROR_RESPONSE_TAG)
                {
                    break;
                }
            }
            out.clear();
            frontend::terminate(&mut out);
            self.send(&out).await
        };
        // Nothing depends on it: what was not confirmed is sent again.
        if let Ok(Err(error)) = tokio::time::timeout(patience, farewell).await {
            tracing::debug!(error = %error, "replication connection closed early");
        }
    }

    /// Say farewell without having streamed.
    pub async fn terminate(mut self) {
        let mut out = BytesMut::new();
        frontend::terminate(&mut out);
        // The server also notices that the socket is closed.
        let _ = self.send(&out).await;
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.transport.write_all(bytes).await.map_err(|error| {
            Error::new(ErrorKind::Connection, "write to the replication connection")
                .with_source(error)
        })
    }

    async fn wait_frame(&mut self) -> Result<(), Error> {
        while !self.buffer.has_frame()? {
            self.fill().await?;
        }
        Ok(())
    }

    async fn next_message(&mut self) -> Result<Message, Error> {
        loop {
            self.wait_frame().await?;
            if let Some(frame) = self.buffer.next_frame()? {
                return frame.message();
            }
        }
    }
}

/// The error in an ErrorResponse that came while streaming.
pub(crate) fn streaming_error(frame: Frame<'_>, attempted: String) -> Error {
    match frame.message() {
        Ok(Message::ErrorResponse(body)) => {
            let server = ServerError::from_response(&body);
            let kind = server.streaming_kind();
            server.into_error(kind, attempted)
        }
        Ok(_) => Error::new(ErrorKind::Protocol, attempted),
        Err(error) => error,
    }
}

fn read_failed(error: io::Error) -> Error {
    Error::new(
        ErrorKind::Connection,
        "read from the replication connection",
    )
    .with_source(error)
}
