use crate::{
    BinaryHandling, ContractSettings, PgType,
    mapping::type_codec,
    value::{Codec, Moment},
};

/// How the values of a column stand in the JSON of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Representation {
    /// `true` or `false`.
    Boolean,
    /// A JSON number without a fraction.
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
        /// Digits behind the point.
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
    /// A JSON array.
    List(Box<Representation>),
    /// Whatever JSON value it is: of a text column the string, or else the JSON text itself.
    Inferred,
}

/// What one unit of a number of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// 10^-3 seconds.
    Milliseconds,
    /// 10^-6 seconds.
    Microseconds,
    /// 10^-9 seconds.
    Nanoseconds,
}

impl Representation {
    /// How values of this type are written under these settings. None: the contract leaves such columns out, or never
    /// has a value in them.
    pub fn of(pg_type: &PgType, settings: &ContractSettings) -> Option<Self> {
        let (_, codec) = type_codec(pg_type, settings)?;
        Self::of_codec(&codec)
    }

    /// How what a codec writes is read back. So the two ends of the road cannot come to differ.
    fn of_codec(codec: &Codec) -> Option<Self> {
        Some(match codec {
            Codec::Boolean | Codec::Bit => Self::Boolean,
            Codec::Integer => Self::Integer,
            Codec::Float | Codec::Double => Self::Double,
            Codec::Text => Self::Text,
            Codec::Decimal { scale } | Codec::DecimalNumber { scale } => {
                Self::Decimal { scale: *scale }
            }
            Codec::VariableScaleDecimal => Self::VariableScaleDecimal,
            Codec::DecimalText { .. } | Codec::MoneyText { .. } => Self::DecimalText,
            Codec::Money { plain, .. } => return Self::of_codec(plain),
            Codec::Bytea(handling) | Codec::Opaque(handling) | Codec::OpaqueFigure(handling) => {
                Self::Binary(*handling)
            }
            Codec::Bits => Self::Bits,
            Codec::Date | Codec::Moment(Moment::Date) => Self::Days,
            Codec::Time { divisor: 1_000 }
            | Codec::Timestamp { divisor: 1_000 }
            | Codec::Moment(Moment::MilliTimestamp) => Self::Time(TimeUnit::Milliseconds),
            Codec::Time { divisor: _ }
            | Codec::Timestamp { divisor: _ }
            | Codec::Moment(Moment::MicroTimestamp) => Self::Time(TimeUnit::Microseconds),
            Codec::Moment(Moment::NanoTime | Moment::NanoTimestamp) => {
                Self::Time(TimeUnit::Nanoseconds)
            }
            Codec::ZonedTime { .. } | Codec::ZonedTimestamp { .. } | Codec::Iso(_) => {
                Self::ZonedText
            }
            Codec::IntervalMicros => Self::MicroDuration,
            Codec::IntervalText => Self::DurationText,
            Codec::Point => Self::Point,
            Codec::Geometry { .. } => Self::Geometry,
            Codec::HstoreJson => Self::JsonObjectText,
            Codec::HstoreMap => Self::Map,
            Codec::Ruled(ruled) => return Self::of_codec(&ruled.codec),
            Codec::Array { element, .. } => Self::List(Box::new(Self::of_codec(element)?)),
            // No column of the lake has them so far.
            Codec::Figure(_) => Self::Inferred,
            Codec::Never => return None,
        })
    }
}
