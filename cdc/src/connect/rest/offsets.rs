use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    Shared,
    answer::{ErrorAnswer, object},
    extract::{Body, Path},
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
    let offsets = worker.offsets(&name).await.map_err(|refused| {
        ErrorAnswer::refused(refused, &name, format!("Connector {name} not found"))
    })?;
    let offsets: Vec<Value> = offsets
        .into_iter()
        .map(|(partition, offset)| json!({"partition": partition, "offset": offset}))
        .collect();
    Ok(Json(json!({"offsets": offsets})).into_response())
}

/// Partition and offset of each entry; both are maps, and a null offset removes.
fn pairs(request: &Map<String, Value>) -> Result<Vec<(Value, Option<Value>)>, ErrorAnswer> {
    let entries = request.get("offsets").and_then(Value::as_array);
    let entries = entries.into_iter().flatten();
    entries
        .map(|entry| {
            let part = |name| entry.get(name).filter(|part| !part.is_null());
            let partition = part("partition")
                .filter(|it| it.is_object())
                .ok_or_else(|| {
                    ErrorAnswer::bad_request("The partition of an offset has to be a map")
                })?;
            let offset = part("offset");
            if offset.is_some_and(|offset| !offset.is_object()) {
                return Err(ErrorAnswer::bad_request(
                    "An offset has to be a map, or null",
                ));
            }
            Ok((partition.clone(), offset.cloned()))
        })
        .collect()
}

pub(super) async fn patch(
    State(worker): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, ErrorAnswer> {
    let request = object(&headers, &body)?;
    let pairs = pairs(&request)?;
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
