//! The source end against real PostgreSQL servers: everything from the socket to the sink's border.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

mod authentication;
mod connector;
mod handover;
mod hidden_rows;
mod history;
mod idle;
mod long_rows;
mod places;
mod properties;
mod recording;
mod relations;
mod replaced;
mod restart;
mod resume;
mod rogue;
mod side_queries;
mod silence;
mod slot_taken;
mod slots;
mod snapshot_ddl;
mod snapshot_isolation;
mod snapshot_modes;
mod snapshot_resume;
mod snapshot_threads;
mod streamed;
mod then;
mod tls;
mod tls_identity;
mod versions;
