//! Takes the server's messages out of the bytes that were read, in place.
//!
//! A message is handed out whole or not at all, and is borrowed from the buffer until the next one is asked for. A
//! length that cannot be is an error before anything is allocated for it.

use bytes::BytesMut;
use postgres_protocol::message::backend::{
    COMMAND_COMPLETE_TAG, COPY_DATA_TAG, COPY_DONE_TAG, ERROR_RESPONSE_TAG, Header, Message,
    NOTICE_RESPONSE_TAG,
};

use crate::{Error, ErrorKind, error::defect};

/// Room for one coalesced read of a Unix socket's buffer.
const INITIAL_CAPACITY: usize = 256 * 1024;

/// PostgreSQL cannot make a message above 1 GiB (`MaxAllocSize`); the headers around it are below a KiB.
const MAX_MESSAGE_BYTES: usize = (1 << 30) + 1024;

/// An ErrorResponse or a notice is read to be told; a server that sends more than this wants to fill the memory.
const MAX_TOLD_BYTES: usize = 1 << 20;

/// libpq's bound for a message of the login. Nobody knows then who the server is.
const MAX_LOGIN_MESSAGE_BYTES: usize = 30_000;

/// All of a login: its settings and notices are some kilobytes.
const MAX_LOGIN_BYTES: usize = 1 << 20;

/// Type byte and length.
const HEADER_BYTES: usize = 5;

/// One message of the server, still in the read buffer.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub tag: u8,
    /// What follows the length.
    pub body: &'a [u8],
}

/// What a message is to a reader of the replication stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A piece of the stream.
    CopyData,
    /// ErrorResponse.
    Error,
    /// The server sends no more of the stream.
    EndOfStream,
    /// Notices and changed settings.
    Other,
}

impl Frame<'_> {
    #[inline]
    pub const fn kind(&self) -> FrameKind {
        match self.tag {
            COPY_DATA_TAG => FrameKind::CopyData,
            ERROR_RESPONSE_TAG => FrameKind::Error,
            COPY_DONE_TAG | COMMAND_COMPLETE_TAG => FrameKind::EndOfStream,
            _ => FrameKind::Other,
        }
    }

    /// The message, copied out; for everything but the hot path.
    pub(super) fn message(self) -> Result<Message, Error> {
        let mut bytes = BytesMut::with_capacity(HEADER_BYTES + self.body.len());
        bytes.extend_from_slice(&[self.tag]);
        // A frame's length passed `MAX_MESSAGE_BYTES`.
        bytes.extend_from_slice(&((self.body.len() + 4) as u32).to_be_bytes());
        bytes.extend_from_slice(self.body);
        match Message::parse(&mut bytes) {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(Error::new(
                ErrorKind::Protocol,
                "read a message of the server: it ends too early",
            )),
            Err(error) => Err(
                Error::new(ErrorKind::Protocol, "read a message of the server").with_source(error),
            ),
        }
    }
}

/// Bytes read from the socket and not yet handed out: `bytes[start..end]`. It grows to the largest message and
/// shrinks again once that is gone.
///
/// Invariant: `start <= end <= bytes.len()`. What breaks it would lose bytes of the stream, or read them twice.
#[derive(Debug)]
pub(super) struct FrameBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Length of the message at `start` with its header, as far as known.
    wanted: usize,
    /// How many bytes the login may still have; None once it is over.
    login: Option<usize>,
}

impl FrameBuffer {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; INITIAL_CAPACITY],
            start: 0,
            end: 0,
            wanted: HEADER_BYTES,
            login: Some(MAX_LOGIN_BYTES),
        }
    }

    /// The server is ready: messages may be as long as rows are.
    pub(super) fn login_is_over(&mut self) {
        self.login = None;
    }

    /// Whether `next_frame` would give one.
    pub(super) fn has_frame(&mut self) -> Result<bool, Error> {
        let available = match self.bytes.get(self.start..self.end) {
            Some(available) => available,
            None => return Err(self.broken("what was read lies within the buffer")),
        };
        let Some(header) = Header::parse(available).map_err(|error| {
            Error::new(ErrorKind::Protocol, "read a message header").with_source(error)
        })?
        else {
            self.wanted = HEADER_BYTES;
            return Ok(false);
        };
        let length = usize::try_from(header.len()).unwrap_or(usize::MAX);
        let longest = match (self.login, header.tag()) {
            (Some(left), _) => MAX_LOGIN_MESSAGE_BYTES.min(left),
            (None, ERROR_RESPONSE_TAG | NOTICE_RESPONSE_TAG) => MAX_TOLD_BYTES,
            (None, _) => MAX_MESSAGE_BYTES,
        };
        if length > longest {
            let (what, hint) = match self.login {
                Some(_) => (
                    "before it has let us in: more than any PostgreSQL server sends",
                    "check host and port: this may not be PostgreSQL",
                ),
                None => (
                    "which is more than PostgreSQL sends in one of its kind",
                    "check what is between this connector and the server",
                ),
            };
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("read a message of the server of {length} bytes, {what}"),
            )
            .with_hint(hint));
        }
        self.wanted = length + 1;
        Ok(available.len() >= self.wanted)
    }

    /// The next whole message; None until more was read.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame<'_>>, Error> {
        if !self.has_frame()? {
            return Ok(None);
        }
        let from = self.start;
        self.start += self.wanted;
        if let Some(left) = &mut self.login {
            *left = left.saturating_sub(self.wanted);
        }
        let frame = self.bytes.get(from..self.start).and_then(|message| {
            let (&tag, rest) = message.split_first()?;
            Some(Frame {
                tag,
                body: rest.get(4..)?,
            })
        });
        match frame {
            Some(frame) => Ok(Some(frame)),
            // None would say that it is not there yet.
            None => Err(self.broken("a message that was read whole has its type and its length")),
        }
    }

    fn broken(&self, rule: &str) -> Error {
        let Self {
            start, end, wanted, ..
        } = self;
        let length = self.bytes.len();
        defect(
            rule,
            format_args!("{start}..{end} of {length}, {wanted} wanted"),
        )
    }

    /// Where the next read goes: never empty, or the read would tell that the connection has ended.
    pub(super) fn spare(&mut self) -> Result<&mut [u8], Error> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.bytes.len() > INITIAL_CAPACITY && self.wanted <= INITIAL_CAPACITY {
                self.bytes.truncate(INITIAL_CAPACITY);
                self.bytes.shrink_to_fit();
            }
        }
        if self.start + self.wanted.max(HEADER_BYTES) > self.bytes.len()
            || self.end == self.bytes.len()
        {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.wanted > self.bytes.len() || self.end == self.bytes.len() {
                let size = self.wanted.max(self.bytes.len() + 1).next_power_of_two();
                self.bytes.resize(size, 0);
            }
        }
        if self.end >= self.bytes.len() {
            return Err(self.broken("there is room for the next read"));
        }
        let (_, spare) = self.bytes.split_at_mut(self.end);
        Ok(spare)
    }

    /// `count` bytes were read into `spare`.
    pub(super) fn filled(&mut self, count: usize) -> Result<(), Error> {
        self.end += count;
        if self.end > self.bytes.len() {
            return Err(self.broken("no more was read than there was room for"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend_from_slice(&((body.len() + 4) as u32).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    fn feed(buffer: &mut FrameBuffer, mut bytes: &[u8], chunk: usize) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let spare = buffer.spare().expect("room");
            let count = chunk.min(bytes.len()).min(spare.len());
            let (now, later) = bytes.split_at(count);
            spare[..count].copy_from_slice(now);
            bytes = later;
            buffer.filled(count).expect("it fitted");
            while let Some(frame) = buffer.next_frame().expect("valid frames") {
                frames.push((frame.tag, frame.body.to_vec()));
            }
        }
        frames
    }

    /// Whether all of it is taken, and by how much the buffer grew.
    fn taken(buffer: &mut FrameBuffer, bytes: &[u8]) -> bool {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let spare = buffer.spare().expect("room");
            let (now, later) = bytes.split_at(spare.len().min(bytes.len()).min(4096));
            spare[..now.len()].copy_from_slice(now);
            bytes = later;
            buffer.filled(now.len()).expect("it fitted");
            loop {
                match buffer.next_frame() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => return false,
                }
            }
            assert!(buffer.bytes.len() <= 4 * INITIAL_CAPACITY);
        }
        true
    }

    #[test]
    fn a_server_that_is_no_postgresql_fills_no_memory() {
        let head = |tag: u8, length: u32| [&[tag], length.to_be_bytes().as_slice()].concat();
        for bytes in [
            head(b'E', 0x7fff_ffff),
            head(b'R', 0x7fff_ffff),
            head(b'S', 30_001),
            message(b'S', &[b'x'; 20_000]).repeat(100),
            message(b'N', b"").repeat(1 << 18),
        ] {
            assert!(!taken(&mut FrameBuffer::new(), &bytes), "{:?}", &bytes[..5]);
        }
        let mut buffer = FrameBuffer::new();
        assert!(taken(&mut buffer, &message(b'S', &[b'x'; 20_000])));
        buffer.login_is_over();
        assert!(taken(&mut buffer, &message(b'D', &[0; 40_000]).repeat(50)));
        assert!(!taken(&mut buffer, &head(b'E', 200 << 20)));
    }

    #[test]
    fn frames_survive_any_split() {
        let big = vec![7_u8; 3 * INITIAL_CAPACITY];
        let mut bytes = Vec::new();
        let mut want = Vec::new();
        for (tag, body) in [
            (b'd', &b"abc"[..]),
            (b'Z', &b""[..]),
            (b'd', &big[..]),
            (b'd', &b"tail"[..]),
        ] {
            bytes.extend(message(tag, body));
            want.push((tag, body.to_vec()));
        }
        for chunk in [1, 2, 5, 4096, usize::MAX] {
            let mut buffer = FrameBuffer::new();
            buffer.login_is_over();
            assert!(feed(&mut buffer, &bytes, chunk) == want, "chunk {chunk}");
        }
    }

    #[test]
    fn a_large_message_does_not_keep_its_memory() {
        let mut buffer = FrameBuffer::new();
        buffer.login_is_over();
        feed(
            &mut buffer,
            &message(b'd', &vec![1; 4 * INITIAL_CAPACITY]),
            usize::MAX,
        );
        feed(&mut buffer, &message(b'd', b"x"), usize::MAX);
        buffer.spare().expect("room");
        assert_eq!(buffer.bytes.len(), INITIAL_CAPACITY);
    }

    #[test]
    fn impossible_lengths_are_refused() {
        for length in [0_u32, 3, 0x8000_0000, 0x7fff_ffff] {
            let mut buffer = FrameBuffer::new();
            let mut bytes = vec![b'd'];
            bytes.extend_from_slice(&length.to_be_bytes());
            buffer.spare().expect("room")[..5].copy_from_slice(&bytes);
            buffer.filled(5).expect("it fitted");
            assert!(buffer.next_frame().is_err(), "{length}");
        }
    }

    #[test]
    fn more_bytes_than_there_was_room_for_halt() {
        let mut buffer = FrameBuffer::new();
        let room = buffer.spare().expect("room").len();
        let error = buffer.filled(room + 1).expect_err("no room");
        assert_eq!(error.kind(), ErrorKind::Defect);
        for error in [buffer.has_frame().err(), buffer.spare().err()] {
            assert_eq!(error.map(|it| it.kind()), Some(ErrorKind::Defect));
        }
    }
}
