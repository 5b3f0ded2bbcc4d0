use std::{collections::BTreeMap, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{
    status_topic::StatusWriter,
    validation::{is_our_class, with_defaults},
};
use cdc::{
    Error, ErrorKind, PipelineStatus,
    kafka::KafkaClient,
    pipeline::supervise,
    sink::kafka::{ActiveTopics, KafkaSink},
};
use connector::Providers;

/// What a task has from its worker.
#[derive(Clone)]
pub(super) struct TaskContext {
    pub(super) kafka: KafkaClient,
    pub(super) offset_topic: String,
    /// `topic.creation.enable` of the worker.
    pub(super) creates_topics: bool,
    pub(super) converter_defaults: Arc<BTreeMap<String, String>>,
    pub(super) providers: Arc<Providers>,
    pub(super) topics: ActiveTopics,
    pub(super) status: Arc<PipelineStatus>,
    pub(super) states: StatusWriter,
    /// Of the REST face, for commands that are told.
    pub(super) rest_url: String,
}

/// Run a connector until asked to stop.
///
/// # Errors
/// What halted it.
pub(super) async fn run_task(
    properties: BTreeMap<String, String>,
    context: TaskContext,
    stop: CancellationToken,
) -> Result<(), Error> {
    if let Some(class) = properties.get("connector.class")
        && !is_our_class(class.trim())
    {
        return Err(Error::new(
            ErrorKind::Configuration,
            format!("run a connector of the class `{class}`"),
        )
        .with_hint(
            "there is only PostgreSQL's: delete the connector here, and run it by Kafka Connect",
        ));
    }
    let parsed = context
        .providers
        .parse(&with_defaults(&properties, &context.converter_defaults))?;
    let mut config = parsed.config;
    config.topic_creation.enabled = context.creates_topics;
    for notice in &parsed.notices {
        tracing::info!(connector = %config.name, "{notice}");
    }
    tracing::info!(
        connector = %config.name,
        host = %config.database.hostname,
        port = config.database.port,
        database = %config.database.dbname,
        slot = %config.slot_name,
        publication = %config.publication_name,
        delivery = ?config.delivery,
        "starting"
    );
    supervise(&config, &context.status, &stop, || {
        KafkaSink::connect(
            &config,
            &context.kafka,
            &context.offset_topic,
            context.topics.clone(),
            Arc::clone(&context.status),
        )
    })
    .await
}
