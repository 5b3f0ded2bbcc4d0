//! `current`: the rows of a source table as they are now, as a Delta table beside its log `changes`.
//!
//! `current` is derived: at `txn` V it is the fold of `changes` up to its version V, which is what a replay of them shows.
//!
//! ```text
//! commits of changes -> News -> LoggedChanges -> Plan -> Folded -> deletion vectors + a file -> one commit + txn
//!                                                  \-> all latest rows -> large files ----------> one commit + txn
//! ```

mod base85;
mod current;
mod deletion_vector;
mod deletions;
mod entries;
mod error;
mod files;
mod fold;
mod folded;
mod follow;
mod follower;
mod key_index;
mod news;
mod plan;
mod rebuild;
mod rows;
mod snapshot;
mod step;

pub use current::APP_ID;
pub use error::Error;
pub use folded::Progress;
pub use follow::{Mirror, follow};
pub use follower::Follower;
pub use plan::Reason;
pub use step::{Settings, Step};
