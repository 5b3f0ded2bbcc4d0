//! Parts of a request, refused in Kafka Connect's form where they are none.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{self, FromRequest, FromRequestParts, Request},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;

use super::answer::ErrorAnswer;
use crate::Worker;

/// Segments of the path. What is no text names nothing that exists.
pub(super) struct Path<T>(pub(super) T);

impl<S, T> FromRequestParts<S> for Path<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = ErrorAnswer;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ErrorAnswer> {
        match extract::Path::from_request_parts(parts, state).await {
            Ok(extract::Path(segments)) => Ok(Self(segments)),
            Err(_) => Err(ErrorAnswer::new(
                StatusCode::NOT_FOUND,
                "HTTP 404 Not Found",
            )),
        }
    }
}

/// The whole body, up to the 8 MB that a connector's settings never have: Kafka takes no such record.
pub(super) struct Body(pub(super) Bytes);

/// The longest body, in bytes.
pub(super) const LONGEST_BODY: usize = 8 << 20;

impl FromRequest<Arc<Worker>> for Body {
    type Rejection = ErrorAnswer;

    async fn from_request(request: Request, worker: &Arc<Worker>) -> Result<Self, ErrorAnswer> {
        let whole = Bytes::from_request(request, worker);
        match tokio::time::timeout(worker.config.rest_patience, whole).await {
            Ok(Ok(body)) => Ok(Self(body)),
            Ok(Err(refused)) => Err(ErrorAnswer::new(refused.status(), refused.body_text())),
            Err(_) => Err(ErrorAnswer::new(
                StatusCode::REQUEST_TIMEOUT,
                "HTTP 408 Request Timeout: the body did not come to its end",
            )),
        }
    }
}
