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
//! | [`Interval`] | `1 year 2 mons -3 days +04:05:06.789` | 8.5.5 Interval Output |
//! | [`Numeric`] | `-123.45`, `NaN`, `Infinity` | 8.1.2 Arbitrary Precision Numbers |
//! | [`Money`] | `-$1,234.50`, `1.234,50 €` | 8.2 Monetary Types |
//! | [`Hex`], [`BitString`] | `\xdeadbeef`, `101` | 8.4.1 bytea Hex Format, 8.10 Bit String Types |
//! | [`Point`] | `(1.5,-2.25)` | 8.8.1 Points |
//! | [`Array`] | `{1,NULL,"a b"}`, `[0:1]={1,2}` | 8.15.6 Array Input and Output Syntax |
//! | [`Hstore`] | `"key"=>"value", "other"=>NULL` | F.17.1 hstore External Representation |
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

#![warn(missing_docs)]
#![deny(missing_docs)]

mod array;
mod bounded;
mod bytes;
mod cursor;
mod day;
mod error;
mod hstore;
mod interval;
mod money;
mod numeric;
mod point;
mod quoted;
mod time;
mod timestamp;

pub use array::{Array, Elements};
pub use bounded::Bounded;
pub use bytes::{BitString, Hex};
pub use day::Day;
pub use error::ParseError;
pub use hstore::Hstore;
pub use interval::Interval;
pub use money::Money;
pub use numeric::{Decimal, Numeric};
pub use point::Point;
pub use quoted::Quoted;
pub use time::{Time, TimeTz};
pub use timestamp::{Timestamp, UtcTimestamp};
