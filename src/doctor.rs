//! What stands in the way of a mirror or a connector, found before it is started and while it runs. Nothing is changed:
//! each finding says what is, what it means, and what mends it.

mod connector;
mod finding;
mod kafka;
mod lake;
mod publication;
mod report;
mod server;
mod session;
mod slot;
mod tables;

pub use self::{
    connector::{of_file, of_properties},
    report::Report,
};

use std::time::Duration;

use ::connector::ConnectorConfig;
use lakewriter::{KafkaConfig, LakeConfig};

/// How long everything about one server may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What is looked at.
#[derive(Debug)]
pub struct Patient {
    pub connector: Option<ConnectorConfig>,
    pub lake: Option<LakeConfig>,
    pub kafka: Option<KafkaConfig>,
    /// How long the growth of the WAL is measured.
    pub measure: Duration,
    /// From when on an open transaction is told of.
    pub long_transaction: Duration,
}

/// Look at everything, and tell what was found. What cannot be looked at is a finding, and the rest is looked at.
pub async fn look(patient: &Patient, report: &mut Report) {
    if let Some(connector) = &patient.connector {
        bounded(report, "database-silent", "the database", async |report| {
            session::look(connector, patient, report).await;
        })
        .await;
    }
    if let Some(kafka) = &patient.kafka {
        bounded(report, "kafka-silent", "Kafka", async |report| {
            kafka::look(kafka, patient.connector.as_ref(), report).await;
        })
        .await;
    }
    if let Some(lake) = &patient.lake {
        bounded(report, "lake-silent", "the lake", async |report| {
            lake::look(lake, report).await;
        })
        .await;
    }
}

/// Somebody who does not answer keeps nobody waiting.
async fn bounded(
    report: &mut Report,
    code: &'static str,
    whom: &str,
    look: impl AsyncFnOnce(&mut Report),
) {
    if tokio::time::timeout(PATIENCE, look(report)).await.is_err() {
        report.could_not_look(
            code,
            format!(
                "Looking at {whom} has not ended after {} s.",
                PATIENCE.as_secs()
            ),
            "It answers too slowly, or not at all; what was found until then stands here.",
        );
    }
}
