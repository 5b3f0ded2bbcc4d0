//! What a column's values are in the lake.
//!
//! It is a function of the PostgreSQL type alone, whichever road the values come by and whatever the handling modes of
//! the connector are.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use debezium::{Elements, PgType, TypeClass};

/// The greatest precision of Arrow's and Delta's decimals.
const MAX_PRECISION: u8 = 38;

/// What a column's values are in the lake: a function of the PostgreSQL type alone, whichever road they come by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LakeType {
    Boolean,
    Int64,
    /// float4: widened as PostgreSQL's cast to float8 does it.
    Single,
    Double,
    Decimal {
        precision: u8,
        scale: i8,
    },
    /// Exact text with this many digits after the point.
    DecimalText {
        scale: u16,
    },
    /// Exact text without trailing zeros after the point (Debezium's events have already lost them).
    UnconstrainedDecimal,
    /// Exact text with two digits or more after the point, without currency and separators.
    Money {
        /// How many digits behind the point the server's text has, where that is known.
        printed: Option<u8>,
    },
    Utf8,
    Binary,
    /// Little-endian bytes without leading zero bits: Debezium's `Bits`, so `bit(1)` is 01 or empty.
    Bits,
    Date,
    Time,
    /// Text in UTC: `11:51:30.5Z`.
    TimeTz,
    Timestamp,
    TimestampTz,
    /// ISO 8601 text of days, hours, minutes and seconds. A month counts 30.4375 days as in Debezium's
    /// `MicroDuration`, the only thing an event tells by default.
    Interval,
    Point,
    /// EWKB.
    Geometry,
    /// Sorted as PostgreSQL sorts it: short keys first.
    Hstore,
    List(Box<LakeType>),
}

impl LakeType {
    /// None: Debezium leaves columns of this type out of its events, so the lake does as well.
    pub fn of(pg_type: &PgType) -> Option<Self> {
        use TypeClass as T;
        Some(match pg_type.row().class {
            T::Boolean => Self::Boolean,
            T::Int2 | T::Int4 | T::Int8 => Self::Int64,
            T::Float4 => Self::Single,
            T::Float8 => Self::Double,
            T::Numeric { precision, scale } => Self::of_numeric(precision, scale),
            T::UnconstrainedNumeric => Self::UnconstrainedDecimal,
            T::Money { printed } => Self::Money { printed },
            T::Text { .. } | T::Uuid | T::Enum { .. } => Self::Utf8,
            T::Bytes => Self::Binary,
            T::Bits { .. } => Self::Bits,
            T::Date => Self::Date,
            T::Time { .. } => Self::Time,
            T::TimeTz => Self::TimeTz,
            T::Timestamp { .. } => Self::Timestamp,
            T::TimestampTz { .. } => Self::TimestampTz,
            T::Interval => Self::Interval,
            T::Point => Self::Point,
            T::PostGis { .. } => Self::Geometry,
            T::Hstore => Self::Hstore,
            T::Array { element } => match element.row().elements {
                Elements::Optional | Elements::Required | Elements::RequiredBefore3 => {
                    Self::List(Box::new(Self::of(element)?))
                }
                Elements::NeverSent | Elements::LeftOut => return None,
            },
            // Whether events have them depends on the release that they are written for.
            T::Tsvector | T::Figure(_) | T::Unknown => return None,
        })
    }

    /// A scale below zero means whole numbers with more digits; one above the precision, leading zeros after the point.
    fn of_numeric(precision: u16, scale: i16) -> Self {
        let digits = if scale < 0 {
            i32::from(precision) - i32::from(scale)
        } else {
            i32::from(precision).max(i32::from(scale))
        };
        let scale = scale.max(0).unsigned_abs();
        match (u8::try_from(digits), i8::try_from(scale)) {
            (Ok(precision), Ok(scale)) if precision <= MAX_PRECISION => {
                Self::Decimal { precision, scale }
            }
            _ => Self::DecimalText { scale },
        }
    }

    pub fn arrow(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int64 | Self::Time => DataType::Int64,
            Self::Single | Self::Double => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
            Self::DecimalText { .. }
            | Self::UnconstrainedDecimal
            | Self::Money { .. }
            | Self::Utf8
            | Self::TimeTz
            | Self::Interval => DataType::Utf8,
            Self::Binary | Self::Bits | Self::Geometry => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampTz => timestamp_utc(),
            Self::Point => DataType::Struct(Fields::from(vec![
                Field::new("x", DataType::Float64, true),
                Field::new("y", DataType::Float64, true),
            ])),
            Self::Hstore => DataType::Map(
                Arc::new(Field::new(
                    "key_value",
                    DataType::Struct(Fields::from(vec![
                        Field::new("key", DataType::Utf8, false),
                        Field::new("value", DataType::Utf8, true),
                    ])),
                    false,
                )),
                false,
            ),
            Self::List(element) => list_of(element.arrow()),
        }
    }
}

/// Instants: the only zone Delta knows is UTC.
pub(super) fn timestamp_utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Delta names the items of a list `element`.
pub(super) fn list_of(element: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("element", element, true)))
}

#[cfg(test)]
mod tests {
    use debezium::PgTypeKind;

    use super::*;

    #[test]
    fn numerics_keep_every_digit() {
        for (precision, scale, expected) in [
            (
                10,
                2,
                LakeType::Decimal {
                    precision: 10,
                    scale: 2,
                },
            ),
            (
                38,
                38,
                LakeType::Decimal {
                    precision: 38,
                    scale: 38,
                },
            ),
            (39, 2, LakeType::DecimalText { scale: 2 }),
            (
                5,
                -2,
                LakeType::Decimal {
                    precision: 7,
                    scale: 0,
                },
            ),
            (37, -2, LakeType::DecimalText { scale: 0 }),
            (
                3,
                5,
                LakeType::Decimal {
                    precision: 5,
                    scale: 5,
                },
            ),
            (1, 500, LakeType::DecimalText { scale: 500 }),
        ] {
            assert_eq!(LakeType::of_numeric(precision, scale), expected);
        }
    }
    #[test]
    fn the_digits_of_a_currency_come_from_the_catalog() {
        for (modifier, printed) in [(-1, None), (0, Some(0)), (3, Some(3))] {
            let money = PgType {
                oid: 790,
                name: "money".to_owned(),
                modifier,
                kind: PgTypeKind::Money,
            };
            assert_eq!(LakeType::of(&money), Some(LakeType::Money { printed }));
        }
    }
}
