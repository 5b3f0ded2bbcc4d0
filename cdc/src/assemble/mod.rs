//! pgoutput messages -> row changes of committed transactions, in commit order, each with its position.

mod assembler;
mod change;
mod emitter;
mod enum_values;
mod open_transactions;
mod recognition;
mod relations;
mod replay;
mod rules;
mod spool;
mod transaction;

pub use assembler::{Assembler, Demand};
pub use emitter::DeliveredUpTo;
pub use recognition::History;
pub use spool::{Record, Spool, SpoolReader};
