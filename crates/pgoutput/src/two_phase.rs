//! Messages of prepared transactions: protocol version 3 with `two_phase 'on'`.

use crate::reader::Reader;
use crate::{Lsn, ParseError, PgTimestamp};

/// `b`: a transaction that was prepared, not yet committed, begins. Protocol version 3 with `two_phase 'on'`, as
/// are the others in this file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BeginPrepare<'a> {
    /// Position of the prepare record.
    pub prepare_lsn: Lsn,
    /// The byte after the prepare record.
    pub end_lsn: Lsn,
    /// When it was prepared.
    pub prepare_time: PgTimestamp,
    /// The transaction's id.
    pub xid: u32,
    /// The name given to PREPARE TRANSACTION.
    pub gid: &'a str,
}

/// `P`: the prepared transaction is complete; whether it commits is told later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prepare<'a> {
    /// Always 0 so far.
    pub flags: u8,
    /// Position of the prepare record.
    pub prepare_lsn: Lsn,
    /// The byte after the prepare record.
    pub end_lsn: Lsn,
    /// When it was prepared.
    pub prepare_time: PgTimestamp,
    /// The transaction's id.
    pub xid: u32,
    /// The name given to PREPARE TRANSACTION.
    pub gid: &'a str,
}

/// `K`: COMMIT PREPARED.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitPrepared<'a> {
    /// Always 0 so far.
    pub flags: u8,
    /// Position of the commit record.
    pub commit_lsn: Lsn,
    /// The byte after the commit record.
    pub end_lsn: Lsn,
    /// When it was committed.
    pub commit_time: PgTimestamp,
    /// The transaction's id.
    pub xid: u32,
    /// The name given to PREPARE TRANSACTION.
    pub gid: &'a str,
}

/// `r`: ROLLBACK PREPARED.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollbackPrepared<'a> {
    /// Always 0 so far.
    pub flags: u8,
    /// The byte after the prepare record.
    pub prepare_end_lsn: Lsn,
    /// The byte after the rollback record.
    pub rollback_end_lsn: Lsn,
    /// When it was prepared.
    pub prepare_time: PgTimestamp,
    /// When it was rolled back.
    pub rollback_time: PgTimestamp,
    /// The transaction's id.
    pub xid: u32,
    /// The name given to PREPARE TRANSACTION.
    pub gid: &'a str,
}

/// `p`: a streamed transaction was prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPrepare<'a> {
    /// Always 0 so far.
    pub flags: u8,
    /// Position of the prepare record.
    pub prepare_lsn: Lsn,
    /// The byte after the prepare record.
    pub end_lsn: Lsn,
    /// When it was prepared.
    pub prepare_time: PgTimestamp,
    /// The transaction's id.
    pub xid: u32,
    /// The name given to PREPARE TRANSACTION.
    pub gid: &'a str,
}

impl<'a> BeginPrepare<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        Ok(Self {
            prepare_lsn: reader.lsn("prepare lsn")?,
            end_lsn: reader.lsn("prepare end lsn")?,
            prepare_time: reader.timestamp("prepare time")?,
            xid: reader.u32("xid")?,
            gid: reader.string("gid")?,
        })
    }
}

impl<'a> Prepare<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        Ok(Self {
            flags: reader.u8("prepare flags")?,
            prepare_lsn: reader.lsn("prepare lsn")?,
            end_lsn: reader.lsn("prepare end lsn")?,
            prepare_time: reader.timestamp("prepare time")?,
            xid: reader.u32("xid")?,
            gid: reader.string("gid")?,
        })
    }
}

impl<'a> CommitPrepared<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        Ok(Self {
            flags: reader.u8("commit flags")?,
            commit_lsn: reader.lsn("commit lsn")?,
            end_lsn: reader.lsn("commit end lsn")?,
            commit_time: reader.timestamp("commit time")?,
            xid: reader.u32("xid")?,
            gid: reader.string("gid")?,
        })
    }
}

impl<'a> RollbackPrepared<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        Ok(Self {
            flags: reader.u8("rollback flags")?,
            prepare_end_lsn: reader.lsn("prepare end lsn")?,
            rollback_end_lsn: reader.lsn("rollback end lsn")?,
            prepare_time: reader.timestamp("prepare time")?,
            rollback_time: reader.timestamp("rollback time")?,
            xid: reader.u32("xid")?,
            gid: reader.string("gid")?,
        })
    }
}

impl<'a> StreamPrepare<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        Ok(Self {
            flags: reader.u8("prepare flags")?,
            prepare_lsn: reader.lsn("prepare lsn")?,
            end_lsn: reader.lsn("prepare end lsn")?,
            prepare_time: reader.timestamp("prepare time")?,
            xid: reader.u32("xid")?,
            gid: reader.string("gid")?,
        })
    }
}
