//! Where change events come from when they do not come from the same process.

pub(crate) mod kafka;

pub use kafka::{TopicFacts, check_topics, look_at_topics};
