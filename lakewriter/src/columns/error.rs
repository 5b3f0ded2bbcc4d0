/// A change that does not fit the columns of its table. Nothing of it was appended.
#[derive(Debug, thiserror::Error)]
pub enum ColumnError {
    /// The value is not what PostgreSQL or Debezium writes for the column's type.
    #[error("read a value of column `{column}`: {reason}")]
    Value {
        column: String,
        #[source]
        reason: ValueError,
    },
    /// The event's rows have another number of columns than the table.
    #[error("append a change of table `{table}`: its rows have {found} columns and not {expected}")]
    Width {
        table: String,
        expected: usize,
        found: usize,
    },
    /// A position, transaction id or commit time beyond the range of its column.
    #[error("append a change: {what} {value} does not fit its column")]
    Metadata { what: &'static str, value: u64 },
    /// The columns could not be made into a batch.
    #[error("make a record batch of table `{table}`")]
    Batch {
        table: String,
        #[source]
        source: arrow::error::ArrowError,
    },
}

/// Why a single value cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error("expected {0}")]
    Expected(&'static str),
    /// The text is not what PostgreSQL prints for the column's type.
    #[error(transparent)]
    Text(#[from] pgtext::ParseError),
    #[error("out of the range of the lake's type")]
    OutOfRange,
    #[error("not UTF-8")]
    NotUtf8,
    #[error("the batch holds more than 2 GiB of this column: flush it first")]
    Full,
}

impl ColumnError {
    /// The open rows have to be taken out before the column can hold another value.
    pub fn is_full(&self) -> bool {
        matches!(
            self,
            Self::Value {
                reason: ValueError::Full,
                ..
            }
        )
    }
}
