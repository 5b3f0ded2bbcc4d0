//! What the Kafka sink promises, on a real broker: transactions, fencing, positions, at-least-once starts.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cdc::{ErrorKind, EventSink, IdleMark, TransactionEnd, sink::kafka::KafkaSink};
use debezium::{ChangePosition, ColumnValue, OldRow, Operation};
use pgoutput::Lsn;
use stack::{Kafka, Record, until};

use crate::commit_interval::commits_are_as_rare_as_asked;
use crate::events::{OFFSETS, config, deliver, event, header, ids, insert, keyless, open, table};

/// A broker for all tests of this file: each uses its own names.
async fn kafka() -> Result<Kafka> {
    Kafka::start().await
}

/// One broker start serves all of them; the parts are named by the helper functions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kafka_sink_keeps_its_guarantees() -> Result<()> {
    let kafka = kafka().await?;
    events_and_position_are_one_transaction(&kafka).await?;
    an_aborted_batch_is_invisible(&kafka).await?;
    a_second_producer_fences_the_first(&kafka).await?;
    a_producer_that_was_given_up_fences_nobody(&kafka).await?;
    at_least_once_repeats_nothing_after_a_restart(&kafka).await?;
    key_changes_and_tombstones_survive_a_crash_between_them(&kafka).await?;
    a_position_without_events_is_stored(&kafka).await?;
    a_stored_position_never_decreases(&kafka).await?;
    small_commits_are_quick(&kafka).await?;
    commits_are_as_rare_as_asked(&kafka).await?;
    a_too_large_record_names_its_table(&kafka).await?;
    what_every_sink_promises(&kafka).await?;
    Ok(())
}

async fn what_every_sink_promises(kafka: &Kafka) -> Result<()> {
    for guarantee in ["exactly_once", "at_least_once"] {
        let name = format!("promises-{guarantee}");
        let config = config(&name, &[("delivery.guarantee", guarantee)])?;
        let (mut sink, _) = open(kafka, &config).await?;
        let kept = sinks::keeps_its_word(&mut sink).await;
        kept.with_context(|| guarantee.to_owned())?;
    }
    Ok(())
}

/// The records of a topic once there are `count` of them: the markers of a transaction that was committed are written
/// to the partitions a moment after the commit is answered.
pub async fn committed(kafka: &Kafka, topic: &str, count: usize) -> Result<Vec<Record>> {
    let what = format!("{count} committed records in `{topic}`");
    until(&what, Duration::from_secs(30), async || {
        let records = kafka.read_all(topic, true).await?;
        Ok((records.len() >= count).then_some(records))
    })
    .await
}

async fn events_and_position_are_one_transaction(kafka: &Kafka) -> Result<()> {
    let config = config(
        "eo",
        &[
            ("topic.creation.default.partitions", "3"),
            ("topic.creation.default.replication.factor", "1"),
        ],
    )?;
    let (mut sink, start) = open(kafka, &config).await?;
    assert_eq!(start.resume, None);
    let t = table("t");
    insert(&mut sink, &t, 1000, 0..100)?;
    insert(&mut sink, &keyless("k"), 1016, 0..50)?;
    let progress = deliver(&mut sink).await?;
    assert_eq!(progress.flushed, Some(Lsn(1024)));
    assert_eq!(progress.events, 150);

    let records = committed(kafka, "eo.public.t", 100).await?;
    assert_eq!(ids(&records)?, (0..100).collect::<Vec<u64>>());
    assert!(
        records
            .iter()
            .any(|record| record.partition != records[0].partition)
    );
    let first = records
        .iter()
        .find(|record| record.key.as_deref() == Some(b"{\"id\":0}"))
        .context("the first row")?;
    assert_eq!(header(first, "tributary.position"), Some("1000:0"));
    assert_eq!(
        header(first, "tributary.schema"),
        Some(t.id(&config.contract).to_string().as_str())
    );
    assert_eq!(header(first, "tributary.unavailable"), None);
    let records = committed(kafka, "eo.public.k", 50).await?;
    assert_eq!(ids(&records)?, (0..50).collect::<Vec<u64>>());
    assert!(records.iter().all(|record| record.key.is_none()));

    let schemas = committed(kafka, "eo.tributary.schemas", 2).await?;
    assert_eq!(schemas.len(), 2, "one record for each version of a table");
    let offsets = committed(kafka, OFFSETS, 1).await?;
    assert_eq!(offsets.len(), 1);
    assert_eq!(
        offsets[0].key.as_deref(),
        Some(&br#"["eo",{"server":"eo"}]"#[..])
    );
    drop(sink);

    let (mut sink, start) = open(kafka, &config).await?;
    let resume = start.resume.context("a stored position")?;
    assert_eq!(resume.position, ChangePosition::new(1016, 49));
    assert_eq!(resume.end_lsn, Some(1024));
    assert!(resume.snapshot_completed);
    insert(&mut sink, &t, 1032, 100..101)?;
    deliver(&mut sink).await?;
    let schemas = committed(kafka, "eo.tributary.schemas", 2).await?;
    assert_eq!(schemas.len(), 2, "known versions are not published again");
    Ok(())
}

/// The process is gone while a transaction is open: `dispatch` ran, `progress` never did.
async fn an_aborted_batch_is_invisible(kafka: &Kafka) -> Result<()> {
    let config = config("aborted", &[])?;
    let (mut sink, _) = open(kafka, &config).await?;
    let t = table("t");
    insert(&mut sink, &t, 1000, 0..10)?;
    deliver(&mut sink).await?;
    // The second row cannot be encoded: the batch is never handed over.
    let row = [ColumnValue::Null, ColumnValue::Null];
    let bad = event(
        &t,
        Operation::Create,
        ChangePosition::new(1016, 0),
        OldRow::None,
        Some(&row),
    );
    insert(&mut sink, &t, 1008, 10..20)?;
    let _ = sink.write(&bad);
    drop(sink);
    let (_, start) = open(kafka, &config).await?;
    assert_eq!(
        start.resume.context("a stored position")?.position,
        ChangePosition::new(1000, 9)
    );
    let committed = committed(kafka, "aborted.public.t", 10).await?;
    assert_eq!(ids(&committed)?, (0..10).collect::<Vec<u64>>());
    Ok(())
}

async fn a_second_producer_fences_the_first(kafka: &Kafka) -> Result<()> {
    let config = config("fenced", &[])?;
    let t = table("t");
    let (mut first, _) = open(kafka, &config).await?;
    insert(&mut first, &t, 1000, 0..1)?;
    deliver(&mut first).await?;
    let (mut second, start) = open(kafka, &config).await?;
    assert!(start.resume.is_some());
    insert(&mut first, &t, 1008, 100..200)?;
    let error = deliver(&mut first)
        .await
        .err()
        .context("the first is fenced")?;
    let error: &cdc::Error = error.downcast_ref().context("our error")?;
    assert_eq!(error.kind(), ErrorKind::Fenced, "{error:?}");
    insert(&mut second, &t, 1008, 1..3)?;
    deliver(&mut second).await?;
    let committed = committed(kafka, "fenced.public.t", 3).await?;
    assert_eq!(ids(&committed)?, [0, 1, 2]);
    Ok(())
}

/// A connector that is started anew again and again while it opens its producer: what was given up does not come after.
async fn a_producer_that_was_given_up_fences_nobody(kafka: &Kafka) -> Result<()> {
    const ROUNDS: u64 = 15;
    let config = config("given_up", &[])?;
    let t = table("t");
    for round in 0..ROUNDS {
        // Each at another moment; one may have been quicker, and is closed as another connector's end is.
        for millis in [1, 10, 30, 60, 100, 150] {
            let opening = open(kafka, &config);
            let patience = Duration::from_millis(millis + round);
            drop(tokio::time::timeout(patience, opening).await);
        }
        let (mut sink, _) = open(kafka, &config).await?;
        // Several transactions, so that a late producer comes between two of them.
        for id in round * 10..(round + 1) * 10 {
            insert(&mut sink, &t, 1000 + 8 * id, id..id + 1)?;
            deliver(&mut sink)
                .await
                .with_context(|| format!("round {round}, row {id}"))?;
        }
    }
    let committed = committed(kafka, "given_up.public.t", 10 * ROUNDS as usize).await?;
    assert_eq!(ids(&committed)?, (0..10 * ROUNDS).collect::<Vec<u64>>());
    Ok(())
}

async fn at_least_once_repeats_nothing_after_a_restart(kafka: &Kafka) -> Result<()> {
    let settings = [
        ("delivery.guarantee", "at_least_once"),
        ("topic.creation.default.partitions", "3"),
        ("topic.creation.default.replication.factor", "1"),
    ];
    let config = config("alo", &settings)?;
    let (t, k) = (table("t"), keyless("k"));
    let (mut sink, _) = open(kafka, &config).await?;
    insert(&mut sink, &t, 1000, 0..200)?;
    insert(&mut sink, &k, 1008, 0..200)?;
    deliver(&mut sink).await?;
    drop(sink);
    // As if the offset had not been written: everything is replayed, and some more comes.
    let key = br#"["alo",{"server":"alo"}]"#;
    kafka
        .produce(OFFSETS, Some(0), Some(&key[..]), None, &[])
        .await?;
    let (mut sink, _) = open(kafka, &config).await?;
    insert(&mut sink, &t, 1000, 0..200)?;
    insert(&mut sink, &k, 1008, 0..200)?;
    insert(&mut sink, &t, 1016, 200..300)?;
    insert(&mut sink, &k, 1024, 200..300)?;
    deliver(&mut sink).await?;
    for topic in ["alo.public.t", "alo.public.k"] {
        let records = kafka.read_all(topic, false).await?;
        assert_eq!(ids(&records)?, (0..300).collect::<Vec<u64>>(), "{topic}");
    }
    Ok(())
}

/// Delete, tombstone and create of a key change have one position: a crash may come between any two of them.
async fn key_changes_and_tombstones_survive_a_crash_between_them(kafka: &Kafka) -> Result<()> {
    let config = config("halves", &[("delivery.guarantee", "at_least_once")])?;
    let t = table("t");
    let position = ChangePosition::new(2000, 0);
    let change = |sink: &mut cdc::sink::kafka::KafkaSink| {
        let old = [ColumnValue::Text(b"1"), ColumnValue::Null];
        let new = [ColumnValue::Text(b"2"), ColumnValue::Text(b"x")];
        let event = event(
            &t,
            Operation::Update,
            position,
            OldRow::Key(&old),
            Some(&new),
        );
        sink.write(&event)?;
        let end_lsn = Lsn(2008);
        sink.end_transaction(TransactionEnd { position, end_lsn })
    };
    let (mut sink, _) = open(kafka, &config).await?;
    change(&mut sink)?;
    deliver(&mut sink).await?;
    drop(sink);
    let all = kafka.read_all("halves.public.t", false).await?;
    assert_eq!(all.len(), 3);
    assert_eq!(header(&all[0], "__debezium.newkey"), Some("{\"id\":2}"));
    assert_eq!(all[1].value, None);
    assert_eq!(header(&all[1], "__debezium.newkey"), Some("{\"id\":2}"));
    assert_eq!(header(&all[2], "__debezium.oldkey"), Some("{\"id\":1}"));
    for delivered in 1..3 {
        let name = format!("halves{delivered}");
        let topic = format!("{name}.public.t");
        kafka.create_topic(&topic, 1).await?;
        for record in &all[..delivered] {
            kafka
                .produce(
                    &topic,
                    Some(0),
                    record.key.as_deref(),
                    record.value.as_deref(),
                    &record.headers,
                )
                .await?;
        }
        let config = self::config(&name, &[("delivery.guarantee", "at_least_once")])?;
        let (mut sink, _) = open(kafka, &config).await?;
        change(&mut sink)?;
        deliver(&mut sink).await?;
        let records = kafka.read_all(&topic, false).await?;
        let keys: Vec<_> = records.iter().map(|record| record.key.as_deref()).collect();
        let want: Vec<_> = all.iter().map(|record| record.key.as_deref()).collect();
        assert_eq!(
            keys, want,
            "{delivered} of three records were delivered before the crash"
        );
        assert_eq!(records[1].value, None);
    }
    Ok(())
}

async fn a_position_without_events_is_stored(kafka: &Kafka) -> Result<()> {
    let config = config("idle", &[])?;
    let (mut sink, _) = open(kafka, &config).await?;
    let end = TransactionEnd {
        position: ChangePosition::new(4999, 0),
        end_lsn: Lsn(5000),
    };
    assert_eq!(sink.mark_idle(end)?, IdleMark::Deferred);
    assert!(!sink.is_idle());
    let progress = deliver(&mut sink).await?;
    assert_eq!(progress.flushed, Some(Lsn(5000)));
    let (_, start) = open(kafka, &config).await?;
    let resume = start.resume.context("a stored position")?;
    assert_eq!(resume.end_lsn, Some(5000));
    assert!(resume.snapshot_completed);
    Ok(())
}

/// Whatever the server says: what would be stored again below what is stored is refused, before and after a restart.
async fn a_stored_position_never_decreases(kafka: &Kafka) -> Result<()> {
    let config = config("grows", &[])?;
    let t = table("t");
    let (mut sink, _) = open(kafka, &config).await?;
    insert(&mut sink, &t, 1008, 0..3)?;
    deliver(&mut sink).await?;
    for restarts in [false, true] {
        let attempts: [fn(&mut KafkaSink) -> Result<()>; 2] = [
            |sink| insert(sink, &table("t"), 1000, 3..4),
            |sink| {
                let end = TransactionEnd {
                    position: ChangePosition::new(999, 0),
                    end_lsn: Lsn(1000),
                };
                sink.mark_idle(end)?;
                Ok(sink.dispatch()?)
            },
        ];
        for attempt in attempts {
            if restarts {
                drop(sink);
                (sink, _) = open(kafka, &config).await?;
            }
            let error = attempt(&mut sink).err().context("it is refused")?;
            let error: &cdc::Error = error.downcast_ref().context("our error")?;
            assert_eq!(error.kind(), ErrorKind::Defect, "{error:?}");
            let text = error.to_string();
            assert!(text.contains("never decreases"), "{text}");
            assert!(text.contains("1008:2"), "{text}");
            drop(sink);
            (sink, _) = open(kafka, &config).await?;
        }
    }
    insert(&mut sink, &t, 1016, 3..5)?;
    deliver(&mut sink).await?;
    let records = committed(kafka, "grows.public.t", 5).await?;
    assert_eq!(ids(&records)?, [0, 1, 2, 3, 4]);
    Ok(())
}

/// The stock commit of a Kafka transaction takes at least 100 ms.
async fn small_commits_are_quick(kafka: &Kafka) -> Result<()> {
    let config = config("quick", &[])?;
    let (mut sink, _) = open(kafka, &config).await?;
    let t = table("t");
    insert(&mut sink, &t, 8, 0..1)?;
    deliver(&mut sink).await?;
    let rounds = 50;
    let begin = Instant::now();
    for i in 1..=rounds {
        insert(&mut sink, &t, 8 * (i + 1), i..i + 1)?;
        deliver(&mut sink).await?;
    }
    let each = begin.elapsed() / u32::try_from(rounds)?;
    println!("one-event transactions: {each:?} each");
    assert!(each < Duration::from_millis(80), "{each:?} each");
    Ok(())
}

async fn a_too_large_record_names_its_table(kafka: &Kafka) -> Result<()> {
    let config = config("large", &[])?;
    let (mut sink, _) = open(kafka, &config).await?;
    let t = table("wide");
    let text = vec![b'x'; 2 << 20];
    let row = [ColumnValue::Text(b"1"), ColumnValue::Text(&text)];
    let position = ChangePosition::new(1000, 4);
    sink.write(&event(
        &t,
        Operation::Create,
        position,
        OldRow::None,
        Some(&row),
    ))?;
    let error = deliver(&mut sink).await.err().context("it is too large")?;
    let error: &cdc::Error = error.downcast_ref().context("our error")?;
    assert_eq!(error.kind(), ErrorKind::Encode);
    let text = error.to_string();
    assert!(
        text.contains("public.wide") && text.contains("1000:4"),
        "{text}"
    );
    Ok(())
}
