//! Fake tweets for PostgreSQL: users who write, answer, repeat, like, edit and delete, in twelve languages.
//!
//! [`run`] writes into the tables that [`create_tables`] (or `db/01-schema.sql`) makes. What is written follows from
//! [`Settings::seed`], when from [`Pace`], and how often it is inserted, changed or deleted from [`Mix`].

mod batch;
mod language;
mod mix;
mod pace;
mod pacer;
mod parse;
mod postgres;
mod progress;
mod run;
mod settings;
mod world;

pub use mix::Mix;
pub use pace::{Burst, Pace};
pub use parse::{ParseError, parse_duration};
pub use postgres::{Error, check_dsn, create_tables};
pub use progress::{Progress, State, Summary};
pub use run::run;
pub use settings::{MOST_ROWS_PER_TRANSACTION, Settings};
