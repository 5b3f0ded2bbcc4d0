//! Proves: `tributary doctor` tells each thing that stands in the way, with what mends it, and what is pasted does mend it.
//! Steps: databases that are wrong in one way each; the finding is there, what it says is pasted, the finding is gone.
//! Requires: PostgreSQL, Kafka, MinIO.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

mod ask;
mod connector;
mod database;
mod running;
mod server;
mod services;
