//! What Debezium writes in place of a TOASTed value that PostgreSQL did not send, and in place of the unknown columns
//! of a key-only row. Only needed for events that are not ours: ours say it in a header.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{representation::Representation, value::JsonValue};
use crate::{BinaryHandling, PgType, PgTypeKind, json::write_string, type_class::Unsent};

/// The JSON texts that stand for the placeholder in a column; none where the type cannot show it (such columns are null).
pub(super) fn placeholders(
    pg_type: &PgType,
    representation: &Representation,
    placeholder: &str,
) -> Vec<Box<str>> {
    // Nothing is known of the type: text, bytes, or an array of texts.
    if *representation == Representation::Inferred {
        let text = quoted(placeholder);
        let array = format!("[{text}]");
        return [text, quoted(&STANDARD.encode(placeholder)), array]
            .map(String::into_boxed_str)
            .into();
    }
    placeholder_json(pg_type, representation, placeholder)
        .into_iter()
        .map(String::into_boxed_str)
        .collect()
}

fn placeholder_json(
    pg_type: &PgType,
    representation: &Representation,
    placeholder: &str,
) -> Option<String> {
    use Representation as R;
    Some(match representation {
        R::Text | R::Binary(_) => text_or_bytes(representation, placeholder)?,
        R::JsonObjectText => {
            let name = quoted(placeholder);
            quoted(&format!("{{{name}:{name}}}"))
        }
        R::Map => {
            let name = quoted(placeholder);
            format!("{{{name}:{name}}}")
        }
        R::List(items) => {
            let PgTypeKind::Array { element } = &pg_type.kind else {
                return None;
            };
            let item = match element.row().unsent {
                // The version 3 UUID of Debezium's own placeholder.
                Unsent::Uuid => "\"b68a35a7-17ad-35b3-af2a-ae46edb4545a\"".to_owned(),
                Unsent::Numbers if matches!(**items, R::Integer | R::Days) => {
                    let codes: Vec<_> = placeholder.bytes().map(|code| code.to_string()).collect();
                    codes.join(",")
                }
                // A schema does not tell all types of texts apart.
                Unsent::Null | Unsent::Text | Unsent::Bytes | Unsent::Numbers => {
                    text_or_bytes(items, placeholder)?
                }
            };
            format!("[{item}]")
        }
        R::Boolean
        | R::Integer
        | R::Double
        | R::Bits
        | R::Decimal { .. }
        | R::DecimalText
        | R::VariableScaleDecimal
        | R::Days
        | R::Time(_)
        | R::ZonedText
        | R::MicroDuration
        | R::DurationText
        | R::Point
        | R::Geometry
        | R::Inferred => return None,
    })
}

/// The placeholder among values that are texts or bytes; None among others.
fn text_or_bytes(representation: &Representation, placeholder: &str) -> Option<String> {
    if *representation == Representation::Binary(BinaryHandling::Bytes) {
        return Some(quoted(&STANDARD.encode(placeholder)));
    }
    let is_text = matches!(
        representation,
        Representation::Text | Representation::Binary(_)
    );
    is_text.then(|| quoted(placeholder))
}

fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether a column of an old row may be nothing but what Debezium writes for an unknown value: null, the column's
/// default, or the zero of its type.
pub(super) fn is_fallback(value: JsonValue<'_>, default: Option<&str>) -> bool {
    let json = value.as_json();
    value.is_null()
        || default == Some(json)
        || matches!(
            json,
            "0" | "0.0" | "false" | "\"\"" | "\"AA==\"" | "[]" | "{}" | "\"{}\""
        )
        || json.starts_with("\"1970-01-01T00:00:00")
        || json.starts_with("\"00:00:00")
        || json.starts_with("{\"x\":0.0,\"y\":0.0,")
        || json.starts_with("{\"scale\":0,\"value\":\"AA==\"")
}
