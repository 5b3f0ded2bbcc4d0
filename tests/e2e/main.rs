//! The whole road on real servers: PostgreSQL -> `tributary cdc` -> Apache Kafka -> `tributary lakewriter` -> MinIO, and
//! `tributary demo` and `tributary mirror`. What comes out is compared with what PostgreSQL says, row for row and value for value.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

mod crash;
mod demo;
mod demo_ends;
mod doubts;
mod mirror;
mod mirror_lake;
mod mirror_names;
mod mirror_others;
mod mirror_tables;
mod oracle;
#[path = "../house/blocks.rs"]
mod page;
mod reader_lines;
mod readers;
mod ready;
mod road;
mod schema;
mod servers;
mod spark;
mod spark_beside;
mod tables;
mod through_time;
mod truth;
mod verdict;
mod workload;
