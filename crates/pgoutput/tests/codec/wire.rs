//! Messages written as the manual describes them, independently of the parser, and strategies that make them up.
//!
//! `Fields` appends the manual's primitive types; a `Described` is a message as bytes, with what parsing must give.

use pgoutput::{
    Begin, BeginPrepare, Commit, CommitPrepared, Lsn, PgTimestamp, Prepare, RelationColumn,
    ReplicaIdentity, RollbackPrepared, StreamAbort, StreamCommit, StreamPrepare, StreamStart,
};
use proptest::prelude::*;

#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    Null,
    Unchanged,
    Text(Vec<u8>),
    Binary(Vec<u8>),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Old {
    None,
    Key(Vec<Column>),
    Full(Vec<Column>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct OwnedColumn {
    pub part_of_key: bool,
    pub name: String,
    pub type_oid: u32,
    pub type_modifier: i32,
}

impl From<&RelationColumn<'_>> for OwnedColumn {
    fn from(c: &RelationColumn<'_>) -> Self {
        Self {
            part_of_key: c.part_of_key,
            name: c.name.to_owned(),
            type_oid: c.type_oid,
            type_modifier: c.type_modifier,
        }
    }
}

/// A message that owns its parts. Those with a gid keep it beside the borrowing struct, whose own gid is empty.
#[derive(Debug, Clone, PartialEq)]
pub enum Description {
    Begin(Begin),
    Commit(Commit),
    Origin(Lsn, String),
    Relation(
        Option<u32>,
        u32,
        String,
        String,
        ReplicaIdentity,
        Vec<OwnedColumn>,
    ),
    Type(Option<u32>, u32, String, String),
    Insert(Option<u32>, u32, Vec<Column>),
    Update(Option<u32>, u32, Old, Vec<Column>),
    Delete(Option<u32>, u32, Old),
    Truncate(Option<u32>, bool, bool, Vec<u32>),
    Message(Option<u32>, bool, Lsn, String, Vec<u8>),
    StreamStart(StreamStart),
    StreamStop,
    StreamCommit(StreamCommit),
    StreamAbort(StreamAbort),
    BeginPrepare(BeginPrepare<'static>, String),
    Prepare(Prepare<'static>, String),
    CommitPrepared(CommitPrepared<'static>, String),
    RollbackPrepared(RollbackPrepared<'static>, String),
    StreamPrepare(StreamPrepare<'static>, String),
}

#[derive(Default)]
struct Fields(Vec<u8>);

impl Fields {
    fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }
    fn int16(mut self, value: usize) -> Self {
        let value = i16::try_from(value).expect("fits an Int16");
        self.0.extend(value.to_be_bytes());
        self
    }
    fn int32(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }
    fn xid(self, xid: Option<u32>) -> Self {
        match xid {
            Some(xid) => self.int32(xid),
            None => self,
        }
    }
    fn lsn(mut self, lsn: Lsn) -> Self {
        self.0.extend(lsn.0.to_be_bytes());
        self
    }
    fn time(mut self, time: PgTimestamp) -> Self {
        self.0.extend(time.0.to_be_bytes());
        self
    }
    fn string(mut self, text: &str) -> Self {
        self.0.extend(text.bytes());
        self.byte(0)
    }
    fn counted(mut self, bytes: &[u8]) -> Self {
        self = self.int32(u32::try_from(bytes.len()).expect("fits an Int32"));
        self.0.extend(bytes);
        self
    }
    fn tuple(self, columns: &[Column]) -> Self {
        columns
            .iter()
            .fold(self.int16(columns.len()), |fields, column| match column {
                Column::Null => fields.byte(b'n'),
                Column::Unchanged => fields.byte(b'u'),
                Column::Text(value) => fields.byte(b't').counted(value),
                Column::Binary(value) => fields.byte(b'b').counted(value),
            })
    }
    fn old(self, old: &Old) -> Self {
        match old {
            Old::None => self,
            Old::Key(columns) => self.byte(b'K').tuple(columns),
            Old::Full(columns) => self.byte(b'O').tuple(columns),
        }
    }
}

impl Description {
    pub fn encode(&self) -> Vec<u8> {
        let f = Fields::default();
        let fields = match self {
            Self::Begin(m) => f
                .byte(b'B')
                .lsn(m.final_lsn)
                .time(m.commit_time)
                .int32(m.xid),
            Self::Commit(m) => f
                .byte(b'C')
                .byte(m.flags)
                .lsn(m.commit_lsn)
                .lsn(m.end_lsn)
                .time(m.commit_time),
            Self::Origin(lsn, name) => f.byte(b'O').lsn(*lsn).string(name),
            Self::Relation(xid, id, namespace, name, identity, columns) => {
                let identity = match identity {
                    ReplicaIdentity::Default => b'd',
                    ReplicaIdentity::Nothing => b'n',
                    ReplicaIdentity::Full => b'f',
                    ReplicaIdentity::Index => b'i',
                };
                let head = f.byte(b'R').xid(*xid).int32(*id).string(namespace);
                let head = head.string(name).byte(identity).int16(columns.len());
                columns.iter().fold(head, |fields, column| {
                    fields
                        .byte(u8::from(column.part_of_key))
                        .string(&column.name)
                        .int32(column.type_oid)
                        .int32(column.type_modifier.cast_unsigned())
                })
            }
            Self::Type(xid, oid, namespace, name) => f
                .byte(b'Y')
                .xid(*xid)
                .int32(*oid)
                .string(namespace)
                .string(name),
            Self::Insert(xid, id, new) => f.byte(b'I').xid(*xid).int32(*id).byte(b'N').tuple(new),
            Self::Update(xid, id, old, new) => f
                .byte(b'U')
                .xid(*xid)
                .int32(*id)
                .old(old)
                .byte(b'N')
                .tuple(new),
            Self::Delete(xid, id, old) => f.byte(b'D').xid(*xid).int32(*id).old(old),
            Self::Truncate(xid, cascade, restart, ids) => {
                let options = u8::from(*cascade) | u8::from(*restart) << 1;
                let count = u32::try_from(ids.len()).expect("fits an Int32");
                let head = f.byte(b'T').xid(*xid).int32(count).byte(options);
                ids.iter().fold(head, |fields, id| fields.int32(*id))
            }
            Self::Message(xid, transactional, lsn, prefix, content) => f
                .byte(b'M')
                .xid(*xid)
                .byte(u8::from(*transactional))
                .lsn(*lsn)
                .string(prefix)
                .counted(content),
            Self::StreamStart(m) => f.byte(b'S').int32(m.xid).byte(u8::from(m.first_segment)),
            Self::StreamStop => f.byte(b'E'),
            Self::StreamCommit(m) => f
                .byte(b'c')
                .int32(m.xid)
                .byte(m.flags)
                .lsn(m.commit_lsn)
                .lsn(m.end_lsn)
                .time(m.commit_time),
            Self::StreamAbort(m) => {
                let head = f.byte(b'A').int32(m.xid).int32(m.subxid);
                match (m.abort_lsn, m.abort_time) {
                    (Some(lsn), Some(time)) => head.lsn(lsn).time(time),
                    _ => head,
                }
            }
            Self::BeginPrepare(m, gid) => f
                .byte(b'b')
                .lsn(m.prepare_lsn)
                .lsn(m.end_lsn)
                .time(m.prepare_time)
                .int32(m.xid)
                .string(gid),
            Self::Prepare(m, gid) => f
                .byte(b'P')
                .byte(m.flags)
                .lsn(m.prepare_lsn)
                .lsn(m.end_lsn)
                .time(m.prepare_time)
                .int32(m.xid)
                .string(gid),
            Self::CommitPrepared(m, gid) => f
                .byte(b'K')
                .byte(m.flags)
                .lsn(m.commit_lsn)
                .lsn(m.end_lsn)
                .time(m.commit_time)
                .int32(m.xid)
                .string(gid),
            Self::RollbackPrepared(m, gid) => f
                .byte(b'r')
                .byte(m.flags)
                .lsn(m.prepare_end_lsn)
                .lsn(m.rollback_end_lsn)
                .time(m.prepare_time)
                .time(m.rollback_time)
                .int32(m.xid)
                .string(gid),
            Self::StreamPrepare(m, gid) => f
                .byte(b'p')
                .byte(m.flags)
                .lsn(m.prepare_lsn)
                .lsn(m.end_lsn)
                .time(m.prepare_time)
                .int32(m.xid)
                .string(gid),
        };
        fields.0
    }
}

fn lsn() -> impl Strategy<Value = Lsn> {
    any::<u64>().prop_map(Lsn)
}

fn time() -> impl Strategy<Value = PgTimestamp> {
    any::<i64>().prop_map(PgTimestamp)
}

fn name() -> impl Strategy<Value = String> {
    "[^\0]{0,12}"
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..24)
}

fn tuple() -> impl Strategy<Value = Vec<Column>> {
    let column = prop_oneof![
        Just(Column::Null),
        Just(Column::Unchanged),
        bytes().prop_map(Column::Text),
        bytes().prop_map(Column::Binary),
    ];
    prop::collection::vec(column, 0..8)
}

fn old() -> impl Strategy<Value = Old> {
    prop_oneof![tuple().prop_map(Old::Key), tuple().prop_map(Old::Full)]
}

fn relation(xid: Option<u32>) -> impl Strategy<Value = Description> {
    let identity = prop_oneof![
        Just(ReplicaIdentity::Default),
        Just(ReplicaIdentity::Nothing),
        Just(ReplicaIdentity::Full),
        Just(ReplicaIdentity::Index),
    ];
    let column = (any::<bool>(), name(), any::<u32>(), any::<i32>()).prop_map(
        |(part_of_key, name, type_oid, type_modifier)| OwnedColumn {
            part_of_key,
            name,
            type_oid,
            type_modifier,
        },
    );
    let columns = prop::collection::vec(column, 0..6);
    (any::<u32>(), name(), name(), identity, columns).prop_map(
        move |(id, namespace, name, identity, columns)| {
            Description::Relation(xid, id, namespace, name, identity, columns)
        },
    )
}

/// Messages that carry an xid inside a stream block and none outside.
fn placed(in_stream: bool) -> impl Strategy<Value = Description> {
    let xid = if in_stream {
        any::<u32>().prop_map(Some).boxed()
    } else {
        Just(None).boxed()
    };
    let ids = prop::collection::vec(any::<u32>(), 0..5);
    xid.prop_flat_map(move |xid| {
        prop_oneof![
            relation(xid),
            (any::<u32>(), name(), name()).prop_map(move |(oid, namespace, name)| {
                Description::Type(xid, oid, namespace, name)
            }),
            (any::<u32>(), tuple()).prop_map(move |(id, new)| Description::Insert(xid, id, new)),
            (any::<u32>(), prop_oneof![Just(Old::None), old()], tuple())
                .prop_map(move |(id, old, new)| Description::Update(xid, id, old, new)),
            (any::<u32>(), old()).prop_map(move |(id, old)| Description::Delete(xid, id, old)),
            (any::<bool>(), any::<bool>(), ids.clone()).prop_map(move |(cascade, restart, ids)| {
                Description::Truncate(xid, cascade, restart, ids)
            }),
            (any::<bool>(), lsn(), name(), bytes()).prop_map(
                move |(transactional, lsn, prefix, content)| Description::Message(
                    xid,
                    transactional,
                    lsn,
                    prefix,
                    content
                )
            ),
        ]
    })
}

fn two_phase() -> impl Strategy<Value = Description> {
    let fields = (
        any::<u8>(),
        lsn(),
        lsn(),
        time(),
        time(),
        any::<u32>(),
        name(),
    );
    (0..5, fields).prop_map(
        |(which, (flags, one, two, time, later, xid, gid))| match which {
            0 => Description::BeginPrepare(
                BeginPrepare {
                    prepare_lsn: one,
                    end_lsn: two,
                    prepare_time: time,
                    xid,
                    gid: "",
                },
                gid,
            ),
            1 => Description::Prepare(
                Prepare {
                    flags,
                    prepare_lsn: one,
                    end_lsn: two,
                    prepare_time: time,
                    xid,
                    gid: "",
                },
                gid,
            ),
            2 => Description::CommitPrepared(
                CommitPrepared {
                    flags,
                    commit_lsn: one,
                    end_lsn: two,
                    commit_time: time,
                    xid,
                    gid: "",
                },
                gid,
            ),
            3 => Description::RollbackPrepared(
                RollbackPrepared {
                    flags,
                    prepare_end_lsn: one,
                    rollback_end_lsn: two,
                    prepare_time: time,
                    rollback_time: later,
                    xid,
                    gid: "",
                },
                gid,
            ),
            _ => Description::StreamPrepare(
                StreamPrepare {
                    flags,
                    prepare_lsn: one,
                    end_lsn: two,
                    prepare_time: time,
                    xid,
                    gid: "",
                },
                gid,
            ),
        },
    )
}

fn unplaced() -> impl Strategy<Value = Description> {
    let abort = prop::option::of((lsn(), time()));
    prop_oneof![
        (lsn(), time(), any::<u32>()).prop_map(|(final_lsn, commit_time, xid)| {
            Description::Begin(Begin {
                final_lsn,
                commit_time,
                xid,
            })
        }),
        (any::<u8>(), lsn(), lsn(), time()).prop_map(
            |(flags, commit_lsn, end_lsn, commit_time)| Description::Commit(Commit {
                flags,
                commit_lsn,
                end_lsn,
                commit_time
            })
        ),
        (lsn(), name()).prop_map(|(lsn, name)| Description::Origin(lsn, name)),
        (any::<u32>(), any::<bool>()).prop_map(|(xid, first_segment)| {
            Description::StreamStart(StreamStart { xid, first_segment })
        }),
        Just(Description::StreamStop),
        (any::<u32>(), any::<u8>(), lsn(), lsn(), time()).prop_map(
            |(xid, flags, commit_lsn, end_lsn, commit_time)| {
                Description::StreamCommit(StreamCommit {
                    xid,
                    flags,
                    commit_lsn,
                    end_lsn,
                    commit_time,
                })
            }
        ),
        (any::<u32>(), any::<u32>(), abort).prop_map(|(xid, subxid, abort)| {
            Description::StreamAbort(StreamAbort {
                xid,
                subxid,
                abort_lsn: abort.map(|(lsn, _)| lsn),
                abort_time: abort.map(|(_, time)| time),
            })
        }),
        two_phase(),
    ]
}

/// Any message, and whether it stands inside a stream block.
pub fn description() -> impl Strategy<Value = (Description, bool)> {
    any::<bool>().prop_flat_map(|in_stream| {
        let message = prop_oneof![placed(in_stream), unplaced()];
        (message, Just(in_stream))
    })
}
