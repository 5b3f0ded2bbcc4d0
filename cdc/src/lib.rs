//! PostgreSQL's WAL -> change events -> Kafka, and the Kafka Connect REST face.

pub mod assemble;
mod blocking;
pub mod checkpoint;
pub mod config;
pub mod connect;
mod error;
mod incarnation;
pub mod kafka;
pub mod metrics;
pub mod pipeline;
pub mod registry;
pub mod sink;
pub mod source;
pub mod transform;

pub use error::{Error, ErrorKind};
pub use incarnation::Incarnation;
pub use service::Disposition;
