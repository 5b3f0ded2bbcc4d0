use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Shared,
    answer::{ErrorAnswer, object},
};

/// What Connect says after a change, `altered` or `reset`.
fn changed(verb: &str) -> Response {
    Json(json!({"message": format!(
        "The Connect framework-managed offsets for this connector have been {verb} successfully. However, if this connector manages offsets externally, they will need to be manually {verb} in the system that the connector uses."
    )}))
    .into_response()
}

pub(super) async fn get(
    State(worker): Shared,
    Path(name): Path<String>,
) -> Result<Response, ErrorAnswer> {
    let (prefix, offset) = worker.offset(&name).await.map_err(|refused| {
        ErrorAnswer::refused(refused, &name, format!("Connector {name} not found"))
    })?;
    let offsets = match offset {
        Some(offset) => json!([{"partition": {"server": prefix}, "offset": offset}]),
        None => json!([]),
    };
    Ok(Json(json!({"offsets": offsets})).into_response())
}

pub(super) async fn patch(
    State(worker): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ErrorAnswer> {
    let request = object(&headers, &body)?;
    let pairs: Vec<(Value, Option<Value>)> = request
        .get("offsets")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let offset = entry.get("offset").filter(|offset| !offset.is_null());
            Some((entry.get("partition")?.clone(), offset.cloned()))
        })
        .collect();
    if pairs.is_empty() {
        return Err(ErrorAnswer::bad_request(
            "Partitions / offsets need to be provided for an alter offsets request",
        ));
    }
    worker
        .alter_offsets(&name, Some(pairs))
        .await
        .map_err(|refused| {
            ErrorAnswer::refused(refused, &name, format!("Connector {name} not found"))
        })?;
    Ok(changed("altered"))
}

pub(super) async fn delete(
    State(worker): Shared,
    Path(name): Path<String>,
) -> Result<Response, ErrorAnswer> {
    worker.alter_offsets(&name, None).await.map_err(|refused| {
        ErrorAnswer::refused(refused, &name, format!("Connector {name} not found"))
    })?;
    Ok(changed("reset"))
}
