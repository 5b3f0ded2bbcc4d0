//! The values of one column while they are gathered, to be made an Arrow array.
//!
//! It can be cut back to fewer rows, so that a change of which a later column fails leaves nothing behind.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array,
        Float64Array, Int32Array, Int64Array, ListArray, MapArray, StringArray, StructArray,
        TimestampMicrosecondArray,
    },
    buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::DataType,
    error::ArrowError,
};

use super::error::ValueError;

/// The values of one column while they are gathered. Unlike Arrow's builders it can be cut back to fewer rows, so a
/// change whose last column is wrong leaves nothing behind.
#[derive(Debug)]
pub(super) struct ColumnBuffer {
    pub values: Values,
    validity: Vec<bool>,
}

/// One variant for each physical layout.
#[derive(Debug)]
pub(super) enum Values {
    Boolean(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float64(Vec<f64>),
    Decimal(Vec<i128>),
    Bytes(Bytes),
    /// Of the last offset there may be more items than it says: those of a row that is being appended.
    List {
        offsets: Vec<i32>,
        items: Box<ColumnBuffer>,
    },
    Map {
        offsets: Vec<i32>,
        keys: Box<ColumnBuffer>,
        values: Box<ColumnBuffer>,
    },
    Struct(Vec<ColumnBuffer>),
}

/// Texts or byte strings, one after the other.
#[derive(Debug)]
pub(super) struct Bytes {
    offsets: Vec<i32>,
    /// Beyond the last offset: what has been written of the next value.
    pub data: Vec<u8>,
}

impl Bytes {
    fn new() -> Self {
        Self {
            offsets: vec![0],
            data: Vec::new(),
        }
    }

    fn end(&mut self) -> Result<(), ValueError> {
        let end = i32::try_from(self.data.len()).map_err(|_| ValueError::Full)?;
        self.offsets.push(end);
        Ok(())
    }

    fn last(&self) -> usize {
        offset_at(&self.offsets, self.offsets.len().saturating_sub(1))
    }

    fn truncate(&mut self, rows: usize) {
        self.data.truncate(offset_at(&self.offsets, rows));
        self.offsets.truncate(rows + 1);
    }
}

/// Offsets are made from lengths, so they are never negative; beyond the end stands nothing.
fn offset_at(offsets: &[i32], row: usize) -> usize {
    offsets
        .get(row)
        .and_then(|&offset| usize::try_from(offset).ok())
        .unwrap_or(0)
}

impl ColumnBuffer {
    pub fn new(data_type: &DataType) -> Self {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other types of Arrow are alike here"
        )]
        let values = match data_type {
            DataType::Boolean => Values::Boolean(Vec::new()),
            DataType::Int32 | DataType::Date32 => Values::Int32(Vec::new()),
            DataType::Float64 => Values::Float64(Vec::new()),
            DataType::Decimal128(..) => Values::Decimal(Vec::new()),
            DataType::Utf8 | DataType::Binary => Values::Bytes(Bytes::new()),
            DataType::List(item) => Values::List {
                offsets: vec![0],
                items: Box::new(Self::new(item.data_type())),
            },
            DataType::Map(entry, _) => {
                #[expect(
                    clippy::wildcard_enum_match_arm,
                    reason = "all other types of Arrow are alike here"
                )]
                let column = |index: usize| match entry.data_type() {
                    DataType::Struct(fields) => fields
                        .get(index)
                        .map_or(DataType::Utf8, |field| field.data_type().clone()),
                    _ => DataType::Utf8,
                };
                Values::Map {
                    offsets: vec![0],
                    keys: Box::new(Self::new(&column(0))),
                    values: Box::new(Self::new(&column(1))),
                }
            }
            DataType::Struct(fields) => Values::Struct(
                fields
                    .iter()
                    .map(|field| Self::new(field.data_type()))
                    .collect(),
            ),
            // Int64, and timestamps, which are stored as such.
            _ => Values::Int64(Vec::new()),
        };
        Self {
            values,
            validity: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.validity.len()
    }

    /// Memory of the gathered values, in bytes.
    pub fn bytes(&self) -> usize {
        let values = match &self.values {
            Values::Boolean(values) => values.len(),
            Values::Int32(values) => values.len() * 4,
            Values::Int64(values) => values.len() * 8,
            Values::Float64(values) => values.len() * 8,
            Values::Decimal(values) => values.len() * 16,
            Values::Bytes(bytes) => bytes.data.len() + bytes.offsets.len() * 4,
            Values::List { offsets, items } => offsets.len() * 4 + items.bytes(),
            Values::Map {
                offsets,
                keys,
                values,
            } => offsets.len() * 4 + keys.bytes() + values.bytes(),
            Values::Struct(fields) => fields.iter().map(Self::bytes).sum(),
        };
        values + self.validity.len()
    }

    /// Whether there is a row with this number that is not null.
    pub fn is_valid(&self, row: usize) -> bool {
        self.validity.get(row).copied().unwrap_or(false)
    }

    /// Whether any row is not null.
    pub fn has_values(&self) -> bool {
        self.validity.contains(&true)
    }

    pub fn push_null(&mut self) {
        match &mut self.values {
            Values::Boolean(values) => values.push(false),
            Values::Int32(values) => values.push(0),
            Values::Int64(values) => values.push(0),
            Values::Float64(values) => values.push(0.0),
            Values::Decimal(values) => values.push(0),
            Values::Bytes(bytes) => {
                let last = bytes.last();
                bytes.data.truncate(last);
                bytes.offsets.extend_from_within(bytes.offsets.len() - 1..);
            }
            Values::List { offsets, items } => {
                items.truncate(offset_at(offsets, offsets.len() - 1));
                offsets.extend_from_within(offsets.len() - 1..);
            }
            Values::Map {
                offsets,
                keys,
                values,
            } => {
                let end = offset_at(offsets, offsets.len() - 1);
                keys.truncate(end);
                values.truncate(end);
                offsets.extend_from_within(offsets.len() - 1..);
            }
            Values::Struct(fields) => fields.iter_mut().for_each(Self::push_null),
        }
        self.validity.push(false);
    }

    pub fn push_bool(&mut self, value: bool) -> Result<(), ValueError> {
        let Values::Boolean(values) = &mut self.values else {
            return Err(ValueError::Expected("a boolean column"));
        };
        values.push(value);
        self.validity.push(true);
        Ok(())
    }

    pub fn push_i64(&mut self, value: i64) -> Result<(), ValueError> {
        match &mut self.values {
            Values::Int64(values) => values.push(value),
            Values::Int32(values) => {
                values.push(i32::try_from(value).map_err(|_| ValueError::OutOfRange)?);
            }
            Values::Boolean(_)
            | Values::Float64(_)
            | Values::Decimal(_)
            | Values::Bytes(_)
            | Values::List { .. }
            | Values::Map { .. }
            | Values::Struct(_) => return Err(ValueError::Expected("an integer column")),
        }
        self.validity.push(true);
        Ok(())
    }

    pub fn push_f64(&mut self, value: f64) -> Result<(), ValueError> {
        let Values::Float64(values) = &mut self.values else {
            return Err(ValueError::Expected("a double column"));
        };
        values.push(value);
        self.validity.push(true);
        Ok(())
    }

    pub fn push_i128(&mut self, value: i128) -> Result<(), ValueError> {
        let Values::Decimal(values) = &mut self.values else {
            return Err(ValueError::Expected("a decimal column"));
        };
        values.push(value);
        self.validity.push(true);
        Ok(())
    }

    pub fn push_bytes(&mut self, value: &[u8]) -> Result<(), ValueError> {
        self.write_bytes(|out| {
            out.extend_from_slice(value);
            Ok(())
        })
    }

    /// A value that `write` appends to the data.
    pub fn write_bytes(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), ValueError>,
    ) -> Result<(), ValueError> {
        let Values::Bytes(bytes) = &mut self.values else {
            return Err(ValueError::Expected("a text column"));
        };
        write(&mut bytes.data)?;
        bytes.end()?;
        self.validity.push(true);
        Ok(())
    }

    /// The items of the list that is being appended.
    pub fn list_items(&mut self) -> Result<&mut Self, ValueError> {
        let Values::List { items, .. } = &mut self.values else {
            return Err(ValueError::Expected("a list column"));
        };
        Ok(items)
    }

    /// The keys and values of the map that is being appended.
    pub fn map_entries(&mut self) -> Result<(&mut Self, &mut Self), ValueError> {
        let Values::Map { keys, values, .. } = &mut self.values else {
            return Err(ValueError::Expected("a map column"));
        };
        Ok((keys, values))
    }

    /// Ends the list or map: everything appended since the last end is in it.
    pub fn end_list(&mut self) -> Result<(), ValueError> {
        let (offsets, end) = match &mut self.values {
            Values::List { offsets, items } => (offsets, items.len()),
            Values::Map { offsets, keys, .. } => (offsets, keys.len()),
            Values::Boolean(_)
            | Values::Int32(_)
            | Values::Int64(_)
            | Values::Float64(_)
            | Values::Decimal(_)
            | Values::Bytes(_)
            | Values::Struct(_) => return Err(ValueError::Expected("a list column")),
        };
        offsets.push(i32::try_from(end).map_err(|_| ValueError::Full)?);
        self.validity.push(true);
        Ok(())
    }

    /// A struct of two doubles.
    pub fn push_point(&mut self, x: f64, y: f64) -> Result<(), ValueError> {
        let Values::Struct(fields) = &mut self.values else {
            return Err(ValueError::Expected("a struct column"));
        };
        for (field, value) in fields.iter_mut().zip([x, y]) {
            field.push_f64(value)?;
        }
        self.validity.push(true);
        Ok(())
    }

    /// Cuts back to this many rows, and drops what was written of the next.
    pub fn truncate(&mut self, rows: usize) {
        self.validity.truncate(rows);
        match &mut self.values {
            Values::Boolean(values) => values.truncate(rows),
            Values::Int32(values) => values.truncate(rows),
            Values::Int64(values) => values.truncate(rows),
            Values::Float64(values) => values.truncate(rows),
            Values::Decimal(values) => values.truncate(rows),
            Values::Bytes(bytes) => bytes.truncate(rows),
            Values::List { offsets, items } => {
                items.truncate(offset_at(offsets, rows));
                offsets.truncate(rows + 1);
            }
            Values::Map {
                offsets,
                keys,
                values,
            } => {
                let end = offset_at(offsets, rows);
                keys.truncate(end);
                values.truncate(end);
                offsets.truncate(rows + 1);
            }
            Values::Struct(fields) => fields.iter_mut().for_each(|field| field.truncate(rows)),
        }
    }

    /// The array of all rows, without copying the values; the buffer is empty afterwards.
    pub fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        let taken = std::mem::replace(self, Self::new(data_type));
        let nulls = NullBuffer::from(BooleanBuffer::from(taken.validity));
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        Ok(match taken.values {
            Values::Boolean(values) => {
                let mut bits = BooleanBufferBuilder::new(values.len());
                bits.append_slice(&values);
                Arc::new(BooleanArray::new(bits.finish(), nulls))
            }
            Values::Int32(values) if *data_type == DataType::Date32 => {
                Arc::new(Date32Array::try_new(values.into(), nulls)?)
            }
            Values::Int32(values) => Arc::new(Int32Array::try_new(values.into(), nulls)?),
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "all other types of Arrow are alike here"
            )]
            Values::Int64(values) => match data_type {
                DataType::Timestamp(_, zone) => Arc::new(
                    TimestampMicrosecondArray::try_new(values.into(), nulls)?
                        .with_timezone_opt(zone.clone()),
                ),
                _ => Arc::new(Int64Array::try_new(values.into(), nulls)?),
            },
            Values::Float64(values) => Arc::new(Float64Array::try_new(values.into(), nulls)?),
            Values::Decimal(values) => Arc::new(
                Decimal128Array::try_new(values.into(), nulls)?.with_data_type(data_type.clone()),
            ),
            Values::Bytes(Bytes { offsets, data }) => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let data = Buffer::from_vec(data);
                if *data_type == DataType::Binary {
                    Arc::new(BinaryArray::try_new(offsets, data, nulls)?)
                } else {
                    Arc::new(StringArray::try_new(offsets, data, nulls)?)
                }
            }
            Values::List { offsets, mut items } => {
                let DataType::List(item) = data_type else {
                    return Err(mismatch(data_type));
                };
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                let items = items.finish(item.data_type())?;
                Arc::new(ListArray::try_new(Arc::clone(item), offsets, items, nulls)?)
            }
            Values::Map {
                offsets,
                mut keys,
                mut values,
            } => {
                let DataType::Map(entry, sorted) = data_type else {
                    return Err(mismatch(data_type));
                };
                let DataType::Struct(fields) = entry.data_type() else {
                    return Err(mismatch(data_type));
                };
                let columns = fields
                    .iter()
                    .zip([&mut keys, &mut values])
                    .map(|(field, column)| column.finish(field.data_type()))
                    .collect::<Result<Vec<_>, _>>()?;
                let entries = StructArray::try_new(fields.clone(), columns, None)?;
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(MapArray::try_new(
                    Arc::clone(entry),
                    offsets,
                    entries,
                    nulls,
                    *sorted,
                )?)
            }
            Values::Struct(mut columns) => {
                let DataType::Struct(fields) = data_type else {
                    return Err(mismatch(data_type));
                };
                let columns = fields
                    .iter()
                    .zip(&mut columns)
                    .map(|(field, column)| column.finish(field.data_type()))
                    .collect::<Result<Vec<_>, _>>()?;
                Arc::new(StructArray::try_new(fields.clone(), columns, nulls)?)
            }
        })
    }
}

fn mismatch(data_type: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("the column was not gathered as {data_type}"))
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::{super::lake_type::LakeType, *};

    #[test]
    fn cutting_back_drops_half_written_rows() {
        let strings = LakeType::List(Box::new(LakeType::Utf8)).arrow();
        let mut column = ColumnBuffer::new(&strings);
        let append = |column: &mut ColumnBuffer, items: &[&str]| {
            for item in items {
                column.list_items()?.push_bytes(item.as_bytes())?;
            }
            Ok::<_, ValueError>(())
        };
        append(&mut column, &["a", "bc"])
            .and_then(|()| column.end_list())
            .expect("list");
        append(&mut column, &["left", "over"]).expect("items");
        column.truncate(1);
        column.push_null();
        append(&mut column, &["d"])
            .and_then(|()| column.end_list())
            .expect("list");
        append(&mut column, &["gone"]).expect("items");
        column.push_null();
        assert_eq!(column.len(), 4);
        let array = column.finish(&strings).expect("array");
        let list = array.as_any().downcast_ref::<ListArray>().expect("a list");
        let lengths: Vec<_> = (0..list.len()).map(|row| list.value_length(row)).collect();
        assert_eq!(lengths, [2, 0, 1, 0]);
        assert_eq!((list.null_count(), list.values().len()), (2, 3));
        assert_eq!(column.len(), 0);
    }
}
