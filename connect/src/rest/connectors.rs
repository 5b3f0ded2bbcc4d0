//! `/connectors`: listed, made, shown, changed and deleted.
//!
//! Texts and status codes are those of the recordings in `data/golden`.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{
    Shared,
    answer::{ErrorAnswer, MAP, MASK, object, parameters, settings, shown, unfit},
    extract::{Body, Path},
    lifecycle::status_body,
};
use crate::{
    PLUGIN_VERSION, TargetState,
    config_topic::TASK_CLASS,
    validation::{is_our_class, refusal},
    worker::{ConnectorView, Worker},
};
use connector::{CONNECTOR_CLASS, holds_secret};

/// Java's name of what a connector is created from; it stands in refusals.
const CREATION: &str = "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest";

fn task_ids(view: &ConnectorView) -> Value {
    if view.has_task {
        json!([{"connector": view.name, "task": 0}])
    } else {
        json!([])
    }
}

fn info_body(worker: &Worker, view: &ConnectorView, tasks: Value) -> Value {
    json!({
        "name": view.name,
        "config": shown(&view.properties, worker.show_secrets()),
        "tasks": tasks,
        "type": "source",
    })
}

fn view(worker: &Worker, name: &str) -> Result<ConnectorView, ErrorAnswer> {
    worker
        .view(name)
        .ok_or_else(|| ErrorAnswer::connector_not_found(name))
}

pub(super) async fn list(State(worker): Shared, RawQuery(query): RawQuery) -> Response {
    let expand: Vec<String> = parameters(query.as_deref())
        .into_iter()
        .filter(|(name, _)| name == "expand")
        .map(|(_, value)| value)
        .collect();
    if expand.is_empty() {
        return Json(worker.names()).into_response();
    }
    let mut all = Map::new();
    for name in worker.names() {
        let Some(view) = worker.view(&name) else {
            continue;
        };
        let mut parts = Map::new();
        for part in &expand {
            match part.as_str() {
                "status" => parts.insert(part.clone(), status_body(&worker, &view)),
                "info" => parts.insert(part.clone(), info_body(&worker, &view, task_ids(&view))),
                // Connect logs it and goes on.
                _ => None,
            };
        }
        all.insert(name, Value::Object(parts));
    }
    Json(all).into_response()
}

pub(super) async fn create(
    State(worker): Shared,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, ErrorAnswer> {
    let request = object(&headers, &body, CREATION, true)?;
    if let Some(unknown) = request
        .keys()
        .find(|field| !["name", "config", "initial_state"].contains(&field.as_str()))
    {
        return Err(ErrorAnswer::server_error(format!(
            "Unrecognized field \"{unknown}\" (class {CREATION}), not marked as ignorable (3 known properties: \"config\", \"name\", \"initial_state\"])"
        )));
    }
    let config = match request.get("config") {
        Some(Value::Object(config)) => config.clone(),
        None | Some(Value::Null) => {
            return Err(ErrorAnswer::server_error(
                "the request has no body of settings: `config` is missing",
            ));
        }
        Some(other) => return Err(unfit(MAP, other)),
    };
    let mut properties = settings(&config)?;
    let name = text(&request, "name")?.unwrap_or_default();
    // As Java trims.
    let name = name.trim_matches(|c| c <= ' ').to_owned();
    own_name(&mut properties, &name)?;
    let target = match text(&request, "initial_state")?.map(|word| word.to_uppercase()) {
        None => TargetState::Started,
        Some(word) => initial_state(&word)?,
    };
    check_class(&properties)?;
    let created = worker
        .create(&name, properties, target)
        .await
        .map_err(|refused| ErrorAnswer::refused(refused, &name, ""))?;
    Ok(created_answer(&worker, &headers, &created))
}

/// A text of the request; numbers and booleans are taken for one, as Kafka Connect does.
fn text(request: &Map<String, Value>, field: &str) -> Result<Option<String>, ErrorAnswer> {
    match request.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(scalar @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(scalar.to_string())),
        Some(other) => Err(unfit("java.lang.String", other)),
    }
}

fn initial_state(word: &str) -> Result<TargetState, ErrorAnswer> {
    match word {
        "RUNNING" => Ok(TargetState::Started),
        "PAUSED" => Ok(TargetState::Paused),
        "STOPPED" => Ok(TargetState::Stopped),
        _ => Err(ErrorAnswer::server_error(format!(
            "Cannot construct instance of `{CREATION}$InitialState`, problem: No enum constant {}.InitialState.{word}",
            CREATION
        ))),
    }
}

/// The connector's name among its settings.
///
/// # Errors
/// They have another one, or it is none.
fn own_name(properties: &mut BTreeMap<String, String>, name: &str) -> Result<(), ErrorAnswer> {
    if let Some(other) = properties.get("name").filter(|other| *other != name) {
        return Err(ErrorAnswer::bad_request(format!(
            "Connector name configuration ({other}) doesn't match connector name in the URL ({name})"
        )));
    }
    check_name(name)?;
    properties.insert("name".to_owned(), name.to_owned());
    Ok(())
}

/// # Errors
/// It is empty, or has control characters.
fn check_name(name: &str) -> Result<(), ErrorAnswer> {
    if name.trim().is_empty() {
        return Err(ErrorAnswer::bad_request(refusal(
            "Invalid value  for configuration name: String may not be empty",
        )));
    }
    let control: Vec<String> = name
        .chars()
        .filter(|c| c.is_control())
        .map(|c| u32::from(c).to_string())
        .collect();
    if control.is_empty() {
        return Ok(());
    }
    Err(ErrorAnswer::bad_request(refusal(&format!(
        "Invalid value {name} for configuration name: String may not contain control sequences but had the following ASCII chars: {}",
        control.join(", ")
    ))))
}

/// 201 with where it is; the tasks come a moment later.
fn created_answer(worker: &Worker, headers: &HeaderMap, created: &ConnectorView) -> Response {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or(&worker.id);
    let scheme = match &worker.config.rest_tls {
        Some(_) => "https",
        None => "http",
    };
    let location = format!(
        "{scheme}://{host}/connectors/{}",
        utf8_percent_encode(&created.name, SEGMENT)
    );
    (
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(info_body(worker, created, json!([]))),
    )
        .into_response()
}

/// What is escaped in a segment of a URL's path: all but letters, digits and these (RFC 3986, section 3.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

fn check_class(properties: &BTreeMap<String, String>) -> Result<(), ErrorAnswer> {
    match properties.get("connector.class").map(|class| class.trim()) {
        None | Some("") => Err(ErrorAnswer::bad_request(no_class(properties))),
        Some(class) if is_our_class(class) => Ok(()),
        Some(class) => Err(ErrorAnswer::server_error(unknown_class(class))),
    }
}

/// Settings as Java prints a map; secrets stay out.
pub(super) fn no_class(properties: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = properties
        .iter()
        .filter(|(name, value)| !holds_secret(name, value))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!(
        "Connector config {{{}}} contains no connector type",
        pairs.join(", ")
    )
}

pub(super) fn unknown_class(class: &str) -> String {
    format!(
        "Failed to find any class that implements Connector and which name matches {class}, available connectors are: PluginDesc{{klass=class {CONNECTOR_CLASS}, name='{CONNECTOR_CLASS}', version='{PLUGIN_VERSION}', encodedVersion={PLUGIN_VERSION}, type=source, typeName='source', location='classpath'}}"
    )
}

pub(super) async fn info(
    State(worker): Shared,
    Path(name): Path<String>,
) -> Result<Response, ErrorAnswer> {
    let view = view(&worker, &name)?;
    Ok(Json(info_body(&worker, &view, task_ids(&view))).into_response())
}

pub(super) async fn config(
    State(worker): Shared,
    Path(name): Path<String>,
) -> Result<Response, ErrorAnswer> {
    let view = view(&worker, &name)?;
    Ok(Json(shown(&view.properties, worker.show_secrets())).into_response())
}

pub(super) async fn put_config(
    State(worker): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, ErrorAnswer> {
    let mut properties = settings(&object(&headers, &body, MAP, true)?)?;
    own_name(&mut properties, &name)?;
    check_class(&properties)?;
    if worker.view(&name).is_none() {
        let created = worker
            .create(&name, properties, TargetState::Started)
            .await
            .map_err(|refused| ErrorAnswer::refused(refused, &name, ""))?;
        return Ok(created_answer(&worker, &headers, &created));
    }
    replace(&worker, &name, properties).await
}

async fn replace(
    worker: &Worker,
    name: &str,
    properties: BTreeMap<String, String>,
) -> Result<Response, ErrorAnswer> {
    let view = worker
        .replace(name, properties, MASK)
        .await
        .map_err(|refused| {
            ErrorAnswer::refused(refused, name, format!("Connector {name} not found"))
        })?;
    Ok(Json(info_body(worker, &view, task_ids(&view))).into_response())
}

/// Set some settings; null removes one.
pub(super) async fn patch_config(
    State(worker): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, ErrorAnswer> {
    let patch = object(&headers, &body, MAP, true)?;
    let changes = settings(&patch)?;
    let mut properties = view(&worker, &name)?.properties;
    for (property, value) in &patch {
        if value.is_null() {
            properties.remove(property);
        }
    }
    properties.extend(changes);
    // Kafka Connect lets the name be changed, and has a connector with two names then.
    if properties.contains_key("name") {
        own_name(&mut properties, &name)?;
    }
    check_class(&properties)?;
    replace(&worker, &name, properties).await
}

pub(super) async fn delete(
    State(worker): Shared,
    Path(name): Path<String>,
) -> Result<Response, ErrorAnswer> {
    worker.delete(&name).await.map_err(|refused| {
        ErrorAnswer::refused(refused, &name, format!("Connector {name} not found"))
    })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn task_config(worker: &Worker, view: &ConnectorView) -> Map<String, Value> {
    let mut config = shown(&view.properties, worker.show_secrets());
    config.insert(
        "task.class".to_owned(),
        Value::String(TASK_CLASS.to_owned()),
    );
    config
}

pub(super) async fn tasks(
    State(worker): Shared,
    Path(name): Path<String>,
) -> Result<Response, ErrorAnswer> {
    let view = view(&worker, &name)?;
    let body = if view.has_task {
        json!([{
            "id": {"connector": name, "task": 0},
            "config": task_config(&worker, &view),
        }])
    } else {
        json!([])
    };
    Ok(Json(body).into_response())
}

pub(super) async fn tasks_config(
    State(worker): Shared,
    Path(name): Path<String>,
) -> Result<Response, ErrorAnswer> {
    let view = view(&worker, &name)?;
    let mut body = Map::new();
    if view.has_task {
        let config = Value::Object(task_config(&worker, &view));
        body.insert(format!("{name}-0"), config);
    }
    Ok(Json(body).into_response())
}

/// A connector that does not exist has no topics; Connect does not call that an error.
pub(super) async fn topics(State(worker): Shared, Path(name): Path<String>) -> Response {
    let topics = worker.topics(&name).map(|topics| topics.list());
    let topics = topics.unwrap_or_default().into_iter();
    let topics: Vec<String> = topics.map(|topic| worker.shown_of(&name, &topic)).collect();
    let mut body = Map::new();
    body.insert(name, json!({"topics": topics}));
    Json(body).into_response()
}

pub(super) async fn reset_topics(State(worker): Shared, Path(name): Path<String>) -> Response {
    worker.forget_topics(&name).await;
    StatusCode::ACCEPTED.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_path_segments() {
        for (name, want) in [
            ("inventory-connector", "inventory-connector"),
            ("a b/c", "a%20b%2Fc"),
            ("\u{e4}", "%C3%A4"),
        ] {
            assert_eq!(utf8_percent_encode(name, SEGMENT).to_string(), want);
        }
    }
}
