//! Dates and timestamps that the lake holds and Arrow cannot print.
//!
//! Arrow prints through a calendar that ends with the year 262142. A date may be in the year 5874897, and Arrow would
//! show the text of an error in place of it.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringArray},
    datatypes::{DataType, Date32Type, Field, Schema, TimeUnit, TimestampMicrosecondType},
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};
use pgtext::Day;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Days from the epoch within which Arrow's calendar reaches, with some room at both ends.
const NEAR_DAYS: std::ops::Range<i64> = -95_000_000..95_000_000;

/// The batch with text in place of the columns that have such a value, at the top or in lists.
pub(crate) fn printable(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let mut columns = batch.columns().to_vec();
    let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
    let mut changed = false;
    for (column, field) in columns.iter_mut().zip(&mut fields) {
        if let Some(text) = as_text(column)? {
            *field = Arc::new(
                field
                    .as_ref()
                    .clone()
                    .with_data_type(text.data_type().clone()),
            );
            *column = text;
            changed = true;
        }
    }
    if !changed {
        return Ok(batch);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// None: nothing in it is too far away.
fn as_text(column: &ArrayRef) -> Result<Option<ArrayRef>, ArrowError> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other types of Arrow are alike here"
    )]
    let days = |row: usize| match column.data_type() {
        DataType::Date32 => Some(i64::from(column.as_primitive::<Date32Type>().value(row))),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            Some(micros.div_euclid(MICROS_PER_DAY))
        }
        _ => None,
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other types of Arrow are alike here"
    )]
    match column.data_type() {
        DataType::Date32 | DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let is_far = |row: usize| {
                column.is_valid(row) && days(row).is_some_and(|days| !NEAR_DAYS.contains(&days))
            };
            if !(0..column.len()).any(is_far) {
                return Ok(None);
            }
            let options = FormatOptions::default();
            let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
            let texts = (0..column.len()).map(|row| {
                if column.is_null(row) {
                    Ok(None)
                } else if is_far(row) {
                    Ok(days(row).map(|days| far_text(column, row, days)))
                } else {
                    formatter.value(row).try_to_string().map(Some)
                }
            });
            let texts: Vec<Option<String>> = texts.collect::<Result<_, _>>()?;
            Ok(Some(Arc::new(StringArray::from(texts))))
        }
        DataType::List(item) => {
            let lists = column.as_list::<i32>();
            let Some(values) = as_text(lists.values())? else {
                return Ok(None);
            };
            let item = item
                .as_ref()
                .clone()
                .with_data_type(values.data_type().clone());
            let lists = ListArray::try_new(
                Arc::new(item),
                lists.offsets().clone(),
                values,
                lists.nulls().cloned(),
            )?;
            Ok(Some(Arc::new(lists)))
        }
        _ => Ok(None),
    }
}

/// As Arrow would print it: ISO 8601, a year of more than four digits with its sign.
fn far_text(column: &ArrayRef, row: usize, days: i64) -> String {
    let Day { year, month, day } = Day::from_epoch(days);
    let date = format!("{year:+05}-{month:02}-{day:02}");
    let DataType::Timestamp(_, zone) = column.data_type() else {
        return date;
    };
    let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
    let micros = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{date}T{hour:02}:{minute:02}:{second:02}");
    if fraction != 0 {
        text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    if zone.is_some() {
        text.push('Z');
    }
    text
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, TimestampMicrosecondArray};

    use super::*;

    fn texts(column: ArrayRef) -> Vec<String> {
        let text = as_text(&column)
            .expect("text")
            .expect("something is far away");
        let text = text.as_string::<i32>().iter();
        text.map(|text| text.unwrap_or("null").to_owned()).collect()
    }

    #[test]
    fn the_calendar_is_right() {
        let civil = |days| {
            let day = Day::from_epoch(days);
            (day.year, day.month, day.day)
        };
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(civil(11_016), (2000, 2, 29));
        // The last date of PostgreSQL, and the first.
        assert_eq!(civil(2_145_042_905), (5_874_897, 12, 31));
        assert_eq!(civil(-2_440_588), (-4713, 11, 24));
    }

    #[test]
    fn far_values_are_printed_and_near_ones_stay_as_they_are() {
        let days = Date32Array::from(vec![Some(0), None, Some(2_145_042_905)]);
        assert_eq!(
            texts(Arc::new(days)),
            ["1970-01-01", "null", "+5874897-12-31"]
        );
        let micros = 9_223_371_331_200_000_000;
        let stamps =
            TimestampMicrosecondArray::from(vec![1_500_000, micros - 1]).with_timezone("UTC");
        assert_eq!(
            texts(Arc::new(stamps)),
            ["1970-01-01T00:00:01.500Z", "+294247-01-01T23:59:59.999999Z"]
        );
        let near: ArrayRef = Arc::new(Date32Array::from(vec![0, 90_000_000]));
        assert!(as_text(&near).expect("no text").is_none());
    }
}
