use axum::{
    Json,
    body::Bytes,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Shared,
    answer::{ErrorAnswer, flag, object, settings},
    connectors::unknown_class,
};
use crate::{
    config::{CONNECTOR_CLASS, ConnectorConfig, Handling, KNOWN, Problem, Property, is_secret},
    connect::{PLUGIN_VERSION, worker::is_our_class},
    transform::REGEX_ROUTER,
};

const GROUPS: [&str; 4] = ["Common", "Transforms", "Topic Creation", "Postgres"];

pub(super) async fn list(RawQuery(query): RawQuery) -> Response {
    let plugin = |class: &str, kind: &str, version: &str| json!({"class": class, "type": kind, "version": version});
    let mut plugins = vec![plugin(CONNECTOR_CLASS, "source", PLUGIN_VERSION)];
    if !flag(query.as_deref(), "connectorsOnly", true) {
        let version = crate::connect::CONNECT_VERSION;
        plugins.push(plugin(REGEX_ROUTER, "transformation", version));
        plugins.push(plugin(
            "org.apache.kafka.connect.json.JsonConverter",
            "converter",
            version,
        ));
        plugins.push(plugin(
            "org.apache.kafka.connect.storage.SimpleHeaderConverter",
            "header_converter",
            version,
        ));
    }
    Json(plugins).into_response()
}

fn definition(property: &Property, order: usize) -> Value {
    let group = match property.name {
        name if name.starts_with("transforms") => "Transforms",
        name if name.starts_with("topic.creation") => "Topic Creation",
        name if name.contains('.') && !name.starts_with("key.") && !name.starts_with("value.") => {
            "Postgres"
        }
        _ => "Common",
    };
    let required = matches!(
        property.name,
        "name"
            | "connector.class"
            | "topic.prefix"
            | "database.hostname"
            | "database.user"
            | "database.dbname"
    );
    let (importance, documentation) = match property.handling {
        Handling::Used => ("HIGH", String::new()),
        Handling::Ignored(reason) => ("LOW", format!("Has no effect: {reason}.")),
        Handling::Refused { reason, .. } => ("LOW", format!("Not available: {reason}.")),
    };
    json!({
        "name": property.name,
        "type": if is_secret(property.name) { "PASSWORD" } else { "STRING" },
        "required": required,
        "default_value": null,
        "importance": importance,
        "documentation": documentation,
        "group": group,
        "width": "MEDIUM",
        "display_name": property.name,
        "dependents": [],
        "order": order,
    })
}

/// Properties with a name of their own; patterns cannot be shown in a form.
fn definitions() -> impl Iterator<Item = (&'static Property, Value)> {
    KNOWN
        .iter()
        .filter(|property| !property.name.ends_with('*'))
        .enumerate()
        .map(|(order, property)| (property, definition(property, order + 1)))
}

pub(super) async fn config(Path(plugin): Path<String>) -> Result<Response, ErrorAnswer> {
    if !is_our_class(&plugin) {
        return Err(ErrorAnswer::new(
            StatusCode::NOT_FOUND,
            format!("Unknown plugin {plugin}."),
        ));
    }
    let all: Vec<Value> = definitions().map(|(_, definition)| definition).collect();
    Ok(Json(all).into_response())
}

pub(super) async fn validate(
    State(_): Shared,
    Path(_): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ErrorAnswer> {
    let properties = settings(&object(&headers, &body)?)?;
    let class = match properties.get("connector.class") {
        Some(class) => class.clone(),
        None => {
            return Err(ErrorAnswer::server_error(
                "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: Connector config contains no connector type",
            ));
        }
    };
    if !is_our_class(&class) {
        return Err(ErrorAnswer::server_error(format!(
            "org.apache.kafka.connect.errors.ConnectException: {}",
            unknown_class(&class)
        )));
    }
    let problems = match ConnectorConfig::parse(&properties) {
        Ok(_) => Vec::new(),
        Err(report) => report.problems,
    };
    let errors_of = |name: &str| -> Vec<String> {
        let of_it = problems.iter().filter(|problem| problem.property == name);
        of_it.map(Problem::to_string).collect()
    };
    let mut configs: Vec<Value> = definitions()
        .map(|(property, definition)| {
            let value = properties.get(property.name);
            entry(definition, property.name, value, errors_of(property.name))
        })
        .collect();
    // What a pattern covers, such as a transform's settings, is shown where something is wrong with it.
    for problem in &problems {
        if !KNOWN
            .iter()
            .any(|property| property.name == problem.property)
        {
            let definition =
                json!({"name": problem.property, "type": "STRING", "group": "Common", "order": 0});
            let value = properties.get(&problem.property);
            configs.push(entry(
                definition,
                &problem.property,
                value,
                vec![problem.to_string()],
            ));
        }
    }
    Ok(Json(json!({
        "name": class,
        "error_count": problems.len(),
        "groups": GROUPS,
        "configs": configs,
    }))
    .into_response())
}

fn entry(definition: Value, name: &str, value: Option<&String>, errors: Vec<String>) -> Value {
    let value = value.filter(|_| !is_secret(name));
    json!({
        "definition": definition,
        "value": {
            "name": name,
            "value": value,
            "recommended_values": [],
            "errors": errors,
            "visible": true,
        },
    })
}
