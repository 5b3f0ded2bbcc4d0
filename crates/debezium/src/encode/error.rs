use crate::TableId;

/// A change cannot be written as an event. The table, its schema or the settings have to change: a retry does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each shows its fields")]
pub enum EncodeError {
    /// The event's type cannot hold this value, and the column is NOT NULL without default, so null is no way out.
    #[error(
        "encode column `{column}` of table `{table}`: its value cannot be represented and the column is NOT NULL; \
         use another handling mode for its type, or exclude the column"
    )]
    RequiredValue { table: TableId, column: String },
    /// An unchanged TOAST value that PostgreSQL did not send, in a NOT NULL column whose type has no placeholder.
    #[error(
        "encode column `{column}` of table `{table}`: PostgreSQL did not send its unchanged TOAST value, its type has \
         no placeholder and the column is NOT NULL; set REPLICA IDENTITY FULL on the table"
    )]
    UnavailableValue { table: TableId, column: String },
    /// The old row does not carry the key.
    #[error(
        "encode the key of table `{table}`: PostgreSQL did not send key column `{column}` of the old row; \
         the replica identity must cover the event key: set REPLICA IDENTITY DEFAULT or FULL"
    )]
    MissingKeyColumn { table: TableId, column: String },
    /// A row has another number of values than its table has columns.
    #[error(
        "encode a row of table `{table}`: it has {found} values, the table has {expected} columns"
    )]
    RowWidth {
        table: TableId,
        expected: usize,
        found: usize,
    },
    /// What stands for missing values of a column has no place in its Avro schema.
    #[error(
        "prepare events of table `{table}`: write what stands for missing values of column `{column}`"
    )]
    Substitute {
        table: TableId,
        column: String,
        source: Box<crate::DatumError>,
    },
    /// `ByteArrayConverter` for headers, and a key that changed: both halves name the other key in a header.
    #[error(
        "encode the key change of table `{table}`: its events name the other key in a header, and          ByteArrayConverter takes bytes only; set `header.converter` to another one"
    )]
    HeaderOfBytes { table: TableId },
    /// A key names a column that the table does not have.
    #[error(
        "prepare events of table `{table}`: its key names column number {column}, which it does not have"
    )]
    UnknownKeyColumn { table: TableId, column: usize },
}
