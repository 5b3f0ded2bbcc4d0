//! A message written from the manual reads back as itself, and as nothing else when it is cut or extended.

use pgoutput::{OldTuple, ParseError, PgOutputMessage, TupleColumn, TupleData};
use proptest::prelude::*;

use crate::wire::{Column, Description, Old, description};

fn columns(tuple: &TupleData<'_>) -> Vec<Column> {
    let columns: Vec<Column> = tuple
        .iter()
        .map(|column| match column {
            TupleColumn::Null => Column::Null,
            TupleColumn::Unchanged => Column::Unchanged,
            TupleColumn::Text(value) => Column::Text(value.to_vec()),
            TupleColumn::Binary(value) => Column::Binary(value.to_vec()),
        })
        .collect();
    assert_eq!(columns.len(), tuple.len());
    columns
}

fn old(tuple: &OldTuple<'_>) -> Old {
    match tuple {
        OldTuple::None => Old::None,
        OldTuple::Key(tuple) => Old::Key(columns(tuple)),
        OldTuple::Full(tuple) => Old::Full(columns(tuple)),
    }
}

fn describe(message: PgOutputMessage<'_>) -> Description {
    use pgoutput::{BeginPrepare, CommitPrepared, Prepare, RollbackPrepared, StreamPrepare};
    match message {
        PgOutputMessage::Begin(m) => Description::Begin(m),
        PgOutputMessage::Commit(m) => Description::Commit(m),
        PgOutputMessage::Origin(m) => Description::Origin(m.origin_lsn, m.name.to_owned()),
        PgOutputMessage::Relation(m) => Description::Relation(
            m.xid,
            m.relation_id,
            m.namespace.to_owned(),
            m.name.to_owned(),
            m.replica_identity,
            m.columns.iter().map(Into::into).collect(),
        ),
        PgOutputMessage::Type(m) => {
            Description::Type(m.xid, m.type_oid, m.namespace.to_owned(), m.name.to_owned())
        }
        PgOutputMessage::Insert(m) => Description::Insert(m.xid, m.relation_id, columns(&m.new)),
        PgOutputMessage::Update(m) => {
            Description::Update(m.xid, m.relation_id, old(&m.old), columns(&m.new))
        }
        PgOutputMessage::Delete(m) => Description::Delete(m.xid, m.relation_id, old(&m.old)),
        PgOutputMessage::Truncate(m) => {
            Description::Truncate(m.xid, m.cascade, m.restart_identity, m.relation_ids)
        }
        PgOutputMessage::Message(m) => Description::Message(
            m.xid,
            m.transactional,
            m.lsn,
            m.prefix.to_owned(),
            m.content.to_vec(),
        ),
        PgOutputMessage::StreamStart(m) => Description::StreamStart(m),
        PgOutputMessage::StreamStop => Description::StreamStop,
        PgOutputMessage::StreamCommit(m) => Description::StreamCommit(m),
        PgOutputMessage::StreamAbort(m) => Description::StreamAbort(m),
        PgOutputMessage::BeginPrepare(m) => {
            Description::BeginPrepare(BeginPrepare { gid: "", ..m }, m.gid.to_owned())
        }
        PgOutputMessage::Prepare(m) => {
            Description::Prepare(Prepare { gid: "", ..m }, m.gid.to_owned())
        }
        PgOutputMessage::CommitPrepared(m) => {
            Description::CommitPrepared(CommitPrepared { gid: "", ..m }, m.gid.to_owned())
        }
        PgOutputMessage::RollbackPrepared(m) => {
            Description::RollbackPrepared(RollbackPrepared { gid: "", ..m }, m.gid.to_owned())
        }
        PgOutputMessage::StreamPrepare(m) => {
            Description::StreamPrepare(StreamPrepare { gid: "", ..m }, m.gid.to_owned())
        }
    }
}

/// Only a StreamAbort may end in two places.
fn may_end_at(description: &Description, length: usize) -> bool {
    matches!(description, Description::StreamAbort(_)) && length == 9
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read((description, in_stream) in description()) {
        let bytes = description.encode();
        let message = PgOutputMessage::parse(&bytes, in_stream)
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(describe(message), description);
    }

    #[test]
    fn a_message_cut_short_is_an_unexpected_end((description, in_stream) in description()) {
        let bytes = description.encode();
        for length in 0..bytes.len() {
            if may_end_at(&description, length) {
                continue;
            }
            let result = PgOutputMessage::parse(&bytes[..length], in_stream);
            prop_assert!(
                matches!(result, Err(ParseError::UnexpectedEnd { offset, .. }) if offset <= length),
                "cut to {} bytes: {:?}", length, result
            );
        }
    }

    #[test]
    fn bytes_after_the_message_are_refused((description, in_stream) in description(), extra in any::<u8>()) {
        let mut bytes = description.encode();
        let end = bytes.len();
        bytes.push(extra);
        let result = PgOutputMessage::parse(&bytes, in_stream);
        if may_end_at(&description, end) {
            prop_assert_eq!(result, Err(ParseError::UnexpectedEnd { reading: "abort lsn", offset: end }));
        } else {
            prop_assert!(
                matches!(result, Err(ParseError::TrailingBytes { offset, count: 1, .. }) if offset == end),
                "{:?}", result
            );
        }
    }
}

#[test]
fn fields_with_few_values_refuse_the_others() {
    let unknown = |reading, tag, offset| ParseError::UnknownTag {
        reading,
        tag,
        offset,
    };
    for (bytes, error) in [
        (&b"?"[..], unknown("pgoutput message type", b'?', 0)),
        (b"I\0\0\0\x01O\0\0", unknown("tuple role", b'O', 5)),
        (b"U\0\0\0\x01X\0\0", unknown("tuple role", b'X', 5)),
        (b"U\0\0\0\x01K\0\0O\0\0", unknown("tuple role", b'O', 8)),
        (b"D\0\0\0\x01N\0\0", unknown("tuple role", b'N', 5)),
        (
            b"R\0\0\0\x01s\0t\0x\0\0",
            unknown("replica identity", b'x', 9),
        ),
        (
            b"T\xFF\xFF\xFF\xFF\0",
            ParseError::NegativeLength {
                reading: "truncated relation count",
                offset: 1,
                value: -1,
            },
        ),
    ] {
        assert_eq!(
            PgOutputMessage::parse(bytes, false),
            Err(error),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn names_are_utf8_and_end() {
    let bytes = b"R\0\0\0\x01public\0b\xFFd\0d\0\0";
    let error = PgOutputMessage::parse(bytes, false).expect_err("a name that is not UTF-8");
    assert!(
        matches!(
            error,
            ParseError::InvalidUtf8 {
                reading: "relation name",
                offset: 12,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "relation name at byte 12 is not UTF-8; open the connection with client_encoding UTF8"
    );
    assert_eq!(
        PgOutputMessage::parse(b"Y\0\0\0\x01public", false),
        Err(ParseError::UnexpectedEnd {
            reading: "type namespace",
            offset: 5
        })
    );
}

#[test]
fn a_large_count_reserves_no_more_than_the_bytes_can_hold() {
    for bytes in [
        &b"T\x7F\xFF\xFF\xFF\0\0\0\0\x01"[..],
        b"R\0\0\0\x01s\0t\0d\x7F\xFF",
        b"I\0\0\0\x01N\0\x01t\x7F\xFF\xFF\xFF",
    ] {
        let result = PgOutputMessage::parse(bytes, false);
        assert!(
            matches!(result, Err(ParseError::UnexpectedEnd { .. })),
            "{result:?}"
        );
    }
}
