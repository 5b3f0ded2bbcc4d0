//! Content negotiation: which media types a request may send and accept, and which methods a path has. A request is checked
//! before it is handled, in the order of Kafka Connect's server: path, method, `Content-Type`, `Accept`. Kafka Connect
//! refuses with answers that have no `Content-Type`, and so do we.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{
    answer::ErrorAnswer,
    media_type::{JSON, Malformed, MediaType, accepted, json_for, values},
};

const PLAIN: &str = "text/plain";

/// The order in which Kafka Connect names the methods of a path.
const ORDER: [&str; 7] = ["HEAD", "POST", "DELETE", "GET", "OPTIONS", "PUT", "PATCH"];

/// Refuses requests that send, or accept, something other than JSON. A body without a `Content-Type` passes: the handler
/// that reads it refuses it.
pub(super) async fn negotiated(request: Request, next: Next) -> Response {
    if let Some(sent) = values(request.headers(), header::CONTENT_TYPE).next() {
        match MediaType::parse(sent) {
            Ok(media) if media.takes(JSON) => {}
            Ok(media) if !media.essence.is_empty() => {
                return ErrorAnswer::unsupported_media_type().without_type();
            }
            _ => return malformed(),
        }
    }
    let kind = match accepted(request.headers()) {
        Ok(accepted) => json_for(&accepted),
        Err(Malformed) => return malformed(),
    };
    let Some(kind) = kind else {
        let refused = ErrorAnswer::new(StatusCode::NOT_ACCEPTABLE, "HTTP 406 Not Acceptable");
        return refused.without_type();
    };
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if kind != JSON
        && headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind == JSON)
        && let Ok(kind) = HeaderValue::from_str(&kind)
    {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    response
}

fn malformed() -> Response {
    ErrorAnswer::bad_request("HTTP 400 Bad Request").into_response()
}

pub(super) async fn not_found() -> Response {
    ErrorAnswer::new(StatusCode::NOT_FOUND, "HTTP 404 Not Found").without_type()
}

/// A connector's name is never empty, so a path with two slashes in a row is not found.
pub(super) async fn no_empty_segments(request: Request, next: Next) -> Response {
    if request.uri().path().contains("//") {
        return not_found().await;
    }
    next.run(request).await
}

pub(super) async fn not_allowed() -> Response {
    ErrorAnswer::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "HTTP 405 Method Not Allowed",
    )
    .without_type()
}

/// Answers `OPTIONS` of a path that exists with its methods, which are the ones that a 405 names.
pub(super) async fn options(request: Request, next: Next) -> Response {
    let asked = request.method() == Method::OPTIONS;
    let accepted = accepted(request.headers());
    let response = next.run(request).await;
    if !asked || response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allowed = response.headers().get(header::ALLOW);
    let allowed = allowed.and_then(|allowed| allowed.to_str().ok());
    let allowed: Vec<&str> = allowed.unwrap_or_default().split(',').collect();
    let methods: Vec<&str> = ORDER
        .into_iter()
        .filter(|method| *method == "OPTIONS" || allowed.contains(method))
        .collect();
    // A client that does not accept plain text gets the type that it prefers, and an empty body.
    let kinds = match &accepted {
        Ok(kinds) => kinds.as_slice(),
        Err(Malformed) => return malformed(),
    };
    let other = kinds.iter().max_by_key(|media| media.quality);
    let (kind, text) = match other {
        Some(other) if !kinds.iter().any(|media| media.takes(PLAIN)) => {
            (other.essence.as_str(), String::new())
        }
        _ => (PLAIN, methods.join(", ")),
    };
    let mut answer = Response::new(Body::from(text));
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::ALLOW, &methods.join(",")),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}
