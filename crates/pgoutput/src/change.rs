use crate::reader::Reader;
use crate::{ParseError, TupleData};

const OLD_OR_NEW: &str = "tuple role";
const RELATION_ID: &str = "relation id";

/// `I`: a row was inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insert<'a> {
    /// The (sub)transaction, inside a stream block only.
    pub xid: Option<u32>,
    /// OID of the table; its Relation came before.
    pub relation_id: u32,
    /// The row.
    pub new: TupleData<'a>,
}

/// `U`: a row was updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update<'a> {
    /// The (sub)transaction, inside a stream block only.
    pub xid: Option<u32>,
    /// OID of the table; its Relation came before.
    pub relation_id: u32,
    /// What the WAL holds of the row before the update.
    pub old: OldTuple<'a>,
    /// The row after the update.
    pub new: TupleData<'a>,
}

/// `D`: a row was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delete<'a> {
    /// The (sub)transaction, inside a stream block only.
    pub xid: Option<u32>,
    /// OID of the table; its Relation came before.
    pub relation_id: u32,
    /// What the WAL holds of the row; never [`OldTuple::None`].
    pub old: OldTuple<'a>,
}

/// What the WAL holds of a row before its change; which one follows from the table's replica identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldTuple<'a> {
    /// An update that left the key as it was.
    None,
    /// `K`: the key columns; the others are [`crate::TupleColumn::Null`].
    Key(TupleData<'a>),
    /// `O`: the whole row.
    Full(TupleData<'a>),
}

/// `T`: tables were emptied by one TRUNCATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truncate {
    /// The (sub)transaction, inside a stream block only.
    pub xid: Option<u32>,
    /// `TRUNCATE .. CASCADE`; `relation_ids` already has the published tables it cascaded to.
    pub cascade: bool,
    /// `TRUNCATE .. RESTART IDENTITY`.
    pub restart_identity: bool,
    /// OIDs of the tables; their Relations came before.
    pub relation_ids: Vec<u32>,
}

impl<'a> Insert<'a> {
    #[inline]
    pub(crate) fn read(reader: &mut Reader<'a>, in_stream: bool) -> Result<Self, ParseError> {
        let xid = reader.stream_xid(in_stream)?;
        let relation_id = reader.u32(RELATION_ID)?;
        let (tag, unknown) = reader.tag(OLD_OR_NEW)?;
        if tag != b'N' {
            return Err(unknown);
        }
        Ok(Self {
            xid,
            relation_id,
            new: TupleData::read(reader)?,
        })
    }
}

impl<'a> Update<'a> {
    #[inline]
    pub(crate) fn read(reader: &mut Reader<'a>, in_stream: bool) -> Result<Self, ParseError> {
        let xid = reader.stream_xid(in_stream)?;
        let relation_id = reader.u32(RELATION_ID)?;
        let (mut tag, mut unknown) = reader.tag(OLD_OR_NEW)?;
        let mut old = OldTuple::None;
        if tag != b'N' {
            old = OldTuple::read(tag, unknown, reader)?;
            (tag, unknown) = reader.tag(OLD_OR_NEW)?;
        }
        if tag != b'N' {
            return Err(unknown);
        }
        Ok(Self {
            xid,
            relation_id,
            old,
            new: TupleData::read(reader)?,
        })
    }
}

impl<'a> Delete<'a> {
    #[inline]
    pub(crate) fn read(reader: &mut Reader<'a>, in_stream: bool) -> Result<Self, ParseError> {
        let xid = reader.stream_xid(in_stream)?;
        let relation_id = reader.u32(RELATION_ID)?;
        let (tag, unknown) = reader.tag(OLD_OR_NEW)?;
        Ok(Self {
            xid,
            relation_id,
            old: OldTuple::read(tag, unknown, reader)?,
        })
    }
}

impl<'a> OldTuple<'a> {
    #[inline]
    fn read(tag: u8, unknown: ParseError, reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        match tag {
            b'K' => TupleData::read(reader).map(Self::Key),
            b'O' => TupleData::read(reader).map(Self::Full),
            _ => Err(unknown),
        }
    }
}

impl Truncate {
    pub(crate) fn read(reader: &mut Reader<'_>, in_stream: bool) -> Result<Self, ParseError> {
        let xid = reader.stream_xid(in_stream)?;
        let count = reader.count32("truncated relation count")?;
        // PostgreSQL's own subscriber takes no notice of the other bits either.
        let options = reader.u8("truncate options")?;
        // The count is the sender's word: reserve no more than the bytes at hand can hold.
        let mut relation_ids = Vec::with_capacity(count.min(reader.remaining() / 4));
        for _ in 0..count {
            relation_ids.push(reader.u32("truncated relation id")?);
        }
        Ok(Self {
            xid,
            cascade: options & 1 != 0,
            restart_identity: options & 2 != 0,
            relation_ids,
        })
    }
}
