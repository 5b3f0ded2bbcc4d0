use bytes::BytesMut;
use postgres_protocol::message::backend::{
    COMMAND_COMPLETE_TAG, COPY_DATA_TAG, COPY_DONE_TAG, ERROR_RESPONSE_TAG, Header, Message,
};

use crate::{Error, ErrorKind};

/// Room for one coalesced read of a Unix socket's buffer.
const INITIAL_CAPACITY: usize = 256 * 1024;

/// PostgreSQL cannot make a message above 1 GiB (`MaxAllocSize`); the headers around it are below a KiB.
const MAX_MESSAGE_BYTES: usize = (1 << 30) + 1024;

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
#[derive(Debug)]
pub(super) struct FrameBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Length of the message at `start` with its header, as far as known.
    wanted: usize,
}

impl FrameBuffer {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; INITIAL_CAPACITY],
            start: 0,
            end: 0,
            wanted: HEADER_BYTES,
        }
    }

    /// Whether `next_frame` would give one.
    pub(super) fn has_frame(&mut self) -> Result<bool, Error> {
        let available = self.bytes.get(self.start..self.end).unwrap_or_default();
        let Some(header) = Header::parse(available).map_err(|error| {
            Error::new(ErrorKind::Protocol, "read a message header").with_source(error)
        })?
        else {
            self.wanted = HEADER_BYTES;
            return Ok(false);
        };
        let length = usize::try_from(header.len()).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE_BYTES {
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("read a message of {length} bytes: more than postgresql can send"),
            ));
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
        let frame = self.bytes.get(from..self.start).and_then(|message| {
            let (&tag, rest) = message.split_first()?;
            Some(Frame {
                tag,
                body: rest.get(4..)?,
            })
        });
        Ok(frame)
    }

    /// Where the next read goes: never empty.
    pub(super) fn spare(&mut self) -> &mut [u8] {
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
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// `count` bytes were read into `spare`.
    pub(super) fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
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
            let spare = buffer.spare();
            let count = chunk.min(bytes.len()).min(spare.len());
            let (now, later) = bytes.split_at(count);
            spare[..count].copy_from_slice(now);
            bytes = later;
            buffer.filled(count);
            while let Some(frame) = buffer.next_frame().expect("valid frames") {
                frames.push((frame.tag, frame.body.to_vec()));
            }
        }
        frames
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
            assert!(feed(&mut buffer, &bytes, chunk) == want, "chunk {chunk}");
        }
    }

    #[test]
    fn a_large_message_does_not_keep_its_memory() {
        let mut buffer = FrameBuffer::new();
        feed(
            &mut buffer,
            &message(b'd', &vec![1; 4 * INITIAL_CAPACITY]),
            usize::MAX,
        );
        feed(&mut buffer, &message(b'd', b"x"), usize::MAX);
        buffer.spare();
        assert_eq!(buffer.bytes.len(), INITIAL_CAPACITY);
    }

    #[test]
    fn impossible_lengths_are_refused() {
        for length in [0_u32, 3, 0x8000_0000, 0x7fff_ffff] {
            let mut buffer = FrameBuffer::new();
            let mut bytes = vec![b'd'];
            bytes.extend_from_slice(&length.to_be_bytes());
            buffer.spare()[..5].copy_from_slice(&bytes);
            buffer.filled(5);
            assert!(buffer.next_frame().is_err(), "{length}");
        }
    }
}
