//! Changes to the bytes of Kafka records.

mod cloud_events;
mod column;
mod encoder;
mod envelope;
mod error;
mod form;
mod heartbeat;
mod key;
mod key_change;
mod message;
mod record;
mod source;
mod source_template;
mod transaction;
mod transaction_block;
mod value_frame;

pub use encoder::{EventEncoder, Unconverted};
pub(crate) use envelope::envelope_schema;
pub use error::EncodeError;
pub use heartbeat::HeartbeatEncoder;
pub use key_change::{halves, has_tombstone, whole_row_halves};
pub use message::MessageEncoder;
pub use record::RecordEncoder;
pub use transaction::TransactionEncoder;
