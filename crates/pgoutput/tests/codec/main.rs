//! The parsers against what real servers sent, against messages built from the manual, and against rubbish.

mod arbitrary_bytes;
mod golden;
mod render;
mod round_trip;
mod wire;
