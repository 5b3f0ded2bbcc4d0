//! What the text of a setting must be: told when the settings are read, by every command, whichever of them uses it.

use std::{fmt, net::SocketAddr, str::FromStr};

use generator::{Mix, Pace};
use service::LogFormat;

use crate::command::quantity::{Bytes, Time};

/// Whether a setting can have this text. Empty counts as not set.
pub(super) fn check(key: &str, text: &str) -> Result<(), String> {
    match key {
        _ if text.is_empty() => Ok(()),
        "log.format" => is::<LogFormat>(text),
        "generator.rate" => is::<Pace>(text),
        "generator.mix" => is::<Mix>(text),
        "generator.seed" => is::<u64>(text),
        "cdc.listen" | "lakewriter.listen" => {
            is::<SocketAddr>(text).map_err(|_| "want an address as 127.0.0.1:8083".to_owned())
        }
        "lakewriter.freshness" => is::<Time>(text),
        "lakewriter.max_batch_bytes" => is::<Bytes>(text),
        "lakewriter.max_batch_rows" => {
            is::<std::num::NonZeroUsize>(text).map_err(|_| "want a number from 1 on".to_owned())
        }
        _ => Ok(()),
    }
}

fn is<T>(text: &str) -> Result<(), String>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    text.parse::<T>()
        .map(drop)
        .map_err(|error| error.to_string())
}
