//! What the text of a setting must be. The list names a rule for each setting, and it is kept whichever command runs and
//! wherever the text comes from.

use std::{
    collections::BTreeMap, error::Error, fmt, net::SocketAddr, path::Path, str::FromStr,
    time::Duration,
};

use crate::mirror::Globs;
use generator::{Mix, Pace};
use service::{
    Door, LogFormat,
    kafka::{Brokers, security_settings},
};

use crate::command::quantity::{Bytes, Time};

/// What is wrong with a text that is not empty, and what is wanted.
pub type Rule = fn(&str) -> Result<(), String>;

/// Nobody means these, and what they would be passed to ends at them.
pub(super) fn one_line(text: &str) -> Result<(), String> {
    match text.contains(['\0', '\n', '\r']) {
        true => Err("want one line of text".to_owned()),
        false => Ok(()),
    }
}

/// Of passwords: any line of text.
pub fn any_line(_: &str) -> Result<(), String> {
    Ok(())
}

/// Of names that other programs give out.
pub fn name(text: &str) -> Result<(), String> {
    match text.trim() != text || text.chars().any(char::is_control) {
        true => {
            Err("want a name without blanks at its ends and without control characters".to_owned())
        }
        false => Ok(()),
    }
}

pub fn log_format(text: &str) -> Result<(), String> {
    is::<LogFormat>(text)
}

pub fn dsn(text: &str) -> Result<(), String> {
    let want = "want `postgresql://user@host:5432/database` or `host=... user=... dbname=...`";
    generator::check_dsn(text).map_err(|error| format!("{}; {want}", causes(&error)))
}

/// As [`dsn`], of a database that is not the generator's.
pub fn database(text: &str) -> Result<(), String> {
    let want = "want `postgresql://user@host:5432/database` or `host=... user=... dbname=...`";
    let parsed = postgres_tls::Connector::parse(text, postgres_tls::TlsSettings::default());
    parsed
        .map(drop)
        .map_err(|error| format!("{}; {want}", causes(&error)))
}

pub fn rate(text: &str) -> Result<(), String> {
    is::<Pace>(text)
}

pub fn mix(text: &str) -> Result<(), String> {
    is::<Mix>(text)
}

pub fn seed(text: &str) -> Result<(), String> {
    is::<u64>(text).map_err(|_| format!("want a number from 0 to {}", u64::MAX))
}

pub fn brokers(text: &str) -> Result<(), String> {
    is::<Brokers>(text)
}

pub fn security_protocol(text: &str) -> Result<(), String> {
    kafka("security.protocol", text)
}

pub fn sasl_mechanism(text: &str) -> Result<(), String> {
    kafka("sasl.mechanism", text)
}

pub fn endpoint_identification(text: &str) -> Result<(), String> {
    let known = ["https", "none"];
    match known.iter().any(|it| it.eq_ignore_ascii_case(text)) {
        true => Ok(()),
        false => Err("want `https` or `none`".to_owned()),
    }
}

/// By the name that Kafka has for a setting.
fn kafka(name: &str, text: &str) -> Result<(), String> {
    security_settings(&BTreeMap::from([(name.to_owned(), text.to_owned())]))
        .map(drop)
        .map_err(|error| error.reason)
}

/// A PEM file of certificates. One that is not there may be on the machine that the settings are for: who uses it tells.
pub fn certificates(text: &str) -> Result<(), String> {
    let path = Path::new(text);
    match path.exists() {
        true => service::tls::certificates(path)
            .map(drop)
            .map_err(|error| format!("{}; want a PEM file of certificates", causes(&error))),
        false => Ok(()),
    }
}

/// As `certificates`, or what librdkafka takes beside a file: a folder of them, and `probe` for the system's places.
pub fn kafka_roots(text: &str) -> Result<(), String> {
    match text == "probe" || Path::new(text).is_dir() {
        true => Ok(()),
        false => certificates(text),
    }
}

/// A PEM file of a key, whose password is another setting.
pub fn key_file(text: &str) -> Result<(), String> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let path = Path::new(text);
    if !path.exists() {
        return Ok(());
    }
    let bytes = service::read_settings_file(path).map_err(|error| format!("read it: {error}"))?;
    match bytes.windows(BEGIN.len()).any(|bytes| bytes == BEGIN) {
        true => Ok(()),
        false => Err("it is not PEM; want a PEM file of a key".to_owned()),
    }
}

pub fn listen(text: &str) -> Result<(), String> {
    is::<SocketAddr>(text).map_err(|_| {
        "want an address of this machine and a port, as `127.0.0.1:8083`, or `0.0.0.0:8083` for all its addresses"
            .to_owned()
    })
}

pub fn hosts(text: &str) -> Result<(), String> {
    Door::check(text)
}

/// A folder; one that is not there is told by who reads it.
pub fn folder(text: &str) -> Result<(), String> {
    let path = Path::new(text);
    match path.exists() && !path.is_dir() {
        true => Err("it is not a folder".to_owned()),
        false => Ok(()),
    }
}

/// The name of a topic, or its beginning, as Kafka has them.
pub fn topic(text: &str) -> Result<(), String> {
    const LONGEST: usize = 249;
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match text.bytes().all(letter) && text.len() <= LONGEST && text != "." && text != ".." {
        true => Ok(()),
        false => Err(format!(
            "want letters, digits, `.`, `_` and `-`, {LONGEST} at most, as Kafka names topics"
        )),
    }
}

pub fn topics(text: &str) -> Result<(), String> {
    lakewriter::check_topics(text).map_err(|error| advised(&error))
}

pub fn lake_url(text: &str) -> Result<(), String> {
    lakewriter::lake::check_url(text).map_err(|error| advised(&error))
}

pub fn lake_endpoint(text: &str) -> Result<(), String> {
    lakewriter::lake::check_endpoint(text).map_err(|error| advised(&error))
}

/// Part of what a request is signed with, between slashes.
pub fn region(text: &str) -> Result<(), String> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match text.bytes().all(letter) {
        true => Ok(()),
        false => Err("want the name of a region, as `eu-central-1`".to_owned()),
    }
}

/// As `region`: an access key stands before it.
pub fn access_key(text: &str) -> Result<(), String> {
    match text
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'/')
    {
        true => Ok(()),
        false => {
            Err("want an access key: letters, digits and signs without blanks and `/`".to_owned())
        }
    }
}

pub fn yes_or_no(text: &str) -> Result<(), String> {
    match text {
        "true" | "false" => Ok(()),
        _ => Err("want `true` or `false`".to_owned()),
    }
}

pub fn bytes(text: &str) -> Result<(), String> {
    is::<Bytes>(text)
}

pub fn time(text: &str) -> Result<(), String> {
    is::<Time>(text)
}

/// Not shorter than a writer may be silent before it reads a table again, and than a query takes.
const SHORTEST_HISTORY: Duration = Duration::from_secs(15 * 60);

pub fn history(text: &str) -> Result<(), String> {
    match text.parse::<Time>() {
        Ok(Time(history)) if history < SHORTEST_HISTORY => {
            Err("want 15min or more: queries read older versions to their end".to_owned())
        }
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_owned()),
    }
}

pub fn maintenance(text: &str) -> Result<(), String> {
    if text == "off" || service::normalize_schedule(text).is_some() {
        return Ok(());
    }
    Err(
        "want minute, hour, day of month, month and day of week, with seconds before them if wanted, as `0 * * * * *`; or `off`"
            .to_owned(),
    )
}

pub fn globs(text: &str) -> Result<(), String> {
    Globs::parse(text).map(drop)
}

/// What PostgreSQL takes as the name of a replication slot.
pub fn slot(text: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if (1..=63).contains(&text.len()) && text.chars().all(plain) {
        return Ok(());
    }
    Err("want up to 63 of a-z, 0-9 and `_`".to_owned())
}

pub fn mirror_snapshot(text: &str) -> Result<(), String> {
    match text {
        "initial" | "no_data" | "when_needed" => Ok(()),
        _ => Err("want `initial`, `no_data` or `when_needed`".to_owned()),
    }
}

pub fn rows(text: &str) -> Result<(), String> {
    is::<std::num::NonZeroUsize>(text).map_err(|_| "want a number from 1 on".to_owned())
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

fn advised(error: &lakewriter::Error) -> String {
    format!("{}; {}", causes(error), error.hint())
}

/// The error and what it comes from, on one line.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        source = cause.source();
    }
    text
}
