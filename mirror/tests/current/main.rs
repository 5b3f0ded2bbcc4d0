//! `current` against what a replay of the whole log shows: by value, with the position of each row's last change.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test may panic: that is how it fails"
)]

mod costs;
#[path = "../../../lakewriter/src/lake/counting_store.rs"]
#[allow(dead_code, reason = "others use all of it")]
mod counting_store;
mod equal;
mod faults;
#[path = "../../../lakewriter/tests/lake/faulty_store.rs"]
#[allow(dead_code, reason = "others use all of it")]
mod faulty_store;
mod log;
mod random;
mod roads;
mod shapes;
mod snapshots;
mod source;
#[path = "../../../console/tests/view/lake.rs"]
#[allow(dead_code, reason = "others use all of it")]
mod written;
