//! The converters of keys, values and headers, by the names of their Java classes.

use debezium::{ContractSettings, DecimalFormat, Format, HeaderFormat};

use super::{
    Registries, RegistryConfig,
    cloud_events::cloud_events,
    reader::Reader,
    registry::{apicurio, confluent},
};

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
const SIMPLE_HEADER: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
/// Confluent's Avro converter.
pub const CONFLUENT_AVRO: &str = "io.confluent.connect.avro.AvroConverter";
/// Apicurio's Avro converter, which Debezium's images carry.
pub const APICURIO_AVRO: &str = "io.apicurio.registry.utils.converter.AvroConverter";
const CLOUD_EVENTS: &str = "io.debezium.converters.CloudEventsConverter";

/// The converters of keys and values that there are.
pub const CONVERTERS: [&str; 5] = [APICURIO_AVRO, CONFLUENT_AVRO, CLOUD_EVENTS, JSON, STRING];
/// The converters of headers.
pub const HEADER_CONVERTERS: [&str; 4] = [BYTES, JSON, SIMPLE_HEADER, STRING];

/// Reads the converters into the contract; what they need beside it is the answer.
pub(super) fn converters(reader: &mut Reader<'_>, contract: &mut ContractSettings) -> Registries {
    let key = converter(reader, "key");
    let value = converter(reader, "value");
    contract.key_format = key.format;
    contract.value_format = value.format;
    contract.key_schemas_enable = key.schemas;
    contract.value_schemas_enable = value.schemas;
    contract.header_format = header(reader);
    contract.decimal_format = value.decimal_format;
    contract.key_decimal_format = key.decimal_format;
    contract.replace_null_with_default = value.default_for_null;
    contract.key_replace_null_with_default = key.default_for_null;
    contract.cloud_events_extensions = value.extensions;
    Registries {
        key: key.registry,
        value: value.registry,
    }
}

/// What one converter is.
struct Converter {
    format: Format,
    schemas: bool,
    registry: Option<RegistryConfig>,
    decimal_format: DecimalFormat,
    /// Whether a null shows the column's default.
    default_for_null: bool,
    /// Of cloud events.
    extensions: bool,
}

fn converter(reader: &mut Reader<'_>, part: &'static str) -> Converter {
    let property = format!("{part}.converter");
    let below = |name: &str| format!("{property}.{name}");
    let class = reader.text(&property).map_or(JSON, full_name);
    let mut found = Converter {
        format: Format::Json,
        schemas: reader.boolean(&below("schemas.enable")),
        registry: None,
        decimal_format: DecimalFormat::Base64,
        default_for_null: true,
        extensions: true,
    };
    match class {
        JSON => json(reader, &property, &mut found),
        STRING => found.format = Format::Text,
        CONFLUENT_AVRO | APICURIO_AVRO => {
            found.format = Format::Avro;
            found.default_for_null = !reader.boolean(&below("ignore.default.for.nullables"));
            found.registry = Some(if class == CONFLUENT_AVRO {
                confluent(reader, part)
            } else {
                apicurio(reader, &property)
            });
        }
        CLOUD_EVENTS if part == "value" => {
            found.format = Format::CloudEvents;
            json(reader, &below("json"), &mut found);
            found.extensions = cloud_events(reader, &property);
        }
        _ if let Some(taken) = single_value(class) => reader.problem(
            &property,
            format!("keys and values are structs and the converter takes {taken} only: it needs a transform that leaves one such field, which is not available yet"),
        ),
        _ => {
            let mut known = vec![JSON, CONFLUENT_AVRO, APICURIO_AVRO, STRING];
            if part == "value" {
                known.push(CLOUD_EVENTS);
            }
            reader.problem(
                &property,
                format!("the converter is not available: one of {}", known.join(", ")),
            );
        }
    }
    found
}

/// What `JsonConverter` reads below `prefix`.
fn json(reader: &mut Reader<'_>, prefix: &str, found: &mut Converter) {
    let below = |name: &str| format!("{prefix}.{name}");
    found.schemas = reader.boolean(&below("schemas.enable"));
    found.decimal_format = decimal_format(reader, &below("decimal.format"));
    found.default_for_null = reader.boolean(&below("replace.null.with.default"));
}

fn decimal_format(reader: &mut Reader<'_>, property: &str) -> DecimalFormat {
    let formats = [
        ("BASE64", DecimalFormat::Base64),
        ("NUMERIC", DecimalFormat::Numeric),
    ];
    reader.choice(property, &formats)
}

/// The class that a name stands for: Kafka Connect knows classes also by their simple names, whole or without
/// `Converter`. An `AvroConverter` could be either of two.
fn full_name(name: &str) -> &str {
    let has_simple_name = |class: &&str| {
        let simple = class.rsplit('.').next().unwrap_or_default();
        name == simple || simple.strip_suffix("Converter") == Some(name)
    };
    let known = [JSON, STRING, BYTES, SIMPLE_HEADER, CLOUD_EVENTS];
    known.into_iter().find(has_simple_name).unwrap_or(name)
}

/// What a converter takes that has no place for a struct.
fn single_value(class: &str) -> Option<&'static str> {
    Some(
        match class.strip_prefix("org.apache.kafka.connect.converters.")? {
            "ByteArrayConverter" => "bytes",
            "BooleanConverter" => "booleans",
            "ShortConverter" | "IntegerConverter" | "LongConverter" => "integers",
            "FloatConverter" | "DoubleConverter" => "floating-point numbers",
            _ => return None,
        },
    )
}

fn header(reader: &mut Reader<'_>) -> HeaderFormat {
    const PROPERTY: &str = "header.converter";
    let available = format!("{SIMPLE_HEADER}, {JSON}, {STRING}, {BYTES}");
    let rule = match reader.text(PROPERTY).map(full_name) {
        None | Some(SIMPLE_HEADER) => return HeaderFormat::Simple,
        Some(JSON) => {
            return HeaderFormat::Json {
                schemas: reader.boolean("header.converter.schemas.enable"),
                decimal_format: decimal_format(reader, "header.converter.decimal.format"),
            };
        }
        Some(STRING) => return HeaderFormat::Text,
        Some(BYTES) => return HeaderFormat::Bytes,
        Some(class) => match single_value(class) {
            Some(taken) => format!(
                "headers are structs and text and the converter takes {taken} only: one of {available}"
            ),
            None => format!("the converter is not available: one of {available}"),
        },
    };
    reader.problem(PROPERTY, rule);
    HeaderFormat::Simple
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_short_names() {
        for (name, class) in [
            (JSON, JSON),
            ("JsonConverter", JSON),
            ("Json", JSON),
            ("StringConverter", STRING),
            ("SimpleHeaderConverter", SIMPLE_HEADER),
            ("CloudEvents", CLOUD_EVENTS),
            ("AvroConverter", "AvroConverter"),
            ("", ""),
        ] {
            assert_eq!(full_name(name), class);
        }
    }
}
