//! The commands of `stack`. Whoever starts or stops a service holds the lock, and leaves the state file true.

mod again;
mod down;
mod logs;
mod place;
mod restart;
mod status;
mod supervise;
mod up;

pub use down::down;
pub use logs::logs;
pub use restart::restart;
pub use status::status;
pub use supervise::supervise;
pub use up::{forget_stopped, up};
