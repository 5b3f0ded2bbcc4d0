//! The lake's promises, on a local disk and on MinIO.

mod direct;
mod faulty_store;
mod rows;
