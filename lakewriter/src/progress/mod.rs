//! Who is how far: the positions of everything that goes to the lake, without IO and without a clock.
//!
//! A position is moved by a flush, whose commit writes rows and positions at once:
//!
//! ```text
//! open -> flushing -> committed (open again, at the new position)
//!                  -> unknown    the commit answered an error, and the table could not be read again
//!                  -> lost       another writer moved the position
//! ```
//!
//! The table itself takes a commit that answered an error further: it is read again, and [`Reread`] says whether the
//! commit is in, may be made again, or is lost. Where even that fails the position stays unknown. From unknown and from
//! lost no way leads on within a [`Positions`]: the lake is read again, into a new one.
//!
//! What must stay true, and halts where it does not (`ErrorKind::Defect`):
//!
//! - I1. A position never decreases: neither a stored one nor the offset up to which a partition was handled.
//! - I2. Nothing is called committed before the commit was seen. Where the next flush starts is what was seen.
//! - I3. The rows of a flush stand above the stored position and at or below the new one.
//! - I4. Every record below `next` was appended, set aside, or skipped for a reason ([`Skip`]), or is no record.
//! - I5. A row is appended once: not where the table has it by its offset, nor by its order.
//! - I6. A floor is never above what every table has: it is committed after all other commits of its flush were seen.
//! - I7. A stage of a flush begins after the one before it was seen (see [`flush`]).
//!
//! The direct road has one position, in its log, which is a [`Position`] as well; its open rows are [`OpenRows`].
//! [`model`] plays random lives of writers over a model of Kafka and of the lake.

mod advance;
mod flush;
#[cfg(test)]
mod model;
mod order;
mod partition;
mod position;
mod positions;
mod reread;

pub use advance::TxnAdvance;
pub(crate) use flush::{Flush, FlushStage, NextOffsets, Place, PlannedCommit};
pub(crate) use order::RecordOrder;
pub(crate) use partition::{Skip, StoredPartition};
pub(crate) use position::{Ended, OpenRows, Position};
pub(crate) use positions::Positions;
pub(crate) use reread::Reread;
