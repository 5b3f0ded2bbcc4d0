//! What Relation messages leave behind. PostgreSQL sends them again for every ANALYZE, so none of them may cost memory for
//! ever. A process of its own, because the memory of the process is what is measured; and one test, because nothing else
//! may run beside it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

use std::{collections::BTreeMap, fs};

use cdc::{
    EventSink,
    assemble::{Assembler, DeliveredUpTo, Demand},
    sink::null::NullSink,
    table::{KnownColumns, RelationDescription, StreamedTable, streamed_table},
};
use connector::ConnectorConfig;
use debezium::{Column, PgType, PgTypeKind};
use pgoutput::{Lsn, PgTimestamp, XLogData};

const MIB: usize = 1024 * 1024;

/// Names of columns as tables have them.
fn name(column: usize) -> String {
    format!("column_number_{column}")
}

/// The connector's part between the socket and the sink.
struct Stream {
    config: ConnectorConfig,
    assembler: Assembler,
    sink: NullSink,
    lsn: u64,
}

impl Stream {
    fn new() -> Self {
        let properties = [
            ("name", "memory"),
            ("database.hostname", "nowhere"),
            ("database.user", "u"),
            ("database.dbname", "d"),
            ("topic.prefix", "p"),
        ];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = ConnectorConfig::parse(&BTreeMap::from(properties))
            .expect("usable settings")
            .config;
        Self {
            assembler: Assembler::new(&config, DeliveredUpTo::default()),
            sink: NullSink::new(&config),
            config,
            lsn: 1000,
        }
    }

    fn accept(&mut self, message: &[u8], default: Option<&str>) {
        let xlog = XLogData {
            wal_start: Lsn(self.lsn),
            wal_end: Lsn(self.lsn),
            sent_at: PgTimestamp::default(),
            data: message,
        };
        let step = self.assembler.accept(&xlog, &mut self.sink);
        if let Demand::Resolve { description, .. } = step.expect("a valid message") {
            let table = self.answer(&description, default);
            let next = self.assembler.add_relation(description, table);
            assert_eq!(next, Demand::Next);
        }
    }

    /// As the catalog would answer.
    fn answer(&self, relation: &RelationDescription, default: Option<&str>) -> StreamedTable {
        let columns = relation.columns.iter().map(|sent| Column {
            name: sent.name.clone(),
            pg_type: PgType {
                oid: 25,
                name: "text".to_owned(),
                modifier: -1,
                kind: PgTypeKind::Text,
            },
            optional: !sent.part_of_key,
            default_expression: default.map(str::to_owned),
            generated: false,
            older_rows: None,
            number: None,
            rule: None,
        });
        let known = KnownColumns {
            columns: columns.collect(),
            key: vec![name(0)],
            ..KnownColumns::default()
        };
        streamed_table(relation, known, |oid| oid, &self.config)
    }

    /// A transaction of one Relation message and one row of its table.
    fn transaction(&mut self, oid: u32, columns: usize, default: Option<&str>) {
        self.lsn += 16;
        let begin = [
            b"B".as_slice(),
            &self.lsn.to_be_bytes(),
            &[0; 8],
            &[0, 0, 0, 7],
        ];
        self.accept(&begin.concat(), None);
        self.accept(&relation(oid, columns), default);
        let mut insert = vec![b'I'];
        insert.extend(oid.to_be_bytes());
        insert.push(b'N');
        insert.extend((columns as u16).to_be_bytes());
        for _ in 0..columns {
            insert.extend(b"t\0\0\0\x01v");
        }
        self.accept(&insert, None);
        let end = (self.lsn + 8).to_be_bytes();
        let commit = [b"C\0".as_slice(), &self.lsn.to_be_bytes(), &end, &[0; 8]];
        self.accept(&commit.concat(), None);
    }
}

fn relation(oid: u32, columns: usize) -> Vec<u8> {
    let mut message = vec![b'R'];
    message.extend(oid.to_be_bytes());
    message.extend(format!("public\0table_number_{oid}\0d").bytes());
    message.extend((columns as u16).to_be_bytes());
    for column in 0..columns {
        message.push(u8::from(column == 0));
        message.extend(name(column).bytes());
        message.push(0);
        message.extend(25_u32.to_be_bytes());
        message.extend((-1_i32).to_be_bytes());
    }
    message
}

/// Memory of this process, in bytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("read /proc/self/status");
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.trim().parse::<usize>().ok());
    kib.expect("a resident size") * 1024
}

/// Memory that `work` leaves behind, once what it always needs is there.
fn growth(what: &str, warm: impl FnOnce(), work: impl FnOnce()) -> usize {
    warm();
    let before = resident();
    work();
    let grown = resident().saturating_sub(before);
    println!("{what}: {} KiB", grown / 1024);
    grown
}

#[test]
fn relation_messages_leave_nothing_behind() {
    // 75 kB each would be 7 GB.
    let stream = &std::cell::RefCell::new(Stream::new());
    let send = |oid, columns, default: Option<usize>| {
        let default = default.map(|at| format!("'{at}'::text"));
        let mut stream = stream.borrow_mut();
        stream.transaction(oid, columns, default.as_deref());
    };
    let grown = growth(
        "100,000 messages of one table",
        || (0..100).for_each(|_| send(1, 10, None)),
        || (0..100_000).for_each(|_| send(1, 10, None)),
    );
    assert!(grown < 16 * MIB, "{grown}");

    let grown = growth(
        "20,000 messages of 10,000 tables that are known",
        || (0..10_000).for_each(|oid| send(oid, 4, None)),
        || (0..20_000).for_each(|at| send(at % 10_000, 4, None)),
    );
    assert!(grown < 32 * MIB, "{grown}");

    *stream.borrow_mut() = Stream::new();
    let grown = growth(
        "4,000 versions of one table",
        || (0..1000).for_each(|at| send(1, 10, Some(at))),
        || (0..4000).for_each(|at| send(1, 10, Some(at))),
    );
    assert!(grown < 64 * MIB, "{grown}");

    *stream.borrow_mut() = Stream::new();
    let grown = growth(
        "60 versions of a table of 1,600 columns, 60 messages of another",
        || (0..10).for_each(|at| send(1, 1600, Some(at))),
        || {
            (0..60).for_each(|at| send(1, 1600, Some(at)));
            (0..60).for_each(|_| send(2, 1600, None));
        },
    );
    assert!(grown < 128 * MIB, "{grown}");
    assert!(stream.borrow().sink.has_room());
}
