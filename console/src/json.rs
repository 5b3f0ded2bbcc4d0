//! Numbers that JSON has no literal for.

use arrow::{
    array::{Array, AsArray},
    datatypes::{DataType, FieldRef, Float32Type, Float64Type},
    error::ArrowError,
    json::{
        Encoder, EncoderFactory,
        writer::{EncoderOptions, NullableEncoder},
    },
};

/// Writes NaN and the infinities as the texts that PostgreSQL's own `to_json` writes. Arrow would write null, which
/// says that there is no value.
#[derive(Debug)]
pub(crate) struct SpecialNumbers;

impl EncoderFactory for SpecialNumbers {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other types of Arrow are alike here"
        )]
        let values: Vec<f64> = match array.data_type() {
            DataType::Float64 => array.as_primitive::<Float64Type>().values().to_vec(),
            DataType::Float32 => {
                let values = array.as_primitive::<Float32Type>().values();
                values.iter().map(|value| f64::from(*value)).collect()
            }
            _ => return Ok(None),
        };
        // Where all are numbers, they look as they always did.
        let special = (0..array.len())
            .any(|row| array.is_valid(row) && values.get(row).is_some_and(|v| !v.is_finite()));
        Ok(special.then(|| {
            let encoder = Box::new(Floats(values));
            NullableEncoder::new(encoder, array.nulls().cloned())
        }))
    }
}

struct Floats(Vec<f64>);

impl Encoder for Floats {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let text = match self.0.get(row) {
            Some(value) if value.is_nan() => "\"NaN\"".to_owned(),
            Some(value) if value.is_infinite() && *value > 0.0 => "\"Infinity\"".to_owned(),
            Some(value) if value.is_infinite() => "\"-Infinity\"".to_owned(),
            // Shortest text that reads back as the same number; JSON wants a digit on both sides of the point.
            Some(value) => format!("{value:?}"),
            None => "null".to_owned(),
        };
        out.extend_from_slice(text.as_bytes());
    }
}
