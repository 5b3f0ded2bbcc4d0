use crate::ParseError;
use crate::reader::Reader;

/// Flags, an empty name's zero byte, type and modifier: what a Relation's column takes at the least.
const SMALLEST_COLUMN_BYTES: usize = 1 + 1 + 4 + 4;

/// `R`: the shape of a table, sent before its first change in a session and again whenever it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation<'a> {
    /// The (sub)transaction, inside a stream block only.
    pub xid: Option<u32>,
    /// OID of the table.
    pub relation_id: u32,
    /// Schema; empty for `pg_catalog`.
    pub namespace: &'a str,
    /// Table name.
    pub name: &'a str,
    /// What the old tuple of an Update or Delete holds.
    pub replica_identity: ReplicaIdentity,
    /// The published columns in the order of the tuples; no generated and no dropped ones.
    pub columns: Vec<RelationColumn<'a>>,
}

/// `pg_class.relreplident`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaIdentity {
    /// `d`: the primary key, if there is one.
    Default,
    /// `n`: nothing; updates and deletes are refused by the publisher.
    Nothing,
    /// `f`: all columns.
    Full,
    /// `i`: a chosen unique index.
    Index,
}

/// A column of a [`Relation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelationColumn<'a> {
    /// Part of the replica identity (with `Full`, every column), which need not be the primary key.
    pub part_of_key: bool,
    /// Column name.
    pub name: &'a str,
    /// OID of the data type.
    pub type_oid: u32,
    /// `pg_attribute.atttypmod`; -1 where the type has none.
    pub type_modifier: i32,
}

/// `Y`: the name of a type that is not built in, sent before the Relation that uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Type<'a> {
    /// The (sub)transaction, inside a stream block only.
    pub xid: Option<u32>,
    /// OID of the type, as in [`RelationColumn::type_oid`]. Of a domain, the domain's own OID with the namespace and
    /// name of its base type.
    pub type_oid: u32,
    /// Schema; empty for `pg_catalog`.
    pub namespace: &'a str,
    /// Type name.
    pub name: &'a str,
}

impl<'a> Relation<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>, in_stream: bool) -> Result<Self, ParseError> {
        Ok(Self {
            xid: reader.stream_xid(in_stream)?,
            relation_id: reader.u32("relation id")?,
            namespace: reader.string("relation namespace")?,
            name: reader.string("relation name")?,
            replica_identity: ReplicaIdentity::read(reader)?,
            columns: read_columns(reader)?,
        })
    }
}

fn read_columns<'a>(reader: &mut Reader<'a>) -> Result<Vec<RelationColumn<'a>>, ParseError> {
    let count = reader.count16("relation column count")?;
    // The count is the sender's word: reserve no more than the bytes at hand can hold.
    let mut columns =
        Vec::with_capacity(usize::from(count).min(reader.remaining() / SMALLEST_COLUMN_BYTES));
    for _ in 0..count {
        columns.push(RelationColumn {
            part_of_key: reader.u8("column flags")? & 1 != 0,
            name: reader.string("column name")?,
            type_oid: reader.u32("column type oid")?,
            type_modifier: reader.i32("column type modifier")?,
        });
    }
    Ok(columns)
}

impl ReplicaIdentity {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ParseError> {
        let (tag, unknown) = reader.tag("replica identity")?;
        match tag {
            b'd' => Ok(Self::Default),
            b'n' => Ok(Self::Nothing),
            b'f' => Ok(Self::Full),
            b'i' => Ok(Self::Index),
            _ => Err(unknown),
        }
    }
}

impl<'a> Type<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>, in_stream: bool) -> Result<Self, ParseError> {
        Ok(Self {
            xid: reader.stream_xid(in_stream)?,
            type_oid: reader.u32("type oid")?,
            namespace: reader.string("type namespace")?,
            name: reader.string("type name")?,
        })
    }
}
