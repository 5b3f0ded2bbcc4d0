//! Real servers for tests, benchmarks and `make stack`: PostgreSQL, Apache Kafka, Apicurio Registry and MinIO started natively on free
//! loopback ports, and our own processes to be watched, stopped and killed.
//!
//! What is started here dies with its handle, and with the process that started it. A server that does not come up is
//! an error with the end of its log, never a skipped test.

mod apicurio;
mod certificate;
mod child;
mod compose;
mod condition;
mod http;
mod kafka;
mod minio;
mod port;
mod postgres;
mod process;
mod program;
mod user;
mod version;

pub use apicurio::Apicurio;
pub use certificate::{Authority, Identity};
pub use child::Lifetime;
pub use compose::{ComposeFile, Composition, Observer, Ports, Started, State};
pub use condition::until;
pub use http::{Response, get, request};
pub use kafka::{Header, Kafka, KafkaOptions, KafkaSecurity, Record, TopicDescription};
pub use minio::{Minio, MinioOptions};
pub use port::free_port;
pub use postgres::{Postgres, PostgresOptions, PostgresTls};
pub use process::{Process, tributary};
pub use program::{docker_compose, locales, psql, readers, spark};
pub use version::PostgresVersion;
