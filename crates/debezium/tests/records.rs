//! Records that are no change of a row, against what Debezium 2.7.3 wrote.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

use debezium::{
    BinaryHandling, ChangePosition, CollectionCounts, ContractSettings, HeartbeatEncoder,
    LogicalMessage, MessageEncoder, SnapshotMarker, Source, TableId, TransactionEncoder,
    TransactionMetadata,
};

fn settings(schemas: bool) -> ContractSettings {
    let mut settings = ContractSettings::new("p");
    settings.key_schemas_enable = schemas;
    settings.value_schemas_enable = schemas;
    settings
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn heartbeats() {
    let plain = HeartbeatEncoder::new(&settings(false));
    assert_eq!(text(|out| plain.encode_key(out)), r#"{"serverName":"p"}"#);
    assert_eq!(
        text(|out| plain.encode_value(1_795_219_801_055, out)),
        r#"{"ts_ms":1795219801055}"#
    );
    let embedded = HeartbeatEncoder::new(&settings(true));
    assert_eq!(
        text(|out| embedded.encode_key(out)),
        r#"{"schema":{"type":"struct","fields":[{"type":"string","optional":false,"field":"serverName"}],"optional":false,"name":"io.debezium.connector.common.ServerNameKey","version":1},"payload":{"serverName":"p"}}"#
    );
    assert_eq!(
        text(|out| embedded.encode_value(7, out)),
        r#"{"schema":{"type":"struct","fields":[{"type":"int64","optional":false,"field":"ts_ms"}],"optional":false,"name":"io.debezium.connector.common.Heartbeat","version":1},"payload":{"ts_ms":7}}"#
    );
}

#[test]
fn transactions() {
    let mut counts = CollectionCounts::default();
    for (table, events) in [("tweets", 5), ("users", 2)] {
        let table = TableId {
            database: "d".to_owned(),
            schema: "public".to_owned(),
            table: table.to_owned(),
        };
        counts.count(&table, events);
    }
    let begin = TransactionMetadata {
        tx_id: 1290,
        lsn: 255_338_776,
        commit_micros: 1_795_219_765_615_356,
        last_commit_lsn: None,
        position: ChangePosition::new(255_339_712, 0),
        counts: None,
    };
    let end = TransactionMetadata {
        lsn: 255_339_760,
        counts: Some(&counts),
        ..begin
    };
    let plain = TransactionEncoder::new(&settings(false));
    assert_eq!(
        text(|out| plain.encode_key(&begin, out)),
        r#"{"id":"1290:255338776"}"#
    );
    assert_eq!(
        text(|out| plain.encode_value(&begin, out)),
        r#"{"status":"BEGIN","id":"1290:255338776","event_count":null,"data_collections":null,"ts_ms":1795219765615}"#
    );
    let embedded = TransactionEncoder::new(&settings(true));
    assert_eq!(
        text(|out| embedded.encode_value(&end, out)),
        r#"{"schema":{"type":"struct","fields":[{"type":"string","optional":false,"field":"status"},{"type":"string","optional":false,"field":"id"},{"type":"int64","optional":true,"field":"event_count"},{"type":"array","items":{"type":"struct","fields":[{"type":"string","optional":false,"field":"data_collection"},{"type":"int64","optional":false,"field":"event_count"}],"optional":true,"name":"event.collection","version":1},"optional":true,"field":"data_collections"},{"type":"int64","optional":false,"field":"ts_ms"}],"optional":false,"name":"io.debezium.connector.common.TransactionMetadataValue","version":1},"payload":{"status":"END","id":"1290:255339760","event_count":7,"data_collections":[{"data_collection":"public.users","event_count":2},{"data_collection":"public.tweets","event_count":5}],"ts_ms":1795219765615}}"#
    );
}

#[test]
fn messages() {
    let message = LogicalMessage {
        prefix: "p2",
        content: b"\x00\xff",
        source: Source {
            lsn: 145_529_384,
            tx_id: Some(1003),
            commit_micros: 1_795_219_565_259_800,
            last_commit_lsn: Some(145_529_328),
            snapshot: SnapshotMarker::False,
            xmin: None,
        },
        position: ChangePosition::new(145_529_600, 0),
        transaction: None,
        origin: None,
    };
    let source = r#"{"version":"2.7.3.Final","connector":"postgresql","name":"p","ts_ms":1795219565259,"snapshot":"false","db":"d","sequence":"[\"145529328\",\"145529384\"]","ts_us":1795219565259800,"ts_ns":1795219565259800000,"schema":"","table":"","txId":1003,"lsn":145529384,"xmin":null}"#;
    for (handling, content) in [
        (BinaryHandling::Bytes, "AP8="),
        (BinaryHandling::Base64, "AP8="),
        (BinaryHandling::Base64UrlSafe, "AP8="),
        (BinaryHandling::Hex, "00ff"),
    ] {
        let mut settings = settings(false);
        settings.binary_handling = handling;
        let encoder = MessageEncoder::new("d", &settings);
        assert_eq!(
            text(|out| encoder.encode_key(&message, out)),
            r#"{"prefix":"p2"}"#
        );
        assert_eq!(
            text(|out| encoder.encode_value(&message, 5, out)),
            format!(
                r#"{{"op":"m","ts_ms":5,"source":{source},"message":{{"prefix":"p2","content":"{content}"}}}}"#
            )
        );
    }
    let lone = LogicalMessage {
        prefix: "",
        content: b"",
        source: Source {
            tx_id: None,
            last_commit_lsn: None,
            ..message.source
        },
        ..message
    };
    let embedded = MessageEncoder::new("d", &settings(true));
    let value = text(|out| embedded.encode_value(&lone, 5, out));
    assert!(value.starts_with(r#"{"schema":{"type":"struct","fields":[{"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"},{"type":"struct","fields":[{"type":"string","optional":false,"field":"version"}"#), "{value}");
    assert!(value.contains(r#""optional":false,"name":"io.debezium.connector.postgresql.Source","field":"source"},{"type":"struct","fields":[{"type":"string","optional":true,"field":"prefix"},{"type":"bytes","optional":true,"field":"content"}],"optional":false,"name":"io.debezium.connector.postgresql.Message","version":1,"field":"message"}],"optional":false,"name":"io.debezium.connector.postgresql.MessageValue","version":1},"payload":"#), "{value}");
    assert!(
        value.contains(r#""sequence":"[null,\"145529384\"]""#),
        "{value}"
    );
    assert!(value.contains(r#""txId":null"#), "{value}");
    assert!(
        value.ends_with(r#""message":{"prefix":"","content":""}}}"#),
        "{value}"
    );
}
