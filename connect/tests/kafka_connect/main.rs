//! The Kafka end of a connector and the Kafka Connect face, on a real broker and a real PostgreSQL.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

mod arbitrary;
mod clients;
mod commit_interval;
mod connections;
mod delivery;
mod difference;
mod doors;
mod events;
mod http;
mod internal_topics;
mod lifecycle;
mod money;
mod orders;
mod outage;
mod recordings;
mod records;
mod refusals;
mod rejected;
mod rest;
mod rest_security;
mod secrets;
mod security;
mod slot_in_use;
mod slow_clients;
mod snapshot_killed;
mod state;
mod topic_creation;
mod traces;
mod workers;
