//! Logical messages among the events of a transaction: what no recording has.

use std::collections::BTreeMap;

use cdc::assemble::{Assembler, DeliveredUpTo, Demand};
use connector::ConnectorConfig;
use pgoutput::{Lsn, PgTimestamp, XLogData};
use serde_json::Value;

use crate::sink::{Record, Records};

fn message(transactional: bool, lsn: u64, prefix: &str) -> (u64, Vec<u8>) {
    let flags = u8::from(transactional);
    let content = b"c";
    let length = u32::try_from(content.len()).expect("short");
    let data = [
        &b"M"[..],
        &[flags],
        &lsn.to_be_bytes(),
        prefix.as_bytes(),
        b"\0",
        &length.to_be_bytes(),
        content,
    ];
    (lsn, data.concat())
}

/// BEGIN, two messages, COMMIT; then a message of no transaction.
fn records(compat: &str) -> Vec<Record> {
    let properties = [
        ("name", "m"),
        ("topic.prefix", "m"),
        ("database.hostname", "h"),
        ("database.user", "u"),
        ("database.dbname", "d"),
        ("provide.transaction.metadata", "true"),
        ("key.converter.schemas.enable", "false"),
        ("value.converter.schemas.enable", "false"),
        ("debezium.compat", compat),
    ];
    let properties: BTreeMap<String, String> = properties
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let config = ConnectorConfig::parse(&properties)
        .expect("settings")
        .config;
    let (final_lsn, time, xid) = (1000_u64, 5_i64, 7_u32);
    let begin = [
        &b"B"[..],
        &final_lsn.to_be_bytes(),
        &time.to_be_bytes(),
        &xid.to_be_bytes(),
    ];
    let commit = [
        &b"C\0"[..],
        &final_lsn.to_be_bytes(),
        &(final_lsn + 48).to_be_bytes(),
        &time.to_be_bytes(),
    ];
    let mut sink = Records::new(&config);
    let mut assembler = Assembler::new(&config, DeliveredUpTo::default());
    for (start, data) in [
        (900, begin.concat()),
        message(true, 900, "a"),
        message(true, 950, "b"),
        (1048, commit.concat()),
        message(false, 2000, "lone"),
    ] {
        let xlog = XLogData {
            wal_start: Lsn(start),
            wal_end: Lsn(start),
            sent_at: PgTimestamp::default(),
            data: &data,
        };
        let step = assembler.accept(&xlog, &mut sink).expect("a message");
        assert_eq!(step, Demand::Next);
    }
    sink.records
}

#[test]
fn later_releases_count_them_and_give_them_a_place() {
    let value = |record: &Record| -> Value {
        serde_json::from_str(record.value.as_deref().expect("a value")).expect("JSON")
    };
    for (compat, blocks, end) in [
        ("2.7", ["null", "null"], r#"0 []"#),
        (
            "3",
            [
                r#"{"id":"7:900","total_order":1,"data_collection_order":1}"#,
                r#"{"id":"7:950","total_order":2,"data_collection_order":2}"#,
            ],
            r#"2 [{"data_collection":"LOGICAL_DECODING_MESSAGE","event_count":2}]"#,
        ),
    ] {
        let records = records(compat);
        let topics: Vec<&str> = records.iter().map(|it| it.topic.as_str()).collect();
        assert_eq!(
            topics,
            [
                "m.transaction",
                "m.message",
                "m.message",
                "m.transaction",
                "m.message"
            ]
        );
        for (record, block) in records[1..3].iter().zip(blocks) {
            assert_eq!(value(record)["transaction"].to_string(), block, "{compat}");
        }
        let last = value(&records[3]);
        let counted = format!("{} {}", last["event_count"], last["data_collections"]);
        assert_eq!(counted, end, "{compat}");
        assert!(value(&records[4])["transaction"].is_null(), "{compat}");
    }
}
