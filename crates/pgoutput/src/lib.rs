//! Replication bytes to messages: what a PostgreSQL walsender running the `pgoutput` plugin sends, and the one
//! answer it needs.
//!
//! The two layers nest. A CopyData frame's payload is a [`ReplicationMessage`]; the `data` of its XLogData is a
//! [`PgOutputMessage`]. Both borrow from the frame: names are `&str` and column values are `&[u8]` of it.
//! Formats: PostgreSQL manual, "Streaming Replication Protocol" and "Logical Replication Message Formats",
//! protocol versions 1 to 4.
//!
//! This crate does no input or output and reads no clock. No input makes it panic: every length is checked before
//! it is used, and what does not fit is a [`ParseError`].

#![warn(missing_docs)]

mod change;
mod error;
mod logical_message;
mod lsn;
mod message;
mod reader;
mod relation;
mod replication;
mod standby_status;
mod stream;
mod timestamp;
mod transaction;
mod tuple;
mod two_phase;

pub use change::{Delete, Insert, OldTuple, Truncate, Update};
pub use error::ParseError;
pub use logical_message::Message;
pub use lsn::{Lsn, ParseLsnError};
pub use message::PgOutputMessage;
pub use relation::{Relation, RelationColumn, ReplicaIdentity, Type};
pub use replication::{PrimaryKeepalive, ReplicationMessage, XLogData};
pub use standby_status::StandbyStatusUpdate;
pub use stream::{StreamAbort, StreamCommit, StreamStart};
pub use timestamp::PgTimestamp;
pub use transaction::{Begin, Commit, Origin};
pub use tuple::{TupleColumn, TupleColumns, TupleData};
pub use two_phase::{BeginPrepare, CommitPrepared, Prepare, RollbackPrepared, StreamPrepare};
