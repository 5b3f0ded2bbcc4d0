//! Avro, as Confluent's `AvroConverter` (and Apicurio's, which is made of it) writes Connect's schemas and values.
//!
//! ```text
//! ConnectSchema            -> the text of an Avro schema, property for property as those converters register it
//! ConnectSchema + JSON     -> binary: defaults, and records that are no rows
//! Codec + PostgreSQL text  -> binary (value/avro.rs): rows, nothing in between
//! ```

pub(crate) mod binary;
mod datum;
mod schema;

pub use datum::DatumError;
pub(crate) use datum::{write_branch, write_json_datum};
pub use schema::AvroSchemaError;
