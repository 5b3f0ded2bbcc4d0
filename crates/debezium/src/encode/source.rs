//! The `source` block of events in JSON.
//!
//! All of it but two LSNs is the same for the rows of a transaction, so it is put together once per transaction.

use crate::{
    Compat, ContractSettings, Origin, SnapshotMarker, Source, TableId, json::write_string,
};

/// Writes the `source` block. All of it but two LSNs is the same for the rows of a transaction, so it is put together
/// once per transaction.
#[derive(Debug)]
pub(super) struct SourceWriter {
    /// `{"version":...,"ts_ms":`
    head: Vec<u8>,
    /// `,"db":...,"sequence":"[`
    database: Vec<u8>,
    /// `,"schema":...,"txId":`
    table: Vec<u8>,
    /// `"false"`: Debezium leaves `snapshot` null while streaming, and the schema's default shows.
    streaming: &'static [u8],
    compat: Compat,
    transaction: Option<Transaction>,
    origin: KnownOrigin,
    /// From `{` to the LSN inside `sequence`.
    before_sequence_lsn: Vec<u8>,
    /// From there to `lsn`.
    before_lsn: Vec<u8>,
    /// Behind `lsn`.
    end: Vec<u8>,
}

/// The origin that something was prepared for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KnownOrigin(Option<(String, Option<u64>)>);

impl KnownOrigin {
    #[inline]
    pub(super) fn is(&self, origin: Option<Origin<'_>>) -> bool {
        match (&self.0, origin) {
            (None, None) => true,
            (Some((name, lsn)), Some(origin)) => name == origin.name && *lsn == origin.lsn,
            _ => false,
        }
    }

    pub(super) fn set(&mut self, origin: Option<Origin<'_>>) {
        self.0 = origin.map(|origin| (origin.name.to_owned(), origin.lsn));
    }
}

/// What the prepared parts depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transaction {
    pub(super) tx_id: Option<u64>,
    pub(super) commit_micros: i64,
    pub(super) last_commit_lsn: Option<u64>,
    pub(super) snapshot: SnapshotMarker,
    pub(super) xmin: Option<u64>,
}

impl Transaction {
    #[inline]
    pub(super) fn of(source: &Source) -> Self {
        Self {
            tx_id: source.tx_id,
            commit_micros: source.commit_micros,
            last_commit_lsn: source.last_commit_lsn,
            snapshot: source.snapshot,
            xmin: source.xmin,
        }
    }
}

/// `snapshot` of the block; Debezium leaves it null while streaming.
pub(super) const fn snapshot_text(marker: SnapshotMarker) -> Option<&'static str> {
    match marker {
        SnapshotMarker::False => None,
        marker @ (SnapshotMarker::First
        | SnapshotMarker::FirstInDataCollection
        | SnapshotMarker::True
        | SnapshotMarker::LastInDataCollection
        | SnapshotMarker::Last
        | SnapshotMarker::Incremental) => Some(marker.as_str()),
    }
}

impl SourceWriter {
    pub(super) fn new(id: &TableId, settings: &ContractSettings) -> Self {
        let mut head = b"{\"version\":".to_vec();
        write_string(&mut head, settings.source_version.as_bytes());
        head.extend_from_slice(b",\"connector\":\"postgresql\",\"name\":");
        write_string(&mut head, settings.topic_prefix.as_bytes());
        head.extend_from_slice(b",\"ts_ms\":");
        let mut database = b",\"db\":".to_vec();
        write_string(&mut database, id.database.as_bytes());
        database.extend_from_slice(b",\"sequence\":\"[");
        let mut table = b",\"schema\":".to_vec();
        write_string(&mut table, id.schema.as_bytes());
        table.extend_from_slice(b",\"table\":");
        write_string(&mut table, id.table.as_bytes());
        table.extend_from_slice(b",\"txId\":");
        Self {
            head,
            database,
            table,
            streaming: if settings.replace_null_with_default {
                b"\"false\""
            } else {
                b"null"
            },
            compat: settings.compat,
            transaction: None,
            origin: KnownOrigin::default(),
            before_sequence_lsn: Vec::new(),
            before_lsn: Vec::new(),
            end: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn write(&mut self, source: &Source, origin: Option<Origin<'_>>, out: &mut Vec<u8>) {
        let transaction = Transaction::of(source);
        if self.transaction != Some(transaction) || !self.origin.is(origin) {
            self.prepare(transaction, origin);
        }
        let mut buffer = itoa::Buffer::new();
        let lsn = buffer.format(source.lsn).as_bytes();
        out.extend_from_slice(&self.before_sequence_lsn);
        out.extend_from_slice(lsn);
        out.extend_from_slice(&self.before_lsn);
        // Rows of an incremental snapshot were read, not written: they have no place in the WAL.
        out.extend_from_slice(if source.snapshot == SnapshotMarker::Incremental {
            b"null"
        } else {
            lsn
        });
        out.extend_from_slice(&self.end);
    }

    #[cold]
    fn prepare(&mut self, transaction: Transaction, origin: Option<Origin<'_>>) {
        let mut buffer = itoa::Buffer::new();
        let mut number = |value: i64, out: &mut Vec<u8>| {
            out.extend_from_slice(buffer.format(value).as_bytes());
        };
        let micros = transaction.commit_micros;
        let out = &mut self.before_sequence_lsn;
        out.clear();
        out.extend_from_slice(&self.head);
        number(micros.div_euclid(1_000), out);
        out.extend_from_slice(b",\"snapshot\":");
        match transaction.snapshot {
            SnapshotMarker::False => out.extend_from_slice(self.streaming),
            marker @ (SnapshotMarker::First
            | SnapshotMarker::FirstInDataCollection
            | SnapshotMarker::True
            | SnapshotMarker::LastInDataCollection
            | SnapshotMarker::Last
            | SnapshotMarker::Incremental) => {
                out.push(b'"');
                out.extend_from_slice(marker.as_str().as_bytes());
                out.push(b'"');
            }
        }
        out.extend_from_slice(&self.database);
        match transaction.last_commit_lsn {
            None => out.extend_from_slice(b"null"),
            Some(lsn) => {
                out.extend_from_slice(b"\\\"");
                out.extend_from_slice(itoa::Buffer::new().format(lsn).as_bytes());
                out.extend_from_slice(b"\\\"");
            }
        }
        out.extend_from_slice(b",\\\"");
        let out = &mut self.before_lsn;
        out.clear();
        out.extend_from_slice(b"\\\"]\",\"ts_us\":");
        number(micros, out);
        out.extend_from_slice(b",\"ts_ns\":");
        number(micros.saturating_mul(1_000), out);
        out.extend_from_slice(&self.table);
        match transaction
            .tx_id
            .filter(|_| transaction.snapshot != SnapshotMarker::Incremental)
        {
            None => out.extend_from_slice(b"null"),
            Some(id) => out.extend_from_slice(itoa::Buffer::new().format(id).as_bytes()),
        }
        out.extend_from_slice(b",\"lsn\":");
        let out = &mut self.end;
        out.clear();
        let unsigned = |value: Option<u64>, out: &mut Vec<u8>| match value {
            None => out.extend_from_slice(b"null"),
            Some(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        };
        out.extend_from_slice(b",\"xmin\":");
        unsigned(transaction.xmin, out);
        if self.compat == Compat::V3 {
            out.extend_from_slice(b",\"origin\":");
            match origin {
                None => out.extend_from_slice(b"null"),
                Some(origin) => write_string(out, origin.name.as_bytes()),
            }
            out.extend_from_slice(b",\"origin_lsn\":");
            unsigned(origin.and_then(|origin| origin.lsn), out);
        }
        out.push(b'}');
        self.transaction = Some(transaction);
        self.origin.set(origin);
    }
}
