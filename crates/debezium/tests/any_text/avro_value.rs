//! Avro records read with the library `apache-avro`, compared with what `JsonConverter` writes of the same value.

use apache_avro::{Schema, reader::datum::GenericDatumReader, types::Value as Avro};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use debezium::{ConnectSchema, ConnectType};
use serde_json::Value as Json;

/// The value of a record: its schema is the one that is registered.
pub fn decoded(schema: &ConnectSchema, record: &[u8]) -> Avro {
    let schema = schema.to_avro(true).expect("an Avro schema");
    let schema = Schema::parse_str(&schema).expect("parse the Avro schema");
    let reader = GenericDatumReader::builder(&schema)
        .build()
        .expect("read records of the schema");
    let mut rest = record.get(5..).expect("a prefix");
    let value = reader.read_value(&mut rest).expect("decode the record");
    assert!(rest.is_empty(), "{} bytes behind the record", rest.len());
    value
}

/// Where the two differ first: the path and both values.
pub fn difference(schema: &ConnectSchema, avro: &Avro, json: &Json) -> Option<String> {
    let differ = || Some(format!(": Avro {avro:?}, JSON {json}"));
    if let Avro::Union(branch, inner) = avro {
        assert!(schema.optional, "a union that is not optional");
        let null = u32::from(schema.default.is_some());
        assert_eq!(*branch == null, **inner == Avro::Null, "the null's branch");
        if json.is_null() {
            return if **inner == Avro::Null {
                None
            } else {
                differ()
            };
        }
        return required_difference(schema, inner, json);
    }
    assert!(!schema.optional, "no union though optional");
    required_difference(schema, avro, json)
}

fn required_difference(schema: &ConnectSchema, avro: &Avro, json: &Json) -> Option<String> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other JSON values are alike here"
    )]
    let number = |json: &Json| match json {
        Json::String(text) => text.parse::<f64>().expect("a special number"),
        other => other.as_f64().expect("a number"),
    };
    let equal = match (&schema.kind, avro, json) {
        (ConnectType::Struct(fields), Avro::Record(values), Json::Object(members)) => {
            assert_eq!(fields.len(), values.len());
            return fields.iter().zip(values).find_map(|(field, (_, value))| {
                difference(&field.schema, value, &members[&field.name])
                    .map(|rest| format!(".{}{rest}", field.name))
            });
        }
        (ConnectType::Array(items), Avro::Array(values), Json::Array(elements)) => {
            if values.len() != elements.len() {
                return Some(format!(": {} and {} items", values.len(), elements.len()));
            }
            let mut pairs = values.iter().zip(elements);
            return pairs.find_map(|(value, element)| difference(items, value, element));
        }
        (ConnectType::Map { values, .. }, Avro::Map(found), Json::Object(members)) => {
            assert_eq!(found.len(), members.len());
            return found
                .iter()
                .find_map(|(key, value)| difference(values, value, &members[key]));
        }
        (ConnectType::Bytes, Avro::Bytes(bytes), Json::String(text)) => {
            *text == STANDARD.encode(bytes)
        }
        (ConnectType::Bytes, Avro::Decimal(decimal), Json::String(text)) => {
            let bytes: Vec<u8> = decimal.try_into().expect("a decimal's bytes");
            *text == STANDARD.encode(bytes)
        }
        (ConnectType::Float32, Avro::Float(float), json) => {
            let expected = number(json) as f32;
            float.to_bits() == expected.to_bits() || float.is_nan() && expected.is_nan()
        }
        (ConnectType::Float64, Avro::Double(double), json) => {
            let expected = number(json);
            // serde_json reads some doubles a few bits off.
            double.to_bits().abs_diff(expected.to_bits()) <= 4
                || double.is_nan() && expected.is_nan()
        }
        (_, Avro::Boolean(value), json) => json.as_bool() == Some(*value),
        (_, Avro::Int(number) | Avro::Date(number) | Avro::TimeMillis(number), json) => {
            json.as_i64() == Some(i64::from(*number))
        }
        (_, Avro::Long(number) | Avro::TimestampMillis(number), json) => {
            json.as_i64() == Some(*number)
        }
        (_, Avro::String(value), json) => json.as_str() == Some(value),
        _ => false,
    };
    (!equal).then(|| format!(": Avro {avro:?}, JSON {json}"))
}

/// Whether all integers are in the range of their types.
pub fn integers_fit(schema: &ConnectSchema, json: &Json) -> bool {
    match (&schema.kind, json) {
        (ConnectType::Struct(fields), Json::Object(members)) => fields
            .iter()
            .all(|field| integers_fit(&field.schema, &members[&field.name])),
        (ConnectType::Array(items), Json::Array(elements)) => {
            elements.iter().all(|element| integers_fit(items, element))
        }
        (ConnectType::Int16 | ConnectType::Int32, Json::Number(number)) => number
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        (ConnectType::Int64, Json::Number(number)) => number.as_i64().is_some(),
        _ => true,
    }
}
