//! Change events back from JSON: the reader's half of the contract.
//!
//! ```text
//! value bytes + headers --EnvelopeDecoder--> DecodedEvent { rows of JsonValue, Representation per column }
//! ```
//!
//! Values stay slices of the record. What a slice means is told by its column's PostgreSQL type together with its
//! [`Representation`], which follows from the settings the event was written under.

mod connect_type;
mod envelope;
mod error;
mod event;
mod foreign;
mod placeholder;
mod record_kind;
mod representation;
mod row_template;
mod scan;
mod source_template;
mod value;

pub use envelope::EnvelopeDecoder;
pub use error::{DecodeError, DecodeReason};
pub use event::{DecodedEvent, DecodedOldRow, DecodedRow, DecodedSource, EventHeaders};
pub use foreign::{ForeignDecoders, ForeignTable, InferredType};
pub use record_kind::RecordKind;
pub use representation::{Representation, TimeUnit};
pub use value::JsonValue;
