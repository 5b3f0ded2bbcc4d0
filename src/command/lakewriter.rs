//! `tributary lakewriter`: its settings, and the face with `/healthz`, `/readyz` and `/metrics`.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use lakewriter::{KafkaConfig, LakeConfig, LakeCounters, LakeWriterConfig};
use service::Door;

use super::{hosts, kafka, lake, quantity, start};
use crate::{current::Keeper, failure::Failure, settings::Settings};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples; put in your own for what is in capitals:
  tributary lakewriter --lake data/lake --topics 'twitter\\..*'
  TRIBUTARY_LAKE__ENDPOINT=http://127.0.0.1:9000 TRIBUTARY_LAKE__ACCESS_KEY_ID=KEY \\
    TRIBUTARY_LAKE__SECRET_ACCESS_KEY=SECRET tributary lakewriter --lake s3://BUCKET")]
pub struct Arguments {
    /// Root of the lake (lake.url)
    #[arg(long, value_name = "URL")]
    lake: Option<String>,
    /// Kafka brokers (kafka.bootstrap_servers)
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap_servers: Option<String>,
    /// Topics to write, a regular expression (lakewriter.topics)
    #[arg(long, value_name = "REGEX")]
    topics: Option<String>,
    /// Longest time from reading a record to committing it (lakewriter.freshness)
    #[arg(long, value_name = "TIME")]
    freshness: Option<String>,
    /// Address of /healthz, /readyz and /metrics (lakewriter.listen)
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

pub fn run(arguments: Arguments, settings: &mut Settings) -> Result<(), Failure> {
    settings.set_flag("lake.url", arguments.lake)?;
    settings.set_flag("kafka.bootstrap_servers", arguments.bootstrap_servers)?;
    settings.set_flag("lakewriter.topics", arguments.topics)?;
    settings.set_flag("lakewriter.freshness", arguments.freshness)?;
    settings.set_flag("lakewriter.listen", arguments.listen)?;
    let listen: SocketAddr = settings.parse("lakewriter.listen")?;
    let allowed = hosts(settings, "lakewriter.allowed_hosts");
    let door = Door::new(
        allowed.iter().map(String::as_str),
        "lakewriter.allowed_hosts (TRIBUTARY_LAKEWRITER__ALLOWED_HOSTS)",
    );
    let text = |key| settings.get(key).unwrap_or_default().to_owned();
    let current: bool = settings.parse("lakewriter.current")?;
    let lake = lake::config(settings);
    let config = LakeWriterConfig {
        kafka: KafkaConfig {
            bootstrap: text("kafka.bootstrap_servers"),
            group: match settings.get("lakewriter.group_id") {
                Some(group) => group.to_owned(),
                None => group_of(&lake),
            },
            topics: vec![lakewriter::whole_names(&text("lakewriter.topics"))],
            schema_topics: settings
                .get("lakewriter.topic_prefix")
                .map(debezium::wire::schemas_topic)
                .into_iter()
                .collect(),
            overrides: kafka::security(settings),
        },
        lake,
        pipeline: text("lakewriter.pipeline"),
        freshness: settings.parse::<quantity::Time>("lakewriter.freshness")?.0,
        max_batch_bytes: settings
            .parse::<quantity::Bytes>("lakewriter.max_batch_bytes")?
            .0,
        max_batch_rows: settings.parse("lakewriter.max_batch_rows")?,
        maintenance: lake::maintenance(settings)?,
    };
    start(settings, "info")?.block_on(async {
        let stop = service::stop_on_signal().map_err(anyhow::Error::from)?;
        kafka::look_at_brokers(settings)?;
        let progress = Arc::new(LakeCounters::default());
        let server = tokio::spawn(serve(listen, door, Arc::clone(&progress)));
        let keeper = current.then(|| {
            let progress = Arc::clone(&progress);
            Keeper::start(
                config.lake.clone(),
                progress,
                config.maintenance.as_ref(),
                None,
            )
        });
        let writer = lakewriter::run(config, progress, stop);
        tokio::select! {
            written = writer => {
                if let Some(keeper) = keeper {
                    keeper.stop().await;
                }
                Ok(written?)
            }
            served = server => {
                served.map_err(anyhow::Error::from)??;
                Ok(())
            }
        }
    })
}

/// The consumer group of a lake's writers, where none is named: members of one group share the topics, so those of another
/// lake must not be in it. The number is the beginning of the SHA-256 of the lake's address.
pub(super) fn group_of(lake: &LakeConfig) -> String {
    let endpoint = lake.endpoint.as_deref().unwrap_or_default();
    let address = format!("{endpoint} {}", lake::absolute(&lake.url));
    let number = lake::number(address.trim_end_matches('/'));
    format!("tributary-lakewriter-{number}")
}

/// Only requests that name this server, and come from no foreign page.
async fn let_in(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    match door.admits(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(reason) => (StatusCode::FORBIDDEN, reason + "\n").into_response(),
    }
}

async fn serve(listen: SocketAddr, door: Door, progress: Arc<LakeCounters>) -> anyhow::Result<()> {
    let metrics = Arc::clone(&progress);
    let ready = move || async move {
        if progress.is_reading() {
            (StatusCode::OK, "ok\n")
        } else {
            let why = "the lake or Kafka is not reached: the log says why\n";
            (StatusCode::SERVICE_UNAVAILABLE, why)
        }
    };
    let router = Router::new()
        .route("/healthz", get(|| async { (StatusCode::OK, "ok\n") }))
        .route("/readyz", get(ready))
        .route(
            "/metrics",
            get(move || async move {
                let text = lakewriter::metrics::render(&metrics);
                (
                    [(header::CONTENT_TYPE, service::metrics::CONTENT_TYPE)],
                    text,
                )
            }),
        )
        .layer(from_fn_with_state(Arc::new(door), let_in));
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|error| {
            let hint = service::listening_hint(&error);
            anyhow::Error::from(error).context(format!("listen on `{listen}` ({hint})"))
        })?;
    axum::serve(listener, router).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lake_has_a_group_of_its_own() {
        let group = |url: &str, endpoint: Option<&str>| {
            let mut lake = LakeConfig::new(url);
            lake.endpoint = endpoint.map(str::to_owned);
            group_of(&lake)
        };
        let here = std::env::current_dir()
            .expect("a folder")
            .display()
            .to_string();
        assert_eq!(
            group("data/lake", None),
            group(&format!("{here}/data/lake/"), None)
        );
        assert_ne!(group("data/lake", None), group("data/other", None));
        let minio = Some("http://minio:9000");
        assert_eq!(group("s3://lake/a", minio), group("s3://lake/a/", minio));
        assert_ne!(group("s3://lake/a", minio), group("s3://lake/b", minio));
        assert_ne!(group("s3://lake/a", minio), group("s3://lake/a", None));
    }
}
