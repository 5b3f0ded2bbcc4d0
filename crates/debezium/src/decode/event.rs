use std::borrow::Cow;

use super::{representation::Representation, value::JsonValue};
use crate::{ChangePosition, Operation, TableId};

/// The headers of a record that its decoding needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventHeaders<'a> {
    /// `tributary.position`: the text of a `ChangePosition`.
    pub position: Option<&'a [u8]>,
    /// `tributary.unavailable`: the names of the columns whose TOASTed values PostgreSQL did not send, in the order of the
    /// table, with commas between.
    pub unavailable: Option<&'a [u8]>,
}

/// One change of a row, its values still JSON text of the record.
#[derive(Debug, Clone, Copy)]
pub struct DecodedEvent<'a> {
    /// What was done to the row.
    pub op: Operation,
    /// The row before the change.
    pub before: DecodedOldRow<'a>,
    /// None for deletes and truncates.
    pub after: Option<DecodedRow<'a>>,
    /// Where and when it was done.
    pub source: DecodedSource<'a>,
    /// From the header; without one the LSN of the row, and the record's offset as ordinal: both grow for one key.
    pub position: ChangePosition,
    /// Indexes of the columns of `after` that hold a placeholder, ascending.
    pub unavailable: &'a [usize],
    /// How each column of the table stands in the rows; None: it never does.
    pub representations: &'a [Option<Representation>],
}

/// The row before the change, as far as the event can be believed.
#[derive(Debug, Clone, Copy)]
pub enum DecodedOldRow<'a> {
    /// Nothing is known of it.
    None,
    /// Only the key columns are real; NOT NULL columns beside them show fallback values.
    Key(DecodedRow<'a>),
    /// The whole row.
    Full(DecodedRow<'a>),
}

/// A row of an event, in the order of the table's columns.
#[derive(Debug, Clone, Copy)]
pub struct DecodedRow<'a> {
    pub(super) text: &'a str,
    pub(super) columns: &'a [Span],
}

/// Where a value stands in the record; empty where the event lacks the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    #[inline]
    pub(super) fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

impl<'a> DecodedRow<'a> {
    /// The value of the table's column with this index; absent beyond the last.
    #[inline]
    pub fn column(self, index: usize) -> JsonValue<'a> {
        let span = self.columns.get(index).copied().unwrap_or_default();
        JsonValue::new(span.of(self.text))
    }
}

/// The envelope's `source` block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodedSource<'a> {
    /// Commit time, microseconds since the Unix epoch; from `ts_us`, `ts_ns` or `ts_ms`, the first there is.
    pub commit_micros: i64,
    /// PostgreSQL's transaction id.
    pub tx_id: Option<i64>,
    /// WAL position of the change itself; none in incremental snapshots.
    pub lsn: Option<i64>,
    /// The row was read by a snapshot.
    pub snapshot: bool,
    pub(super) name: JsonValue<'a>,
    pub(super) database: JsonValue<'a>,
    pub(super) schema: JsonValue<'a>,
    pub(super) table: JsonValue<'a>,
    pub(super) sequence: JsonValue<'a>,
}

impl DecodedSource<'_> {
    /// The table's PostgreSQL names. A name that is missing or no text is empty.
    pub fn table_id(&self) -> TableId {
        let text = |value: JsonValue<'_>| value.string().map(Cow::into_owned).unwrap_or_default();
        TableId {
            database: text(self.database),
            schema: text(self.schema),
            table: text(self.table),
        }
    }

    /// `source.name`: the topic prefix.
    pub fn topic_prefix(&self) -> Option<String> {
        self.name.string().map(Cow::into_owned)
    }

    /// The second LSN of `source.sequence`, which incremental snapshots have though they lack `lsn`.
    pub(super) fn sequence_lsn(&self) -> Option<i64> {
        let text = self.sequence.string()?;
        let sequence = JsonValue::parse(&text).ok()?;
        sequence.items().nth(1)?.string()?.parse().ok()
    }
}
