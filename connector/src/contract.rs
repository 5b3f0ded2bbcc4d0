use debezium::{
    BinaryHandling, Compat, ContractSettings, DecimalHandling, HstoreHandling, IntervalHandling,
    NameAdjustment, SkippedOperations, TimePrecision,
};

use super::reader::Reader;

/// The settings that decide how a change is written.
pub(super) fn contract(reader: &mut Reader<'_>, topic_prefix: String) -> ContractSettings {
    let mut contract = ContractSettings::new(topic_prefix);
    contract.compat = reader.choice(
        "debezium.compat",
        &[("2.7", Compat::V2_7), ("3", Compat::V3)],
    );
    contract.source_version = reader
        .text("source.version")
        .unwrap_or(contract.compat.version())
        .to_owned();
    contract.decimal_handling = reader.choice(
        "decimal.handling.mode",
        &[
            ("string", DecimalHandling::String),
            ("double", DecimalHandling::Double),
            ("precise", DecimalHandling::Precise),
        ],
    );
    let modes = [
        ("adaptive", TimePrecision::Adaptive),
        (
            "adaptive_time_microseconds",
            TimePrecision::AdaptiveTimeMicroseconds,
        ),
        ("connect", TimePrecision::Connect),
        ("isostring", TimePrecision::Isostring),
        ("microseconds", TimePrecision::Microseconds),
        ("nanoseconds", TimePrecision::Nanoseconds),
    ];
    let known = match contract.compat {
        Compat::V2_7 => 3,
        Compat::V3 => modes.len(),
    };
    contract.time_precision =
        reader.choice("time.precision.mode", modes.get(..known).unwrap_or(&modes));
    contract.hstore_handling = reader.choice(
        "hstore.handling.mode",
        &[("json", HstoreHandling::Json), ("map", HstoreHandling::Map)],
    );
    contract.binary_handling = reader.choice(
        "binary.handling.mode",
        &[
            ("bytes", BinaryHandling::Bytes),
            ("base64", BinaryHandling::Base64),
            ("base64-url-safe", BinaryHandling::Base64UrlSafe),
            ("hex", BinaryHandling::Hex),
        ],
    );
    contract.interval_handling = reader.choice(
        "interval.handling.mode",
        &[
            ("numeric", IntervalHandling::Numeric),
            ("string", IntervalHandling::String),
        ],
    );
    let adjustments = [
        ("none", NameAdjustment::None),
        ("avro", NameAdjustment::Avro),
        ("avro_unicode", NameAdjustment::AvroUnicode),
    ];
    contract.schema_name_adjustment = reader.choice("schema.name.adjustment.mode", &adjustments);
    contract.field_name_adjustment = reader.choice("field.name.adjustment.mode", &adjustments);
    contract.money_fraction_digits = reader.integer("money.fraction.digits", 0, 18);
    contract.include_unknown_datatypes = reader.boolean("include.unknown.datatypes");
    contract.unavailable_value_placeholder =
        reader.text_or_default("unavailable.value.placeholder");
    contract.tombstones_on_delete = reader.boolean("tombstones.on.delete");
    contract.skipped_operations = skipped_operations(reader);
    contract
}

fn skipped_operations(reader: &mut Reader<'_>) -> SkippedOperations {
    const PROPERTY: &str = "skipped.operations";
    let Some(text) = reader.text(PROPERTY) else {
        return SkippedOperations::default();
    };
    let mut skipped = SkippedOperations {
        create: false,
        update: false,
        delete: false,
        truncate: false,
    };
    for entry in text.split(',').map(str::trim) {
        match entry {
            "c" => skipped.create = true,
            "u" => skipped.update = true,
            "d" => skipped.delete = true,
            "t" => skipped.truncate = true,
            "none" => {}
            _ => {
                reader.problem(PROPERTY, "Value must be none or some of c, u, d, t");
                break;
            }
        }
    }
    skipped
}
