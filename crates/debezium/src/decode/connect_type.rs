//! PostgreSQL types guessed back from Connect schemas: as much of them as the lake's column types depend on.

use super::representation::{Representation, TimeUnit};
use crate::{BinaryHandling, ConnectSchema, ConnectType, PgType, PgTypeKind};

/// A decimal without precision may have any: wider than every fixed-size decimal.
const UNKNOWN_PRECISION: u16 = 1000;

/// The type whose events have this schema, and how its values stand in them.
pub(super) fn postgres_type(schema: &ConnectSchema) -> (PgType, Representation) {
    let (kind, representation) = kind_of(schema);
    (named(kind), representation)
}

/// A type of this kind, by PostgreSQL's own name of it.
pub(super) fn named(kind: PgTypeKind) -> PgType {
    PgType::plain(kind, -1)
}

fn kind_of(schema: &ConnectSchema) -> (PgTypeKind, Representation) {
    use ConnectType as C;
    use PgTypeKind as K;
    use Representation as R;
    let name = schema.name.as_deref().unwrap_or_default();
    match (&schema.kind, name.rsplit('.').next().unwrap_or_default()) {
        (C::Int32, "Date") => (K::Date, R::Days),
        (C::Int32 | C::Int64, "Time") => {
            (K::Time { precision: 3 }, R::Time(TimeUnit::Milliseconds))
        }
        (C::Int64, "MicroTime") => (K::Time { precision: 6 }, R::Time(TimeUnit::Microseconds)),
        (C::Int64, "NanoTime") => (K::Time { precision: 6 }, R::Time(TimeUnit::Nanoseconds)),
        (C::Int64, "Timestamp") => (
            K::Timestamp { precision: 3 },
            R::Time(TimeUnit::Milliseconds),
        ),
        (C::Int64, "MicroTimestamp") => (
            K::Timestamp { precision: 6 },
            R::Time(TimeUnit::Microseconds),
        ),
        (C::Int64, "NanoTimestamp") => (
            K::Timestamp { precision: 6 },
            R::Time(TimeUnit::Nanoseconds),
        ),
        (C::Int64, "MicroDuration") => (K::Interval, R::MicroDuration),
        (C::String, "Interval") => (K::Interval, R::DurationText),
        (C::String, "ZonedTimestamp") => (K::TimestampTz { precision: 6 }, R::ZonedText),
        (C::String, "ZonedTime") => (K::TimeTz { precision: 6 }, R::ZonedText),
        (C::String, "IsoTimestamp") => (K::Timestamp { precision: 6 }, R::ZonedText),
        (C::String, "IsoTime") => (K::Time { precision: 6 }, R::ZonedText),
        (C::String, "IsoDate") => (K::Date, R::ZonedText),
        (C::String, "Uuid") => (K::Uuid, R::Text),
        (C::String, "Json") => (K::Jsonb, R::Text),
        (C::String, "Xml") => (K::Xml, R::Text),
        (C::Boolean, _) => (K::Bool, R::Boolean),
        (C::Int8 | C::Int16, _) => (K::Int2, R::Integer),
        (C::Int32, _) => (K::Int4, R::Integer),
        (C::Int64, _) => (K::Int8, R::Integer),
        (C::Float32, _) => (K::Float4, R::Double),
        (C::Float64, _) => (K::Float8, R::Double),
        (C::String, _) => (K::Text, R::Text),
        (C::Bytes, "Decimal") => {
            let number = |key| {
                schema
                    .parameter_value(key)
                    .and_then(|text| text.parse().ok())
            };
            let scale: i16 = number("scale").unwrap_or(0);
            let precision = number("connect.decimal.precision")
                .and_then(|precision| u16::try_from(precision).ok())
                .unwrap_or(UNKNOWN_PRECISION);
            (
                // The scale of an event never has a sign.
                K::Numeric {
                    precision,
                    scale: if scale >= 1024 { scale - 2048 } else { scale },
                },
                R::Decimal {
                    scale: i32::from(scale),
                },
            )
        }
        (C::Bytes, "Bits") => {
            let length = schema.parameter_value("length");
            let length = length.and_then(|length| length.parse().ok());
            (K::Varbit { length }, R::Bits)
        }
        (C::Bytes, _) => (K::Bytea, R::Binary(BinaryHandling::Bytes)),
        (C::Struct(_), "VariableScaleDecimal") => {
            (K::UnconstrainedNumeric, R::VariableScaleDecimal)
        }
        (C::Struct(_), "Point") => (K::Point, R::Point),
        (C::Struct(_), "Geometry" | "Geography") => (K::Geometry, R::Geometry),
        (C::Map { keys, values }, _) if keys.kind == C::String && values.kind == C::String => {
            (K::Hstore, R::Map)
        }
        (C::Array(items), _) => {
            let (element, representation) = postgres_type(items);
            (
                K::Array {
                    element: Box::new(element),
                },
                R::List(Box::new(representation)),
            )
        }
        // Other structs and maps stay JSON.
        (C::Struct(_) | C::Map { .. }, _) => (K::Jsonb, R::Inferred),
    }
}
