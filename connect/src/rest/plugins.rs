use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Shared,
    answer::{ErrorAnswer, MAP, MASK, flag, object, settings},
    connectors::{no_class, unknown_class},
    extract::{Body, Path},
};
use crate::{
    definition::{FRAMEWORK, GROUPS, definitions, position},
    plugin::{Plugin, find, plugins},
    validation::is_our_class,
};

pub(super) async fn list(RawQuery(query): RawQuery) -> Response {
    let connectors_only = flag(query.as_deref(), "connectorsOnly", true);
    let plugins: Vec<Value> = plugins()
        .into_iter()
        .filter(|plugin| plugin.is_connector() || !connectors_only)
        .map(Plugin::body)
        .collect();
    Json(plugins).into_response()
}

pub(super) async fn config(Path(plugin): Path<String>) -> Result<Response, ErrorAnswer> {
    if let Some(other) = find(&plugin) {
        return Ok(Json(other.settings()).into_response());
    }
    if !is_our_class(&plugin) {
        return Err(ErrorAnswer::new(
            StatusCode::NOT_FOUND,
            format!("Unknown plugin {plugin}."),
        ));
    }
    // Here the connector's own come first.
    let own = definitions().skip(FRAMEWORK);
    let all = own.chain(definitions().take(FRAMEWORK));
    let all: Vec<Value> = all.map(|definition| definition.body()).collect();
    Ok(Json(all).into_response())
}

pub(super) async fn validate(
    State(worker): Shared,
    Path(plugin): Path<String>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, ErrorAnswer> {
    let properties = settings(&object(&headers, &body, MAP, true)?)?;
    let Some(class) = properties.get("connector.class").cloned() else {
        return Err(ErrorAnswer::server_error(format!(
            "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: {}",
            no_class(&properties)
        )));
    };
    if !without_suffix(&class).ends_with(without_suffix(&plugin)) {
        return Err(ErrorAnswer::bad_request(format!(
            "Included connector type {class} does not match request type {plugin}"
        )));
    }
    if !is_our_class(&class) {
        return Err(ErrorAnswer::server_error(format!(
            "org.apache.kafka.connect.errors.ConnectException: {}",
            unknown_class(&class)
        )));
    }
    let findings = worker.findings(properties.clone(), MASK).await;
    let errors_of = |name: &str| -> Vec<String> {
        let of_it = findings.iter().filter(|finding| finding.property == name);
        of_it.map(|finding| finding.text.clone()).collect()
    };
    let mut configs: Vec<Value> = definitions()
        .map(|definition| {
            let name = definition.property.name;
            let set = properties.get(name).map(String::as_str);
            let value = definition.value(set, &errors_of(name));
            json!({"definition": definition.body(), "value": value})
        })
        .collect();
    // What has no name of its own, such as a transform's settings, is shown where something is wrong with it.
    let mut shown = BTreeSet::new();
    for finding in &findings {
        let name = finding.property.as_str();
        if position(name) == usize::MAX && shown.insert(name) {
            configs.push(unlisted(name, &errors_of(name)));
        }
    }
    Ok(Json(json!({
        "name": class,
        "error_count": findings.len(),
        "groups": GROUPS,
        "configs": configs,
    }))
    .into_response())
}

/// Plug-ins are known with and without this end of their names.
fn without_suffix(class: &str) -> &str {
    class
        .strip_suffix("Connector")
        .filter(|rest| !rest.is_empty())
        .unwrap_or(class)
}

fn unlisted(name: &str, errors: &[String]) -> Value {
    json!({
        "definition": {
            "name": name, "type": "STRING", "required": false, "default_value": null, "importance": "LOW",
            "documentation": "", "group": "Common", "width": "NONE", "display_name": name, "dependents": [], "order": -1,
        },
        "value": {
            "name": name, "value": null, "recommended_values": [], "errors": errors, "visible": true,
        },
    })
}
