use debezium::{ChangePosition, wire::header};
use rdkafka::message::{Header, OwnedHeaders};

use crate::{
    Error,
    error::defect,
    kafka::batch::{KeyHeader, RecordBatch, RecordSlot},
};

/// What a record carries beside key and value; `position` is room for the text of its position.
pub(super) fn headers(
    batch: &RecordBatch,
    record: &RecordSlot,
    position: &mut [u8; 64],
) -> Result<OwnedHeaders, Error> {
    let mut headers = OwnedHeaders::new_with_capacity(3);
    if let Some(key_header) = &record.key_header {
        let (name, range) = match key_header {
            KeyHeader::New(range) => (header::NEW_KEY, range),
            KeyHeader::Old(range) => (header::OLD_KEY, range),
        };
        headers = headers.insert(Header {
            key: name,
            value: Some(batch.slice(range)?),
        });
    }
    for (name, value) in record.target.context.iter() {
        headers = headers.insert(Header {
            key: name,
            value: Some(value),
        });
    }
    if let Some(at) = record.position {
        headers = headers.insert(Header {
            key: header::POSITION,
            value: Some(position_text(at, position)?),
        });
    }
    if let Some(schema) = &record.target.schema {
        headers = headers.insert(Header {
            key: header::SCHEMA,
            value: Some(schema.as_bytes()),
        });
    }
    if let Some(unavailable) = &record.unavailable {
        headers = headers.insert(Header {
            key: header::UNAVAILABLE,
            value: Some(batch.slice(unavailable)?),
        });
    }
    if let Some(rows) = record.snapshot_rows {
        let mut number = itoa::Buffer::new();
        headers = headers.insert(Header {
            key: header::SNAPSHOT_ROWS,
            value: Some(number.format(rows).as_bytes()),
        });
    }
    Ok(headers)
}

/// The position's text without an allocation per record. Three numbers of at most 20 digits and two colons always fit.
fn position_text(position: ChangePosition, buffer: &mut [u8; 64]) -> Result<&[u8], Error> {
    let mut length = 0;
    let mut number = itoa::Buffer::new();
    let mut append = |text: &[u8]| {
        let free = buffer.get_mut(length..);
        if let Some((free, _)) = free.and_then(|free| free.split_at_mut_checked(text.len())) {
            free.copy_from_slice(text);
        }
        // What does not fit is missed below.
        length += text.len();
    };
    if position.incarnation != 0 {
        append(number.format(position.incarnation).as_bytes());
        append(b":");
    }
    append(number.format(position.commit_lsn).as_bytes());
    append(b":");
    append(number.format(position.ordinal).as_bytes());
    // A position that is cut is that of another change.
    buffer.get(..length).ok_or_else(|| {
        defect(
            "the text of a position fits into its buffer",
            format_args!("{position} of {length} bytes"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_header_is_decimal() {
        for position in [
            ChangePosition::new(0, 0),
            ChangePosition::new(272_899_152, 7),
            ChangePosition::new(u64::MAX, u64::MAX),
            ChangePosition::new(272_899_152, 7).in_incarnation(1_795_000_000),
            ChangePosition::new(u64::MAX, u64::MAX).in_incarnation(u64::MAX),
        ] {
            let mut buffer = [0; 64];
            assert_eq!(
                position_text(position, &mut buffer).unwrap(),
                position.to_string().as_bytes()
            );
        }
    }
}
