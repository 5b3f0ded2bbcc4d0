use std::collections::BTreeMap;

use axum::{
    Json,
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::super::worker::Refused;
use crate::config::{holds_secret, is_reference, string_map};

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

    pub(super) fn connector_not_found(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("Connector {name} not found"))
    }

    /// A refusal where a missing connector has the message `not_found`.
    pub(super) fn refused(refused: Refused, name: &str, not_found: impl Into<String>) -> Self {
        match refused {
            Refused::NotFound => Self::new(StatusCode::NOT_FOUND, not_found),
            Refused::Exists => Self::new(
                StatusCode::CONFLICT,
                format!("Connector {name} already exists"),
            ),
            Refused::Invalid(message) => Self::bad_request(message),
            Refused::NotStopped => Self::bad_request(format!(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
            )),
            Refused::Failed(error) => {
                let text = service::render_error(&error, Some(error.hint()));
                tracing::warn!(connector = name, error = %text, "a request failed");
                Self::server_error(text)
            }
        }
    }
}

impl IntoResponse for ErrorAnswer {
    fn into_response(self) -> Response {
        let body = json!({"error_code": self.status.as_u16(), "message": self.message});
        (self.status, Json(body)).into_response()
    }
}

/// A JSON object from a request's body.
pub(super) fn object(headers: &HeaderMap, body: &Bytes) -> Result<Map<String, Value>, ErrorAnswer> {
    let json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_none_or(|value| value.to_ascii_lowercase().contains("json"));
    if !json {
        return Err(ErrorAnswer::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "HTTP 415 Unsupported Media Type",
        ));
    }
    serde_json::from_slice(body).map_err(|error| ErrorAnswer::server_error(error.to_string()))
}

/// A flat map of settings from a JSON object.
pub(super) fn settings(
    object: &Map<String, Value>,
) -> Result<BTreeMap<String, String>, ErrorAnswer> {
    string_map(object).map_err(ErrorAnswer::server_error)
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
            (name.to_owned(), value.replace("%2C", ","))
        })
        .collect()
}

/// Whether a parameter is `true`.
pub(super) fn flag(query: Option<&str>, name: &str, default: bool) -> bool {
    parameters(query)
        .into_iter()
        .find(|(parameter, _)| parameter == name)
        .map_or(default, |(_, value)| value.eq_ignore_ascii_case("true"))
}
