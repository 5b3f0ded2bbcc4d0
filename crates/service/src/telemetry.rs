use std::{io::IsTerminal as _, str::FromStr};

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    #[default]
    Text,
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

/// Log to standard error. The level is `TRIBUTARY_LOG` (as `info` or `cdc=debug,info`), else `default_level`.
pub fn init_telemetry(format: LogFormat, default_level: &str) {
    let filter = EnvFilter::try_from_env("TRIBUTARY_LOG").unwrap_or_else(|_| {
        // Libraries below us report their own retries and internals; our own errors say what they mean.
        EnvFilter::new(format!(
            "warn,{default_level},rdkafka=off,librdkafka=error,deltalake_core=off,buoyant_kernel=off,delta_kernel=off"
        ))
    });
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().init(),
    }
}
