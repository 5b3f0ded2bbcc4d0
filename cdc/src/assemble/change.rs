//! One change of a row, from its tuples to the event that is written to the sink.
//!
//! A tuple that does not fit its table's version is a defect, never a row that is left out. Values stay borrowed from
//! the message.

use debezium::{
    ChangeEvent, ChangePosition, CollectionCounts, ColumnValue, KeyChange, OldRow, Operation,
    Origin, Source,
};
use pgoutput::{OldTuple, PgOutputMessage, TupleColumn, TupleData};

use super::rules::EmitRules;
use crate::{Error, ErrorKind, EventSink, row_values::recycle, table::StreamedTable};

/// Buffers for the rows of one change, kept from change to change.
#[derive(Debug, Default)]
pub(super) struct RowBuffers {
    old: Vec<ColumnValue<'static>>,
    new: Vec<ColumnValue<'static>>,
}

/// A change and where it belongs.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) table: &'a StreamedTable,
    pub(super) source: Source,
    pub(super) origin: Option<Origin<'a>>,
    pub(super) position: ChangePosition,
    /// False for what an earlier life delivered: it is only counted.
    pub(super) deliver: bool,
    /// With transaction metadata: the events of the transaction so far.
    pub(super) collections: Option<&'a mut CollectionCounts>,
}

impl RowBuffers {
    /// Write one Insert, Update, Delete or Truncate of a captured table to the sink.
    #[inline]
    pub(super) fn emit<S: EventSink>(
        &mut self,
        message: &PgOutputMessage<'_>,
        placed: &mut Placed<'_>,
        rules: &EmitRules,
        sink: &mut S,
    ) -> Result<Written, Error> {
        let (op, old, new) = match message {
            PgOutputMessage::Insert(insert) => {
                (Operation::Create, OldTuple::None, Some(insert.new))
            }
            PgOutputMessage::Update(update) => (Operation::Update, update.old, Some(update.new)),
            PgOutputMessage::Delete(delete) => (Operation::Delete, delete.old, None),
            PgOutputMessage::Truncate(_) => (Operation::Truncate, OldTuple::None, None),
            PgOutputMessage::Begin(_)
            | PgOutputMessage::Commit(_)
            | PgOutputMessage::Origin(_)
            | PgOutputMessage::Relation(_)
            | PgOutputMessage::Type(_)
            | PgOutputMessage::Message(_)
            | PgOutputMessage::StreamStart(_)
            | PgOutputMessage::StreamStop
            | PgOutputMessage::StreamCommit(_)
            | PgOutputMessage::StreamAbort(_)
            | PgOutputMessage::BeginPrepare(_)
            | PgOutputMessage::Prepare(_)
            | PgOutputMessage::CommitPrepared(_)
            | PgOutputMessage::RollbackPrepared(_)
            | PgOutputMessage::StreamPrepare(_) => return Ok(Written::Nothing),
        };
        let mut old_values: Vec<ColumnValue<'_>> = std::mem::take(&mut self.old);
        let mut new_values: Vec<ColumnValue<'_>> = std::mem::take(&mut self.new);
        let table = placed.table;
        let mut complete = true;
        let mut nulls = Vec::new();
        match old {
            // Columns beside the key are NULL in it, whatever they were.
            OldTuple::Key(tuple) => {
                complete &= read_tuple(tuple, table, &mut old_values, &mut Vec::new());
            }
            OldTuple::Full(tuple) => {
                complete &= read_tuple(tuple, table, &mut old_values, &mut nulls);
            }
            OldTuple::None => {}
        }
        if let Some(tuple) = new {
            complete &= read_tuple(tuple, table, &mut new_values, &mut nulls);
        }
        if complete && !nulls.is_empty() {
            self.old = recycle(old_values);
            self.new = recycle(new_values);
            return Ok(Written::NullsIn(nulls));
        }
        let before = match old {
            OldTuple::None => OldRow::None,
            OldTuple::Key(_) => OldRow::Key(&old_values),
            OldTuple::Full(_) => {
                for (new, old) in new_values.iter_mut().zip(&old_values) {
                    // The whole old row is here, so the value that was not sent again is known.
                    if *new == ColumnValue::Unchanged {
                        *new = *old;
                    }
                }
                OldRow::Full(&old_values)
            }
        };
        let unchanged = rules.skip_unchanged
            && op == Operation::Update
            && matches!(before, OldRow::Full(old) if table.schema.shows_alike(old, &new_values));
        // Rows of a table without columns say nothing.
        let empty = table.schema.columns.is_empty() && op != Operation::Truncate;
        let result = if unchanged || empty {
            Ok(Written::Nothing)
        } else if complete {
            let mut event = ChangeEvent {
                table: &table.schema,
                op,
                before,
                after: new.is_some().then_some(new_values.as_slice()),
                key_change: KeyChange::None,
                source: placed.source,
                position: placed.position,
                transaction: None,
                origin: placed.origin,
            };
            event.transaction = placed
                .collections
                .as_deref_mut()
                .and_then(|collections| rules.count(&event, collections));
            if placed.deliver {
                sink.write(&event).map(|()| Written::Event(op))
            } else {
                Ok(Written::Nothing)
            }
        } else {
            Err(Error::new(
                ErrorKind::Protocol,
                format!(
                    "read a change of table {}: its columns are not those of its Relation message, or are not text",
                    table.schema.table
                ),
            ))
        };
        self.old = recycle(old_values);
        self.new = recycle(new_values);
        result
    }
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    Event(Operation),
    /// It is left out, or was delivered before.
    Nothing,
    /// It is not written, because these columns of the table are NULL in the row and may not be in the version. Invariant:
    /// no NULL of PostgreSQL is ever written as a value, so the version is the one that is wrong.
    NullsIn(Vec<usize>),
}

/// Append the captured columns of a tuple; false when it does not fit the table. `nulls` are the columns that are NULL
/// and may not be.
#[inline]
fn read_tuple<'a>(
    tuple: TupleData<'a>,
    table: &StreamedTable,
    values: &mut Vec<ColumnValue<'a>>,
    nulls: &mut Vec<usize>,
) -> bool {
    let mut text_only = true;
    let columns = &table.schema.columns;
    let mut value = |at: usize, column| match column {
        TupleColumn::Text(text) => ColumnValue::Text(text),
        TupleColumn::Null => {
            if columns.get(at).is_some_and(|column| !column.optional) {
                nulls.push(at);
            }
            ColumnValue::Null
        }
        TupleColumn::Unchanged => ColumnValue::Unchanged,
        TupleColumn::Binary(_) => {
            text_only = false;
            ColumnValue::Null
        }
    };
    let fits = match &table.kept {
        None => {
            let columns = tuple.iter().enumerate();
            values.extend(columns.map(|(at, column)| value(at, column)));
            tuple.len() == table.schema.columns.len()
        }
        Some(kept) => {
            for (column, kept) in tuple.iter().zip(kept) {
                if *kept {
                    let at = values.len();
                    values.push(value(at, column));
                }
            }
            tuple.len() == kept.len()
        }
    };
    fits && text_only
}
