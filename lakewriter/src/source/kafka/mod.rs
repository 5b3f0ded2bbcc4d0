//! Kafka: a consumer group that starts where the lake says, never where the group's offsets say.

mod config;
mod consumer;
mod headers;
mod schemas;
mod topic_id;

pub(crate) use consumer::{Assignments, Consumer, Polled, RebalanceContext, Start};
pub(crate) use headers::{RecordHeaders, record_headers};
pub(crate) use schemas::{PublishedSchema, SchemaTopics};
pub(crate) use topic_id::topic_ids;
