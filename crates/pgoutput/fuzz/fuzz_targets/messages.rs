//! Both parsers on the same bytes: neither may panic, and an accepted tuple has as many columns as it says.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgoutput::{OldTuple, PgOutputMessage, ReplicationMessage, TupleData};

fn walk(tuple: &TupleData<'_>) {
    assert_eq!(tuple.iter().count(), tuple.len());
}

fn walk_old(old: &OldTuple<'_>) {
    if let OldTuple::Key(tuple) | OldTuple::Full(tuple) = old {
        walk(tuple);
    }
}

fn message(data: &[u8]) {
    for in_stream in [false, true] {
        match PgOutputMessage::parse(data, in_stream) {
            Ok(PgOutputMessage::Insert(m)) => walk(&m.new),
            Ok(PgOutputMessage::Update(m)) => {
                walk_old(&m.old);
                walk(&m.new);
            }
            Ok(PgOutputMessage::Delete(m)) => walk_old(&m.old),
            Ok(_) => {}
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    if let Ok(ReplicationMessage::XLogData(xlog_data)) = ReplicationMessage::parse(data) {
        message(xlog_data.data);
    }
    message(data);
});
