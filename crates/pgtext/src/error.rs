use std::fmt;

/// The text is not what PostgreSQL prints for the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseError {
    /// What should have stood there, with its article: `a month from 01 to 12`.
    pub expected: &'static str,
    /// Where: a byte of the text, counted from 0. The text's length where it ended too early.
    pub at: usize,
}

impl fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "expected {} at byte {}", self.expected, self.at)
    }
}

impl std::error::Error for ParseError {}
