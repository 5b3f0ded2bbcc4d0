//! What runs, read from the services' own faces, from Kafka and from the lake. What cannot be reached is said.

mod http;
mod lake;
mod metrics;
mod screen;
mod service;

use std::time::Duration;

use lakewriter::{KafkaConfig, LakeConfig, look_at_topics};
use serde::Serialize;

pub use self::{http::Endpoint, screen::screen};
use self::{
    lake::{LakeTables, look_at_lake},
    service::{Service, ask_service},
};

/// How long each place may take to tell.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where to look.
#[derive(Debug)]
pub struct Places {
    /// Services of ours, or Kafka Connect's REST face.
    pub endpoints: Vec<Endpoint>,
    pub kafka: Option<KafkaConfig>,
    pub lake: Option<LakeConfig>,
}

/// What one look showed.
#[derive(Debug, Serialize)]
pub struct Seen {
    pub format: u32,
    pub services: Vec<Service>,
    pub kafka: Option<Told<Vec<TopicLag>>>,
    pub lake: Option<Told<LakeTables>>,
    /// Something that is FAILED, in words.
    pub failed: Vec<String>,
}

/// What somebody told, or why not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Told<T> {
    Reached(T),
    Unreached(String),
}

/// Records of a topic that the writer has not committed yet.
#[derive(Debug, Serialize)]
pub struct TopicLag {
    pub topic: String,
    pub records: u64,
}

/// Look at all places at once.
pub async fn look(places: &Places) -> Seen {
    let services = futures::future::join_all(places.endpoints.iter().map(ask_service));
    let kafka = async {
        match &places.kafka {
            Some(kafka) => Some(bounded("Kafka", lag(kafka)).await),
            None => None,
        }
    };
    let lake = async {
        match &places.lake {
            Some(lake) => Some(bounded("the lake", look_at_lake(lake)).await),
            None => None,
        }
    };
    let (services, kafka, lake) = tokio::join!(services, kafka, lake);
    let failed = services.iter().flat_map(Service::failures).collect();
    Seen {
        format: 1,
        services,
        kafka,
        lake,
        failed,
    }
}

async fn bounded<T>(
    whom: &str,
    asked: impl Future<Output = Result<T, lakewriter::Error>>,
) -> Told<T> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(told)) => Told::Reached(told),
        Ok(Err(error)) => {
            let told = ::service::render_error(&error, None).replace('\n', ": ");
            Told::Unreached(told.trim_start_matches("error: ").to_owned())
        }
        Err(_) => Told::Unreached(format!(
            "{whom} has not answered within {} s",
            PATIENCE.as_secs()
        )),
    }
}

async fn lag(kafka: &KafkaConfig) -> Result<Vec<TopicLag>, lakewriter::Error> {
    let topics = look_at_topics(kafka).await?;
    let behind = topics.into_iter().filter_map(|topic| {
        Some(TopicLag {
            records: topic.lag?,
            topic: topic.name,
        })
    });
    Ok(behind.collect())
}

impl Seen {
    /// Whether nothing of what was asked for could be reached.
    pub fn is_blind(&self) -> bool {
        let reached = self.services.iter().any(|service| service.is_reached())
            || matches!(self.kafka, Some(Told::Reached(_)))
            || matches!(self.lake, Some(Told::Reached(_)));
        !reached
    }
}
