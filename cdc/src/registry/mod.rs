//! A schema registry: ids of Avro schemas, by Confluent's REST API.
//!
//! ```text
//! RegistryConfig --Registry::new--> Registry --schema_id(subject, schema)--> id, kept
//! ```

mod answer;
mod client;
mod routes;

pub use client::Registry;
pub(crate) use routes::{RegisteredIds, SchemaRegistries, Subjects};
