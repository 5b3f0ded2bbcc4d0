//! Change events -> Parquet in Delta tables on object storage, exactly once.
//!
//! ```text
//! Kafka:   ConsumerRecord -> DecodedEvent -> ChangeBatch + (from, to] -> RecordBatch -> StagedFile -> commit + txn
//! direct:  ChangeEvent ----------------------------------------------> RecordBatch -> StagedFile -> commit + txn
//! ```

#[allow(dead_code, unused_imports)]
mod columns;
pub mod config;
mod direct;
mod error;
pub mod lake;
mod parquet;
mod progress;

pub use config::{KafkaConfig, LakeConfig, LakeWriterConfig};
pub use direct::{Committed, DirectPosition, DirectWriter};
pub use error::{Disposition, Error, ErrorKind};
pub use lake::Lake;
pub use progress::LakeProgress;
