use std::{error::Error as StdError, fmt};

type Source = Box<dyn StdError + Send + Sync>;

/// Why `current` could not be brought on: what was attempted, and on what.
#[derive(Debug)]
pub struct Error {
    attempted: String,
    source: Option<Source>,
}

impl Error {
    pub(crate) fn new(attempted: impl Into<String>) -> Self {
        Self {
            attempted: attempted.into(),
            source: None,
        }
    }

    /// The whole chain in one line, for a log.
    pub fn chain(&self) -> String {
        let mut text = self.attempted.clone();
        let mut next = self.source();
        while let Some(error) = next {
            text = format!("{text}: {error}");
            next = error.source();
        }
        text
    }

    /// Nothing of it is lost: `changes` has it all.
    pub const fn hint() -> &'static str {
        "`changes` is not touched by it, and `current` goes on from its last commit by itself; if it does not, move its folder away: it is made again"
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempted)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| {
            let source: &(dyn StdError + 'static) = source.as_ref();
            source
        })
    }
}

/// Says what was attempted when an error came.
pub(crate) trait Attempted<T> {
    fn attempted(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: Into<Source>> Attempted<T> for Result<T, E> {
    fn attempted(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error {
            attempted: what(),
            source: Some(source.into()),
        })
    }
}
