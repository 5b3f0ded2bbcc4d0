//! Status, pause, resume, stop and restart of a connector and its task.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Shared,
    answer::{ErrorAnswer, flag},
    extract::Path,
};
use crate::{
    TargetState, TaskState,
    state::state_word,
    worker::{ConnectorView, Worker},
};

fn task_body(worker: &Worker, view: &ConnectorView) -> Value {
    let mut body = json!({
        "id": 0,
        "state": state_word(view.target, &view.task),
        "worker_id": worker.id,
    });
    if let (TargetState::Started, TaskState::Failed(trace) | TaskState::Restarting(trace)) =
        (view.target, &view.task)
        && let Some(body) = body.as_object_mut()
    {
        body.insert("trace".to_owned(), Value::String(trace.clone()));
    }
    body
}

/// The connector itself never fails here, only its task.
pub(super) fn status_body(worker: &Worker, view: &ConnectorView) -> Value {
    let tasks = if view.has_task {
        json!([task_body(worker, view)])
    } else {
        json!([])
    };
    json!({
        "name": view.name,
        "connector": {"state": state_word(view.target, &TaskState::Running), "worker_id": worker.id},
        "tasks": tasks,
        "type": "source",
    })
}

pub(super) async fn status(
    State(worker): Shared,
    Path(name): Path<String>,
) -> Result<Response, ErrorAnswer> {
    let view = worker.view(&name).ok_or_else(|| {
        ErrorAnswer::new(
            StatusCode::NOT_FOUND,
            format!("No status found for connector {name}"),
        )
    })?;
    Ok(Json(status_body(&worker, &view)).into_response())
}

/// The number of a task in a path.
///
/// # Errors
/// It is no number: no such path.
fn task_id(segment: &str) -> Result<i32, ErrorAnswer> {
    segment
        .parse()
        .map_err(|_| ErrorAnswer::new(StatusCode::NOT_FOUND, "HTTP 404 Not Found"))
}

pub(super) async fn task_status(
    State(worker): Shared,
    Path((name, task)): Path<(String, String)>,
) -> Result<Response, ErrorAnswer> {
    let task = task_id(&task)?;
    let view = worker
        .view(&name)
        .filter(|view| task == 0 && view.has_task)
        .ok_or_else(|| {
            ErrorAnswer::new(
                StatusCode::NOT_FOUND,
                format!("No status found for task {name}-{task}"),
            )
        })?;
    Ok(Json(task_body(&worker, &view)).into_response())
}

async fn set_target(worker: &Worker, name: &str, target: TargetState) -> Result<(), ErrorAnswer> {
    worker
        .set_target(name, target)
        .await
        .map_err(|refused| ErrorAnswer::refused(refused, name, format!("Unknown connector {name}")))
}

pub(super) async fn pause(
    State(worker): Shared,
    Path(name): Path<String>,
) -> Result<StatusCode, ErrorAnswer> {
    set_target(&worker, &name, TargetState::Paused).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn resume(
    State(worker): Shared,
    Path(name): Path<String>,
) -> Result<StatusCode, ErrorAnswer> {
    set_target(&worker, &name, TargetState::Started).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn stop(
    State(worker): Shared,
    Path(name): Path<String>,
) -> Result<StatusCode, ErrorAnswer> {
    set_target(&worker, &name, TargetState::Stopped).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `includeTasks` asks for an answer with what is restarted; `onlyFailed` leaves alone what runs.
pub(super) async fn restart(
    State(worker): Shared,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ErrorAnswer> {
    let unknown = || ErrorAnswer::new(StatusCode::NOT_FOUND, format!("Unknown connector: {name}"));
    let view = worker.view(&name).ok_or_else(unknown)?;
    let only_failed = flag(query.as_deref(), "onlyFailed", false);
    let include_tasks = flag(query.as_deref(), "includeTasks", false);
    let failed = matches!(view.task, TaskState::Failed(_));
    let restarts = failed || !only_failed;
    if restarts {
        worker.restart(&name).map_err(|_| unknown())?;
    }
    if !include_tasks && !only_failed {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let mut body = status_body(&worker, &view);
    if restarts {
        if include_tasks {
            set_state(body.pointer_mut("/tasks/0/state"));
        }
        if !only_failed {
            set_state(body.pointer_mut("/connector/state"));
        }
    }
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

fn set_state(state: Option<&mut Value>) {
    if let Some(state) = state {
        *state = Value::String("RESTARTING".to_owned());
    }
}

pub(super) async fn restart_task(
    State(worker): Shared,
    Path((name, task)): Path<(String, String)>,
) -> Result<StatusCode, ErrorAnswer> {
    let unknown = |text: String| ErrorAnswer::new(StatusCode::NOT_FOUND, text);
    let task = task_id(&task)?;
    let Some(view) = worker.view(&name) else {
        return Err(unknown(format!("Unknown connector: {name}")));
    };
    if task != 0 || !view.has_task {
        return Err(unknown(format!("Unknown task: {name}-{task}")));
    }
    worker
        .restart(&name)
        .map_err(|_| unknown(format!("Unknown connector: {name}")))?;
    Ok(StatusCode::NO_CONTENT)
}
