use crate::{ChangePosition, Origin, Source, TransactionMetadata, TransactionOrder};

/// A record that is no change of a row.
#[derive(Debug, Clone, Copy)]
pub enum SourceRecord<'a> {
    /// A sign of life (`heartbeat.interval.ms`). It has no position: it is not sent again.
    Heartbeat,
    /// What `pg_logical_emit_message` wrote.
    Message(LogicalMessage<'a>),
    /// BEGIN or END of a transaction.
    Transaction(TransactionMetadata<'a>),
}

/// What `pg_logical_emit_message` wrote.
#[derive(Debug, Clone, Copy)]
pub struct LogicalMessage<'a> {
    /// Its first argument beside the flag: who it is for.
    pub prefix: &'a str,
    /// Any bytes.
    pub content: &'a [u8],
    /// Of the message itself; one that is not transactional has no transaction id, and the commit time of the
    /// transaction before it.
    pub source: Source,
    /// Where it was written first, if a subscription brought it.
    pub origin: Option<Origin<'a>>,
    /// One that is not transactional stands by itself at its own LSN, with ordinal 0.
    pub position: ChangePosition,
    /// With `provide.transaction.metadata`, of messages within a transaction.
    pub transaction: Option<TransactionOrder>,
}
