//! Changes to the bytes of Kafka records.

mod cloud_events;
mod column;
mod encoder;
mod envelope;
mod error;
mod form;
mod key;
mod key_change;
mod source;
mod source_template;
mod value_frame;

pub use encoder::{EventEncoder, Unconverted};
pub(crate) use envelope::envelope_schema;
pub use error::EncodeError;
pub use key_change::{halves, has_tombstone};
