use crate::reader::Reader;
use crate::{Lsn, ParseError, PgTimestamp};

/// `S`: a block of a transaction that is still open begins; it ends with the next StreamStop. Protocol version 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamStart {
    /// The top-level transaction; the messages in the block name their subtransaction.
    pub xid: u32,
    /// The first block of this transaction.
    pub first_segment: bool,
}

/// `c`: a streamed transaction committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamCommit {
    /// The top-level transaction.
    pub xid: u32,
    /// Always 0 so far.
    pub flags: u8,
    /// Position of the commit record.
    pub commit_lsn: Lsn,
    /// The byte after the commit record: what to confirm when the transaction is durable here.
    pub end_lsn: Lsn,
    /// When the transaction committed.
    pub commit_time: PgTimestamp,
}

/// `A`: a streamed transaction, or one of its subtransactions, rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamAbort {
    /// The top-level transaction.
    pub xid: u32,
    /// What is dropped: a subtransaction, or all of it when equal to `xid`.
    pub subxid: u32,
    /// Position of the abort; protocol version 4 with `streaming 'parallel'` only.
    pub abort_lsn: Option<Lsn>,
    /// When it was aborted; protocol version 4 with `streaming 'parallel'` only.
    pub abort_time: Option<PgTimestamp>,
}

impl StreamStart {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            xid: reader.u32("xid")?,
            first_segment: reader.u8("first segment")? == 1,
        })
    }
}

impl StreamCommit {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            xid: reader.u32("xid")?,
            flags: reader.u8("commit flags")?,
            commit_lsn: reader.lsn("commit lsn")?,
            end_lsn: reader.lsn("transaction end lsn")?,
            commit_time: reader.timestamp("commit time")?,
        })
    }
}

impl StreamAbort {
    /// The two fields of version 4 are told by the message's length: they are both there or both absent.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let xid = reader.u32("xid")?;
        let subxid = reader.u32("subtransaction xid")?;
        let mut abort = Self {
            xid,
            subxid,
            abort_lsn: None,
            abort_time: None,
        };
        if reader.remaining() > 0 {
            abort.abort_lsn = Some(reader.lsn("abort lsn")?);
            abort.abort_time = Some(reader.timestamp("abort time")?);
        }
        Ok(abort)
    }
}
