//! Values as they stand in Debezium's JSON.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use debezium::{
    BinaryHandling,
    decode::{JsonValue, Representation, TimeUnit},
};
use pgtext::Hex;

use super::{
    buffer::ColumnBuffer,
    decimal::{self, MONEY_DIGITS, Number},
    error::ValueError,
    from_text::{append_decimal, append_moment, append_plain},
    hstore, interval,
    lake_type::LakeType,
    list::ListItems,
    temporal::{Moment, parse_date, parse_time, parse_timestamp, utc_time},
};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// What the JDBC driver's infinities come to in microseconds since the epoch.
const POSITIVE_INFINITY_MICROS: i64 = 9_223_372_036_825_200_000;
const NEGATIVE_INFINITY_MICROS: i64 = -9_223_372_036_832_400_000;
/// What they come to in days, while streaming and (2.7) in a snapshot.
const POSITIVE_INFINITY_DAYS: [i64; 3] = [-2_147_472_692, -622_191_234, 2_146_033_979];
const NEGATIVE_INFINITY_DAYS: [i64; 2] = [-2_147_472_691, -625_821_272];

/// Appends one value. Some: the column's type cannot tell the value, a null was appended, and this is the text for the
/// `_raw` column.
pub(super) fn append(
    column: &mut ColumnBuffer,
    lake_type: &LakeType,
    representation: &Representation,
    value: JsonValue<'_>,
) -> Result<Option<String>, ValueError> {
    if value.is_null() {
        column.push_null();
        return Ok(None);
    }
    match lake_type {
        LakeType::Boolean => {
            column.push_bool(value.boolean().ok_or(ValueError::Expected("a boolean"))?)?;
        }
        LakeType::Int64 => {
            column.push_i64(integer(value)?)?;
        }
        LakeType::Single => {
            // Read as what it is: the nearest float4 of the text.
            let number = match value.as_json().parse::<f32>() {
                Ok(number) => f64::from(number),
                Err(_) => double(value)?,
            };
            column.push_f64(number)?;
        }
        LakeType::Double => column.push_f64(double(value)?)?,
        LakeType::Decimal { precision, scale } => {
            return append_any_decimal(column, *precision, *scale, representation, value);
        }
        LakeType::DecimalText { scale } => {
            let text = decimal_text(representation, value)?;
            append_plain(column, Number::of_event(&text)?, Some(usize::from(*scale)))?;
        }
        LakeType::UnconstrainedDecimal => {
            let text = decimal_text(representation, value)?;
            append_plain(column, Number::of_event(&text)?, None)?;
        }
        LakeType::Money { .. } => {
            let text = decimal_text(representation, value)?;
            append_plain(
                column,
                Number::of_event(&text)?,
                Some(usize::from(MONEY_DIGITS)),
            )?;
        }
        LakeType::Utf8 => {
            if *representation == Representation::Inferred && !value.is_string() {
                column.push_bytes(value.as_json().as_bytes())?;
            } else {
                column.write_bytes(|out| {
                    value
                        .append_string(out)
                        .ok_or(ValueError::Expected("a string"))
                })?;
            }
        }
        LakeType::Binary => {
            let handling = if let Representation::Binary(handling) = representation {
                *handling
            } else {
                BinaryHandling::Bytes
            };
            column.write_bytes(|out| append_binary(value, handling, out))?;
        }
        LakeType::Bits => match value.boolean() {
            Some(true) => column.push_bytes(&[1])?,
            Some(false) => column.push_bytes(&[])?,
            None => column.write_bytes(|out| append_binary(value, BinaryHandling::Bytes, out))?,
        },
        LakeType::Geometry => {
            let wkb = value
                .member("wkb")
                .ok_or(ValueError::Expected("a geometry"))?;
            column.write_bytes(|out| append_binary(wkb, BinaryHandling::Bytes, out))?;
        }
        LakeType::Date => return append_moment(column, date(value)?),
        LakeType::Time => {
            let micros = if let Representation::Time(unit) = representation {
                micros(integer(value)?, *unit).ok_or(ValueError::OutOfRange)?
            } else {
                parse_time(string(value)?.trim_end_matches('Z'))?
            };
            column.push_i64(micros)?;
        }
        LakeType::TimeTz => column.push_bytes(utc_time(&string(value)?)?.as_bytes())?,
        LakeType::Timestamp | LakeType::TimestampTz => {
            let moment = if let Representation::Time(unit) = representation {
                timestamp(integer(value)?, *unit)
            } else {
                parse_timestamp(&string(value)?)?
            };
            return append_moment(column, moment);
        }
        LakeType::Interval => {
            let micros = if *representation == Representation::MicroDuration {
                integer(value)?
            } else {
                interval::parse_iso(&string(value)?)?
            };
            column.push_bytes(interval::iso(micros).as_bytes())?;
        }
        LakeType::Point => {
            let coordinate = |name| {
                value
                    .member(name)
                    .and_then(JsonValue::double)
                    .ok_or(ValueError::Expected("a point"))
            };
            column.push_point(coordinate("x")?, coordinate("y")?)?;
        }
        LakeType::Hstore => {
            if value.is_string() {
                let text = string(value)?;
                let object = JsonValue::parse(&text)
                    .map_err(|_| ValueError::Expected("a JSON object in a string"))?;
                hstore::append_object(column, object)?;
            } else {
                hstore::append_object(column, value)?;
            }
        }
        LakeType::List(element) => {
            let Representation::List(representation) = representation else {
                return Err(ValueError::Expected("a column that holds arrays"));
            };
            if !value.as_json().starts_with('[') {
                return Err(ValueError::Expected("an array"));
            }
            let mut list = ListItems::begin(column)?;
            for item in value.items() {
                list.item(|items| append(items, element, representation, item))?;
            }
            return list.end(element);
        }
    }
    Ok(None)
}

fn integer(value: JsonValue<'_>) -> Result<i64, ValueError> {
    value.integer().ok_or(ValueError::Expected("an integer"))
}

fn double(value: JsonValue<'_>) -> Result<f64, ValueError> {
    value
        .double()
        .ok_or(ValueError::Expected("a floating-point number"))
}

fn string(value: JsonValue<'_>) -> Result<std::borrow::Cow<'_, str>, ValueError> {
    value.string().ok_or(ValueError::Expected("a string"))
}

fn append_binary(
    value: JsonValue<'_>,
    handling: BinaryHandling,
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    let text = string(value)?;
    let decoded = match handling {
        BinaryHandling::Hex => {
            out.extend(Hex::parse(text.as_bytes())?.bytes());
            return Ok(());
        }
        BinaryHandling::Bytes | BinaryHandling::Base64 => STANDARD.decode_vec(text.as_ref(), out),
        BinaryHandling::Base64UrlSafe => URL_SAFE.decode_vec(text.as_ref(), out),
    };
    decoded.map_err(|_| ValueError::Expected("base64"))
}

fn append_any_decimal(
    column: &mut ColumnBuffer,
    precision: u8,
    scale: i8,
    representation: &Representation,
    value: JsonValue<'_>,
) -> Result<Option<String>, ValueError> {
    if let Representation::Decimal { scale: written } = representation
        && value.is_string()
        && *written == i32::from(scale)
    {
        // 16 bytes hold 38 digits; the base64 of more would not fit either.
        let mut bytes = [0; 24];
        let text = string(value)?;
        let length = STANDARD
            .decode_slice(text.as_ref(), &mut bytes)
            .map_err(|_| ValueError::Expected("base64 of a decimal"))?;
        let unscaled = bytes
            .get(..length)
            .and_then(decimal::from_bytes)
            .ok_or(ValueError::OutOfRange)?;
        column.push_i128(decimal::within(unscaled, precision)?)?;
        return Ok(None);
    }
    let text = decimal_text(representation, value)?;
    append_decimal(column, Number::of_event(&text)?, precision, scale)
}

/// The number's text, however it is written.
fn decimal_text<'a>(
    representation: &Representation,
    value: JsonValue<'a>,
) -> Result<std::borrow::Cow<'a, str>, ValueError> {
    let unscaled = |value: JsonValue<'_>, scale| {
        let mut bytes = Vec::new();
        append_binary(value, BinaryHandling::Bytes, &mut bytes)?;
        decimal::text_of_bytes(&bytes, scale).map(Into::into)
    };
    if value.is_string() {
        return if let Representation::Decimal { scale } = representation {
            unscaled(value, *scale)
        } else {
            string(value)
        };
    }
    if *representation == Representation::VariableScaleDecimal {
        let expected = ValueError::Expected("a struct of scale and value");
        let scale = value
            .member("scale")
            .and_then(JsonValue::integer)
            .and_then(|scale| i32::try_from(scale).ok())
            .ok_or_else(|| expected.clone())?;
        return unscaled(value.member("value").ok_or(expected)?, scale);
    }
    Ok(value.as_json().into())
}

fn date(value: JsonValue<'_>) -> Result<Moment, ValueError> {
    if value.is_string() {
        return parse_date(string(value)?.trim_end_matches('Z'));
    }
    Ok(match integer(value)? {
        days if POSITIVE_INFINITY_DAYS.contains(&days) => Moment::infinity(false),
        days if NEGATIVE_INFINITY_DAYS.contains(&days) => Moment::infinity(true),
        days => Moment::Finite(days),
    })
}

fn micros(number: i64, unit: TimeUnit) -> Option<i64> {
    match unit {
        TimeUnit::Milliseconds => number.checked_mul(1000),
        TimeUnit::Microseconds => Some(number),
        TimeUnit::Nanoseconds => Some(number.div_euclid(1000)),
    }
}

fn timestamp(number: i64, unit: TimeUnit) -> Moment {
    let per_unit = if unit == TimeUnit::Milliseconds {
        1000
    } else {
        1
    };
    match number {
        i64::MAX => Moment::infinity(false),
        i64::MIN => Moment::infinity(true),
        // 3.x does not divide them for milliseconds.
        POSITIVE_INFINITY_MICROS => Moment::infinity(false),
        NEGATIVE_INFINITY_MICROS => Moment::infinity(true),
        _ if number == POSITIVE_INFINITY_MICROS / per_unit => Moment::infinity(false),
        _ if number == NEGATIVE_INFINITY_MICROS / per_unit => Moment::infinity(true),
        _ => match micros(number, unit) {
            Some(micros) => Moment::Finite(micros),
            None => Moment::Beyond(number.to_string()),
        },
    }
}
