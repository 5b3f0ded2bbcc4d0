use std::{
    collections::BTreeMap,
    io::IsTerminal as _,
    str::FromStr,
    sync::{Mutex, OnceLock, PoisonError},
};

use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

use crate::{LogLines, one_line::OneLine};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("log format `{other}`: want `text` or `json`")),
        }
    }
}

/// Libraries below us report their own retries and internals; our own errors say what they mean.
const QUIET: &str =
    "rdkafka=off,librdkafka=error,deltalake_core=off,buoyant_kernel=off,delta_kernel=off";

/// The level of everything, as it was set at start or later.
struct Levels {
    all: String,
    /// By target.
    own: BTreeMap<String, String>,
    apply: Box<dyn Fn(EnvFilter) + Send>,
}

static LEVELS: OnceLock<Mutex<Levels>> = OnceLock::new();

/// Log to standard error. The level is `TRIBUTARY_LOG` (as `info` or `cdc=debug,info`), else `default_level`.
pub fn init_telemetry(format: LogFormat, default_level: &str) {
    let all = std::env::var("TRIBUTARY_LOG")
        .ok()
        .filter(|directives| EnvFilter::try_new(directives).is_ok())
        .unwrap_or_else(|| format!("warn,{default_level},{QUIET}"));
    let (filter, reload) = reload::Layer::new(EnvFilter::new(&all));
    let levels = Levels {
        all,
        own: BTreeMap::new(),
        apply: Box::new(move |filter| {
            // It fails only where the subscriber is gone.
            let _ = reload.reload(filter);
        }),
    };
    let _ = LEVELS.set(Mutex::new(levels));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(LogLines(OneLine))
        .with_ansi(std::io::stderr().is_terminal());
    let lines = match format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .init();
}

/// Change the level of a target (`cdc::source`), or of everything, while the process runs. Without telemetry nothing
/// happens.
///
/// # Errors
/// `level` is none of `trace`, `debug`, `info`, `warn`, `error`, `off`, or the target is no path of names.
pub fn set_log_level(target: Option<&str>, level: &str) -> Result<(), String> {
    let known = ["trace", "debug", "info", "warn", "error", "off"];
    if !known.contains(&level) {
        return Err(format!(
            "log level `{level}`: want one of {}",
            known.join(", ")
        ));
    }
    let Some(levels) = LEVELS.get() else {
        return Ok(());
    };
    let mut levels = levels.lock().unwrap_or_else(PoisonError::into_inner);
    match target {
        None => levels.all = format!("{level},{QUIET}"),
        Some(target) => {
            let path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
            if !target.chars().all(path) {
                return Err(format!("log target `{target}` is no path of names"));
            }
            levels.own.insert(target.to_owned(), level.to_owned());
        }
    }
    let own: String = levels
        .own
        .iter()
        .map(|(target, level)| format!(",{target}={level}"))
        .collect();
    let filter =
        EnvFilter::try_new(format!("{}{own}", levels.all)).map_err(|error| error.to_string())?;
    (levels.apply)(filter);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_words() {
        for (target, level, good) in [
            (None, "info", true),
            (Some("cdc::source"), "debug", true),
            (None, "loud", false),
        ] {
            assert_eq!(set_log_level(target, level).is_ok(), good, "{level}");
        }
    }

    #[test]
    fn levels_change_while_the_process_runs() {
        init_telemetry(LogFormat::Text, "info");
        assert!(!tracing::enabled!(target: "cdc::source", tracing::Level::DEBUG));
        set_log_level(Some("cdc"), "debug").unwrap();
        assert!(tracing::enabled!(target: "cdc::source", tracing::Level::DEBUG));
        set_log_level(Some("cdc"), "error").unwrap();
        assert!(!tracing::enabled!(target: "cdc::source", tracing::Level::WARN));
        assert!(set_log_level(Some("cdc=trace,x"), "info").is_err());
    }
}
