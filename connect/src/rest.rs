//! Kafka Connect's REST face: status codes and bodies as Kafka Connect 3.9.1 gives them.

mod answer;
mod connectors;
mod extract;
mod lifecycle;
mod loggers;
mod media_type;
mod negotiation;
mod offsets;
mod plugins;
mod server;
mod tls;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde_json::json;
use service::Door;

use super::{CONNECT_VERSION, worker::Worker};
use answer::ErrorAnswer;
pub(super) use server::serve;
pub use tls::RestTls;
pub(super) use tls::TlsListener;

type Shared = State<Arc<Worker>>;

/// All routes, and `/healthz`, `/readyz` and `/metrics` beside them.
pub(super) fn router(worker: Arc<Worker>, door: Door) -> Router {
    let connect = [
        ("/", get(root)),
        (
            "/connectors",
            get(connectors::list).post(connectors::create),
        ),
        (
            "/connectors/{name}",
            get(connectors::info).delete(connectors::delete),
        ),
        (
            "/connectors/{name}/config",
            get(connectors::config)
                .put(connectors::put_config)
                .patch(connectors::patch_config),
        ),
        ("/connectors/{name}/status", get(lifecycle::status)),
        ("/connectors/{name}/pause", put(lifecycle::pause)),
        ("/connectors/{name}/resume", put(lifecycle::resume)),
        ("/connectors/{name}/stop", put(lifecycle::stop)),
        ("/connectors/{name}/restart", post(lifecycle::restart)),
        ("/connectors/{name}/tasks", get(connectors::tasks)),
        (
            "/connectors/{name}/tasks-config",
            get(connectors::tasks_config),
        ),
        (
            "/connectors/{name}/tasks/{task}/status",
            get(lifecycle::task_status),
        ),
        (
            "/connectors/{name}/tasks/{task}/restart",
            post(lifecycle::restart_task),
        ),
        ("/connectors/{name}/topics", get(connectors::topics)),
        (
            "/connectors/{name}/topics/reset",
            put(connectors::reset_topics),
        ),
        (
            "/connectors/{name}/offsets",
            get(offsets::get)
                .patch(offsets::patch)
                .delete(offsets::delete),
        ),
        ("/connector-plugins", get(plugins::list)),
        ("/connector-plugins/{plugin}/config", get(plugins::config)),
        (
            "/connector-plugins/{plugin}/config/validate",
            put(plugins::validate),
        ),
        ("/admin/loggers", get(loggers::list)),
        (
            "/admin/loggers/{logger}",
            get(loggers::get).put(loggers::set),
        ),
    ]
    .into_iter()
    .fold(Router::new(), |router, (path, calls)| {
        let calls = calls.route_layer(from_fn(negotiation::negotiated));
        if path == "/" {
            return router.route(path, calls);
        }
        // A slash at the end means the same, as in Debezium's tutorial.
        router
            .route(path, calls.clone())
            .route(&format!("{path}/"), calls)
    })
    .layer(DefaultBodyLimit::max(extract::LONGEST_BODY))
    .layer(from_fn_with_state(Arc::clone(&worker), while_ready))
    .route("/metrics", get(metrics));
    let routes = connect
        .fallback(negotiation::not_found)
        .method_not_allowed_fallback(negotiation::not_allowed)
        .layer(from_fn_with_state(Arc::clone(&worker), admitted))
        // Whoever watches over the process needs no login.
        .route("/health", get(health))
        .route("/health/", get(health))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(worker);
    // What a path allows is known outside of its router only.
    Router::new()
        .fallback_service(routes)
        .layer(from_fn(negotiation::options))
        .layer(from_fn(negotiation::no_empty_segments))
        .layer(from_fn_with_state(Arc::new(door), let_in))
}

/// Only requests that name this server, and come from no foreign page.
async fn let_in(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    match door.admits(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(reason) => ErrorAnswer::new(StatusCode::FORBIDDEN, reason).into_response(),
    }
}

/// Only users that are named, where some are.
async fn admitted(State(worker): Shared, request: Request, next: Next) -> Response {
    let header = request.headers().get(header::AUTHORIZATION);
    let header = header.map(HeaderValue::as_bytes);
    if worker
        .config
        .rest_auth
        .as_ref()
        .is_none_or(|users| users.admits(header))
    {
        return next.run(request).await;
    }
    // The body is Kafka Connect's, which is no JSON.
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"Kafka Connect\"")];
    let text = "User cannot access the resource.";
    (StatusCode::UNAUTHORIZED, ask, text).into_response()
}

/// Clients of Kafka Connect ask again after a 503.
async fn while_ready(State(worker): Shared, request: Request, next: Next) -> Response {
    if worker.is_ready() {
        return next.run(request).await;
    }
    ErrorAnswer::new(StatusCode::SERVICE_UNAVAILABLE, worker.waits_for()).into_response()
}

async fn root(State(worker): Shared) -> Response {
    Json(json!({
        "version": CONNECT_VERSION,
        "commit": concat!("tributary-", env!("CARGO_PKG_VERSION")),
        "kafka_cluster_id": worker.cluster_id(),
    }))
    .into_response()
}

/// Kafka Connect's own check, of 3.9 and later.
async fn health(State(worker): Shared) -> Response {
    let (code, status, message) = if worker.is_ready() {
        (
            StatusCode::OK,
            "healthy",
            "Worker has completed startup and is ready to handle requests.",
        )
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "starting",
            "Worker is still starting up.",
        )
    };
    (code, Json(json!({"status": status, "message": message}))).into_response()
}

async fn ready(State(worker): Shared) -> Response {
    if !worker.is_ready() {
        return (StatusCode::SERVICE_UNAVAILABLE, worker.waits_for() + "\n").into_response();
    }
    let failed = worker.failed();
    if failed.is_empty() {
        return "ready\n".into_response();
    }
    // Who asks here has shown no login: the reason is told where one is asked for.
    let lines = failed.iter().map(|name| {
        format!("connector {name} is FAILED: GET /connectors/{name}/status says why\n")
    });
    (StatusCode::SERVICE_UNAVAILABLE, lines.collect::<String>()).into_response()
}

async fn metrics(State(worker): Shared) -> Response {
    let text = cdc::metrics::render(&worker.metrics());
    (
        [(header::CONTENT_TYPE, service::metrics::CONTENT_TYPE)],
        text,
    )
        .into_response()
}
