use std::fmt;

use crate::reader::Reader;
use crate::{Lsn, ParseError};

/// `M`: what `pg_logical_emit_message` wrote; sent with the option `messages 'on'`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The (sub)transaction, inside a stream block only.
    pub xid: Option<u32>,
    /// Comes with its transaction, between Begin and Commit; otherwise as soon as it was written, outside of both,
    /// and even if the transaction is rolled back.
    pub transactional: bool,
    /// Position of the message.
    pub lsn: Lsn,
    /// The first argument.
    pub prefix: &'a str,
    /// The second argument: any bytes.
    pub content: &'a [u8],
}

/// The content is the user's and must not reach a log: only its length is shown.
impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("xid", &self.xid)
            .field("transactional", &self.transactional)
            .field("lsn", &self.lsn)
            .field("prefix", &self.prefix)
            .field("content_bytes", &self.content.len())
            .finish()
    }
}

impl<'a> Message<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>, in_stream: bool) -> Result<Self, ParseError> {
        let xid = reader.stream_xid(in_stream)?;
        let flags = reader.u8("message flags")?;
        let lsn = reader.lsn("message lsn")?;
        let prefix = reader.string("message prefix")?;
        let length = reader.count32("message content length")?;
        Ok(Self {
            xid,
            transactional: flags & 1 != 0,
            lsn,
            prefix,
            content: reader.bytes(length, "message content")?,
        })
    }
}
