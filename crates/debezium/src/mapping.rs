use crate::{
    BinaryHandling, Column, Compat, ConnectField, ConnectSchema, ConnectType, ContractSettings,
    DecimalFormat, DecimalHandling, HstoreHandling, IntervalHandling, PgType, PgTypeKind,
    TimePrecision, default_value,
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
    schema.optional = column.optional
        || matches!(
            column.pg_type.kind,
            PgTypeKind::Geometry | PgTypeKind::Geography
        )
        || matches!(codec, Codec::Figure(_));
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

fn type_codec(pg_type: &PgType, settings: &ContractSettings) -> Option<(ConnectSchema, Codec)> {
    use ConnectType as C;
    use PgTypeKind as P;
    Some(match &pg_type.kind {
        P::Bool => plain(C::Boolean, Codec::Boolean),
        P::Int2 => plain(C::Int16, Codec::Integer),
        P::Int4 => plain(C::Int32, Codec::Integer),
        P::Int8 | P::Oid => plain(C::Int64, Codec::Integer),
        P::Float4 => plain(C::Float32, Codec::Float),
        P::Float8 => plain(C::Float64, Codec::Double),
        P::Numeric { precision, scale } => {
            decimal(P::event_scale(*scale), Some(*precision), settings)
        }
        P::UnconstrainedNumeric => variable_scale_decimal(settings),
        P::Money => {
            let printed = u8::try_from(pg_type.modifier).ok();
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
        P::Bpchar
        | P::Varchar
        | P::Text
        | P::Name
        | P::Citext
        | P::InternalChar
        | P::Isbn
        | P::Inet
        | P::Cidr
        | P::Macaddr
        | P::Macaddr8
        | P::Range { .. } => plain(C::String, Codec::Text),
        P::Bytea => binary(settings.binary_handling, Codec::Bytea),
        P::Uuid => string("io.debezium.data.Uuid", Codec::Text),
        P::Json | P::Jsonb => string("io.debezium.data.Json", Codec::Text),
        P::Xml => string("io.debezium.data.Xml", Codec::Text),
        P::Ltree => string("io.debezium.data.Ltree", Codec::Text),
        P::Bit { length: 1 } | P::Varbit { length: Some(1) } => plain(C::Boolean, Codec::Bit),
        P::Bit { length } => bits(*length),
        P::Varbit { length } => bits(length.unwrap_or(i32::MAX as u32)),
        P::Date
        | P::Time { .. }
        | P::TimeTz { .. }
        | P::Timestamp { .. }
        | P::TimestampTz { .. } => temporal(&pg_type.kind, settings)?,
        P::Interval => match settings.interval_handling {
            IntervalHandling::Numeric => named(
                C::Int64,
                "io.debezium.time.MicroDuration",
                Codec::IntervalMicros,
            ),
            IntervalHandling::String => string("io.debezium.time.Interval", Codec::IntervalText),
        },
        P::Point => (point(true), Codec::Point),
        P::Geometry => geometry("Geometry", postgis(settings), settings),
        P::Geography => geometry("Geography", postgis(settings), settings),
        P::Tsvector | P::Line | P::Circle | P::Box | P::Lseg | P::Path | P::Polygon => {
            match settings.compat {
                Compat::V2_7 if pg_type.kind == P::Tsvector => unknown(settings)?,
                Compat::V2_7 => {
                    let (schema, _) = unknown(settings)?;
                    (schema, Codec::OpaqueFigure(settings.binary_handling))
                }
                Compat::V3 => mapped_by_3(&pg_type.kind, settings)?,
            }
        }
        P::Enum { labels } => {
            let (schema, codec) = string("io.debezium.data.Enum", Codec::Text);
            (schema.parameter("allowed", labels.join(",")), codec)
        }
        P::Hstore => match settings.hstore_handling {
            HstoreHandling::Json => string("io.debezium.data.Json", Codec::HstoreJson),
            HstoreHandling::Map => plain(
                C::Map {
                    keys: Box::new(ConnectSchema::new(C::String, false)),
                    values: Box::new(ConnectSchema::new(C::String, true)),
                },
                Codec::HstoreMap,
            ),
        },
        P::Array { element } => array(element, settings)?,
        P::Unknown => unknown(settings)?,
    })
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

/// Types that have a mapping since 3.x.
fn mapped_by_3(kind: &PgTypeKind, settings: &ContractSettings) -> Option<(ConnectSchema, Codec)> {
    use ConnectType::{Float64, Struct};
    let with_doc = |fields, name: &str, doc: &str, figure| {
        let name = format!("io.debezium.data.geometry.{name}");
        let (mut schema, codec) = named(Struct(fields), &name, Codec::Figure(figure));
        schema.doc = Some(doc.to_owned());
        (schema, codec)
    };
    let shape = |figure| geometry("Geometry", Codec::Figure(figure), settings);
    Some(match kind {
        PgTypeKind::Tsvector => string("io.debezium.data.Tsvector", Codec::Text),
        PgTypeKind::Line => {
            let fields = ["a", "b", "c"].map(|name| field(name, Float64, false));
            with_doc(fields.into(), "Line", "Geometry (LINE)", Figure::Line)
        }
        PgTypeKind::Circle => {
            let center = ConnectField {
                name: "center".to_owned(),
                schema: point(false),
            };
            let fields = vec![center, field("radius", Float64, false)];
            with_doc(fields, "Circle", "Geometry (CIRCLE)", Figure::Circle)
        }
        PgTypeKind::Box => shape(Figure::Box),
        PgTypeKind::Lseg => shape(Figure::Lseg),
        PgTypeKind::Path => shape(Figure::Path),
        PgTypeKind::Polygon => shape(Figure::Polygon),
        _ => return None,
    })
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

fn temporal(kind: &PgTypeKind, settings: &ContractSettings) -> Option<(ConnectSchema, Codec)> {
    use ConnectType::{Int32, Int64};
    use TimePrecision::{Adaptive, AdaptiveTimeMicroseconds, Connect, Isostring, Nanoseconds};
    let is_3 = settings.compat == Compat::V3;
    let millis = if is_3 {
        Codec::Moment(Moment::MilliTimestamp)
    } else {
        Codec::Timestamp { divisor: MILLIS }
    };
    Some(match (kind, settings.time_precision) {
        (PgTypeKind::Date, Isostring) => {
            string("io.debezium.time.IsoDate", Codec::Iso(IsoText::Date))
        }
        (PgTypeKind::Time { .. }, Isostring) => {
            string("io.debezium.time.IsoTime", Codec::Iso(IsoText::Time))
        }
        (PgTypeKind::Timestamp { .. }, Isostring) => string(
            "io.debezium.time.IsoTimestamp",
            Codec::Iso(IsoText::Timestamp),
        ),
        (PgTypeKind::Time { .. }, Nanoseconds) => named(
            Int64,
            "io.debezium.time.NanoTime",
            Codec::Moment(Moment::NanoTime),
        ),
        (PgTypeKind::Timestamp { .. }, Nanoseconds) => named(
            Int64,
            "io.debezium.time.NanoTimestamp",
            Codec::Moment(Moment::NanoTimestamp),
        ),
        (PgTypeKind::Date, mode) if is_3 && mode != Connect => {
            named(Int32, "io.debezium.time.Date", Codec::Moment(Moment::Date))
        }
        (PgTypeKind::Date, Connect) => named(
            Int32,
            "org.apache.kafka.connect.data.Date",
            if is_3 {
                Codec::Moment(Moment::Date)
            } else {
                Codec::Date
            },
        ),
        (PgTypeKind::Date, _) => named(Int32, "io.debezium.time.Date", Codec::Date),
        (PgTypeKind::Time { .. }, Connect) => named(
            Int32,
            "org.apache.kafka.connect.data.Time",
            Codec::Time { divisor: MILLIS },
        ),
        (PgTypeKind::Time { precision: 0..=3 }, Adaptive) => named(
            Int32,
            "io.debezium.time.Time",
            Codec::Time { divisor: MILLIS },
        ),
        (PgTypeKind::Time { .. }, _) => micro_time(),
        (PgTypeKind::Timestamp { .. }, Connect) => {
            named(Int64, "org.apache.kafka.connect.data.Timestamp", millis)
        }
        (PgTypeKind::Timestamp { precision: 0..=3 }, Adaptive | AdaptiveTimeMicroseconds) => {
            named(Int64, "io.debezium.time.Timestamp", millis)
        }
        (PgTypeKind::Timestamp { .. }, _) => named(
            Int64,
            "io.debezium.time.MicroTimestamp",
            if is_3 {
                Codec::Moment(Moment::MicroTimestamp)
            } else {
                Codec::Timestamp { divisor: MICROS }
            },
        ),
        (PgTypeKind::TimeTz { .. }, _) => string(
            "io.debezium.time.ZonedTime",
            Codec::ZonedTime { day_end: is_3 },
        ),
        (PgTypeKind::TimestampTz { precision }, _) => string(
            "io.debezium.time.ZonedTimestamp",
            Codec::ZonedTimestamp {
                precision: *precision,
            },
        ),
        _ => return None,
    })
}

fn micro_time() -> (ConnectSchema, Codec) {
    named(
        ConnectType::Int64,
        "io.debezium.time.MicroTime",
        Codec::Time { divisor: MICROS },
    )
}

fn array(element: &PgType, settings: &ContractSettings) -> Option<(ConnectSchema, Codec)> {
    use PgTypeKind as P;
    let (mut items, codec) = match &element.kind {
        // A column of the elements' schema, which is null always.
        P::Bit { .. } => {
            let (schema, _) = type_codec(element, settings)?;
            return Some((schema, Codec::Never));
        }
        // Debezium leaves these out always.
        P::Money
        | P::Name
        | P::Interval
        | P::Xml
        | P::Point
        | P::Varbit { .. }
        | P::Array { .. } => {
            return None;
        }
        // Whatever the mode and the precision, before 3.x.
        P::Time { .. } if settings.compat == Compat::V2_7 => micro_time(),
        P::InternalChar => plain(ConnectType::String, Codec::Text),
        // With a schema, but null always.
        P::Line | P::Circle | P::Box | P::Lseg | P::Path | P::Polygon
            if settings.compat == Compat::V3 =>
        {
            let (items, _) = mapped_by_3(&element.kind, settings)?;
            let (schema, _) = plain(ConnectType::Array(Box::new(items)), Codec::Never);
            return Some((schema, Codec::Never));
        }
        _ => type_codec(element, settings)?,
    };
    items.optional = !matches!(
        element.kind,
        P::Enum { .. }
            | P::Isbn
            | P::Unknown
            | P::Tsvector
            | P::Line
            | P::Circle
            | P::Box
            | P::Lseg
            | P::Path
            | P::Polygon
    );
    let delimiter = match element.kind {
        P::Box => b';',
        P::Geometry | P::Geography => b':',
        _ => b',',
    };
    let codec = Codec::Array {
        element: Box::new(codec),
        delimiter,
        optional: items.optional,
    };
    Some(plain(ConnectType::Array(Box::new(items)), codec))
}
