//! Where change events go: Kafka, or nowhere. A lake in the same process is wired outside this crate.

pub mod kafka;
pub mod null;
mod versions;
