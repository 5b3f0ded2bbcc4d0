//! What a walsender puts into CopyData frames; PostgreSQL manual, "Streaming Replication Protocol".

use std::fmt;

use crate::reader::Reader;
use crate::{Lsn, ParseError, PgTimestamp};

/// What a walsender puts into a CopyData frame; PostgreSQL manual, "Streaming Replication Protocol".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicationMessage<'a> {
    /// `w`: a piece of the stream.
    XLogData(XLogData<'a>),
    /// `k`: a sign of life, with the position the server has reached.
    PrimaryKeepalive(PrimaryKeepalive),
}

/// A piece of the replication stream; in logical replication, exactly one message of the output plugin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct XLogData<'a> {
    /// Where the data begins. pgoutput leaves it [`Lsn::INVALID`] on a message that is followed by another for the
    /// same WAL record, as a Relation is by its Insert.
    pub wal_start: Lsn,
    /// As `wal_start` in logical replication, despite the manual's "current end of WAL on the server".
    pub wal_end: Lsn,
    /// The server's clock when it sent this.
    pub sent_at: PgTimestamp,
    /// Input for [`crate::PgOutputMessage::parse`].
    pub data: &'a [u8],
}

/// The data is rows of users' tables and must not reach a log: only its length is shown.
impl fmt::Debug for XLogData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XLogData")
            .field("wal_start", &self.wal_start)
            .field("wal_end", &self.wal_end)
            .field("sent_at", &self.sent_at)
            .field("data_bytes", &self.data.len())
            .finish()
    }
}

/// The server's sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrimaryKeepalive {
    /// Everything before this position has been decoded and, where it concerned us, sent.
    pub wal_end: Lsn,
    /// The server's clock when it sent this.
    pub sent_at: PgTimestamp,
    /// The server closes the connection at `wal_sender_timeout` unless it is answered at once.
    pub reply_requested: bool,
}

impl<'a> ReplicationMessage<'a> {
    /// Reads the payload of one CopyData frame.
    ///
    /// # Errors
    /// An unknown type byte, a header that is cut short, or bytes after a keepalive.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(payload);
        let (tag, unknown) = reader.tag("replication message type")?;
        match tag {
            b'w' => Ok(Self::XLogData(XLogData {
                wal_start: reader.lsn("wal start")?,
                wal_end: reader.lsn("wal end")?,
                sent_at: reader.timestamp("send time")?,
                data: reader.rest(),
            })),
            b'k' => {
                let keepalive = PrimaryKeepalive {
                    wal_end: reader.lsn("wal end")?,
                    sent_at: reader.timestamp("send time")?,
                    reply_requested: reader.u8("reply request")? != 0,
                };
                reader.finish("PrimaryKeepalive")?;
                Ok(Self::PrimaryKeepalive(keepalive))
            }
            _ => Err(unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[u8] =
        b"w\0\0\0\x16\xB3\x74\xD8\x48\0\0\0\x16\xB3\x74\xD8\x49\0\0\0\0\0\0\0\x07";

    #[test]
    fn xlog_data_carries_the_rest_of_the_frame() {
        let frame = [HEADER, b"body"].concat();
        assert_eq!(
            ReplicationMessage::parse(&frame),
            Ok(ReplicationMessage::XLogData(XLogData {
                wal_start: Lsn(0x16_B374_D848),
                wal_end: Lsn(0x16_B374_D849),
                sent_at: PgTimestamp(7),
                data: b"body",
            }))
        );
    }

    #[test]
    fn keepalive_ends_with_the_reply_request() {
        let frame = b"k\0\0\0\0\0\0\0\x05\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01";
        assert_eq!(
            ReplicationMessage::parse(frame),
            Ok(ReplicationMessage::PrimaryKeepalive(PrimaryKeepalive {
                wal_end: Lsn(5),
                sent_at: PgTimestamp(-1),
                reply_requested: true,
            }))
        );
        assert_eq!(
            ReplicationMessage::parse(&[frame.as_slice(), b"\0"].concat()),
            Err(ParseError::TrailingBytes {
                message: "PrimaryKeepalive",
                offset: 18,
                count: 1
            })
        );
    }

    #[test]
    fn damaged_frames_say_what_is_missing() {
        let end = |reading, offset| ParseError::UnexpectedEnd { reading, offset };
        for (frame, error) in [
            (&b""[..], end("replication message type", 0)),
            (b"w\0\0", end("wal start", 1)),
            (&HEADER[..16], end("wal end", 9)),
            (&HEADER[..24], end("send time", 17)),
            (b"k\0\0\0\0\0\0\0\0", end("send time", 9)),
            (
                b"x",
                ParseError::UnknownTag {
                    reading: "replication message type",
                    tag: b'x',
                    offset: 0,
                },
            ),
        ] {
            assert_eq!(
                ReplicationMessage::parse(frame),
                Err(error),
                "{}",
                frame.escape_ascii()
            );
        }
    }

    #[test]
    fn debug_output_shows_no_row_data() {
        let frame = [HEADER, b"secret"].concat();
        let shown = format!("{:?}", ReplicationMessage::parse(&frame));
        assert!(shown.contains("data_bytes: 6"), "{shown}");
    }
}
