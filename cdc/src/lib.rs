//! PostgreSQL's WAL -> change events -> Kafka.

pub mod assemble;
pub mod blocking;
pub mod checkpoint;
mod error;
mod incarnation;
pub mod kafka;
pub mod metrics;
pub mod pipeline;
pub mod registry;
pub mod sink;
pub mod source;

pub use error::{Error, ErrorKind, unfinished};
pub use incarnation::Incarnation;
pub use service::Disposition;
