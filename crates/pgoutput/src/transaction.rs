use crate::reader::Reader;
use crate::{Lsn, ParseError, PgTimestamp};

/// `B`: a committed transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begin {
    /// Position of the transaction's commit record; equal to its [`Commit::commit_lsn`].
    pub final_lsn: Lsn,
    /// When the transaction committed.
    pub commit_time: PgTimestamp,
    /// The transaction's id (32 bits, without the epoch).
    pub xid: u32,
}

/// `C`: the transaction is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// Always 0 so far.
    pub flags: u8,
    /// Position of the commit record.
    pub commit_lsn: Lsn,
    /// The byte after the commit record: what to confirm when the transaction is durable here.
    pub end_lsn: Lsn,
    /// When the transaction committed.
    pub commit_time: PgTimestamp,
}

/// `O`: the transaction was replicated into this server from another one. Never carries an xid, not even inside a
/// stream block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The commit position on the origin server; [`Lsn::INVALID`] inside a stream block.
    pub origin_lsn: Lsn,
    /// The replication origin's name.
    pub name: &'a str,
}

impl Begin {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            final_lsn: reader.lsn("final lsn")?,
            commit_time: reader.timestamp("commit time")?,
            xid: reader.u32("xid")?,
        })
    }
}

impl Commit {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        Ok(Self {
            flags: reader.u8("commit flags")?,
            commit_lsn: reader.lsn("commit lsn")?,
            end_lsn: reader.lsn("transaction end lsn")?,
            commit_time: reader.timestamp("commit time")?,
        })
    }
}

impl<'a> Origin<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        Ok(Self {
            origin_lsn: reader.lsn("origin lsn")?,
            name: reader.string("origin name")?,
        })
    }
}
