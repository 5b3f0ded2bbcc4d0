//! No bytes make the parsers panic, and what they accept can be read to its end.

use pgoutput::{OldTuple, PgOutputMessage, ReplicationMessage, TupleData};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::golden::captures;
use crate::wire::description;

fn walk(tuple: &TupleData<'_>) {
    assert_eq!(tuple.iter().count(), tuple.len());
}

fn walk_old(old: &OldTuple<'_>) {
    match old {
        OldTuple::None => {}
        OldTuple::Key(tuple) | OldTuple::Full(tuple) => walk(tuple),
    }
}

fn parse_all(bytes: &[u8]) {
    if let Ok(ReplicationMessage::XLogData(xlog_data)) = ReplicationMessage::parse(bytes) {
        parse_message(xlog_data.data);
    }
    parse_message(bytes);
}

fn parse_message(bytes: &[u8]) {
    for in_stream in [false, true] {
        match PgOutputMessage::parse(bytes, in_stream) {
            Ok(PgOutputMessage::Insert(m)) => walk(&m.new),
            Ok(PgOutputMessage::Update(m)) => {
                walk_old(&m.old);
                walk(&m.new);
            }
            Ok(PgOutputMessage::Delete(m)) => {
                assert_ne!(m.old, OldTuple::None);
                walk_old(&m.old);
            }
            Ok(_) => {}
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    Flip(Index, u8),
    Remove(Index),
    Insert(Index, u8),
    Cut(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (
            at(),
            prop_oneof![Just(0u8), Just(0x7F), Just(0x80), Just(0xFF), any::<u8>()]
        )
            .prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        at().prop_map(Damage::Remove),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        at().prop_map(Damage::Cut),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match damage {
        Damage::Set(at, byte) => bytes[at.index(length)] = *byte,
        Damage::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
        Damage::Remove(at) => {
            bytes.remove(at.index(length));
        }
        Damage::Insert(at, byte) => bytes.insert(at.index(length), *byte),
        Damage::Cut(at) => bytes.truncate(at.index(length)),
    }
}

/// Begins with a known type byte, so that the parsers get past it.
fn plausible_bytes() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop::sample::select(b"BCORYIUDTMSEcAbPKrpwk".to_vec());
    (tag, prop::collection::vec(any::<u8>(), 0..96)).prop_map(|(tag, mut rest)| {
        rest.insert(0, tag);
        rest
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        parse_all(&bytes);
    }

    #[test]
    fn random_bytes_behind_a_type_never_panic(bytes in plausible_bytes()) {
        parse_all(&bytes);
    }

    #[test]
    fn damaged_messages_never_panic(
        (description, _) in description(),
        damages in prop::collection::vec(damage(), 1..4),
    ) {
        let mut bytes = description.encode();
        for damage in &damages {
            apply(&mut bytes, damage);
        }
        parse_all(&bytes);
    }
}

#[test]
fn damaged_captures_never_panic() {
    let lines: Vec<Vec<u8>> = captures()
        .into_iter()
        .flat_map(|capture| capture.lines)
        .collect();
    let config = ProptestConfig {
        cases: 8192,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let strategy = (
        prop::sample::select(lines),
        prop::collection::vec(damage(), 1..6),
    );
    runner
        .run(&strategy, |(mut bytes, damages)| {
            for damage in &damages {
                apply(&mut bytes, damage);
            }
            parse_all(&bytes);
            Ok(())
        })
        .expect("no damage makes a parser panic");
}

/// Every byte of every short captured message, replaced by each of the values that lengths break on.
#[test]
fn every_single_byte_of_a_capture_may_be_wrong() {
    for capture in captures() {
        for line in capture.lines.iter().filter(|line| line.len() <= 512) {
            for at in 0..line.len() {
                for byte in [0, 1, 0x7F, 0x80, 0xFF] {
                    let mut bytes = line.clone();
                    bytes[at] = byte;
                    parse_all(&bytes);
                }
            }
        }
    }
}
