//! What stands in the offsets topic, in Kafka Connect's form, and what is read back: ours, earlier releases' and
//! Debezium's.

use super::*;

fn source() -> Source {
    Source {
        lsn: 33_911_888,
        tx_id: Some(748),
        commit_micros: 1_714_567_050_500_600,
        last_commit_lsn: Some(33_911_752),
        snapshot: SnapshotMarker::False,
        xmin: None,
    }
}

fn slot() -> SlotIdentity {
    SlotIdentity {
        system_id: "7".to_owned(),
        timeline: 1,
        name: "debezium".to_owned(),
        created_lsn: 16,
    }
}

#[test]
fn the_key_is_connects() {
    assert_eq!(
        offset_key("inventory-connector", "dbserver1"),
        br#"["inventory-connector",{"server":"dbserver1"}]"#
    );
}

#[test]
fn a_change_has_debeziums_fields_and_ours() {
    let mut offset = StoredOffset::of_change(
        Operation::Update,
        &source(),
        ChangePosition::new(33_911_900, 3),
    );
    offset.set_slot(Some(&slot()));
    offset.tributary_end_lsn = Some(33_911_752);
    let text = String::from_utf8(offset.encode().unwrap()).unwrap();
    assert_eq!(
        text,
        concat!(
            r#"{"lsn_proc":33911888,"messageType":"UPDATE","lsn_commit":33911752,"lsn":33911888,"txId":748,"#,
            r#""ts_usec":1714567050500600,"tributary_commit_lsn":33911900,"tributary_ordinal":3,"#,
            r#""tributary_last_commit_lsn":33911752,"tributary_end_lsn":33911752,"tributary_slot_system_id":"7","#,
            r#""tributary_slot_timeline":1,"tributary_slot_name":"debezium","tributary_slot_created_lsn":16}"#
        )
    );
    assert_eq!(
        StoredOffset::decode(text.as_bytes()).unwrap().resume(),
        Some(Resume {
            position: ChangePosition::new(33_911_900, 3),
            last_commit_lsn: Some(33_911_752),
            last_commit_micros: Some(1_714_567_050_500_600),
            end_lsn: Some(33_911_752),
            snapshot_completed: true,
            tables_read: None,
            slot: Some(slot()),
            witness: Some(Witness {
                commit_lsn: 33_911_900,
                tx_id: 748,
                commit_micros: 1_714_567_050_500_600,
            }),
            ..Resume::default()
        })
    );
}

#[test]
fn the_slots_xmin_is_there_where_it_is_read() {
    let source = Source {
        xmin: Some(740),
        ..source()
    };
    let offset = StoredOffset::of_change(Operation::Create, &source, ChangePosition::default());
    let text = String::from_utf8(offset.encode().unwrap()).unwrap();
    assert!(
        text.contains(r#""txId":748,"xmin":740,"ts_usec""#),
        "{text}"
    );
    assert_eq!(StoredOffset::decode(text.as_bytes()).unwrap(), offset);
}

#[test]
fn orders_within_a_transaction_are_fields_of_their_own() {
    let mut offset =
        StoredOffset::of_message("COMMIT", &source(), ChangePosition::new(33_911_900, 5));
    offset.transaction_id = Some("748".to_owned());
    offset.transaction_orders = BTreeMap::from([("public.t".to_owned(), 4)]);
    let text = offset.encode().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(value["messageType"], "COMMIT");
    assert_eq!(value["transaction_id"], "748");
    assert_eq!(value["transaction_data_collection_order_public.t"], 4);
    assert_eq!(StoredOffset::decode(&text).unwrap(), offset);
}

#[test]
fn a_snapshot_row_has_the_snapshots_fields() {
    for (marker, last) in [(SnapshotMarker::True, false), (SnapshotMarker::Last, true)] {
        let source = Source {
            snapshot: marker,
            last_commit_lsn: None,
            ..source()
        };
        let offset =
            StoredOffset::of_change(Operation::Read, &source, ChangePosition::new(33_911_887, 0));
        let text = String::from_utf8(offset.encode().unwrap()).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"lsn":33911888,"txId":748,"ts_usec":1714567050500600,"snapshot":true,"last_snapshot_record":{last},"tributary_commit_lsn":33911887,"tributary_ordinal":0}}"#
            )
        );
        let resume = StoredOffset::decode(text.as_bytes())
            .unwrap()
            .resume()
            .unwrap();
        assert_eq!(resume.snapshot_completed, last);
    }
}

#[test]
fn what_debezium_wrote_is_understood() {
    for (text, position, last_commit_lsn, snapshot_completed, confirmed_at_most) in [
        (
            r#"{"transaction_id":null,"lsn_proc":33911888,"messageType":"UPDATE","lsn_commit":33911752,"lsn":33911888,"txId":748,"ts_usec":1714567050500600}"#,
            33_911_752,
            Some(33_911_752),
            true,
            33_911_888,
        ),
        (
            r#"{"last_snapshot_record":true,"lsn":1138486576,"txId":3680,"ts_usec":1795221234168956,"snapshot":true}"#,
            1_138_486_576,
            None,
            true,
            1_138_486_576,
        ),
        (
            r#"{"snapshot":"INITIAL","snapshot_completed":false,"lsn":64,"txId":1,"ts_usec":1}"#,
            64,
            None,
            false,
            64,
        ),
    ] {
        let resume = StoredOffset::decode(text.as_bytes())
            .unwrap()
            .resume()
            .unwrap();
        let up_to = Incarnation::default().up_to(Lsn(position));
        assert_eq!(resume.position, up_to, "{text}");
        assert_eq!(resume.last_commit_lsn, last_commit_lsn, "{text}");
        assert_eq!(resume.snapshot_completed, snapshot_completed, "{text}");
        assert_eq!(resume.slot, None);
        assert!(resume.of_debezium && resume.witness.is_none());
        assert_eq!(resume.end_lsn, Some(confirmed_at_most), "{text}");
    }
}

/// A lone message ends where the COMMIT record of the transaction after it may start; that transaction was not delivered.
#[test]
fn a_lone_message_of_a_version_without_marks_is_before_what_commits_where_it_ends() {
    let stored = |message_type: &str, tx_id: Option<u64>, incarnation| {
        let source = Source { tx_id, ..source() };
        let position = ChangePosition::new(33_911_904, 0).in_incarnation(incarnation);
        let offset = StoredOffset::of_message(message_type, &source, position);
        let text = offset.encode().unwrap();
        StoredOffset::decode(&text)
            .unwrap()
            .resume()
            .unwrap()
            .position
    };
    let first_change = ChangePosition::new(33_911_904, 0);
    assert_eq!(stored("INSERT", Some(748), 0), first_change);
    assert_eq!(stored(MESSAGE, Some(748), 0), first_change);
    assert_eq!(
        stored(MESSAGE, None, 0),
        Incarnation::default().up_to(Lsn(33_911_904))
    );
    let later = first_change.in_incarnation(7);
    assert_eq!(stored(MESSAGE, Some(748), 7), later);
}

#[test]
fn an_incarnation_is_stored_unless_it_is_the_first() {
    let position = ChangePosition::new(33_911_904, 3).in_incarnation(1_795_000_000);
    let offset = StoredOffset::of_change(Operation::Create, &source(), position);
    let text = offset.encode().unwrap();
    assert!(String::from_utf8_lossy(&text).contains(r#""tributary_incarnation":1795000000,"#));
    let resume = StoredOffset::decode(&text).unwrap().resume().unwrap();
    assert_eq!(resume.position, position);
}

#[test]
fn an_offset_of_another_connector_is_an_error() {
    assert!(StoredOffset::decode(b"[1]").is_err());
    assert!(StoredOffset::decode(br#"{"lsn":"x"}"#).is_err());
    assert_eq!(
        StoredOffset::decode(br#"{"file":"binlog.1"}"#)
            .unwrap()
            .resume(),
        None
    );
}

#[test]
fn of_several_partitions_that_of_now_has_the_last() {
    let key = offset_key("inventory", "dbserver1");
    let of_now = partition_of(&key, 8);
    let (other, another) = ((of_now + 1) % 8, (of_now + 2) % 8);
    let value = |text: &str| Some(text.as_bytes().to_vec());
    for (found, last) in [
        (vec![], Ok(None)),
        (vec![(other, value("old"))], Ok(value("old"))),
        (vec![(of_now, value("new"))], Ok(value("new"))),
        (
            vec![(other, value("old")), (of_now, value("new"))],
            Ok(value("new")),
        ),
        (vec![(other, value("old")), (of_now, None)], Ok(None)),
        (
            vec![(other, value("old")), (another, value("older"))],
            Err(()),
        ),
    ] {
        let told = last_of(found.iter().cloned().collect(), "offsets", &key, 8);
        assert_eq!(told.map_err(|_| ()), last, "{found:?}");
    }
}

#[test]
fn an_unfinished_snapshot_says_what_it_has_read() {
    let mut read = TablesRead::default();
    for table in [16_500, 16_400, 16_450] {
        read.begin(table);
    }
    read.finish(16_400);
    let mut offset = StoredOffset {
        lsn: Some(64),
        ..StoredOffset::default()
    };
    offset.set_position(ChangePosition::new(63, 7));
    offset.set_snapshot(false);
    offset.set_tables_read(Some(&read));
    let text = String::from_utf8(offset.encode().unwrap()).unwrap();
    assert!(
        text.contains(
            r#""tributary_snapshot_finished":"16400","tributary_snapshot_begun":"16450,16500""#
        ),
        "{text}"
    );
    let stored = StoredOffset::decode(text.as_bytes()).unwrap();
    let resume = stored.resume().unwrap();
    assert_eq!(resume.tables_read, Some(read));
    assert!(!resume.snapshot_completed);
    // Nothing but the beginning; the end; somebody else's words.
    offset.set_tables_read(Some(&TablesRead::default()));
    let nothing = offset.resume().unwrap().tables_read;
    assert_eq!(nothing, Some(TablesRead::default()));
    offset.tributary_snapshot_begun = Some("public.t".to_owned());
    assert_eq!(offset.resume().unwrap().tables_read, None);
    offset.set_tables_read(None);
    assert_eq!(offset.resume().unwrap().tables_read, None);
}
