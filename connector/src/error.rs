use service::Disposition;

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// A setting is missing or wrong, or its file cannot be read.
    Configuration,
}

impl service::ErrorKind for ErrorKind {
    fn disposition(self) -> Disposition {
        match self {
            Self::Configuration => Disposition::Halt,
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Configuration => "correct the named setting and start again",
        }
    }
}

/// What was attempted, on what, and why it failed.
pub type Error = service::Error<ErrorKind>;
