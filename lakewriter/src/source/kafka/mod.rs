//! Kafka: a consumer group that starts where the lake says, never where the group's offsets say.

mod assignment;
mod batch;
mod config;
mod consumer;
mod foreign;
mod headers;
mod look;
mod matching;
mod pattern;
mod reach;
mod readers;
mod running;
mod schemas;
mod stored;
mod topic_id;
mod unreadable;

pub(crate) use assignment::LakeAssignments;
pub(crate) use batch::OpenBatch;
pub(crate) use consumer::{Consumer, Polled};
pub use look::{TopicFacts, look_at_topics};
pub use pattern::check_topics;
pub(crate) use reach::reach;
pub(crate) use running::{Lease, RunningCommit};
pub(crate) use schemas::SchemaTopics;
