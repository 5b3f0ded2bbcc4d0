//! What cannot happen halts before an offset moves past a record.

use rdkafka::{
    Timestamp,
    message::{Header, OwnedHeaders, OwnedMessage},
};

use super::*;
use crate::{Disposition, ErrorKind, KafkaConfig, publish::FlushSet};

fn schemas() -> SchemaTopics {
    let config = KafkaConfig {
        bootstrap: "127.0.0.1:1".to_owned(),
        group: "test".to_owned(),
        topics: vec!["t".to_owned()],
        schema_topics: Vec::new(),
        overrides: Default::default(),
    };
    SchemaTopics::unread(&config).expect("a consumer that asks for nothing")
}

fn record(topic: &str, partition: i32, offset: i64) -> OwnedMessage {
    record_with(topic, partition, offset, None)
}

fn record_with(
    topic: &str,
    partition: i32,
    offset: i64,
    headers: Option<OwnedHeaders>,
) -> OwnedMessage {
    let (payload, key) = (Some(b"no event".to_vec()), Some(b"k".to_vec()));
    let topic = topic.to_owned();
    OwnedMessage::new(
        payload,
        key,
        topic,
        Timestamp::NotAvailable,
        partition,
        offset,
        headers,
    )
}

fn is_defect(error: Option<Error>, invariant: &str, place: &str) {
    let error = error.expect("a broken invariant goes unseen");
    let text = service::render_error(&error, Some(error.hint()));
    assert_eq!(error.kind(), ErrorKind::Defect, "{text}");
    assert_eq!(error.disposition(), Disposition::Halt);
    assert!(text.contains(invariant) && text.contains(place), "{text}");
}

#[test]
fn a_record_of_no_assigned_partition_halts() {
    let mut schemas = schemas();
    let mut open = OpenBatch::new(Assignment::in_memory(&["t"]), None, Arc::default());
    open.take(&record("t", 0, 4), &mut schemas)
        .expect("a dead letter");
    for (topic, partition) in [("t", 3), ("other", 0)] {
        let error = open.take(&record(topic, partition, 17), &mut schemas).err();
        let place = format!("`{topic}` [{partition}] offset 17");
        is_defect(error, "a record comes from an assigned partition", &place);
    }
    // What was taken before is as it was, and nothing moved.
    assert_eq!(open.assignment.positions.next_offsets(), [5]);
    assert_eq!(open.dead_letters.len(), 1);
    assert_eq!(open.size().rows, 0);
}

#[test]
fn a_record_of_a_later_wire_waits_in_its_topic() {
    let mut open = OpenBatch::new(Assignment::in_memory(&["t"]), None, Arc::default());
    let of_version = |offset, version: &str| {
        let headers = OwnedHeaders::new().insert(Header {
            key: wire::header::VERSION,
            value: Some(version),
        });
        record_with("t", 0, offset, Some(headers))
    };
    open.take(&of_version(4, "1"), &mut schemas())
        .expect("a dead letter");
    let error = open.take(&of_version(5, "2"), &mut schemas()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = service::render_error(&error, Some(error.hint()));
    assert!(
        text.contains("`t` [0] offset 5") && text.contains("later tributary"),
        "{text}"
    );
    let next = open.assignment.positions.next_offsets();
    assert_eq!((next, open.dead_letters.len()), (vec![5], 1));
}

/// Rows that are open and that no partition's offset would be stored for: a restart would read them again.
#[test]
fn open_rows_of_no_partition_halt() {
    use debezium::{ReplicaIdentity, TableId, TableSchema};
    let mut open = OpenBatch::new(Assignment::in_memory(&["t"]), None, Arc::default());
    let version = Arc::new(TableSchema {
        table: TableId {
            database: "shop".to_owned(),
            schema: "public".to_owned(),
            table: "orders".to_owned(),
        },
        columns: Vec::new(),
        key: Vec::new(),
        replica_identity: ReplicaIdentity::Default,
        oid: None,
    });
    let reader = open.readers.of_version(
        &mut open.assignment.positions,
        "shop".to_owned(),
        Arc::clone(&version),
    );
    let row = debezium::ChangeEvent {
        table: &version,
        op: Operation::Create,
        before: debezium::OldRow::None,
        after: Some(&[]),
        key_change: debezium::KeyChange::None,
        source: debezium::Source {
            lsn: 8,
            tx_id: None,
            commit_micros: 0,
            last_commit_lsn: None,
            snapshot: debezium::SnapshotMarker::False,
            xmin: None,
        },
        position: debezium::ChangePosition::new(8, 0),
        transaction: None,
        origin: None,
    };
    let meta = RowMeta {
        ingest_micros: 0,
        partition: 0,
        offset: 17,
    };
    let reader = open.readers.get_mut(reader).expect("it was just made");
    reader
        .columns
        .append_event(&row, meta)
        .expect("a row without columns");
    let error = FlushSet::take(&mut open, true).err();
    is_defect(error, "open rows come from a partition", "orders");
}
