use crate::{
    BinaryHandling, Compat, ContractSettings, DecimalHandling, HstoreHandling, IntervalHandling,
    PgType, PgTypeKind, TimePrecision,
};

/// How the values of a column stand in the JSON of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Representation {
    Boolean,
    Integer,
    /// A number, or `"NaN"`, `"Infinity"`, `"-Infinity"`.
    Double,
    /// A string with PostgreSQL's text.
    Text,
    /// A string in this encoding.
    Binary(BinaryHandling),
    /// `io.debezium.data.Bits`: base64 of little-endian bytes without leading zero bits. `bit(1)` is a boolean.
    Bits,
    /// `org.apache.kafka.connect.data.Decimal`: base64 of the unscaled integer, big-endian two's complement; under
    /// `decimal.format=NUMERIC` a JSON number. Which of both shows in the text.
    Decimal {
        scale: i32,
    },
    /// A JSON string with the number's plain text (`decimal.handling.mode=string`).
    DecimalText,
    /// `io.debezium.data.VariableScaleDecimal`.
    VariableScaleDecimal,
    /// Days since the epoch.
    Days,
    /// Since midnight, or since the epoch.
    Time(TimeUnit),
    /// ISO 8601 text in UTC.
    ZonedText,
    /// `io.debezium.time.MicroDuration`.
    MicroDuration,
    /// `io.debezium.time.Interval`: ISO 8601 text.
    DurationText,
    /// A struct with `x` and `y`.
    Point,
    /// A struct with `wkb`.
    Geometry,
    /// A string that holds a JSON object.
    JsonObjectText,
    /// A JSON object.
    Map,
    List(Box<Representation>),
    /// Whatever JSON value it is: of a text column the string, or else the JSON text itself.
    Inferred,
}

/// What one unit of a number of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Representation {
    /// How values of this type are written under these settings. None: the contract leaves such columns out.
    pub fn of(pg_type: &PgType, settings: &ContractSettings) -> Option<Self> {
        use PgTypeKind as K;
        Some(match &pg_type.kind {
            K::Bool | K::Bit { length: 1 } | K::Varbit { length: Some(1) } => Self::Boolean,
            K::Int2 | K::Int4 | K::Int8 | K::Oid => Self::Integer,
            K::Float4 | K::Float8 => Self::Double,
            K::Numeric { scale, .. } => match settings.decimal_handling {
                DecimalHandling::Precise => Self::Decimal {
                    scale: K::event_scale(*scale),
                },
                DecimalHandling::Double => Self::Double,
                DecimalHandling::String => Self::DecimalText,
            },
            K::UnconstrainedNumeric => match settings.decimal_handling {
                DecimalHandling::Precise => Self::VariableScaleDecimal,
                DecimalHandling::Double => Self::Double,
                DecimalHandling::String => Self::DecimalText,
            },
            K::Money => match settings.decimal_handling {
                DecimalHandling::Precise => Self::Decimal {
                    scale: i32::from(settings.money_fraction_digits),
                },
                DecimalHandling::Double => Self::Double,
                DecimalHandling::String => Self::DecimalText,
            },
            K::Bytea => Self::Binary(settings.binary_handling),
            K::Bit { .. } | K::Varbit { .. } => Self::Bits,
            K::Date | K::Time { .. } | K::Timestamp { .. }
                if settings.time_precision == TimePrecision::Isostring =>
            {
                Self::ZonedText
            }
            K::Date => Self::Days,
            K::Time { precision } => Self::Time(match settings.time_precision {
                TimePrecision::Nanoseconds => TimeUnit::Nanoseconds,
                TimePrecision::Adaptive if *precision > 3 => TimeUnit::Microseconds,
                TimePrecision::Adaptive | TimePrecision::Connect => TimeUnit::Milliseconds,
                _ => TimeUnit::Microseconds,
            }),
            K::Timestamp { precision } => Self::Time(match settings.time_precision {
                TimePrecision::Nanoseconds => TimeUnit::Nanoseconds,
                TimePrecision::Connect => TimeUnit::Milliseconds,
                TimePrecision::Adaptive | TimePrecision::AdaptiveTimeMicroseconds
                    if *precision <= 3 =>
                {
                    TimeUnit::Milliseconds
                }
                _ => TimeUnit::Microseconds,
            }),
            K::TimeTz { .. } | K::TimestampTz { .. } => Self::ZonedText,
            K::Interval => match settings.interval_handling {
                IntervalHandling::Numeric => Self::MicroDuration,
                IntervalHandling::String => Self::DurationText,
            },
            K::Point => Self::Point,
            K::Geometry | K::Geography => Self::Geometry,
            K::Hstore => match settings.hstore_handling {
                HstoreHandling::Json => Self::JsonObjectText,
                HstoreHandling::Map => Self::Map,
            },
            K::Array { element } => Self::List(Box::new(Self::of_element(element, settings)?)),
            K::Tsvector | K::Line | K::Circle | K::Box | K::Lseg | K::Path | K::Polygon
                if settings.compat == Compat::V3 =>
            {
                Self::Inferred
            }
            K::Unknown
            | K::Tsvector
            | K::Line
            | K::Circle
            | K::Box
            | K::Lseg
            | K::Path
            | K::Polygon
                if !settings.include_unknown_datatypes =>
            {
                return None;
            }
            K::Tsvector | K::Line | K::Circle | K::Box | K::Lseg | K::Path | K::Polygon => {
                Self::Binary(settings.binary_handling)
            }
            K::Unknown => Self::Binary(settings.binary_handling),
            K::Bpchar
            | K::Varchar
            | K::Text
            | K::Name
            | K::Citext
            | K::InternalChar
            | K::Uuid
            | K::Json
            | K::Jsonb
            | K::Xml
            | K::Inet
            | K::Cidr
            | K::Macaddr
            | K::Macaddr8
            | K::Range { .. }
            | K::Enum { .. }
            | K::Ltree
            | K::Isbn => Self::Text,
        })
    }

    /// Of an array's elements. Debezium has no arrays of some types, and always microseconds for `time[]`.
    fn of_element(element: &PgType, settings: &ContractSettings) -> Option<Self> {
        use PgTypeKind as K;
        match &element.kind {
            K::Money
            | K::Name
            | K::Interval
            | K::Bit { .. }
            | K::Varbit { .. }
            | K::Xml
            | K::Point
            | K::Array { .. }
            | K::Unknown => None,
            K::Time { .. } if settings.compat == Compat::V2_7 => {
                Some(Self::Time(TimeUnit::Microseconds))
            }
            _ => Self::of(element, settings),
        }
    }
}
