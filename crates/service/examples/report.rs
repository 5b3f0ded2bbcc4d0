//! How a part reports an error and waits before it tries again: `cargo run -p service --example report`

use std::{io, time::Duration};

use service::{Backoff, Disposition, Error, ErrorKind, render_error};

/// A part's own kinds of errors: one table says what each does, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Connection,
}

impl ErrorKind for Kind {
    fn disposition(self) -> Disposition {
        match self {
            Self::Connection => Disposition::Retry,
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Connection => "check that the server runs, and its address",
        }
    }
}

/// What is reported, and the first delays.
pub fn run() -> (String, Vec<Duration>) {
    let cause = io::Error::from(io::ErrorKind::ConnectionRefused);
    let error = Error::new(Kind::Connection, "connect to `127.0.0.1:5432`").with_source(cause);
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    let delays = (0..5).map(|_| backoff.next_delay()).collect();
    (render_error(&error, Some(error.hint())), delays)
}

fn main() {
    let (report, delays) = run();
    println!("{report}");
    println!("tried again after {delays:?}");
}
