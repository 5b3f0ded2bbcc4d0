//! `/connectors/{name}/offsets`: shown, altered and reset.
//!
//! Offsets can only be changed while the connector is stopped.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    Shared,
    answer::{ErrorAnswer, object, unfit},
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
        .map(|(mut partition, offset)| {
            for text in texts(&mut partition) {
                *text = worker.shown_of(&name, text);
            }
            json!({"partition": partition, "offset": offset})
        })
        .collect();
    Ok(Json(json!({"offsets": offsets})).into_response())
}

/// The texts of a partition: the server's name is `topic.prefix`, which may come from elsewhere.
fn texts(partition: &mut Value) -> impl Iterator<Item = &mut String> {
    let fields = partition.as_object_mut().into_iter().flatten();
    fields.filter_map(|(_, value)| match value {
        Value::String(text) => Some(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    })
}

/// Java's names of what a request is read into; they stand in refusals.
const OFFSETS: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets";
const OFFSET: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset";
const ANY_MAP: &str = "java.util.LinkedHashMap<java.lang.String,java.lang.Object>";

/// Partition and offset of each entry; both are maps, and a null offset removes.
///
/// # Errors
/// 500 for another form, as Kafka Connect answers.
fn pairs(request: &Map<String, Value>) -> Result<Vec<(Value, Option<Value>)>, ErrorAnswer> {
    known_fields(request, OFFSETS, &["offsets"])?;
    let entries = match request.get("offsets") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(entries)) => entries,
        Some(other) => return Err(unfit(&format!("java.util.ArrayList<{OFFSET}>"), other)),
    };
    entries.iter().map(pair).collect()
}

fn pair(entry: &Value) -> Result<(Value, Option<Value>), ErrorAnswer> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other JSON values are alike here"
    )]
    let entry = match entry {
        Value::Object(entry) => entry,
        Value::Null => {
            return Err(ErrorAnswer::server_error(
                "Cannot construct instance of an offset: an entry is null",
            ));
        }
        other => return Err(unfit(OFFSET, other)),
    };
    known_fields(entry, OFFSET, &["partition", "offset"])?;
    let part = |name| match entry.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(map @ Value::Object(_)) => Ok(Some(map.clone())),
        Some(other) => Err(unfit(ANY_MAP, other)),
    };
    let offset = part("offset")?;
    // Kafka Connect stores an offset of no partition, which nobody reads.
    let partition = part("partition")?
        .ok_or_else(|| ErrorAnswer::bad_request("The partition of an offset has to be a map"))?;
    Ok((partition, offset))
}

/// # Errors
/// There is another field.
fn known_fields(
    object: &Map<String, Value>,
    class: &str,
    known: &[&str],
) -> Result<(), ErrorAnswer> {
    let Some(unknown) = object.keys().find(|field| !known.contains(&field.as_str())) else {
        return Ok(());
    };
    let count = match known {
        [one] => format!("one known property: \"{one}\""),
        all => format!("{} known properties: \"{}\"", all.len(), all.join("\", \"")),
    };
    Err(ErrorAnswer::server_error(format!(
        "Unrecognized field \"{unknown}\" (class {class}), not marked as ignorable ({count}])"
    )))
}

/// # Errors
/// An offset has something in it that is neither text nor a number nor a boolean.
fn primitive(offset: &Value) -> Result<(), ErrorAnswer> {
    for (field, value) in offset.as_object().into_iter().flatten() {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other JSON values are alike here"
        )]
        let kind = match value {
            Value::Array(_) => "ARRAY",
            Value::Object(_) => "MAP",
            _ => continue,
        };
        return Err(ErrorAnswer::server_error(format!(
            "Offsets may only contain primitive types as values, but field {field} contains {kind}"
        )));
    }
    Ok(())
}

pub(super) async fn patch(
    State(worker): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, ErrorAnswer> {
    let request = object(&headers, &body, OFFSETS, false)?;
    let mut pairs = pairs(&request)?;
    for text in pairs.iter_mut().flat_map(|(partition, _)| texts(partition)) {
        let resolved = worker.resolved_for(&name, text);
        *text = resolved.map_err(ErrorAnswer::bad_request)?;
    }
    if pairs.is_empty() {
        return Err(ErrorAnswer::bad_request(
            "Partitions / offsets need to be provided for an alter offsets request",
        ));
    }
    for offset in pairs.iter().filter_map(|(_, offset)| offset.as_ref()) {
        primitive(offset)?;
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
