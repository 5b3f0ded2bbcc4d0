use serde::Serialize;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A mirror or a connector does not start, stops, or breaks the application.
    Error,
    /// It works, and something is lost, wrong or about to stop.
    Warning,
    /// It works, and something is otherwise than one may think.
    Note,
}

impl Severity {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What mends a finding, line by line as it is pasted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "lines", rename_all = "snake_case")]
pub enum Mend {
    /// In psql, by somebody who may: statements.
    Sql(Vec<String>),
    /// In a shell.
    Command(Vec<String>),
    /// Properties of the connector, `name=value`.
    Property(Vec<String>),
    /// In words, where nothing can be pasted.
    Words(Vec<String>),
}

/// One thing that was found. Codes are stable: scripts know them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    pub code: &'static str,
    /// Tables, topics or properties that it is about; empty where it is about the whole.
    pub on: Vec<String>,
    /// What is, in a sentence.
    pub what: String,
    /// What it means, in another.
    pub means: String,
    pub mend: Mend,
}

impl Finding {
    pub fn new(severity: Severity, code: &'static str, what: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            on: Vec::new(),
            what: what.into(),
            means: String::new(),
            mend: Mend::Words(Vec::new()),
        }
    }

    pub fn error(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, what)
    }

    pub fn warning(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, what)
    }

    pub fn note(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, what)
    }

    pub fn on(mut self, on: impl IntoIterator<Item = String>) -> Self {
        self.on = on.into_iter().collect();
        self
    }

    pub fn means(mut self, means: impl Into<String>) -> Self {
        self.means = means.into();
        self
    }

    pub fn sql(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.mend = Mend::Sql(lines.into_iter().collect());
        self
    }

    pub fn command(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.mend = Mend::Command(lines.into_iter().collect());
        self
    }

    pub fn property(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.mend = Mend::Property(lines.into_iter().collect());
        self
    }

    pub fn words(mut self, words: impl Into<String>) -> Self {
        self.mend = Mend::Words(vec![words.into()]);
        self
    }
}
