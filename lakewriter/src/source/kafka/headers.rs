use debezium::wire::{self, PublishedSchemaError};
use rdkafka::message::{Headers, Message};

use super::schemas::newer_wire;
use crate::Error;

/// The headers of a record that matter here. All but Debezium's own are written by our cdc.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RecordHeaders<'a> {
    /// `tributary.schema`: sixteen hexadecimal digits.
    pub(crate) schema: Option<&'a [u8]>,
    /// `tributary.position`: the text of a `ChangePosition`.
    pub(crate) position: Option<&'a [u8]>,
    /// `tributary.unavailable`: names, separated by commas.
    pub(crate) unavailable: Option<&'a [u8]>,
    /// `tributary.snapshot_rows`, of a row of a snapshot: how many there are, where it is the last one, otherwise 0.
    pub(crate) snapshot_rows: Option<u64>,
    /// `__debezium.oldkey` is there: the second half of a change of the key, at the same position as the first.
    pub(crate) second_half: bool,
}

/// # Errors
/// They are of a later version than this program reads.
pub(crate) fn record_headers<M: Message>(record: &M) -> Result<RecordHeaders<'_>, Error> {
    let mut found = RecordHeaders::default();
    let Some(headers) = record.headers() else {
        return Ok(found);
    };
    for header in headers.iter() {
        match header.key {
            wire::header::SCHEMA => found.schema = header.value,
            wire::header::POSITION => found.position = header.value,
            wire::header::UNAVAILABLE => found.unavailable = header.value,
            // What is no number tells nothing.
            wire::header::SNAPSHOT_ROWS => {
                let text = std::str::from_utf8(header.value.unwrap_or_default()).ok();
                found.snapshot_rows = text.and_then(|text| text.parse().ok());
            }
            wire::header::OLD_KEY => found.second_half = true,
            wire::header::VERSION => {
                if let Some(version) = wire::newer(header.value.unwrap_or_default()) {
                    let attempted = format!(
                        "read the headers of `{}` [{}] offset {}",
                        record.topic(),
                        record.partition(),
                        record.offset()
                    );
                    return Err(newer_wire(attempted, PublishedSchemaError::Newer(version)));
                }
            }
            _ => {}
        }
    }
    Ok(found)
}
