//! Answers that report an error, with the status codes and the words of Kafka Connect.

use std::collections::BTreeMap;

use axum::{
    Json,
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json, value::RawValue};

use super::{super::worker::RefusedRequest, media_type::is_json};
use connector::{holds_secret, is_reference, string_map};

/// What a secret looks like in an answer; sent back in a PUT it stands for the secret as it is.
pub(super) const MASK: &str = "********";

/// `{"error_code": ..., "message": ...}`.
#[derive(Debug)]
pub(super) struct ErrorAnswer {
    status: StatusCode,
    message: String,
}

impl ErrorAnswer {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn server_error(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// The refusal of a body that is not JSON.
    pub(super) fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "HTTP 415 Unsupported Media Type",
        )
    }

    pub(super) fn connector_not_found(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("Connector {name} not found"))
    }

    /// A refusal where a missing connector has the message `not_found`.
    pub(super) fn refused(
        refused: RefusedRequest,
        name: &str,
        not_found: impl Into<String>,
    ) -> Self {
        match refused {
            RefusedRequest::NotFound => Self::new(StatusCode::NOT_FOUND, not_found),
            RefusedRequest::Exists => Self::new(
                StatusCode::CONFLICT,
                format!("Connector {name} already exists"),
            ),
            RefusedRequest::Invalid(message) => Self::bad_request(message),
            RefusedRequest::NotStopped => Self::bad_request(format!(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
            )),
            RefusedRequest::Failed(error) => {
                let text = service::render_error(&error, Some(error.hint()));
                tracing::warn!(connector = name, error = %text, "a request failed");
                Self::server_error(text)
            }
        }
    }
}

impl ErrorAnswer {
    /// As Kafka Connect's server answers before a call is begun: the same body, whose type is not told.
    pub(super) fn without_type(self) -> Response {
        let mut response = self.into_response();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response
    }
}

impl IntoResponse for ErrorAnswer {
    fn into_response(self) -> Response {
        let body = json!({"error_code": self.status.as_u16(), "message": self.message});
        (self.status, Json(body)).into_response()
    }
}

/// Java's name of what a map of settings is read into; it stands in refusals.
pub(super) const MAP: &str = "java.util.LinkedHashMap<java.lang.String,java.lang.String>";

/// A JSON object from a request's body, which is `class` to Kafka Connect. With `exact` numbers of the object, and of the
/// objects in it, are their text as it was sent: a setting is text.
///
/// # Errors
/// 415 where the body says to be something else; 500, as there, where it is no JSON or no object.
pub(super) fn object(
    headers: &HeaderMap,
    body: &Bytes,
    class: &str,
    exact: bool,
) -> Result<Map<String, Value>, ErrorAnswer> {
    if !body.is_empty() && !is_json(headers) {
        return Err(ErrorAnswer::unsupported_media_type());
    }
    let failed = |error: serde_json::Error| ErrorAnswer::server_error(error.to_string());
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(no_body());
    }
    let raw: &RawValue = serde_json::from_slice(body).map_err(failed)?;
    let value = if exact && raw.get().starts_with('{') {
        exact_value(raw, 2).map_err(failed)?
    } else {
        serde_json::from_str(raw.get()).map_err(failed)?
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other JSON values are alike here"
    )]
    match value {
        Value::Object(object) => Ok(object),
        Value::Null => Err(no_body()),
        other => Err(unfit(class, &other)),
    }
}

fn no_body() -> ErrorAnswer {
    ErrorAnswer::server_error("the request has no body: a JSON object is expected")
}

/// A value whose numbers are text as sent, down to `depth` objects.
fn exact_value(raw: &RawValue, depth: u8) -> serde_json::Result<Value> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'{') if depth > 0 => {
            let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text)?;
            let fields = fields.into_iter();
            fields
                .map(|(name, value)| Ok((name, exact_value(&value, depth - 1)?)))
                .collect::<serde_json::Result<Map<String, Value>>>()
                .map(Value::Object)
        }
        Some(b'-' | b'0'..=b'9') => Ok(Value::String(text.to_owned())),
        _ => serde_json::from_str(text),
    }
}

/// A flat map of settings from a JSON object.
///
/// # Errors
/// A value is an array or an object.
pub(super) fn settings(
    object: &Map<String, Value>,
) -> Result<BTreeMap<String, String>, ErrorAnswer> {
    if let Some(value) = object
        .values()
        .find(|value| value.is_array() || value.is_object())
    {
        return Err(unfit("java.lang.String", value));
    }
    string_map(object).map_err(ErrorAnswer::server_error)
}

/// What Kafka Connect says of a value that is not of the form that `class` has.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other JSON values are alike here"
)]
pub(super) fn unfit(class: &str, value: &Value) -> ErrorAnswer {
    let simple = class.split('<').next().unwrap_or_default();
    let no_constructor = |argument: &str, shown: String| {
        format!(
            "Cannot construct instance of `{simple}` (although at least one Creator exists): no {argument}-argument constructor/factory method to deserialize from {shown}"
        )
    };
    ErrorAnswer::server_error(match value {
        Value::Array(_) => format!(
            "Cannot deserialize value of type `{class}` from Array value (token `JsonToken.START_ARRAY`)"
        ),
        Value::Object(_) => format!(
            "Cannot deserialize value of type `{class}` from Object value (token `JsonToken.START_OBJECT`)"
        ),
        Value::String(_) if simple.ends_with("List") => format!(
            "Cannot deserialize value of type `{class}` from String value (token `JsonToken.VALUE_STRING`)"
        ),
        Value::String(text) => no_constructor("String", format!("String value ('{text}')")),
        Value::Number(number) => no_constructor("int/Int", format!("Number value ({number})")),
        other => no_constructor("boolean/Boolean", format!("the value {other}")),
    })
}

/// Settings as they are shown.
pub(super) fn shown(
    properties: &BTreeMap<String, String>,
    show_secrets: bool,
) -> Map<String, Value> {
    properties
        .iter()
        .map(|(name, value)| {
            let hidden = !show_secrets
                && holds_secret(name, value)
                && !value.is_empty()
                && !is_reference(value);
            let value = if hidden { MASK } else { value.as_str() };
            (name.clone(), Value::String(value.to_owned()))
        })
        .collect()
}

/// The parameters of a query string, in order.
pub(super) fn parameters(query: Option<&str>) -> Vec<(String, String)> {
    query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decoded(name), percent_decoded(value))
        })
        .collect()
}

/// A part of a query (RFC 3986, section 2.1; a plus is a space). What is no escape stays as it is.
fn percent_decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// Whether a parameter is `true`; one without a value is as if it were not there.
pub(super) fn flag(query: Option<&str>, name: &str, default: bool) -> bool {
    parameters(query)
        .into_iter()
        .find(|(parameter, value)| parameter == name && !value.is_empty())
        .map_or(default, |(_, value)| value.eq_ignore_ascii_case("true"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let all = parameters(Some("expand=%73tatus&a+b=%zz%2&c&&d=1=2&%C3%A4=%ff"));
        let want = [
            ("expand", "status"),
            ("a b", "%zz%2"),
            ("c", ""),
            ("d", "1=2"),
            ("\u{e4}", "\u{fffd}"),
        ];
        let want = want.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(all, want);
        for (query, want) in [
            ("", true),
            ("x", true),
            ("x=", true),
            ("x=TRUE", true),
            ("x=false", false),
            ("x=maybe", false),
        ] {
            assert_eq!(flag(Some(query), "x", true), want, "{query}");
        }
    }

    #[test]
    fn numbers_are_their_text() {
        let raw =
            r#"{"a":1.50,"b":{"c":1e3,"d":[1.50]},"e":-0,"f":123456789012345678901234567890}"#;
        let value = exact_value(serde_json::from_str(raw).unwrap(), 2).unwrap();
        assert_eq!(
            value,
            json!({"a": "1.50", "b": {"c": "1e3", "d": [1.5]}, "e": "-0", "f": "123456789012345678901234567890"})
        );
    }
}
