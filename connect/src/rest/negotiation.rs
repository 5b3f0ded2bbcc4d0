//! Content negotiation: which media types a request may send and accept, and which methods a path has. A request is checked
//! before it is handled, in the order of Kafka Connect's server: path, method, `Content-Type`, `Accept`. Kafka Connect
//! refuses with answers that have no `Content-Type`, and so do we.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::answer::ErrorAnswer;

const JSON: &str = "application/json";
const PLAIN: &str = "text/plain";

/// The order in which Kafka Connect names the methods of a path.
const ORDER: [&str; 7] = ["HEAD", "POST", "DELETE", "GET", "OPTIONS", "PUT", "PATCH"];

/// A media type in a `Content-Type` or `Accept` header.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MediaType {
    /// `type/subtype` in lower case.
    essence: String,
    /// `;name=value` of each parameter but `q`.
    parameters: String,
    /// The parameter `q`, in thousandths.
    quality: u16,
}

/// The header is not a valid media type, or not a list of valid ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Malformed;

impl MediaType {
    fn parse(text: &str) -> Result<Self, Malformed> {
        let mut parts = text.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let whole = essence
            .split_once('/')
            .is_some_and(|(kind, subtype)| !kind.is_empty() && !subtype.is_empty());
        let mut media = Self {
            // A type without a subtype matches nothing.
            essence: if whole { essence } else { String::new() },
            parameters: String::new(),
            quality: 1000,
        };
        for parameter in parts.filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some((name, value)) if name.trim().eq_ignore_ascii_case("q") => {
                    media.quality = quality(value.trim()).ok_or(Malformed)?;
                }
                _ => media.parameters.push_str(&format!(";{parameter}")),
            }
        }
        Ok(media)
    }

    fn takes(&self, essence: &str) -> bool {
        let (kind, _) = essence.split_once('/').unwrap_or_default();
        self.essence == essence
            || self.essence == "*/*"
            || self.essence.strip_suffix("/*") == Some(kind)
    }
}

fn quality(text: &str) -> Option<u16> {
    let quality: f32 = text.parse().ok()?;
    // Thousandths are exact enough to compare.
    (0.0..=1.0)
        .contains(&quality)
        .then_some((quality * 1000.0) as u16)
}

fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let all = headers.get_all(name).into_iter();
    all.map(|value| value.to_str().unwrap_or("?"))
}

/// The media types of the `Accept` headers. An empty list means that the client accepts everything.
fn accepted(headers: &HeaderMap) -> Result<Vec<MediaType>, Malformed> {
    values(headers, header::ACCEPT)
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .map(MediaType::parse)
        .collect()
}

/// The `Content-Type` to answer with, with the parameters that the client asked for; None if it does not accept JSON. Kafka
/// Connect does not treat a quality of 0 as a refusal, and neither do we.
fn json_for(accepted: &[MediaType]) -> Option<String> {
    let best = accepted
        .iter()
        .filter(|media| media.takes(JSON))
        .rev()
        .max_by_key(|media| media.quality);
    match best {
        Some(media) if media.essence == JSON => Some(format!("{JSON}{}", media.parameters)),
        Some(_) => Some(JSON.to_owned()),
        None => accepted.is_empty().then(|| JSON.to_owned()),
    }
}

/// Refuses requests that send, or accept, something other than JSON. A body without a `Content-Type` passes: the handler
/// that reads it refuses it.
pub(super) async fn negotiated(request: Request, next: Next) -> Response {
    if let Some(sent) = values(request.headers(), header::CONTENT_TYPE).next() {
        match MediaType::parse(sent) {
            Ok(media) if media.takes(JSON) => {}
            Ok(media) if !media.essence.is_empty() => {
                return unsupported().without_type();
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

/// The refusal of a body that is not JSON.
pub(super) fn unsupported() -> ErrorAnswer {
    ErrorAnswer::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "HTTP 415 Unsupported Media Type",
    )
}

fn malformed() -> Response {
    ErrorAnswer::bad_request("HTTP 400 Bad Request").into_response()
}

/// Whether the `Content-Type` is exactly JSON; a wildcard is not.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    values(headers, header::CONTENT_TYPE)
        .next()
        .is_some_and(|sent| MediaType::parse(sent).is_ok_and(|media| media.essence == JSON))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn json_is_given_to_those_who_take_it() {
        for (accept, want) in [
            (&[][..], Ok(Some(JSON))),
            (&[""], Ok(Some(JSON))),
            (&["*/*"], Ok(Some(JSON))),
            (&["application/*"], Ok(Some(JSON))),
            (&["APPLICATION/JSON"], Ok(Some(JSON))),
            (&["text/plain, application/json;q=0.1"], Ok(Some(JSON))),
            (&["text/plain", "application/json"], Ok(Some(JSON))),
            (&["text/html, application/json;q=0"], Ok(Some(JSON))),
            (
                &["text/html,application/xml;q=0.9,*/*;q=0.8"],
                Ok(Some(JSON)),
            ),
            (
                &["application/json; charset=utf-8"],
                Ok(Some("application/json;charset=utf-8")),
            ),
            (&["text/plain"], Ok(None)),
            (&["application/vnd.api+json"], Ok(None)),
            (&["nonsense"], Ok(None)),
            (&["text/*"], Ok(None)),
            (&["application/json;q=2"], Err(Malformed)),
            (&["application/json;q=much"], Err(Malformed)),
        ] {
            let found = accepted(&headers(header::ACCEPT, accept));
            assert_eq!(
                found.map(|accepted| json_for(&accepted)),
                want.map(|kind: Option<&str>| kind.map(str::to_owned)),
                "{accept:?}"
            );
        }
    }

    #[test]
    fn only_json_is_json() {
        for (kind, want) in [
            ("application/json", true),
            ("Application/JSON ; charset=utf-8", true),
            ("text/json", false),
            ("application/vnd.api+json", false),
            ("*/*", false),
            ("json", false),
            ("", false),
        ] {
            let headers = headers(header::CONTENT_TYPE, &[kind]);
            assert_eq!(is_json(&headers), want, "{kind}");
        }
    }
}
