//! What every long-running part needs: retry delays, secrets, telemetry, the stop signal, errors and their report, TLS.

#![warn(missing_docs)]

mod backoff;
mod door;
mod error;
pub mod kafka;
mod listed;
mod listening;
pub mod metrics;
mod misspelt;
mod one_line;
mod path_part;
mod report;
mod schedule;
mod secret;
mod settings_file;
mod shown;
mod stop;
mod telemetry;
pub mod tls;
mod waiting;
mod withheld;

pub use backoff::Backoff;
pub use door::Door;
pub use error::{Disposition, Error, ErrorKind};
pub use listed::listed;
pub use listening::listening_hint;
pub use misspelt::nearest;
pub use path_part::path_part;
pub use report::{ExitStatus, render_error};
pub use schedule::{Schedule, ScheduleError, normalize_schedule};
pub use secret::Secret;
pub use settings_file::{read_secret_file, read_settings_file};
pub use shown::{HIDDEN, ShownSettings, without_passwords};
pub use stop::{stop_on_signal, stop_on_signal_and};
pub use telemetry::{LogFormat, init_telemetry, set_log_level};
pub use waiting::told;
pub use withheld::{LogLines, withhold, without_withheld};
