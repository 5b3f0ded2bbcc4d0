use std::{pin::pin, time::Duration};

use axum::{Router, serve::Listener};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Serve HTTP/1.1 until `end`; then requests that have begun are answered.
///
/// Kafka Connect's server hangs up on a connection that is silent for 30 s. Here a client has `patience` for the head of a
/// request, however it spreads its bytes, and a connection that is kept alive for the next one.
pub(crate) async fn serve<L: Listener>(
    mut listener: L,
    router: Router,
    patience: Duration,
    end: CancellationToken,
) {
    let connections = TaskTracker::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience);
    loop {
        let (stream, _) = tokio::select! {
            biased;
            () = end.cancelled() => break,
            connection = listener.accept() => connection,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let end = end.clone();
        connections.spawn(async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = end.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection to the REST face broke off");
            }
        });
    }
    connections.close();
    connections.wait().await;
}
