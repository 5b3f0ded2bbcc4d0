//! Where change events come from when they do not come from the same process.

pub(crate) mod kafka;
