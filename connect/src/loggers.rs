//! `/admin/loggers`: log levels under the names that Kafka Connect's loggers have.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

/// Log4j's words and ours.
const LEVELS: [(&str, &str); 8] = [
    ("TRACE", "trace"),
    ("DEBUG", "debug"),
    ("INFO", "info"),
    ("WARN", "warn"),
    ("ERROR", "error"),
    ("FATAL", "error"),
    ("OFF", "off"),
    ("ALL", "trace"),
];

/// The logger above all others.
const ROOT: &str = "root";

/// A logger's level, and when it was set, milliseconds since the Unix epoch; None at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoggerLevel {
    pub(super) level: String,
    pub(super) last_modified: Option<u64>,
}

/// Levels that were set by name, and the root's.
#[derive(Debug)]
pub(super) struct Loggers(Mutex<BTreeMap<String, LoggerLevel>>);

impl Default for Loggers {
    fn default() -> Self {
        let root = LoggerLevel {
            level: "INFO".to_owned(),
            last_modified: None,
        };
        Self(Mutex::new(BTreeMap::from([(ROOT.to_owned(), root)])))
    }
}

impl Loggers {
    pub(super) fn all(&self) -> BTreeMap<String, LoggerLevel> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Set the level of a logger and of those below it; answers their names, None where the level is no level.
    pub(super) fn set(&self, logger: &str, level: &str) -> Option<Vec<String>> {
        let level = level.to_ascii_uppercase();
        let (_, ours) = LEVELS.into_iter().find(|(name, _)| *name == level)?;
        // A logger of a Java library has none here; its level is kept all the same.
        if let Some(target) = target(logger)
            && let Err(error) = service::set_log_level(target, ours)
        {
            tracing::warn!(logger, %error, "the log level was not set");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        let mut levels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        levels.entry(logger.to_owned()).or_insert(LoggerLevel {
            level: String::new(),
            last_modified: None,
        });
        let below = format!("{logger}.");
        let mut names = Vec::new();
        for (name, entry) in levels.iter_mut() {
            if name == logger || name.starts_with(&below) || logger == ROOT {
                if entry.level != level {
                    entry.level.clone_from(&level);
                    entry.last_modified = Some(now);
                }
                names.push(name.clone());
            }
        }
        Some(names)
    }
}

/// Parts of ours that have a level of their own, with all that is below them.
const OURS: [&str; 3] = ["cdc", "connect", "connector"];

/// The part of ours that does what the Java logger's part does; `Some(None)` is everything.
fn target(logger: &str) -> Option<Option<&str>> {
    let is = |package: &str| {
        logger
            .strip_prefix(package)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if logger == ROOT {
        Some(None)
    } else if is("org.apache.kafka.connect.runtime.rest") {
        Some(Some("connect::rest"))
    } else if is("org.apache.kafka.connect") {
        Some(Some("connect"))
    } else if is("io.debezium") {
        Some(Some("cdc"))
    } else if OURS.contains(&logger.split("::").next().unwrap_or_default()) {
        Some(Some(logger))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_holds_for_what_is_below() {
        let loggers = Loggers::default();
        assert_eq!(loggers.set("a.b", "LOUD"), None);
        assert_eq!(loggers.set("a.b", "debug"), Some(vec!["a.b".to_owned()]));
        assert_eq!(
            loggers.set("a", "WARN"),
            Some(vec!["a".to_owned(), "a.b".to_owned()])
        );
        assert_eq!(
            loggers.all().get("a.b").map(|level| level.level.as_str()),
            Some("WARN")
        );
        assert_eq!(
            loggers
                .all()
                .get("root")
                .and_then(|level| level.last_modified),
            None
        );
    }

    #[test]
    fn javas_loggers_are_parts_of_ours() {
        for (logger, want) in [
            ("root", Some(None)),
            ("io.debezium.connector.postgresql", Some(Some("cdc"))),
            ("io.debeziumx", None),
            (
                "org.apache.kafka.connect.runtime.Worker",
                Some(Some("connect")),
            ),
            ("org.reflections", None),
            ("cdc::source", Some(Some("cdc::source"))),
            ("connect::rest", Some(Some("connect::rest"))),
            ("connection", None),
        ] {
            assert_eq!(target(logger), want, "{logger}");
        }
    }
}
