//! The lake's promises, on a local disk and on MinIO, from the same process and from Kafka.

mod direct;
mod faulty_store;
mod kafka;
mod road;
mod rows;
mod secured;
mod shop;
