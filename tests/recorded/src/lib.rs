//! What a recording of a real Debezium or Kafka Connect and ours have to be compared by: the live conformance run, the replays
//! of the WAL and those of REST calls say with the same words where the two differ, and which differences are on purpose.

mod deviations;
mod difference;

pub use deviations::{Deviations, Place};
pub use difference::{Difference, text_differences, tree_differences};
