//! No event is lost and none comes twice, wherever a life of the connector ends: random WAL with transactions that
//! overlap, some of them streamed before they commit, lone messages and quiet stretches between and right before their
//! COMMIT records, sent by a model of the walsender through the real assembler, with the real offsets stored at random
//! moments.

#[path = "position_tests/wal.rs"]
mod wal;

use std::collections::BTreeMap;

use debezium::{ChangeEvent, Column, ColumnValue, PgType, PgTypeKind, SourceRecord};
use pgoutput::{Lsn, PgTimestamp, XLogData};
use proptest::prelude::*;

use super::{LastRecord, RecordKind, never_decreases, next_offset};
use crate::{
    Error, EventSink, Progress, TransactionEnd,
    assemble::{Assembler, DeliveredUpTo, Demand, History},
    checkpoint::Provenance,
    incarnation::{Delivered, Incarnation},
    kafka::{StoredOffset, offsets::MESSAGE},
    table::{KnownColumns, RelationDescription, StreamedTable, streamed_table},
};
use connector::ConnectorConfig;
use wal::{Sent, Wal, sketches};

/// What outlives the connector.
#[derive(Default)]
struct Durable {
    delivered: Vec<String>,
    offset: Option<Vec<u8>>,
    confirmed: Lsn,
}

/// The sink as far as positions go: batches that end anywhere, each durable together with its offset.
struct Batches<'a> {
    durable: &'a mut Durable,
    stored: StoredOffset,
    open: Vec<String>,
    record: Option<LastRecord>,
    end: Option<TransactionEnd>,
    room: usize,
}

impl Batches<'_> {
    /// The batch becomes durable, and its end may be confirmed.
    fn deliver(&mut self, confirm: bool) {
        let before = self.stored.position();
        if let Some(next) = next_offset(
            &self.stored,
            self.record.as_ref(),
            self.end,
            &Provenance::default(),
        ) {
            never_decreases("c", before, next.position().unwrap()).unwrap();
            self.durable.offset = Some(next.encode().unwrap());
            self.stored = next;
        }
        self.durable.delivered.append(&mut self.open);
        (self.record, self.end) = (None, None);
        if let Some(end) = self.stored.tributary_end_lsn.filter(|_| confirm) {
            self.durable.confirmed = self.durable.confirmed.max(Lsn(end));
        }
    }

    fn take(&mut self, name: String, record: LastRecord) {
        let before = self.record.map(|record| record.position);
        never_decreases("c", before.max(self.stored.position()), record.position).unwrap();
        self.open.push(name);
        self.record = Some(record);
    }
}

impl EventSink for Batches<'_> {
    fn write(&mut self, event: &ChangeEvent<'_>) -> Result<(), Error> {
        let Some([ColumnValue::Text(name)]) = event.after else {
            panic!("a row has one text");
        };
        let record = LastRecord {
            kind: RecordKind::Change(event.op),
            source: event.source,
            position: event.position,
        };
        self.take(String::from_utf8(name.to_vec()).unwrap(), record);
        Ok(())
    }

    fn write_record(&mut self, record: &SourceRecord<'_>) -> Result<(), Error> {
        match record {
            SourceRecord::Heartbeat => {}
            SourceRecord::Message(message) => {
                let name = String::from_utf8(message.content.to_vec()).unwrap();
                let record = LastRecord {
                    kind: RecordKind::Message(MESSAGE),
                    source: message.source,
                    position: message.position,
                };
                self.take(name, record);
            }
            SourceRecord::Transaction(transaction) => {
                let (name, kind) = match transaction.counts {
                    None => ("begin", "BEGIN"),
                    Some(_) => ("end", "COMMIT"),
                };
                let source = debezium::Source {
                    lsn: transaction.lsn,
                    tx_id: Some(transaction.tx_id),
                    commit_micros: transaction.commit_micros,
                    last_commit_lsn: transaction.last_commit_lsn,
                    snapshot: debezium::SnapshotMarker::False,
                    xmin: None,
                };
                let record = LastRecord {
                    kind: RecordKind::Message(kind),
                    source,
                    position: transaction.position,
                };
                self.take(format!("{name} {}", transaction.tx_id), record);
            }
        }
        Ok(())
    }

    fn end_transaction(&mut self, end: TransactionEnd) -> Result<(), Error> {
        self.end = Some(end);
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.open.len() < self.room
    }

    fn dispatch(&mut self) -> Result<(), Error> {
        Ok(())
    }

    async fn progress(&mut self) -> Result<Progress, Error> {
        std::future::pending().await
    }

    fn begin_drain(&mut self) {}

    fn is_idle(&self) -> bool {
        self.open.is_empty() && self.end.is_none()
    }
}

fn config(metadata: bool) -> ConnectorConfig {
    let metadata = metadata.to_string();
    let properties = [
        ("name", "c"),
        ("topic.prefix", "c"),
        ("database.hostname", "h"),
        ("database.user", "u"),
        ("database.dbname", "d"),
        ("table.include.list", "public.t"),
        ("provide.transaction.metadata", &metadata),
    ];
    let properties: BTreeMap<String, String> = properties
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    ConnectorConfig::parse(&properties).unwrap().config
}

fn table(relation: &RelationDescription, config: &ConnectorConfig) -> StreamedTable {
    let columns = relation.columns.iter().map(|column| Column {
        name: column.name.clone(),
        pg_type: PgType {
            oid: column.type_oid,
            modifier: -1,
            name: "text".to_owned(),
            kind: PgTypeKind::Text,
        },
        optional: true,
        default_expression: None,
        generated: false,
        older_rows: None,
        number: None,
        rule: None,
    });
    let known = KnownColumns {
        columns: columns.collect(),
        ..KnownColumns::default()
    };
    streamed_table(relation, known, |oid| oid, config)
}

/// One life, which ends after so many steps. Answers whether everything was sent before.
fn live(wal: &Wal, config: &ConnectorConfig, durable: &mut Durable, steps: usize) -> bool {
    let stored = durable
        .offset
        .as_deref()
        .map(|text| StoredOffset::decode(text).unwrap());
    let resume = stored.as_ref().and_then(StoredOffset::resume);
    let delivered = resume
        .as_ref()
        .map(|resume| Delivered::of(resume.position, resume.end_lsn.map(Lsn)).position);
    let incarnation = resume.as_ref().map_or(Incarnation::default(), |resume| {
        Incarnation::of(resume.position)
    });
    let witness = resume.as_ref().and_then(|resume| resume.witness);
    let witness = witness.filter(|witness| witness.commit_lsn >= durable.confirmed.0);
    let from = witness.map_or(durable.confirmed, |witness| Lsn(witness.commit_lsn));
    let mut assembler = Assembler::new(
        config,
        DeliveredUpTo {
            incarnation,
            position: delivered,
            // The same WAL is recognised wherever the life before ended.
            history: History {
                witness,
                witness_comes: true,
                read_micros: None,
                common: durable.confirmed,
            },
            ..DeliveredUpTo::default()
        },
    );
    let sent = wal.sent(from.max(durable.confirmed));
    let mut marked = Lsn(0);
    let mut sink = Batches {
        durable,
        stored: stored.unwrap_or_default(),
        open: Vec::new(),
        record: None,
        end: None,
        room: usize::MAX,
    };
    for (number, (sent, then)) in sent.iter().enumerate() {
        if number >= steps {
            return false;
        }
        match sent {
            Sent::Message { start, data } => {
                let xlog = XLogData {
                    wal_start: *start,
                    wal_end: *start,
                    sent_at: PgTimestamp::default(),
                    data,
                };
                let mut step = assembler.accept(&xlog, &mut sink).unwrap();
                loop {
                    step = match step {
                        Demand::Resolve { description, .. } => {
                            let table = table(&description, config);
                            assembler.add_relation(description, table)
                        }
                        Demand::GoOn => assembler.go_on(&mut sink).unwrap(),
                        Demand::Replay => {
                            // A full sink stops within the transaction, and its batch ends there.
                            sink.room = then.room;
                            if assembler.replay(1, &mut sink).unwrap() {
                                sink.room = usize::MAX;
                                break;
                            }
                            if !sink.has_room() {
                                sink.deliver(then.confirm);
                            }
                            Demand::Replay
                        }
                        Demand::Next => break,
                    };
                }
            }
            Sent::Keepalive(wal_end) => {
                assembler.keepalive(*wal_end).unwrap();
                if let Some(end) = assembler.idle_end()
                    && then.mark
                    && sink.is_idle()
                    && end.end_lsn > marked
                {
                    marked = end.end_lsn;
                    sink.end_transaction(end).unwrap();
                }
            }
        }
        sink.write_record(&SourceRecord::Heartbeat).unwrap();
        if then.deliver {
            sink.deliver(then.confirm);
        }
    }
    sink.deliver(true);
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_restart_at_any_point_loses_and_repeats_nothing(
        sketches in sketches(),
        metadata in any::<bool>(),
        more_lives in prop::collection::vec(1_usize..40, 0..6),
    ) {
        let config = config(metadata);
        let wal = Wal::new(&sketches);
        let expected = wal.expected(metadata);
        for first in 0.. {
            let mut durable = Durable::default();
            let whole = live(&wal, &config, &mut durable, first);
            for steps in &more_lives {
                live(&wal, &config, &mut durable, *steps);
            }
            prop_assert!(live(&wal, &config, &mut durable, usize::MAX));
            prop_assert_eq!(&durable.delivered, &expected, "the first life had {} steps", first);
            if whole {
                break;
            }
        }
    }
}
