use std::fmt;

/// What a program does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Start again from what is durable, after a delay.
    Retry,
    /// Stop and say why.
    Halt,
}

/// What kind of thing went wrong; decides what to do about it. Each part of the program has kinds of its own.
pub trait ErrorKind: fmt::Debug + Copy + 'static {
    /// What to do about it.
    fn disposition(self) -> Disposition;

    /// What the operator can do about it.
    fn hint(self) -> &'static str;
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What was attempted, on what, and why it failed.
#[derive(Debug)]
pub struct Error<K>(Box<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    kind: K,
    attempted: String,
    hint: Option<String>,
    source: Option<Cause>,
}

impl<K: ErrorKind> Error<K> {
    /// `attempted` says what was being done and on what, lower case, no full stop: ``start replication on slot `orders` ``.
    pub fn new(kind: K, attempted: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            attempted: attempted.into(),
            hint: None,
            source: None,
        }))
    }

    /// What made it fail; shown as `caused by:`.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Cause>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// A remedy more exact than the kind's own.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same error, as one of the kinds of the part that called.
    pub fn into_kind<J: From<K>>(self) -> Error<J> {
        let Inner {
            kind,
            attempted,
            hint,
            source,
        } = *self.0;
        Error(Box::new(Inner {
            kind: kind.into(),
            attempted,
            hint,
            source,
        }))
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> K {
        self.0.kind
    }

    /// What the process does about it.
    pub fn disposition(&self) -> Disposition {
        self.0.kind.disposition()
    }

    /// What the operator can do about it.
    pub fn hint(&self) -> &str {
        self.0.hint.as_deref().unwrap_or(self.0.kind.hint())
    }
}

impl<K> fmt::Display for Error<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.attempted)
    }
}

impl<K: fmt::Debug> std::error::Error for Error<K> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
