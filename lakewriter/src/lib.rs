//! Change events -> Parquet in Delta tables on object storage, exactly once.
//!
//! ```text
//! Kafka:   ConsumerRecord -> DecodedEvent -> ChangeBatch + (from, to] -> RecordBatch -> StagedFile -> commit + txn
//! direct:  ChangeEvent ----------------------------------------------> RecordBatch -> StagedFile -> commit + txn
//! ```

mod columns;
pub mod config;
mod counters;
mod dead_letter;
mod direct;
mod error;
mod flush;
mod freshness;
pub mod lake;
pub mod maintain;
pub mod metrics;
mod parquet;
mod pipeline;
mod progress;
mod publish;
mod source;

pub use config::{KafkaConfig, LakeConfig, LakeWriterConfig, whole_names};
pub use counters::LakeCounters;
pub use direct::{Committed, DirectPosition, DirectWriter};
pub use error::{Error, ErrorKind};
pub use freshness::FRESHNESS_WINDOW;
pub use lake::Lake;
pub use pipeline::run;
pub use service::Disposition;
pub use service::Secret;
pub use source::{TopicFacts, check_topics, look_at_topics};
