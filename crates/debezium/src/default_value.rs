//! Column defaults as they show in schemas, and the values that stand in for what is missing.

use std::borrow::Cow;

use crate::{
    BinaryHandling, Column, ConnectSchema, ConnectType, ContractSettings, PgTypeKind,
    value::{Codec, Figure, IsoText, Moment, Style},
};

/// What a default expression of PostgreSQL's catalog says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expression {
    /// A constant, as the type's input function would read it.
    Literal(String),
    /// A function call: the value differs from row to row.
    Function,
    /// NULL, an operator, or anything else that has no one value.
    Other,
}

/// The default as JSON text: that of a literal, a zero of the type for a function, else none.
pub(crate) fn default_value(
    column: &Column,
    schema: &ConnectSchema,
    codec: &Codec,
) -> Option<String> {
    let zero = zero_text(&column.pg_type.kind, &column.pg_type.name)?;
    if matches!(schema.kind, ConnectType::Struct(_)) {
        return None;
    }
    let literal = match parse(column.default_expression.as_deref()?) {
        Expression::Literal(text) => text,
        Expression::Function => zero.to_owned(),
        Expression::Other => return None,
    };
    let text = prepared(&column.pg_type.kind, literal);
    let mut out = Vec::new();
    codec.write(text.as_bytes(), Style::Json, &mut out).ok()?;
    String::from_utf8(out).ok()
}

/// A literal in the form in which the type's values are printed. The catalog prints constants by the type's output
/// function, except for booleans and numbers, which may stand without quotes.
fn prepared(kind: &PgTypeKind, literal: String) -> String {
    match kind {
        PgTypeKind::Bool if literal == "true" => "t".to_owned(),
        PgTypeKind::Bool if literal == "false" => "f".to_owned(),
        _ => literal,
    }
}

/// The zero of a type for which Debezium knows defaults; the others (`bytea`, arrays, `inet`, domains...) have none.
fn zero_text(kind: &PgTypeKind, declared: &str) -> Option<&'static str> {
    use PgTypeKind as P;
    let (base, zero) = match kind {
        P::Enum { .. } => (declared, ""),
        P::Bit { .. } => ("bit", "0"),
        P::Varbit { .. } => ("varbit", "0"),
        P::Bool => ("bool", "f"),
        P::Bpchar => ("bpchar", ""),
        P::Varchar => ("varchar", ""),
        P::Text => ("text", ""),
        P::Xml => ("xml", ""),
        P::Numeric { .. } | P::UnconstrainedNumeric => ("numeric", "0"),
        P::Float4 => ("float4", "0"),
        P::Float8 => ("float8", "0"),
        P::Int2 => ("int2", "0"),
        P::Int4 => ("int4", "0"),
        P::Int8 => ("int8", "0"),
        P::Json => ("json", "{}"),
        P::Jsonb => ("jsonb", "{}"),
        P::Uuid => ("uuid", "00000000-0000-0000-0000-000000000000"),
        P::Date => ("date", "1970-01-01"),
        P::Time { .. } => ("time", "00:00:00"),
        P::Timestamp { .. } => ("timestamp", "1970-01-01 00:00:00"),
        P::TimestampTz { .. } => ("timestamptz", "1970-01-01 00:00:00+00"),
        P::Interval => ("interval", "00:00:00"),
        _ => return None,
    };
    (base == declared).then_some(zero)
}

/// Reads an expression as `pg_get_expr` prints it.
fn parse(expression: &str) -> Expression {
    let text = without_brackets(expression.trim());
    let first = text.chars().next();
    if let Some((literal, rest)) = quoted(text) {
        return if is_cast(rest) {
            Expression::Literal(literal)
        } else {
            Expression::Other
        };
    }
    if first.is_some_and(|c| c.is_ascii_digit() || matches!(c, '-' | '.')) {
        let (number, cast) = text.split_once("::").unwrap_or((text, ""));
        let number = without_brackets(number.trim());
        return match number.parse::<f64>() {
            Ok(_) if cast.is_empty() || is_cast(&format!("::{cast}")) => {
                Expression::Literal(number.to_owned())
            }
            _ => Expression::Other,
        };
    }
    if let Some((inner, cast)) = text.split_once("::")
        && without_brackets(inner) != inner
        && is_cast(&format!("::{cast}"))
    {
        // `(-1)::numeric`
        return parse(inner);
    }
    let word_end = text
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '"')))
        .unwrap_or(text.len());
    let (word, rest) = text.split_at(word_end);
    match (word.to_ascii_uppercase().as_str(), rest.trim_start()) {
        ("TRUE" | "FALSE", "") => Expression::Literal(word.to_ascii_lowercase()),
        (
            "CURRENT_DATE" | "CURRENT_TIME" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP"
            | "CURRENT_USER" | "SESSION_USER" | "USER" | "CURRENT_ROLE" | "CURRENT_CATALOG"
            | "CURRENT_SCHEMA",
            _,
        ) => Expression::Function,
        ("" | "NULL", _) => Expression::Other,
        (_, rest) if rest.starts_with('(') => Expression::Function,
        _ => Expression::Other,
    }
}

/// Strips brackets that enclose the whole text.
fn without_brackets(text: &str) -> &str {
    let mut text = text;
    while let Some(inner) = text
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
    {
        let mut depth = 0i32;
        let mut in_quotes = false;
        let closes_early = inner.chars().any(|c| {
            match c {
                '\'' => in_quotes = !in_quotes,
                '(' if !in_quotes => depth += 1,
                ')' if !in_quotes => depth -= 1,
                _ => {}
            }
            depth < 0
        });
        if closes_early {
            break;
        }
        text = inner.trim();
    }
    text
}

/// A quoted constant (`'..'`, `B'..'`, `E'..'`) and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (escapes, rest) = match text.strip_prefix(['E', 'e', 'B', 'b']) {
        Some(rest) => (text.starts_with(['E', 'e']), rest),
        None => (false, text),
    };
    let body = rest.strip_prefix('\'')?;
    let mut literal = String::new();
    let mut chars = body.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' => {
                let after = body.get(at + 1..)?;
                if !after.starts_with('\'') {
                    return Some((literal, after));
                }
                chars.next();
                literal.push('\'');
            }
            // `pg_get_expr` escapes nothing but backslashes in E strings.
            '\\' if escapes => literal.push(chars.next()?.1),
            _ => literal.push(c),
        }
    }
    None
}

/// Nothing, or casts only: `::character varying(5)`, `::"bit"`, `::public.mood`.
fn is_cast(rest: &str) -> bool {
    let rest = rest.trim();
    rest.is_empty()
        || rest.strip_prefix("::").is_some_and(|name| {
            !name.is_empty()
                && name.chars().all(|c| {
                    c.is_alphanumeric()
                        || matches!(
                            c,
                            '_' | '.' | '"' | ' ' | '(' | ')' | ',' | '[' | ']' | ':' | '$'
                        )
                })
        })
}

/// What stands in a required field whose value PostgreSQL did not send (old rows know only their identity): the
/// default if there is one, else a zero. JSON text.
pub(crate) fn fallback(
    kind: &PgTypeKind,
    schema: &ConnectSchema,
    codec: &Codec,
) -> Option<Vec<u8>> {
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
        | Codec::DecimalNumber { .. } => "0",
        Codec::DecimalText => return Some(zero_at_scale(kind)),
        Codec::Money { plain, .. } => return fallback(kind, schema, plain),
        Codec::Text | Codec::Bits | Codec::HstoreMap | Codec::HstoreJson | Codec::Opaque(_) => "",
        Codec::Bit => "0",
        Codec::Bytea(_) => "\\x",
        Codec::Date => "1970-01-01",
        Codec::Time { .. } => "00:00:00",
        Codec::ZonedTime => "00:00:00+00",
        Codec::Timestamp { .. } => "1970-01-01 00:00:00",
        // Not padded to the column's digits, unlike the zero of a function default.
        Codec::ZonedTimestamp { .. } => return Some(b"\"1970-01-01T00:00:00Z\"".to_vec()),
        Codec::IntervalMicros | Codec::IntervalText => "00:00:00",
        Codec::Point => "(0,0)",
        Codec::Geometry { .. } => return None,
        Codec::Moment(Moment::Date) | Codec::Iso(IsoText::Date) => "1970-01-01",
        Codec::Moment(Moment::NanoTime) | Codec::Iso(IsoText::Time) => "00:00:00",
        Codec::Moment(Moment::MicroTimestamp | Moment::NanoTimestamp)
        | Codec::Iso(IsoText::Timestamp) => "1970-01-01 00:00:00",
        Codec::Figure(figure) => match figure {
            Figure::Line => "{0,1,0}",
            Figure::Circle => "<(0,0),0>",
            Figure::Box => "(0,0),(1,1)",
            Figure::Lseg | Figure::Path => "[(0,0),(1,0)]",
            Figure::Polygon => "((0,0),(1,0),(0,1))",
        },
        Codec::Ruled(ruled) => return fallback(kind, schema, &ruled.codec),
        Codec::Array { .. } => "{}",
    };
    let mut out = Vec::new();
    codec.write(text.as_bytes(), Style::Json, &mut out).ok()?;
    Some(out)
}

/// `"0.00"`: zero with the column's scale.
fn zero_at_scale(kind: &PgTypeKind) -> Vec<u8> {
    let zeros = match kind {
        PgTypeKind::Numeric { scale, .. } => usize::try_from(*scale).unwrap_or(0),
        _ => 0,
    };
    let fraction = if zeros > 0 {
        format!(".{}", "0".repeat(zeros))
    } else {
        String::new()
    };
    format!("\"0{fraction}\"").into_bytes()
}

/// `unavailable.value.placeholder`: the text, or after `hex:` its bytes in hexadecimal.
fn placeholder_text(setting: &str) -> Cow<'_, str> {
    let Some(hex) = setting.strip_prefix("hex:") else {
        return Cow::Borrowed(setting);
    };
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    let bytes: Vec<u8> = pairs
        .iter()
        .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// What stands for a TOASTed value that PostgreSQL did not send, as JSON text; None if the type has no such value.
pub(crate) fn unavailable(
    kind: &PgTypeKind,
    codec: &Codec,
    settings: &ContractSettings,
) -> Option<Vec<u8>> {
    use PgTypeKind as P;
    let text = placeholder_text(&settings.unavailable_value_placeholder);
    let placeholder = text.as_bytes();
    let mut out = Vec::new();
    match (kind, codec) {
        (_, Codec::Text) => codec.write(placeholder, Style::Json, &mut out).ok()?,
        (_, Codec::Bytea(BinaryHandling::Bytes)) | (_, Codec::Opaque(BinaryHandling::Bytes)) => {
            Codec::Opaque(BinaryHandling::Bytes)
                .write(placeholder, Style::Json, &mut out)
                .ok()?;
        }
        (_, Codec::Bytea(BinaryHandling::Hex)) => {
            Codec::Text.write(placeholder, Style::Json, &mut out).ok()?
        }
        (P::Hstore, Codec::HstoreJson | Codec::HstoreMap) => {
            let quoted = format!(
                "\"{0}\"=>\"{0}\"",
                text.replace('\\', "\\\\").replace('"', "\\\"")
            );
            codec.write(quoted.as_bytes(), Style::Json, &mut out).ok()?;
        }
        (
            P::Array { element },
            Codec::Array {
                element: element_codec,
                ..
            },
        ) => {
            out.push(b'[');
            match &element.kind {
                P::Text | P::Varchar | P::Json | P::Jsonb => {
                    Codec::Text.write(placeholder, Style::Json, &mut out).ok()?
                }
                P::Bytea if **element_codec == Codec::Bytea(BinaryHandling::Bytes) => {
                    Codec::Opaque(BinaryHandling::Bytes)
                        .write(placeholder, Style::Json, &mut out)
                        .ok()?;
                }
                P::Int4 | P::Int8 | P::Date => {
                    let codes: Vec<String> =
                        text.encode_utf16().map(|unit| unit.to_string()).collect();
                    out.extend_from_slice(codes.join(",").as_bytes());
                }
                // The name-based UUID (version 3) of Debezium's default placeholder.
                P::Uuid if placeholder == b"__debezium_unavailable_value" => {
                    out.extend_from_slice(b"\"b68a35a7-17ad-35b3-af2a-ae46edb4545a\"");
                }
                _ => return None,
            }
            out.push(b']');
        }
        _ => return None,
    }
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
            ("(-1)", literal("-1")),
            ("(-1)::numeric", literal("-1")),
            ("B'101'::\"bit\"", literal("101")),
            ("'101'::\"bit\"", literal("101")),
            ("'ok'::public.mood", literal("ok")),
            ("('now'::text)::date", Expression::Other),
            ("nextval('s'::regclass)", Expression::Function),
            ("now()", Expression::Function),
            ("gen_random_uuid()", Expression::Function),
            ("CURRENT_TIMESTAMP", Expression::Function),
            ("(now() AT TIME ZONE 'utc'::text)", Expression::Function),
            ("CURRENT_TIMESTAMP(3)", Expression::Function),
            ("NULL::character varying", Expression::Other),
            ("('a'::text || 'b'::text)", Expression::Other),
            ("(1 + 2)", Expression::Other),
            ("", Expression::Other),
            ("'open", Expression::Other),
        ] {
            assert_eq!(parse(expression), parsed, "{expression}");
        }
    }
}
