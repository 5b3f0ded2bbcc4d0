//! Changes to the bytes of Kafka records.

mod column;
mod encoder;
mod envelope;
mod error;
mod key;
mod key_change;
mod source;

pub use encoder::{EventEncoder, Unconverted};
pub(crate) use envelope::envelope_schema;
pub use error::EncodeError;
pub use key_change::{halves, has_tombstone};
