//! Everything that speaks to Kafka: the producer and its transactions, topic creation, and the compacted topics in which
//! offsets, schemas and connector settings are kept.
//!
//! ```text
//! KafkaSink --RecordBatch--> Producer (own thread): topics, begin, schemas, events, offset, drain, commit --Delivered--> KafkaSink
//! ```
//!
//! All functions of [`topics`], [`compacted`] and [`store`] block: call them from a thread that may wait.

pub mod batch;
pub mod client;
pub mod compacted;
mod delivery;
pub mod failure;
pub mod lease;
mod murmur2;
pub mod offsets;
pub mod producer;
pub mod schemas;
pub mod store;
mod tail;
pub mod topics;
mod watermarks;

pub use batch::{OwnedRecord, RecordBatch, Target};
pub use client::KafkaClient;
pub use offsets::StoredOffset;
pub use producer::{Delivered, Producer, ProducerSettings};
pub use store::RecordStore;
pub use topics::{EnsuredTopic, TopicSpec, Topics};
