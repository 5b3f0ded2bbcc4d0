//! Media types in the headers of requests. By hand, because Kafka Connect's server takes and refuses others than the
//! libraries do: a type without a subtype matches nothing, a quality of 0 is no refusal.

use axum::http::{HeaderMap, HeaderName, header};

pub(super) const JSON: &str = "application/json";

/// A media type in a `Content-Type` or `Accept` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MediaType {
    /// `type/subtype` in lower case.
    pub(super) essence: String,
    /// `;name=value` of each parameter but `q`.
    parameters: String,
    /// The parameter `q`, in thousandths.
    pub(super) quality: u16,
}

/// The header is not a valid media type, or not a list of valid ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl MediaType {
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
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

    pub(super) fn takes(&self, essence: &str) -> bool {
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

pub(super) fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let all = headers.get_all(name).into_iter();
    all.map(|value| value.to_str().unwrap_or("?"))
}

/// The media types of the `Accept` headers. An empty list means that the client accepts everything.
pub(super) fn accepted(headers: &HeaderMap) -> Result<Vec<MediaType>, Malformed> {
    values(headers, header::ACCEPT)
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .map(MediaType::parse)
        .collect()
}

/// The `Content-Type` to answer with, with the parameters that the client asked for; None if it does not accept JSON. Kafka
/// Connect does not treat a quality of 0 as a refusal, and neither do we.
pub(super) fn json_for(accepted: &[MediaType]) -> Option<String> {
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

/// Whether the `Content-Type` is exactly JSON; a wildcard is not.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    values(headers, header::CONTENT_TYPE)
        .next()
        .is_some_and(|sent| MediaType::parse(sent).is_ok_and(|media| media.essence == JSON))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

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
