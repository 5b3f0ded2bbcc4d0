//! PostgreSQL's WAL -> change events -> Kafka, and the Kafka Connect REST face.

pub mod config;
mod error;
pub mod sink;
pub mod transform;

pub use error::{Disposition, Error, ErrorKind};
