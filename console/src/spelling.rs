//! A value of one PostgreSQL type -> how a value of another type prints it after `ALTER TABLE ... TYPE`.
//!
//! A key is compared by what is printed. Rows from before the table was rewritten print it in their own way: `1.10` of a
//! `numeric(10,2)` and `1.1` of a `numeric` are one key, and so are `'a   '` of a `char(4)` and `'a'` of a `text`. Here
//! stand the pairs of types in which PostgreSQL's own cast depends on nothing but the value. It is the one that
//! `ALTER TABLE` makes without `USING`; that there was no `USING`, no log tells.

use debezium::PgTypeKind;
use lakewriter::lake::ColumnType;
use pgtext::Day;

/// What becomes of the values of one type in another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Respelling {
    /// A cast of the lake's columns does it: numbers to numbers, texts to texts.
    Cast,
    /// The value is printed anew, then read as the new type.
    Print(Spelling),
    /// It depends on more than the value (a time zone, a setting), or nobody has written it down here.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Spelling {
    /// `char(n)` to a text: without the blanks at its end.
    Unpadded,
    /// To `char(n)`, with blanks up to so many characters.
    Padded(usize),
    /// To `uuid`.
    Uuid,
    /// `real` or `double precision` to a text.
    Float { single: bool },
    /// `real` or `double precision` to a number of decimal digits, so many of them.
    FloatDigits(usize),
    /// A number with a fraction to a whole one.
    Whole,
    /// A text to a whole number.
    TrimmedNumber,
    /// Numbers of decimal digits, however they are written.
    Decimal,
    /// `date` to a text.
    Date,
    /// `timestamp` to a text.
    Timestamp,
    /// `time` to a text.
    Time,
    /// `inet` to a text: with its mask.
    Masked,
    /// `cidr` to `inet`: without the mask of a single host.
    Host,
    /// `bytea` to a text.
    Hex,
    /// `macaddr` to `macaddr8`.
    Eui64,
}

/// What a cast sees of a type. A kind that is new has to be put in one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Text,
    /// `char(n)`.
    Padded,
    Enum,
    Int,
    Numeric,
    UnconstrainedNumeric,
    Float4,
    Float8,
    Money,
    Uuid,
    Date,
    Timestamp,
    Time,
    Inet,
    Cidr,
    Macaddr,
    Macaddr8,
    Bytea,
    /// Nothing becomes one of them, and their cast to a text gives what is printed.
    Printed,
    /// Their casts depend on more than the value, or nobody has written them down here.
    Alone,
}

impl Group {
    const fn of(kind: &PgTypeKind) -> Self {
        use PgTypeKind as Kind;
        match kind {
            Kind::Text | Kind::Varchar | Kind::Citext | Kind::Name => Self::Text,
            Kind::Bpchar => Self::Padded,
            Kind::Enum { .. } => Self::Enum,
            Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Oid => Self::Int,
            Kind::Numeric { .. } => Self::Numeric,
            Kind::UnconstrainedNumeric => Self::UnconstrainedNumeric,
            Kind::Float4 => Self::Float4,
            Kind::Float8 => Self::Float8,
            Kind::Money => Self::Money,
            Kind::Uuid => Self::Uuid,
            Kind::Date => Self::Date,
            Kind::Timestamp { .. } => Self::Timestamp,
            Kind::Time { .. } => Self::Time,
            Kind::Inet => Self::Inet,
            Kind::Cidr => Self::Cidr,
            Kind::Macaddr => Self::Macaddr,
            Kind::Macaddr8 => Self::Macaddr8,
            Kind::Bytea => Self::Bytea,
            Kind::Bool | Kind::Ltree | Kind::Json | Kind::Xml => Self::Printed,
            Kind::InternalChar
            | Kind::Jsonb
            | Kind::Bit { .. }
            | Kind::Varbit { .. }
            | Kind::TimeTz { .. }
            | Kind::TimestampTz { .. }
            | Kind::Interval
            | Kind::Range { .. }
            | Kind::Point
            | Kind::Tsvector
            | Kind::Line
            | Kind::Circle
            | Kind::Box
            | Kind::Lseg
            | Kind::Path
            | Kind::Polygon
            | Kind::Hstore
            | Kind::Isbn
            | Kind::Geometry
            | Kind::Geography
            | Kind::Array { .. }
            | Kind::Unknown => Self::Alone,
        }
    }

    const fn is_decimal(self) -> bool {
        matches!(self, Self::Numeric | Self::UnconstrainedNumeric)
    }
}

/// `atttypmod` of `char(n)` counts its own length word.
fn characters(of: &ColumnType) -> Option<usize> {
    usize::try_from(of.modifier - 4)
        .ok()
        .filter(|length| *length > 0)
}

/// How values of `from` are found among those of `to`.
pub(crate) fn respelling(from: &ColumnType, to: &ColumnType) -> Respelling {
    use Group as G;
    use Respelling::{Cast, Print, Unknown};
    if let Some(respelling) = of_one_type(from, to) {
        return respelling;
    }
    match (Group::of(&from.kind), Group::of(&to.kind)) {
        (G::Text | G::Padded, G::Padded) => match characters(to) {
            Some(length) => Print(Spelling::Padded(length)),
            None => Cast,
        },
        (G::Padded, G::Text) => Print(Spelling::Unpadded),
        (G::Enum, G::Text) | (G::Text, G::Enum) => Cast,
        _ if from.kind == to.kind => Cast,
        (G::Text, G::Text) => Cast,
        (G::Text, G::Uuid) => Print(Spelling::Uuid),
        (G::Text, G::Int) => Print(Spelling::TrimmedNumber),
        (G::Text | G::Money, now) if now.is_decimal() => Print(Spelling::Decimal),
        (G::Float4, G::Text) => Print(Spelling::Float { single: true }),
        (G::Float8, G::Text) => Print(Spelling::Float { single: false }),
        // FLT_DIG and DBL_DIG.
        (G::Float4, now) if now.is_decimal() => Print(Spelling::FloatDigits(6)),
        (G::Float8, now) if now.is_decimal() => Print(Spelling::FloatDigits(15)),
        (G::Float4 | G::Float8, G::Int) => Print(Spelling::Whole),
        (G::Float4, G::Float8) => Cast,
        (G::Int, G::Int | G::Text | G::Numeric | G::UnconstrainedNumeric) => Cast,
        (G::Int | G::Numeric | G::UnconstrainedNumeric, G::Float8) => Cast,
        // Without a scale the lake has no zeros at the end.
        (G::Numeric, G::UnconstrainedNumeric) => Print(Spelling::Decimal),
        (G::Numeric, G::Text | G::Int | G::Numeric) => Cast,
        // How many zeros stand at the end of it, no event tells.
        (G::UnconstrainedNumeric, G::Numeric) => Print(Spelling::Decimal),
        (G::Date, G::Text) => Print(Spelling::Date),
        (G::Timestamp, G::Text) => Print(Spelling::Timestamp),
        (G::Time, G::Text) => Print(Spelling::Time),
        (G::Date, G::Timestamp) | (G::Timestamp, G::Date) => Cast,
        (G::Inet, G::Text) => Print(Spelling::Masked),
        (G::Cidr, G::Inet) => Print(Spelling::Host),
        (G::Bytea, G::Text) => Print(Spelling::Hex),
        (G::Macaddr, G::Macaddr8) => Print(Spelling::Eui64),
        (G::Uuid | G::Cidr | G::Macaddr | G::Macaddr8 | G::Printed, G::Text) => Cast,
        // Most pairs of types have no cast of their own.
        _ => Unknown,
    }
}

/// Two types that differ in nothing but a modifier or their labels; None for others.
fn of_one_type(from: &ColumnType, to: &ColumnType) -> Option<Respelling> {
    use PgTypeKind as Kind;
    let holds = match (&from.kind, &to.kind) {
        // A composite, or what nobody published: the name is all that is known of it.
        (Kind::Unknown, Kind::Unknown) => from.name == to.name,
        (Kind::Unknown, _) | (_, Kind::Unknown) => false,
        // Which label became which, positions tell, unless labels were added as well.
        (Kind::Enum { labels }, Kind::Enum { labels: now }) => {
            labels.iter().all(|label| now.contains(label))
        }
        // Fewer digits of a second: PostgreSQL rounds.
        (Kind::Timestamp { precision: p }, Kind::Timestamp { precision: q })
        | (Kind::TimestampTz { precision: p }, Kind::TimestampTz { precision: q })
        | (Kind::Time { precision: p }, Kind::Time { precision: q })
        | (Kind::TimeTz { precision: p }, Kind::TimeTz { precision: q }) => p <= q,
        (Kind::Varbit { .. } | Kind::Bit { .. }, Kind::Varbit { .. } | Kind::Bit { .. }) => {
            from == to || matches!(to.kind, Kind::Varbit { length: None })
        }
        _ => return None,
    };
    Some(if holds {
        Respelling::Cast
    } else {
        Respelling::Unknown
    })
}

/// Values of these types differ in PostgreSQL and are printed alike in events, or are equal and printed otherwise: how a
/// value is written down where rows are told apart.
pub(crate) fn canonical(kind: &PgTypeKind) -> Option<Spelling> {
    if Group::of(kind) == Group::Padded {
        return Some(Spelling::Unpadded);
    }
    (Group::of(kind) == Group::UnconstrainedNumeric).then_some(Spelling::Decimal)
}

/// A value as it comes from the lake.
pub(crate) enum LakeValue<'a> {
    Text(&'a str),
    Float(f64),
    /// Days from the epoch.
    Day(i64),
    /// Microseconds from the epoch, or from midnight.
    Micros(i64),
    Bytes(&'a [u8]),
}

impl Spelling {
    /// None where the value is none of the type that the spelling is for.
    pub(crate) fn of(self, value: &LakeValue<'_>) -> Option<String> {
        match (self, value) {
            (Self::Unpadded, LakeValue::Text(text)) => Some(text.trim_end_matches(' ').to_owned()),
            (Self::Padded(length), LakeValue::Text(text)) => {
                let text = text.trim_end_matches(' ');
                let blanks = length.saturating_sub(text.chars().count());
                Some(format!("{text}{}", " ".repeat(blanks)))
            }
            (Self::Uuid, LakeValue::Text(text)) => uuid(text),
            (Self::TrimmedNumber, LakeValue::Text(text)) => {
                let number = text.trim_matches(|c: char| c.is_ascii_whitespace());
                number.parse::<i64>().ok().map(|number| number.to_string())
            }
            (Self::Decimal, LakeValue::Text(text)) => Some(decimal(text.trim())),
            (Self::Masked, LakeValue::Text(text)) => Some(match text.contains('/') {
                true => (*text).to_owned(),
                false if text.contains(':') => format!("{text}/128"),
                false => format!("{text}/32"),
            }),
            (Self::Host, LakeValue::Text(text)) => {
                let host = match text.contains(':') {
                    true => text.strip_suffix("/128"),
                    false => text.strip_suffix("/32"),
                };
                Some(host.unwrap_or(text).to_owned())
            }
            (Self::Eui64, LakeValue::Text(text)) => {
                let (vendor, device) = text.split_at_checked("00:00:00".len())?;
                Some(format!("{vendor}:ff:fe{device}"))
            }
            (Self::Float { single }, LakeValue::Float(value)) => Some(float(*value, single)),
            (Self::FloatDigits(digits), LakeValue::Float(value)) => {
                let digits = format!("{value:.*e}", digits.saturating_sub(1));
                Some(decimal(&digits))
            }
            (Self::Whole, LakeValue::Float(value)) => {
                Some(format!("{:.0}", value.round_ties_even()))
            }
            (Self::Date, LakeValue::Day(days)) => {
                let (date, era) = date(*days);
                Some(format!("{date}{era}"))
            }
            (Self::Timestamp, LakeValue::Micros(micros)) => {
                let (date, era) = date(micros.div_euclid(MICROS_PER_DAY));
                let time = time(micros.rem_euclid(MICROS_PER_DAY));
                Some(format!("{date} {time}{era}"))
            }
            (Self::Time, LakeValue::Micros(micros)) => Some(time(*micros)),
            (Self::Hex, LakeValue::Bytes(bytes)) => {
                let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
                Some(format!("\\x{}", digits.collect::<String>()))
            }
            _ => None,
        }
    }
}

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Any spelling that PostgreSQL reads -> the one that it prints.
fn uuid(text: &str) -> Option<String> {
    let text = text.trim();
    let text = match text.strip_prefix('{') {
        Some(braced) => braced.strip_suffix('}')?,
        None => text,
    };
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let digits = digits.to_ascii_lowercase();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let group = |range: std::ops::Range<usize>| digits.get(range);
    Some(
        [
            group(0..8)?,
            group(8..12)?,
            group(12..16)?,
            group(16..20)?,
            group(20..32)?,
        ]
        .join("-"),
    )
}

/// A number without an exponent, a sign of zero, and zeros that say nothing; what is no number stays as it is.
fn decimal(text: &str) -> String {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()),
        None => (unsigned, Some(0)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_number = !mantissa.trim_matches('.').is_empty()
        && whole
            .bytes()
            .chain(fraction.bytes())
            .all(|b| b.is_ascii_digit());
    // What a numeric may have at most, twice: no text makes this long.
    let exponent = exponent.filter(|exponent| is_number && exponent.abs() < 300_000);
    let Some(exponent) = exponent else {
        return text.to_owned();
    };
    let digits = format!("{whole}{fraction}");
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let point = i32::try_from(whole.len()).unwrap_or(i32::MAX) + exponent;
    let before = usize::try_from(point).unwrap_or(0);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let digits = format!("{}{digits}{}", zeros(-point), zeros(point - length));
    let (whole, fraction) = digits.split_at_checked(before).unwrap_or((&digits, ""));
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if negative && (whole, fraction) != ("0", "") {
        "-"
    } else {
        ""
    };
    match fraction {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

/// The shortest digits that give the value back, as PostgreSQL prints them since its release 12.
fn float(value: f64, single: bool) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let (scientific, longest) = if single {
        #[expect(clippy::cast_possible_truncation, reason = "the lake keeps a real so")]
        let value = value as f32;
        (format!("{value:e}"), 6)
    } else {
        (format!("{value:e}"), 15)
    };
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..longest).contains(&exponent) {
        let plain = decimal(&scientific);
        return if value == 0.0 && value.is_sign_negative() {
            "-0".to_owned()
        } else {
            plain
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `2020-01-31`, and ` BC` where it belongs.
fn date(days: i64) -> (String, &'static str) {
    let Day { year, month, day } = Day::from_epoch(days);
    let (year, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    (format!("{year:04}-{month:02}-{day:02}"), era)
}

fn time(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut text = format!("{hour:02}:{minute:02}:{second:02}");
    if fraction != 0 {
        text.push_str(format!(".{fraction:06}").trim_end_matches('0'));
    }
    text
}

#[cfg(test)]
#[path = "spelling_tests.rs"]
mod tests;
