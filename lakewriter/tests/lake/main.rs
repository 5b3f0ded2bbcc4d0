//! The lake's promises, on a local disk and on MinIO, from the same process and from Kafka.

mod configured;
mod direct;
mod direct_position;
mod faulty_store;
mod first_rows;
mod foreign_events;
mod kafka;
mod maintain;
mod overwritten;
mod retention;
mod road;
mod rows;
mod secured;
mod shop;
