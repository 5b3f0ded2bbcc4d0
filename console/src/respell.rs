//! [`Spelling`] as a function over columns of the lake.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, AsArray, StringArray},
    compute::cast,
    datatypes::{DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType},
};
use datafusion::{
    error::Result,
    logical_expr::{
        ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    },
};

use crate::spelling::{LakeValue, Spelling};

/// The text of a value in this spelling; null where it has none.
pub(crate) fn spelled(value: Expr, spelling: Spelling) -> Expr {
    ScalarUDF::from(Spelled {
        name: format!("{spelling:?}"),
        spelling,
        signature: Signature::any(1, Volatility::Immutable),
    })
    .call(vec![value])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Spelled {
    name: String,
    spelling: Spelling,
    signature: Signature,
}

impl ScalarUDFImpl for Spelled {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let texts = match columns.first() {
            Some(column) => texts(column, self.spelling)?,
            None => StringArray::new_null(arguments.number_rows),
        };
        Ok(ColumnarValue::Array(Arc::new(texts)))
    }
}

fn texts(column: &ArrayRef, spelling: Spelling) -> Result<StringArray> {
    let of = |value: &dyn Fn(usize) -> Option<String>| -> StringArray {
        let rows = 0..column.len();
        rows.map(|row| column.is_valid(row).then(|| value(row)).flatten())
            .collect()
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other types of Arrow are alike here"
    )]
    Ok(match column.data_type() {
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>();
            of(&|row| spelling.of(&LakeValue::Float(values.value(row))))
        }
        DataType::Date32 => {
            let values = column.as_primitive::<Date32Type>();
            of(&|row| spelling.of(&LakeValue::Day(i64::from(values.value(row)))))
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            let values = column.as_primitive::<TimestampMicrosecondType>();
            of(&|row| spelling.of(&LakeValue::Micros(values.value(row))))
        }
        DataType::Int64 if spelling == Spelling::Time => {
            let values = column.as_primitive::<Int64Type>();
            of(&|row| spelling.of(&LakeValue::Micros(values.value(row))))
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            let bytes = cast(column, &DataType::Binary)?;
            let values = bytes.as_binary::<i32>();
            of(&|row| spelling.of(&LakeValue::Bytes(values.value(row))))
        }
        _ => {
            let text = cast(column, &DataType::Utf8)?;
            let values = text.as_string::<i32>();
            of(&|row| spelling.of(&LakeValue::Text(values.value(row))))
        }
    })
}
