use crate::reader::Reader;
use crate::{
    Begin, BeginPrepare, Commit, CommitPrepared, Delete, Insert, Message, Origin, ParseError,
    Prepare, Relation, RollbackPrepared, StreamAbort, StreamCommit, StreamPrepare, StreamStart,
    Truncate, TupleData, Type, Update,
};

/// One message of the `pgoutput` plugin; PostgreSQL manual, "Logical Replication Message Formats".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PgOutputMessage<'a> {
    /// A committed transaction begins.
    Begin(Begin),
    /// A transaction is complete.
    Commit(Commit),
    /// The transaction came from another server.
    Origin(Origin<'a>),
    /// The shape of a table.
    Relation(Relation<'a>),
    /// The name of a type that is not built in.
    Type(Type<'a>),
    /// A row was inserted.
    Insert(Insert<'a>),
    /// A row was updated.
    Update(Update<'a>),
    /// A row was deleted.
    Delete(Delete<'a>),
    /// Tables were emptied.
    Truncate(Truncate),
    /// `pg_logical_emit_message`.
    Message(Message<'a>),
    /// A block of an open transaction begins: `in_stream` from here on.
    StreamStart(StreamStart),
    /// The block ends: no longer `in_stream`.
    StreamStop,
    /// A streamed transaction committed.
    StreamCommit(StreamCommit),
    /// A streamed (sub)transaction rolled back.
    StreamAbort(StreamAbort),
    /// A prepared transaction begins.
    BeginPrepare(BeginPrepare<'a>),
    /// A prepared transaction is complete.
    Prepare(Prepare<'a>),
    /// COMMIT PREPARED.
    CommitPrepared(CommitPrepared<'a>),
    /// ROLLBACK PREPARED.
    RollbackPrepared(RollbackPrepared<'a>),
    /// A streamed transaction was prepared.
    StreamPrepare(StreamPrepare<'a>),
}

impl<'a> PgOutputMessage<'a> {
    /// The table of a row that was inserted, updated or deleted; None of every other message.
    #[inline]
    pub const fn row_relation(&self) -> Option<u32> {
        match self {
            Self::Insert(insert) => Some(insert.relation_id),
            Self::Update(update) => Some(update.relation_id),
            Self::Delete(delete) => Some(delete.relation_id),
            Self::Begin(_)
            | Self::Commit(_)
            | Self::Origin(_)
            | Self::Relation(_)
            | Self::Type(_)
            | Self::Truncate(_)
            | Self::Message(_)
            | Self::StreamStart(_)
            | Self::StreamStop
            | Self::StreamCommit(_)
            | Self::StreamAbort(_)
            | Self::BeginPrepare(_)
            | Self::Prepare(_)
            | Self::CommitPrepared(_)
            | Self::RollbackPrepared(_)
            | Self::StreamPrepare(_) => None,
        }
    }

    /// The row as it is after the change; None of what leaves no row behind.
    #[inline]
    pub const fn new_row(&self) -> Option<TupleData<'a>> {
        let (Self::Insert(Insert { new, .. }) | Self::Update(Update { new, .. })) = self else {
            return None;
        };
        Some(*new)
    }

    /// Reads the `data` of one XLogData.
    ///
    /// `in_stream` says that the last StreamStart has had no StreamStop yet. The bytes do not tell: in there,
    /// Relation, Type, Insert, Update, Delete, Truncate and Message have an xid before their other fields.
    /// Insert, Update and Delete are read without allocating.
    ///
    /// # Errors
    /// The bytes are not exactly one message of protocol versions 1 to 4.
    pub fn parse(data: &'a [u8], in_stream: bool) -> Result<Self, ParseError> {
        let mut reader = Reader::new(data);
        let r = &mut reader;
        let (tag, unknown) = r.tag("pgoutput message type")?;
        let (message, name) = match tag {
            b'I' => (Self::Insert(Insert::read(r, in_stream)?), "Insert"),
            b'U' => (Self::Update(Update::read(r, in_stream)?), "Update"),
            b'D' => (Self::Delete(Delete::read(r, in_stream)?), "Delete"),
            b'B' => (Self::Begin(Begin::read(r)?), "Begin"),
            b'C' => (Self::Commit(Commit::read(r)?), "Commit"),
            b'O' => (Self::Origin(Origin::read(r)?), "Origin"),
            b'R' => (Self::Relation(Relation::read(r, in_stream)?), "Relation"),
            b'Y' => (Self::Type(Type::read(r, in_stream)?), "Type"),
            b'T' => (Self::Truncate(Truncate::read(r, in_stream)?), "Truncate"),
            b'M' => (Self::Message(Message::read(r, in_stream)?), "Message"),
            b'S' => (Self::StreamStart(StreamStart::read(r)?), "StreamStart"),
            b'E' => (Self::StreamStop, "StreamStop"),
            b'c' => (Self::StreamCommit(StreamCommit::read(r)?), "StreamCommit"),
            b'A' => (Self::StreamAbort(StreamAbort::read(r)?), "StreamAbort"),
            b'b' => (Self::BeginPrepare(BeginPrepare::read(r)?), "BeginPrepare"),
            b'P' => (Self::Prepare(Prepare::read(r)?), "Prepare"),
            b'K' => (
                Self::CommitPrepared(CommitPrepared::read(r)?),
                "CommitPrepared",
            ),
            b'r' => (
                Self::RollbackPrepared(RollbackPrepared::read(r)?),
                "RollbackPrepared",
            ),
            b'p' => (
                Self::StreamPrepare(StreamPrepare::read(r)?),
                "StreamPrepare",
            ),
            _ => return Err(unknown),
        };
        reader.finish(name)?;
        Ok(message)
    }
}
