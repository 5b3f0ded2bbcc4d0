//! Messages as text: every field and every value, for the golden files.

use std::fmt::Write;

use pgoutput::{OldTuple, PgOutputMessage, Relation, ReplicationMessage, TupleColumn, TupleData};

pub fn frame(message: &ReplicationMessage<'_>) -> String {
    match message {
        ReplicationMessage::XLogData(x) => {
            format!(
                "XLogData start={} end={} sent={}",
                x.wal_start, x.wal_end, x.sent_at.0
            )
        }
        ReplicationMessage::PrimaryKeepalive(k) => format!(
            "PrimaryKeepalive end={} sent={} reply_requested={}",
            k.wal_end, k.sent_at.0, k.reply_requested
        ),
    }
}

pub fn message(message: &PgOutputMessage<'_>) -> String {
    use PgOutputMessage as M;
    match message {
        M::Begin(m) => format!(
            "Begin final={} time={} xid={}",
            m.final_lsn, m.commit_time.0, m.xid
        ),
        M::Commit(m) => format!(
            "Commit flags={} commit={} end={} time={}",
            m.flags, m.commit_lsn, m.end_lsn, m.commit_time.0
        ),
        M::Origin(m) => format!("Origin lsn={} name={:?}", m.origin_lsn, m.name),
        M::Relation(m) => relation(m),
        M::Type(m) => format!(
            "Type{} oid={} {:?}.{:?}",
            xid(m.xid),
            m.type_oid,
            m.namespace,
            m.name
        ),
        M::Insert(m) => format!(
            "Insert{} {} new={}",
            xid(m.xid),
            m.relation_id,
            tuple(&m.new)
        ),
        M::Update(m) => format!(
            "Update{} {}{} new={}",
            xid(m.xid),
            m.relation_id,
            old(&m.old),
            tuple(&m.new)
        ),
        M::Delete(m) => format!("Delete{} {}{}", xid(m.xid), m.relation_id, old(&m.old)),
        M::Truncate(m) => format!(
            "Truncate{} cascade={} restart_identity={} {:?}",
            xid(m.xid),
            m.cascade,
            m.restart_identity,
            m.relation_ids
        ),
        M::Message(m) => format!(
            "Message{} transactional={} lsn={} {:?} \"{}\"",
            xid(m.xid),
            m.transactional,
            m.lsn,
            m.prefix,
            m.content.escape_ascii()
        ),
        // The others have neither row values nor columns: their Debug form shows every field.
        other @ (M::StreamStart(_)
        | M::StreamStop
        | M::StreamCommit(_)
        | M::StreamAbort(_)
        | M::BeginPrepare(_)
        | M::Prepare(_)
        | M::CommitPrepared(_)
        | M::RollbackPrepared(_)
        | M::StreamPrepare(_)) => format!("{other:?}"),
    }
}

fn relation(m: &Relation<'_>) -> String {
    let mut out = format!(
        "Relation{} {} {:?}.{:?} identity={:?}",
        xid(m.xid),
        m.relation_id,
        m.namespace,
        m.name,
        m.replica_identity
    );
    for column in &m.columns {
        let key = if column.part_of_key { " key" } else { "" };
        write!(
            out,
            "\n    {:?} type={} modifier={}{key}",
            column.name, column.type_oid, column.type_modifier
        )
        .expect("writing to a String");
    }
    out
}

fn xid(xid: Option<u32>) -> String {
    xid.map(|xid| format!(" xid={xid}")).unwrap_or_default()
}

fn old(old: &OldTuple<'_>) -> String {
    match old {
        OldTuple::None => String::new(),
        OldTuple::Key(columns) => format!(" key={}", tuple(columns)),
        OldTuple::Full(columns) => format!(" old={}", tuple(columns)),
    }
}

fn tuple(tuple: &TupleData<'_>) -> String {
    let columns: Vec<String> = tuple.iter().map(|column| value(&column)).collect();
    format!("({})", columns.join(", "))
}

fn value(column: &TupleColumn<'_>) -> String {
    match column {
        TupleColumn::Null => "null".to_owned(),
        TupleColumn::Unchanged => "unchanged".to_owned(),
        TupleColumn::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => format!("{text:?}"),
            Err(_) => format!("not UTF-8 \"{}\"", bytes.escape_ascii()),
        },
        TupleColumn::Binary(bytes) => format!("b\"{}\"", bytes.escape_ascii()),
    }
}
