use axum::{
    Json,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    Shared,
    answer::{ErrorAnswer, MAP, object, parameters, settings},
    extract::{Body, Path},
};
use crate::loggers::LoggerLevel;

fn body(level: &LoggerLevel) -> Value {
    json!({"level": level.level, "last_modified": level.last_modified})
}

pub(super) async fn list(State(worker): Shared) -> Response {
    let levels = worker.loggers.all();
    let levels: Map<String, Value> = levels
        .iter()
        .map(|(name, level)| (name.clone(), body(level)))
        .collect();
    Json(levels).into_response()
}

pub(super) async fn get(
    State(worker): Shared,
    Path(logger): Path<String>,
) -> Result<Response, ErrorAnswer> {
    match worker.loggers.all().get(&logger) {
        Some(level) => Ok(Json(body(level)).into_response()),
        None => Err(ErrorAnswer::new(
            StatusCode::NOT_FOUND,
            format!("Logger {logger} not found."),
        )),
    }
}

/// `scope=cluster` is answered without the names of the loggers.
pub(super) async fn set(
    State(worker): Shared,
    Path(logger): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Body(request): Body,
) -> Result<Response, ErrorAnswer> {
    let request = settings(&object(&headers, &request, MAP, true)?)?;
    let level = request.get("level").ok_or_else(|| {
        ErrorAnswer::bad_request("Desired 'level' parameter was not specified in request.")
    })?;
    let names = worker.loggers.set(&logger, level).ok_or_else(|| {
        ErrorAnswer::new(
            StatusCode::NOT_FOUND,
            format!("invalid log level '{level}'."),
        )
    })?;
    let cluster = parameters(query.as_deref())
        .iter()
        .any(|(name, value)| name == "scope" && value.eq_ignore_ascii_case("cluster"));
    Ok(if cluster {
        StatusCode::NO_CONTENT.into_response()
    } else {
        Json(names).into_response()
    })
}
