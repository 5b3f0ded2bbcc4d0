//! How a column stands in events: the schema of its field and how its values are written, by its type and the handling
//! modes.
//!
//! Debezium's documentation, "Data type mappings" of the PostgreSQL connector; `debezium.compat` says which release.

use crate::{
    BinaryHandling, Column, Compat, ConnectField, ConnectSchema, ConnectType, ContractSettings,
    DecimalFormat, DecimalHandling, Elements, HstoreHandling, IntervalHandling, PgType, PgTypeKind,
    TimePrecision, TypeClass, default_value,
    value::{Codec, Figure, IsoText, Moment},
};

/// How one column stands in events: its schema and how its values are written.
#[derive(Debug, Clone)]
pub(crate) struct ColumnMapping {
    pub(crate) schema: ConnectSchema,
    pub(crate) codec: Codec,
    /// The schema is one of Connect's own logical times, not Debezium's.
    pub(crate) logical_time: bool,
}

/// The schema of a column's values, its default included; None if the column is left out of events.
pub fn mapping(column: &Column, settings: &ContractSettings) -> Option<ConnectSchema> {
    column_mapping(column, settings).map(|mapping| mapping.schema)
}

/// The schema of a type's values, optional and without default; None if such columns are left out of events.
pub fn type_mapping(pg_type: &PgType, settings: &ContractSettings) -> Option<ConnectSchema> {
    type_codec(pg_type, settings).map(|(schema, _)| schema)
}

pub(crate) fn column_mapping(
    column: &Column,
    settings: &ContractSettings,
) -> Option<ColumnMapping> {
    let (mut schema, codec) = type_codec(&column.pg_type, settings)?;
    // PostGIS columns may miss their fallback value, so Debezium makes them optional always, and 3.x what it maps to
    // their schemas or beside them.
    schema.optional = column.optional || matches!(codec, Codec::Geometry { .. } | Codec::Figure(_));
    schema.default = default_value::default_value(column, &schema, &codec, settings.compat);
    let logical_time = schema.name.as_deref().is_some_and(|name| {
        name.starts_with("org.apache.kafka.connect.data.")
            && matches!(
                codec,
                Codec::Date
                    | Codec::Time { .. }
                    | Codec::Timestamp { .. }
                    | Codec::Moment(Moment::Date | Moment::MilliTimestamp)
            )
    });
    Some(ColumnMapping {
        schema,
        codec,
        logical_time,
    })
}

fn plain(kind: ConnectType, codec: Codec) -> (ConnectSchema, Codec) {
    (ConnectSchema::new(kind, true), codec)
}

fn named(kind: ConnectType, name: &str, codec: Codec) -> (ConnectSchema, Codec) {
    (ConnectSchema::new(kind, true).named(name), codec)
}

fn string(name: &str, codec: Codec) -> (ConnectSchema, Codec) {
    named(ConnectType::String, name, codec)
}

pub(crate) fn type_codec(
    pg_type: &PgType,
    settings: &ContractSettings,
) -> Option<(ConnectSchema, Codec)> {
    use ConnectType as C;
    use TypeClass as T;
    Some(match pg_type.row().class {
        T::Boolean => plain(C::Boolean, Codec::Boolean),
        T::Int2 => plain(C::Int16, Codec::Integer),
        T::Int4 => plain(C::Int32, Codec::Integer),
        T::Int8 => plain(C::Int64, Codec::Integer),
        T::Float4 => plain(C::Float32, Codec::Float),
        T::Float8 => plain(C::Float64, Codec::Double),
        T::Numeric { precision, scale } => {
            decimal(PgTypeKind::event_scale(scale), Some(precision), settings)
        }
        T::UnconstrainedNumeric => variable_scale_decimal(settings),
        T::Money { printed } => money(printed, settings),
        T::Text { schema: None } => plain(C::String, Codec::Text),
        T::Text { schema: Some(name) } => string(name, Codec::Text),
        T::Uuid => string("io.debezium.data.Uuid", Codec::Text),
        T::Enum { labels } => {
            let (schema, codec) = string("io.debezium.data.Enum", Codec::Text);
            (schema.parameter("allowed", labels.join(",")), codec)
        }
        T::Bytes => binary(settings.binary_handling, Codec::Bytea),
        T::Bits { length: Some(1) } => plain(C::Boolean, Codec::Bit),
        T::Bits { length } => bits(length.unwrap_or(i32::MAX as u32)),
        T::Date => date(settings),
        T::Time { precision } => time(precision, settings),
        T::TimeTz => {
            let day_end = settings.compat == Compat::V3;
            string("io.debezium.time.ZonedTime", Codec::ZonedTime { day_end })
        }
        T::Timestamp { precision } => timestamp(precision, settings),
        T::TimestampTz { precision } => string(
            "io.debezium.time.ZonedTimestamp",
            Codec::ZonedTimestamp { precision },
        ),
        T::Interval => match settings.interval_handling {
            IntervalHandling::Numeric => named(
                C::Int64,
                "io.debezium.time.MicroDuration",
                Codec::IntervalMicros,
            ),
            IntervalHandling::String => string("io.debezium.time.Interval", Codec::IntervalText),
        },
        T::Point => (point(true), Codec::Point),
        T::PostGis { schema } => geometry(schema, postgis(settings), settings),
        T::Tsvector => match settings.compat {
            Compat::V2_7 => unknown(settings)?,
            Compat::V3 => string("io.debezium.data.Tsvector", Codec::Text),
        },
        T::Figure(figure) => match settings.compat {
            Compat::V2_7 => {
                let (schema, _) = unknown(settings)?;
                (schema, Codec::OpaqueFigure(settings.binary_handling))
            }
            Compat::V3 => figure_of_3(figure, settings),
        },
        T::Hstore => match settings.hstore_handling {
            HstoreHandling::Json => string("io.debezium.data.Json", Codec::HstoreJson),
            HstoreHandling::Map => plain(
                C::Map {
                    keys: Box::new(ConnectSchema::new(C::String, false)),
                    values: Box::new(ConnectSchema::new(C::String, true)),
                },
                Codec::HstoreMap,
            ),
        },
        T::Array { element } => array(element, settings)?,
        T::Unknown => unknown(settings)?,
    })
}

fn money(printed: Option<u8>, settings: &ContractSettings) -> (ConnectSchema, Codec) {
    let fraction_digits = settings.money_fraction_digits;
    let (schema, plain) = decimal(i32::from(fraction_digits), None, settings);
    let codec = match settings.decimal_handling {
        DecimalHandling::String => Codec::MoneyText {
            printed,
            fraction_digits,
            double: false,
        },
        DecimalHandling::Precise | DecimalHandling::Double => Codec::Money {
            printed,
            fraction_digits,
            plain: Box::new(plain),
        },
    };
    (schema, codec)
}

/// A type without rule: left out, unless `include.unknown.datatypes` wants its text as bytes.
fn unknown(settings: &ContractSettings) -> Option<(ConnectSchema, Codec)> {
    settings
        .include_unknown_datatypes
        .then(|| binary(settings.binary_handling, Codec::Opaque))
}

fn binary(handling: BinaryHandling, codec: fn(BinaryHandling) -> Codec) -> (ConnectSchema, Codec) {
    let kind = match handling {
        BinaryHandling::Bytes => ConnectType::Bytes,
        BinaryHandling::Base64 | BinaryHandling::Base64UrlSafe | BinaryHandling::Hex => {
            ConnectType::String
        }
    };
    plain(kind, codec(handling))
}

fn bits(length: u32) -> (ConnectSchema, Codec) {
    let (schema, codec) = named(ConnectType::Bytes, "io.debezium.data.Bits", Codec::Bits);
    (schema.parameter("length", length.to_string()), codec)
}

fn field(name: &str, kind: ConnectType, optional: bool) -> ConnectField {
    ConnectField {
        name: name.to_owned(),
        schema: ConnectSchema::new(kind, optional),
    }
}

fn point(optional: bool) -> ConnectSchema {
    let fields = vec![
        field("x", ConnectType::Float64, false),
        field("y", ConnectType::Float64, false),
        field("wkb", ConnectType::Bytes, true),
        field("srid", ConnectType::Int32, true),
    ];
    let mut schema = ConnectSchema::new(ConnectType::Struct(fields), optional)
        .named("io.debezium.data.geometry.Point");
    schema.doc = Some("Geometry (POINT)".to_owned());
    schema
}

const fn postgis(settings: &ContractSettings) -> Codec {
    Codec::Geometry {
        extensible: matches!(settings.compat, Compat::V3),
    }
}

/// PostGIS, and what 3.x maps to its schema: version 2 says in `extensions` which type it was.
fn geometry(name: &str, codec: Codec, settings: &ContractSettings) -> (ConnectSchema, Codec) {
    let mut fields = vec![
        field("wkb", ConnectType::Bytes, false),
        field("srid", ConnectType::Int32, true),
    ];
    let has_extensions = settings.compat == Compat::V3;
    if has_extensions {
        let text = || Box::new(ConnectSchema::new(ConnectType::String, false));
        let kind = ConnectType::Map {
            keys: text(),
            values: text(),
        };
        fields.push(field("extensions", kind, true));
    }
    let full_name = format!("io.debezium.data.geometry.{name}");
    let (mut schema, codec) = named(ConnectType::Struct(fields), &full_name, codec);
    schema.version = Some(if has_extensions { 2 } else { 1 });
    schema.doc = Some(name.to_owned());
    (schema, codec)
}

/// Figures have a mapping since 3.x.
fn figure_of_3(figure: Figure, settings: &ContractSettings) -> (ConnectSchema, Codec) {
    use ConnectType::{Float64, Struct};
    let with_doc = |fields, name: &str, doc: &str| {
        let name = format!("io.debezium.data.geometry.{name}");
        let (mut schema, codec) = named(Struct(fields), &name, Codec::Figure(figure));
        schema.doc = Some(doc.to_owned());
        (schema, codec)
    };
    match figure {
        Figure::Line => {
            let fields = ["a", "b", "c"].map(|name| field(name, Float64, false));
            with_doc(fields.into(), "Line", "Geometry (LINE)")
        }
        Figure::Circle => {
            let center = ConnectField {
                name: "center".to_owned(),
                schema: point(false),
            };
            let fields = vec![center, field("radius", Float64, false)];
            with_doc(fields, "Circle", "Geometry (CIRCLE)")
        }
        Figure::Box | Figure::Lseg | Figure::Path | Figure::Polygon => {
            geometry("Geometry", Codec::Figure(figure), settings)
        }
    }
}

fn decimal(
    scale: i32,
    precision: Option<u16>,
    settings: &ContractSettings,
) -> (ConnectSchema, Codec) {
    match settings.decimal_handling {
        DecimalHandling::Precise => {
            let codec = match settings.decimal_format {
                DecimalFormat::Base64 => Codec::Decimal { scale },
                DecimalFormat::Numeric => Codec::DecimalNumber { scale },
            };
            let (schema, codec) = named(
                ConnectType::Bytes,
                "org.apache.kafka.connect.data.Decimal",
                codec,
            );
            let schema = schema.parameter("scale", scale.to_string());
            let schema = match precision {
                Some(precision) => {
                    schema.parameter("connect.decimal.precision", precision.to_string())
                }
                None => schema,
            };
            (schema, codec)
        }
        DecimalHandling::Double => plain(ConnectType::Float64, Codec::Double),
        DecimalHandling::String => plain(ConnectType::String, Codec::DecimalText { scale }),
    }
}

fn variable_scale_decimal(settings: &ContractSettings) -> (ConnectSchema, Codec) {
    match settings.decimal_handling {
        DecimalHandling::Precise => {
            let fields = vec![
                field("scale", ConnectType::Int32, false),
                field("value", ConnectType::Bytes, false),
            ];
            let (mut schema, codec) = named(
                ConnectType::Struct(fields),
                "io.debezium.data.VariableScaleDecimal",
                Codec::VariableScaleDecimal,
            );
            schema.doc = Some("Variable scaled decimal".to_owned());
            (schema, codec)
        }
        DecimalHandling::Double => plain(ConnectType::Float64, Codec::Double),
        DecimalHandling::String => plain(ConnectType::String, Codec::DecimalText { scale: 0 }),
    }
}

const MILLIS: i64 = 1_000;
const MICROS: i64 = 1;

fn date(settings: &ContractSettings) -> (ConnectSchema, Codec) {
    let days = match settings.compat {
        Compat::V2_7 => Codec::Date,
        Compat::V3 => Codec::Moment(Moment::Date),
    };
    match settings.time_precision {
        TimePrecision::Isostring => string("io.debezium.time.IsoDate", Codec::Iso(IsoText::Date)),
        TimePrecision::Connect => named(
            ConnectType::Int32,
            "org.apache.kafka.connect.data.Date",
            days,
        ),
        TimePrecision::Adaptive
        | TimePrecision::AdaptiveTimeMicroseconds
        | TimePrecision::Microseconds
        | TimePrecision::Nanoseconds => named(ConnectType::Int32, "io.debezium.time.Date", days),
    }
}

fn time(precision: u8, settings: &ContractSettings) -> (ConnectSchema, Codec) {
    let millis = Codec::Time { divisor: MILLIS };
    match settings.time_precision {
        TimePrecision::Isostring => string("io.debezium.time.IsoTime", Codec::Iso(IsoText::Time)),
        TimePrecision::Nanoseconds => named(
            ConnectType::Int64,
            "io.debezium.time.NanoTime",
            Codec::Moment(Moment::NanoTime),
        ),
        TimePrecision::Connect => named(
            ConnectType::Int32,
            "org.apache.kafka.connect.data.Time",
            millis,
        ),
        TimePrecision::Adaptive if precision <= 3 => {
            named(ConnectType::Int32, "io.debezium.time.Time", millis)
        }
        TimePrecision::Adaptive
        | TimePrecision::AdaptiveTimeMicroseconds
        | TimePrecision::Microseconds => micro_time(),
    }
}

fn micro_time() -> (ConnectSchema, Codec) {
    named(
        ConnectType::Int64,
        "io.debezium.time.MicroTime",
        Codec::Time { divisor: MICROS },
    )
}

fn timestamp(precision: u8, settings: &ContractSettings) -> (ConnectSchema, Codec) {
    use TimePrecision::{
        Adaptive, AdaptiveTimeMicroseconds, Connect, Isostring, Microseconds, Nanoseconds,
    };
    let (millis, micros) = match settings.compat {
        Compat::V2_7 => (
            Codec::Timestamp { divisor: MILLIS },
            Codec::Timestamp { divisor: MICROS },
        ),
        Compat::V3 => (
            Codec::Moment(Moment::MilliTimestamp),
            Codec::Moment(Moment::MicroTimestamp),
        ),
    };
    let number = |name, codec| named(ConnectType::Int64, name, codec);
    match settings.time_precision {
        Isostring => string(
            "io.debezium.time.IsoTimestamp",
            Codec::Iso(IsoText::Timestamp),
        ),
        Nanoseconds => number(
            "io.debezium.time.NanoTimestamp",
            Codec::Moment(Moment::NanoTimestamp),
        ),
        Connect => number("org.apache.kafka.connect.data.Timestamp", millis),
        Adaptive | AdaptiveTimeMicroseconds if precision <= 3 => {
            number("io.debezium.time.Timestamp", millis)
        }
        Adaptive | AdaptiveTimeMicroseconds | Microseconds => {
            number("io.debezium.time.MicroTimestamp", micros)
        }
    }
}

fn array(element: &PgType, settings: &ContractSettings) -> Option<(ConnectSchema, Codec)> {
    let row = element.row();
    let is_null_always = match row.elements {
        Elements::LeftOut => return None,
        Elements::NeverSent => {
            let (schema, _) = type_codec(element, settings)?;
            return Some((schema, Codec::Never));
        }
        Elements::RequiredBefore3 => settings.compat == Compat::V3,
        Elements::Optional | Elements::Required => false,
    };
    let is_time = matches!(row.class, TypeClass::Time { .. });
    let (mut items, codec) = if is_time && settings.compat == Compat::V2_7 {
        // Whatever the mode and the precision.
        micro_time()
    } else {
        type_codec(element, settings)?
    };
    let codec = if is_null_always {
        Codec::Never
    } else {
        items.optional = row.elements == Elements::Optional;
        Codec::Array {
            element: Box::new(codec),
            delimiter: row.delimiter,
            optional: items.optional,
            unsent: row.unsent,
        }
    };
    Some(plain(ConnectType::Array(Box::new(items)), codec))
}
