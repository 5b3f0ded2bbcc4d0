//! The parsers against what real servers sent, against messages built from the manual, and against rubbish.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic: that is how it fails"
)]

mod arbitrary_bytes;
mod golden;
mod render;
mod round_trip;
mod wire;
