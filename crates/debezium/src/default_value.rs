//! Column defaults as they show in schemas, and the values that stand in for what is missing.

use std::borrow::Cow;

use md5::{Digest, Md5};

use crate::{
    BinaryHandling, Column, Compat, ConnectSchema, ConnectType, ContractSettings, PgType,
    PgTypeKind, TypeClass,
    type_class::Unsent,
    value::{Codec, Figure, IsoText, Moment, Style},
};

/// What Debezium takes a default expression of PostgreSQL's catalog for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expression {
    /// The first quoted constant, or the whole text where nothing is quoted: an operator is not computed.
    Literal(String),
    /// A function call: the value differs from row to row.
    Function,
    /// NULL.
    Null,
}

/// The default as JSON text: that of a literal, a zero of the type for a function, else none.
pub(crate) fn default_value(
    column: &Column,
    schema: &ConnectSchema,
    codec: &Codec,
    compat: Compat,
) -> Option<String> {
    let zero = zero_text(&column.pg_type)?;
    if matches!(schema.kind, ConnectType::Struct(_)) {
        return None;
    }
    let expression = column.default_expression.as_deref()?.trim();
    let literal = match parse(expression) {
        // Before 3.x a constant had to be on one line.
        Expression::Literal(text)
            if compat == Compat::V2_7 && expression.contains('\'') && text.contains('\n') =>
        {
            return None;
        }
        Expression::Literal(text) => text,
        Expression::Function => zero.to_owned(),
        Expression::Null => return None,
    };
    let text = prepared(&column.pg_type, expression, literal, compat)?;
    let is_millis = matches!(
        codec,
        Codec::Timestamp { divisor: 1_000 } | Codec::Moment(Moment::MilliTimestamp)
    );
    if is_millis && text.ends_with("infinity") {
        return None;
    }
    let mut out = Vec::new();
    codec.write(text.as_bytes(), Style::Json, &mut out).ok()?;
    String::from_utf8(out).ok()
}

/// A literal in the form in which the type's values are printed; None where it is none of the type's.
fn prepared(pg_type: &PgType, expression: &str, literal: String, compat: Compat) -> Option<String> {
    use TypeClass as T;
    match pg_type.row().class {
        // Whatever is not true is false.
        T::Boolean if literal.eq_ignore_ascii_case("true") => Some("t".to_owned()),
        T::Boolean => Some("f".to_owned()),
        T::Enum { .. } => is_label(expression, &pg_type.name, compat).then_some(literal),
        T::Uuid => is_uuid(&literal).then_some(literal),
        T::TimestampTz { .. } if literal.ends_with("infinity") => None,
        T::Numeric { scale, .. } => at_scale(literal, PgTypeKind::event_scale(scale)),
        T::Int2
        | T::Int4
        | T::Int8
        | T::Float4
        | T::Float8
        | T::UnconstrainedNumeric
        | T::Money { .. }
        | T::Text { .. }
        | T::Bytes
        | T::Bits { .. }
        | T::Date
        | T::Time { .. }
        | T::TimeTz
        | T::Timestamp { .. }
        | T::TimestampTz { .. }
        | T::Interval
        | T::Point
        | T::PostGis { .. }
        | T::Tsvector
        | T::Figure(_)
        | T::Hstore
        | T::Array { .. }
        | T::Unknown => Some(literal),
    }
}

/// A constant without what stands behind the digits of the column; None if that is not zeros, as nothing is rounded.
fn at_scale(mut literal: String, scale: i32) -> Option<String> {
    if let Some((integer, fraction)) = literal.split_once('.')
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
    {
        let kept = usize::try_from(scale).unwrap_or(0).min(fraction.len());
        let (_, dropped) = fraction.split_at_checked(kept)?;
        if dropped.bytes().any(|digit| digit != b'0') {
            return None;
        }
        let point = if kept == 0 { 0 } else { 1 };
        literal.truncate(integer.len() + point + kept);
    }
    Some(literal)
}

/// `'label'::type`. Before 3.x the type's name may have neither quotes nor a schema.
fn is_label(expression: &str, type_name: &str, compat: Compat) -> bool {
    let Some((quoted, cast)) = expression.rsplit_once("::") else {
        return false;
    };
    let unquoted = |name: &str| name.trim_matches('"').replace("\"\"", "\"");
    let named = cast == type_name
        || compat == Compat::V3
            && (unquoted(cast) == type_name
                || cast
                    .rsplit_once('.')
                    .is_some_and(|(_, name)| unquoted(name) == type_name));
    named && quoted.len() > 1 && quoted.starts_with('\'') && quoted.ends_with('\'')
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

/// The zero of a type for which Debezium knows defaults; the others (`bytea`, arrays, `inet`, domains...) have none.
fn zero_text(pg_type: &PgType) -> Option<&'static str> {
    let row = pg_type.row();
    let is_domain = row.name.is_some_and(|name| name != pg_type.name);
    row.zero.filter(|_| !is_domain)
}

/// Reads an expression as `pg_get_expr` prints it.
fn parse(expression: &str) -> Expression {
    const MOMENTS: [&str; 5] = [
        "current_timestamp",
        "current_time",
        "current_date",
        "localtime",
        "localtimestamp",
    ];
    let is_moment = |name: &&str| expression.eq_ignore_ascii_case(name);
    if is_call(expression) || MOMENTS.iter().any(is_moment) {
        return Expression::Function;
    }
    match expression.split_once('\'') {
        Some((_, constant)) => Expression::Literal(unquoted(constant)),
        None if expression.starts_with("NULL::") => Expression::Null,
        None => Expression::Literal(expression.to_owned()),
    }
}

/// An unquoted name and its arguments, perhaps after a bracket, whatever follows.
fn is_call(expression: &str) -> bool {
    let text = expression.strip_prefix('(').unwrap_or(expression);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
    let arguments = text.trim_start_matches(is_name);
    arguments.len() < text.len()
        && arguments
            .strip_prefix('(')
            .and_then(|rest| rest.lines().next())
            .is_some_and(|line| line.contains(')'))
}

/// A constant up to its closing quote; a doubled quote is a quote. `pg_get_expr` never writes other escapes.
fn unquoted(constant: &str) -> String {
    let mut literal = String::new();
    let mut rest = constant;
    while let Some((before, after)) = rest.split_once('\'') {
        literal.push_str(before);
        let Some(more) = after.strip_prefix('\'') else {
            return literal;
        };
        literal.push('\'');
        rest = more;
    }
    literal.push_str(rest);
    literal
}

/// What stands in a required field whose value PostgreSQL did not send (old rows know only their identity): the
/// default if there is one, else a zero. JSON text.
pub(crate) fn fallback(schema: &ConnectSchema, codec: &Codec) -> Option<Vec<u8>> {
    if let Some(default) = &schema.default {
        return Some(default.clone().into_bytes());
    }
    let text = match codec {
        Codec::Boolean => "f",
        Codec::Integer
        | Codec::Float
        | Codec::Double
        | Codec::VariableScaleDecimal
        | Codec::Decimal { .. }
        | Codec::DecimalNumber { .. }
        | Codec::DecimalText { .. } => "0",
        Codec::Money { plain, .. } => return fallback(schema, plain),
        Codec::MoneyText {
            fraction_digits, ..
        } => {
            let scale = i32::from(*fraction_digits);
            return fallback(schema, &Codec::DecimalText { scale });
        }
        Codec::Text
        | Codec::Bits
        | Codec::HstoreMap
        | Codec::HstoreJson
        | Codec::Opaque(_)
        | Codec::OpaqueFigure(_) => "",
        Codec::Bit => "0",
        Codec::Bytea(_) => "\\x",
        Codec::Date => "1970-01-01",
        Codec::Time { .. } => "00:00:00",
        Codec::ZonedTime { .. } => "00:00:00+00",
        Codec::Timestamp { .. } => "1970-01-01 00:00:00",
        // Not padded to the column's digits, unlike the zero of a function default.
        Codec::ZonedTimestamp { .. } => return Some(b"\"1970-01-01T00:00:00Z\"".to_vec()),
        Codec::IntervalMicros | Codec::IntervalText => "00:00:00",
        Codec::Point => "(0,0)",
        Codec::Geometry { .. } => return None,
        Codec::Moment(Moment::Date) | Codec::Iso(IsoText::Date) => "1970-01-01",
        Codec::Moment(Moment::NanoTime) | Codec::Iso(IsoText::Time) => "00:00:00",
        Codec::Moment(Moment::MilliTimestamp | Moment::MicroTimestamp | Moment::NanoTimestamp)
        | Codec::Iso(IsoText::Timestamp) => "1970-01-01 00:00:00",
        Codec::Figure(figure) => match figure {
            Figure::Line => "{0,1,0}",
            Figure::Circle => "<(0,0),0>",
            Figure::Box => "(0,0),(1,1)",
            Figure::Lseg | Figure::Path => "[(0,0),(1,0)]",
            Figure::Polygon => "((0,0),(1,0),(0,1))",
        },
        Codec::Ruled(ruled) => return fallback(schema, &ruled.codec),
        Codec::Array { .. } => "{}",
        Codec::Never => {
            let is_bit = schema.kind == ConnectType::Boolean;
            return Some(if is_bit { &b"false"[..] } else { b"\"\"" }.to_vec());
        }
    };
    let mut out = Vec::new();
    codec.write(text.as_bytes(), Style::Json, &mut out).ok()?;
    if *codec == Codec::Figure(Figure::Path) {
        // The zero is made without saying whether it is closed.
        let json = String::from_utf8(out).ok()?;
        let bare = json.replace(",\"closed\":\"false\"", "");
        return Some(bare.replace("\"closed\":\"false\",", "").into_bytes());
    }
    Some(out)
}

/// `unavailable.value.placeholder`: the text's bytes, or after `hex:` those written in hexadecimal.
fn placeholder_bytes(setting: &str) -> Cow<'_, [u8]> {
    let Some(hex) = setting.strip_prefix("hex:") else {
        return Cow::Borrowed(setting.as_bytes());
    };
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    let bytes = pairs
        .iter()
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    Cow::Owned(bytes.collect())
}

/// The name-based UUID (version 3) of the placeholder.
fn placeholder_uuid(placeholder: &[u8]) -> String {
    let mut bytes: [u8; 16] = Md5::digest(placeholder).into();
    bytes[6] = bytes[6] & 0x0f | 0x30;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let number = u128::from_be_bytes(bytes);
    let part = |from: u32, digits: u32| (number >> from) & ((1 << (digits * 4)) - 1);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        part(96, 8),
        part(80, 4),
        part(64, 4),
        part(48, 4),
        part(0, 12)
    )
}

/// What stands for a TOASTed value that PostgreSQL did not send, as JSON text; None if the type has no such value.
pub(crate) fn unavailable(codec: &Codec, settings: &ContractSettings) -> Option<Vec<u8>> {
    use BinaryHandling::{Base64, Base64UrlSafe, Bytes, Hex};
    let placeholder = &*placeholder_bytes(&settings.unavailable_value_placeholder);
    let text = String::from_utf8_lossy(placeholder);
    match codec {
        Codec::Text | Codec::Bytea(Hex) => json_text(text.as_bytes()),
        Codec::Bytea(Bytes) | Codec::Opaque(Bytes) | Codec::OpaqueFigure(Bytes) => {
            json_bytes(placeholder)
        }
        Codec::HstoreJson | Codec::HstoreMap => {
            let quoted = format!(
                "\"{0}\"=>\"{0}\"",
                text.replace('\\', "\\\\").replace('"', "\\\"")
            );
            let mut out = Vec::new();
            codec.write(quoted.as_bytes(), Style::Json, &mut out).ok()?;
            Some(out)
        }
        Codec::Array {
            element, unsent, ..
        } => {
            let element = match unsent {
                Unsent::Null => return None,
                Unsent::Text => json_text(text.as_bytes())?,
                Unsent::Bytes if **element == Codec::Bytea(Bytes) => json_bytes(placeholder)?,
                Unsent::Bytes => return None,
                Unsent::Numbers => {
                    // Java's bytes have a sign.
                    let codes: Vec<String> = placeholder
                        .iter()
                        .map(|byte| byte.cast_signed().to_string())
                        .collect();
                    codes.join(",").into_bytes()
                }
                Unsent::Uuid => json_text(placeholder_uuid(placeholder).as_bytes())?,
            };
            Some([b"[", &*element, b"]"].concat())
        }
        Codec::Bytea(Base64 | Base64UrlSafe)
        | Codec::Opaque(Base64 | Base64UrlSafe | Hex)
        | Codec::OpaqueFigure(Base64 | Base64UrlSafe | Hex)
        | Codec::Boolean
        | Codec::Integer
        | Codec::Float
        | Codec::Double
        | Codec::Decimal { .. }
        | Codec::DecimalNumber { .. }
        | Codec::VariableScaleDecimal
        | Codec::DecimalText { .. }
        | Codec::Money { .. }
        | Codec::MoneyText { .. }
        | Codec::Bit
        | Codec::Bits
        | Codec::Date
        | Codec::Time { .. }
        | Codec::ZonedTime { .. }
        | Codec::Timestamp { .. }
        | Codec::ZonedTimestamp { .. }
        | Codec::IntervalMicros
        | Codec::IntervalText
        | Codec::Point
        | Codec::Geometry { .. }
        | Codec::Ruled(_)
        | Codec::Moment(_)
        | Codec::Iso(_)
        | Codec::Figure(_)
        | Codec::Never => None,
    }
}

/// A string of Connect's JSON.
fn json_text(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    Codec::Text.write(text, Style::Json, &mut out).ok()?;
    Some(out)
}

/// Bytes of Connect's JSON.
fn json_bytes(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    Codec::Opaque(BinaryHandling::Bytes)
        .write(bytes, Style::Json, &mut out)
        .ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_as_the_catalog_prints_them() {
        let literal = |text: &str| Expression::Literal(text.to_owned());
        for (expression, parsed) in [
            ("5", literal("5")),
            ("'5000000000'::bigint", literal("5000000000")),
            ("'abc'::text", literal("abc")),
            ("'x''y'::character varying", literal("x'y")),
            ("true", literal("true")),
            ("1.5", literal("1.5")),
            ("'-1'::integer", literal("-1")),
            ("(-1)", literal("(-1)")),
            ("B'101'::\"bit\"", literal("101")),
            ("'101'::\"bit\"", literal("101")),
            ("'ok'::public.mood", literal("ok")),
            ("('now'::text)::date", literal("now")),
            ("('x'::character varying)::text", literal("x")),
            ("('a'::text || 'b'::text)", literal("a")),
            ("(1.5)::numeric(6,3)", literal("(1.5)::numeric(6,3)")),
            ("(NOT false)", literal("(NOT false)")),
            ("CURRENT_USER", literal("CURRENT_USER")),
            ("nextval('s'::regclass)", Expression::Function),
            ("now()", Expression::Function),
            ("gen_random_uuid()", Expression::Function),
            ("CURRENT_TIMESTAMP", Expression::Function),
            ("(now() AT TIME ZONE 'utc'::text)", Expression::Function),
            ("CURRENT_TIMESTAMP(3)", Expression::Function),
            ("\"Odd\"()", literal("\"Odd\"()")),
            ("NULL::character varying", Expression::Null),
            ("(1 + 2)", literal("(1 + 2)")),
        ] {
            assert_eq!(parse(expression), parsed, "{expression}");
        }
    }

    #[test]
    fn constants_are_not_rounded() {
        for (literal, scale, kept) in [
            ("1.5", 2, Some("1.5")),
            ("1.50", 1, Some("1.5")),
            ("-1.000", 0, Some("-1")),
            ("1.05", 1, None),
            ("0.5", 0, None),
            ("1234", -2, Some("1234")),
            ("1.500::numeric(6,3)", 1, Some("1.500::numeric(6,3)")),
        ] {
            let found = at_scale(literal.to_owned(), scale);
            assert_eq!(found.as_deref(), kept, "{literal}");
        }
    }

    #[test]
    fn labels_are_those_of_the_type() {
        for (expression, before_3, since_3) in [
            ("'ok'::mood", true, true),
            ("'ok'::public.mood", false, true),
            ("'ok'::other.\"mood\"", false, true),
            ("'ok'::\"mood\"", false, true),
            ("'ok'::moody", false, false),
            ("('ok'::text)::mood", false, false),
            ("any_mood()", false, false),
        ] {
            let found =
                [Compat::V2_7, Compat::V3].map(|compat| is_label(expression, "mood", compat));
            assert_eq!(found, [before_3, since_3], "{expression}");
        }
    }

    #[test]
    fn placeholders_name_uuids() {
        for (setting, uuid) in [
            (
                "__debezium_unavailable_value",
                "b68a35a7-17ad-35b3-af2a-ae46edb4545a",
            ),
            ("hex:00ff41", "d396e6af-3f09-39f2-8c5b-e42adadb290f"),
        ] {
            assert_eq!(placeholder_uuid(&placeholder_bytes(setting)), uuid);
        }
    }
}
