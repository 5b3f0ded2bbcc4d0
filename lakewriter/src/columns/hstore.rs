//! hstore, from PostgreSQL's text (`"a"=>"1", "b"=>NULL`) and from JSON objects.

use std::borrow::Cow;

use debezium::decode::JsonValue;
use pgtext::{Hstore, Quoted};

use super::{buffer::ColumnBuffer, error::ValueError};

const EXPECTED: ValueError = ValueError::Expected("an hstore");

type Entry<'a> = (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>);

/// Appends PostgreSQL's text.
pub(super) fn append_text(column: &mut ColumnBuffer, text: &[u8]) -> Result<(), ValueError> {
    let entries = Hstore::new(text).map(|pair| {
        let (key, value) = pair?;
        Ok((key.text(), value.map(Quoted::text)))
    });
    append(column, entries.collect::<Result<_, ValueError>>()?)
}

/// Appends a JSON object whose values are strings or null.
pub(super) fn append_object(
    column: &mut ColumnBuffer,
    object: JsonValue<'_>,
) -> Result<(), ValueError> {
    if !object.as_json().starts_with('{') {
        return Err(EXPECTED);
    }
    let bytes = |value: JsonValue<'_>| {
        let text = value.string()?.into_owned();
        Some(Cow::Owned(text.into_bytes()))
    };
    let entries = object
        .members()
        .map(|(key, value)| {
            let value = match value.is_null() {
                true => None,
                false => Some(bytes(value).ok_or(EXPECTED)?),
            };
            Ok((bytes(key).ok_or(EXPECTED)?, value))
        })
        .collect::<Result<Vec<_>, ValueError>>()?;
    append(column, entries)
}

/// In PostgreSQL's own order, as events come in any.
fn append(column: &mut ColumnBuffer, mut entries: Vec<Entry<'_>>) -> Result<(), ValueError> {
    entries.sort_by(|(a, _), (b, _)| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let (keys, values) = column.map_entries()?;
    for (key, value) in entries {
        if std::str::from_utf8(&key).is_err()
            || value
                .as_ref()
                .is_some_and(|value| std::str::from_utf8(value).is_err())
        {
            return Err(ValueError::NotUtf8);
        }
        keys.push_bytes(&key)?;
        match value {
            Some(value) => values.push_bytes(&value)?,
            None => values.push_null(),
        }
    }
    column.end_list()
}
