use rdkafka::message::{Headers, Message};

/// The headers of a record that matter here. All but Debezium's own are written by our cdc.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RecordHeaders<'a> {
    /// `tributary.schema`: sixteen hexadecimal digits.
    pub(crate) schema: Option<&'a [u8]>,
    /// `tributary.position`: the text of a `ChangePosition`.
    pub(crate) position: Option<&'a [u8]>,
    /// `tributary.unavailable`: names, separated by commas.
    pub(crate) unavailable: Option<&'a [u8]>,
    /// `__debezium.oldkey` is there: the second half of a change of the key, at the same position as the first.
    pub(crate) second_half: bool,
}

pub(crate) fn record_headers<M: Message>(record: &M) -> RecordHeaders<'_> {
    let mut found = RecordHeaders::default();
    let Some(headers) = record.headers() else {
        return found;
    };
    for header in headers.iter() {
        match header.key {
            "tributary.schema" => found.schema = header.value,
            "tributary.position" => found.position = header.value,
            "tributary.unavailable" => found.unavailable = header.value,
            "__debezium.oldkey" => found.second_half = true,
            _ => {}
        }
    }
    found
}
