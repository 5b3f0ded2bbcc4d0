//! What Debezium writes in place of a TOASTed value that PostgreSQL did not send, and in place of the unknown columns
//! of a key-only row. Only needed for events that are not ours: ours say it in a header.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{representation::Representation, value::JsonValue};
use crate::{PgTypeKind, json::write_string};

/// The JSON texts that stand for the placeholder in a column; none where the type cannot show it (such columns are null).
pub(super) fn placeholders(
    kind: &PgTypeKind,
    representation: &Representation,
    placeholder: &str,
) -> Vec<Box<str>> {
    match representation {
        // Nothing is known of the type: text, bytes, or an array of texts.
        Representation::Inferred => {
            let text = quoted(placeholder);
            let array = format!("[{text}]");
            [text, quoted(&STANDARD.encode(placeholder)), array]
                .map(String::into_boxed_str)
                .into()
        }
        _ => placeholder_json(kind, representation, placeholder)
            .into_iter()
            .collect(),
    }
}

fn placeholder_json(
    kind: &PgTypeKind,
    representation: &Representation,
    placeholder: &str,
) -> Option<Box<str>> {
    let json = match representation {
        Representation::Text => quoted(placeholder),
        Representation::Binary(crate::BinaryHandling::Bytes) => {
            quoted(&STANDARD.encode(placeholder))
        }
        Representation::Binary(_) => quoted(placeholder),
        Representation::JsonObjectText => {
            let name = quoted(placeholder);
            quoted(&format!("{{{name}:{name}}}"))
        }
        Representation::Map => {
            let name = quoted(placeholder);
            format!("{{{name}:{name}}}")
        }
        Representation::List(element) => {
            let PgTypeKind::Array {
                element: element_type,
            } = kind
            else {
                return None;
            };
            match (&element_type.kind, element.as_ref()) {
                // The version 3 UUID of Debezium's own placeholder.
                (PgTypeKind::Uuid, _) => "[\"b68a35a7-17ad-35b3-af2a-ae46edb4545a\"]".to_owned(),
                (_, Representation::Text | Representation::Binary(_)) => {
                    format!(
                        "[{}]",
                        placeholder_json(&element_type.kind, element, placeholder)?
                    )
                }
                (
                    PgTypeKind::Int4 | PgTypeKind::Int8 | PgTypeKind::Date,
                    Representation::Integer | Representation::Days,
                ) => {
                    let codes: Vec<_> = placeholder.bytes().map(|code| code.to_string()).collect();
                    format!("[{}]", codes.join(","))
                }
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(json.into_boxed_str())
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
