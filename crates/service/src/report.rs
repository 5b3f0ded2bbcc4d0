use std::{error::Error, fmt::Write as _};

use crate::without_withheld;

/// How a command ends: its process exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// What was asked for is done.
    Clean = 0,
    /// Stopped because going on could lose or repeat data, or because something it needs is gone.
    Halted = 1,
    /// The configuration or the command line is wrong.
    Configuration = 2,
}

/// The whole chain of an error, once: `error:`, then a `caused by:` line for each source, then the `hint:`. Values that
/// are withheld are not in it.
pub fn render_error(error: &dyn Error, hint: Option<&str>) -> String {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    let mut last = error.to_string();
    while let Some(cause) = source {
        let line = cause.to_string();
        // Some libraries repeat their source in their own text; the reader needs it once.
        if !last.ends_with(&line) {
            let _ = write!(text, "\ncaused by: {line}");
        }
        last = line;
        source = cause.source();
    }
    if let Some(hint) = hint {
        let _ = write!(text, "\nhint: {hint}");
    }
    without_withheld(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("start replication on slot `orders`")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn shows_each_cause_once_and_the_hint() {
        let error = Outer(std::io::Error::other("connection refused"));
        assert_eq!(
            render_error(&error, Some("start the server")),
            "error: start replication on slot `orders`\ncaused by: connection refused\nhint: start the server"
        );
    }
}
