//! The services of `docker-compose.yml`, run natively: the commands, environment and mounted files that the file names,
//! with host names and ports mapped to loopback ones.

mod address;
mod composition;
mod file;
mod interpolate;
mod mounts;
mod newborn;
mod service;
mod state;
mod taken;

pub use address::Ports;
pub use composition::{Composition, Observer};
pub use file::ComposeFile;
pub use state::{Started, State};
