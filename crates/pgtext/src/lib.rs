//! The text in which PostgreSQL prints values, taken apart.
//!
//! Pure: no IO, no async, no logging, nothing allocated where a part can be borrowed from the text. Every type here is the
//! text of one PostgreSQL type under the settings that tributary gives its connections (`DateStyle=ISO`,
//! `IntervalStyle=postgres`, `bytea_output=hex`); what a reader makes of the parts (microseconds, base64, an Arrow column)
//! is the reader's own affair.
//!
//! | type | text | PostgreSQL manual |
//! |---|---|---|
//! | [`Day`], [`Time`], [`TimeTz`], [`Timestamp`] | `2024-05-01 11:51:30.5+00`, `0044-03-15 BC` | 8.5.2 Date/Time Output |
//!
//! A text that PostgreSQL would not print is a [`ParseError`], which says what was expected and at which byte.
//!
//! ```
//! use pgtext::{Bounded, Timestamp};
//!
//! let text = b"0044-03-15 12:00:00+00 BC";
//! let Ok(Bounded::Finite(timestamp)) = Timestamp::parse(text) else {
//!     panic!("a timestamp");
//! };
//! assert_eq!(timestamp.day.year, -43);
//! assert_eq!(timestamp.time.hour, 12);
//! ```
#![deny(missing_docs)]

mod bounded;
mod cursor;
mod day;
mod error;
mod time;
mod timestamp;

pub use bounded::Bounded;
pub use day::Day;
pub use error::ParseError;
pub use time::{Time, TimeTz};
pub use timestamp::{Timestamp, UtcTimestamp};
