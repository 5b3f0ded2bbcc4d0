//! The `transaction` block of an event.

use crate::{ChangeEvent, Source, TransactionOrder};

/// Id and order of the `transaction` block. The id is made from the LSN of the event itself, so only its first part is
/// that of the transaction.
pub(super) fn transaction(event: &ChangeEvent<'_>) -> Option<(String, TransactionOrder)> {
    let order = event.transaction?;
    Some((transaction_id(&event.source)?, order))
}

/// The id of the `transaction` block.
pub(super) fn transaction_id(source: &Source) -> Option<String> {
    Some(format!("{}:{}", source.tx_id?, source.lsn))
}

/// Appends the block as JSON, without a text in between.
#[inline]
pub(super) fn write_transaction(event: &ChangeEvent<'_>, out: &mut Vec<u8>) {
    let (Some(order), Some(tx_id)) = (event.transaction, event.source.tx_id) else {
        out.extend_from_slice(b"null");
        return;
    };
    let mut buffer = itoa::Buffer::new();
    let mut number = |before: &[u8], value: u64| {
        out.extend_from_slice(before);
        out.extend_from_slice(buffer.format(value).as_bytes());
    };
    number(b"{\"id\":\"", tx_id);
    number(b":", event.source.lsn);
    number(b"\",\"total_order\":", order.total_order);
    number(b",\"data_collection_order\":", order.data_collection_order);
    out.push(b'}');
}
