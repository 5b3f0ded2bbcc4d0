//! The PostgreSQL end: the replication connection, slot and publication, the catalog, the snapshot and the feedback.

mod address;
pub mod catalog;
pub mod connection;
mod control;
mod feedback;
mod guardrail;
mod heartbeat_action;
mod publication;
mod publication_contents;
mod publication_root;
mod replica_identity;
mod row_security;
pub(crate) mod server;
pub(crate) mod server_error;
pub(crate) mod slot;
pub mod snapshot;
pub(crate) mod timeline;
mod unmatched;
pub(crate) mod verify;
mod waiting;
mod wal_end;

pub use control::Control;
pub use feedback::Feedback;
pub(crate) use guardrail::keep_guardrail;
pub(crate) use heartbeat_action::HeartbeatAction;
pub use publication::prepare_publication;
pub(crate) use publication_contents::{check_publication, contradictions};
pub(crate) use replica_identity::set_replica_identities;
pub(crate) use row_security::{require_all_rows, tables_with_policies, told as told_of_policies};
pub(crate) use server::{is_sql_ascii, wal_level};
pub use server_error::ServerError;
pub use slot::{Slot, SlotState, drop_slot};
pub(crate) use unmatched::tell_unmatched;
pub(crate) use waiting::{blockers, end_process, slot_reader, told_while_waiting};
pub use wal_end::current_wal_lsn;
