//! The source end against real PostgreSQL servers: everything from the socket to the sink's border.

mod authentication;
mod connector;
mod handover;
mod hidden_rows;
mod idle;
mod properties;
mod recording;
mod relations;
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
