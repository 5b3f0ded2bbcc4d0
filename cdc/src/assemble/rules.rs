use debezium::{
    ChangeEvent, CollectionCounts, Compat, SkippedOperations, TransactionOrder, halves,
};

use crate::{Error, ErrorKind};
use connector::{ConnectorConfig, FailureHandling, MessageFilter};

/// What of the stream is emitted.
#[derive(Debug, Default)]
pub(super) struct EmitRules {
    pub(super) message_filter: MessageFilter,
    /// `provide.transaction.metadata`.
    pub(super) transaction_metadata: bool,
    /// 3.x counts logical messages among the events of their transaction.
    pub(super) counts_messages: bool,
    /// `skipped.operations`: such events are not counted in a transaction.
    pub(super) skipped_operations: SkippedOperations,
    /// `skip.messages.without.change`.
    pub(super) skip_unchanged: bool,
    /// `event.processing.failure.handling.mode`.
    pub(super) failure_handling: FailureHandling,
}

impl EmitRules {
    pub(super) fn new(config: &ConnectorConfig) -> Self {
        Self {
            message_filter: config.records.message_filter.clone(),
            transaction_metadata: config.transaction_metadata,
            counts_messages: config.contract.compat == Compat::V3,
            skipped_operations: config.contract.skipped_operations,
            skip_unchanged: config.skip_messages_without_change,
            failure_handling: config.failure_handling,
        }
    }

    /// Count an event in its transaction; one that changes the key counts twice, one that is skipped not at all.
    pub(super) fn count(
        &self,
        event: &ChangeEvent<'_>,
        collections: &mut CollectionCounts,
    ) -> Option<TransactionOrder> {
        let (first, second) = halves(*event);
        let emitted = [Some(first), second]
            .into_iter()
            .flatten()
            .filter(|half| !self.skipped_operations.skips(half.op))
            .count() as u64;
        (emitted > 0).then(|| collections.count(&event.table.table, emitted))
    }

    /// What to do about an event that could not be written: only one that cannot be encoded may be left out, and never
    /// without a word.
    pub(super) fn on_failure(&self, error: Error) -> Result<(), Error> {
        if error.kind() != ErrorKind::Encode || self.failure_handling == FailureHandling::Fail {
            return Err(error);
        }
        let text = service::render_error(&error, None).replace('\n', "; ");
        if self.failure_handling == FailureHandling::Warn {
            tracing::warn!(error = %text, "an event is left out: event.processing.failure.handling.mode=warn");
        } else {
            tracing::debug!(error = %text, "an event is left out: event.processing.failure.handling.mode=skip");
        }
        Ok(())
    }
}
