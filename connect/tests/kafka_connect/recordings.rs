//! What a real Kafka Connect answered, call by call (`data/golden/connect-rest` and `data/golden/own/connect-rest`), asked of
//! our worker in the same order.
//!
//! Equal are the status, Location, Content-Type, what `OPTIONS` allows, and the body, as JSON. What cannot be equal is mapped
//! by the rules in `difference`; what is left different on purpose stands in `deviations.toml` and `deviations-own.toml`, each
//! entry with its reason and in use.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use recorded::Difference;
use serde::Deserialize;
use serde_json::Value;
use stack::{Postgres, until};

use crate::{
    difference::differences,
    http::{Answer, send},
    rest::{PATIENCE, Rest, servers},
};

#[derive(Deserialize)]
struct Recording {
    request: Request,
    status: u16,
    headers: serde_json::Map<String, Value>,
    body: Value,
    /// What was waited for before the next call.
    then: Option<Then>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
    body: Value,
    /// Where they are another than those of a body of JSON.
    headers: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Then {
    connector: String,
    states: Vec<String>,
}

#[derive(Deserialize)]
struct Deviations {
    #[serde(default)]
    deviation: Vec<Deviation>,
}

/// A difference that is left.
#[derive(Debug, Deserialize)]
struct Deviation {
    /// Names of recordings; `*` for all.
    calls: Vec<String>,
    /// Where in the answer; a `*` at its end stands for any end.
    path: String,
    why: String,
}

impl Deviation {
    fn covers(&self, call: &str, difference: &Difference) -> bool {
        let path = match self.path.strip_suffix('*') {
            Some(beginning) => difference.path.starts_with(beginning),
            None => difference.path == self.path,
        };
        path && self.calls.iter().any(|name| name == "*" || name == call)
    }
}

/// What was waited for after a call before the next one was sent: the states of the connector and its tasks.
const WAITS: [(&str, &str, &[&str]); 13] = [
    ("07-create", "inventory-connector", &["RUNNING", "RUNNING"]),
    (
        "49-put-config-update",
        "inventory-connector",
        &["RUNNING", "RUNNING"],
    ),
    (
        "53-patch-config",
        "inventory-connector",
        &["RUNNING", "RUNNING"],
    ),
    ("54-pause", "inventory-connector", &["PAUSED", "PAUSED"]),
    ("57-resume", "inventory-connector", &["RUNNING", "RUNNING"]),
    ("58-restart", "inventory-connector", &["RUNNING", "RUNNING"]),
    (
        "59-restart-with-tasks",
        "inventory-connector",
        &["RUNNING", "RUNNING"],
    ),
    (
        "62-restart-task-missing",
        "inventory-connector",
        &["RUNNING", "RUNNING"],
    ),
    ("65-stop", "inventory-connector", &["STOPPED"]),
    (
        "75-resume-stopped",
        "inventory-connector",
        &["RUNNING", "RUNNING"],
    ),
    ("83-create-failing", "failing", &["RUNNING", "FAILED"]),
    (
        "87-restart-only-failed-failing",
        "failing",
        &["RUNNING", "FAILED"],
    ),
    ("91-create-stopped", "inventory-connector", &["STOPPED"]),
];

async fn wait(rest: &Rest, call: &str, then: Option<&Then>) -> Result<()> {
    let of_call = WAITS.iter().find(|(after, ..)| *after == call);
    let of_call = of_call.map(|(_, connector, states)| (*connector, states.to_vec()));
    let then = then.map(|then| {
        let states = then.states.iter().map(String::as_str).collect();
        (then.connector.as_str(), states)
    });
    for (connector, states) in of_call.into_iter().chain(then) {
        until(
            &format!("{connector} to be {states:?} after {call}"),
            PATIENCE,
            async || {
                let path = format!("/connectors/{}/status", segment(connector));
                let status = rest.get(&path).await?.json()?;
                let tasks = status["tasks"].as_array().into_iter().flatten();
                let now: Vec<&str> = std::iter::once(&status["connector"])
                    .chain(tasks)
                    .filter_map(|part| part["state"].as_str())
                    .collect();
                Ok((now == states).then_some(()))
            },
        )
        .await?;
    }
    if ["07-create", "001-create"].contains(&call) {
        until("the snapshot's end in the offsets", PATIENCE, async || {
            let offsets = rest
                .get("/connectors/inventory-connector/offsets")
                .await?
                .json()?;
            Ok((offsets["offsets"][0]["offset"]["last_snapshot_record"] == true).then_some(()))
        })
        .await?;
    }
    Ok(())
}

fn segment(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The recording's server in the place of ours.
fn here(value: &mut Value, rest: &Rest, postgres: &Postgres) {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other JSON values are alike here"
    )]
    match value {
        // A body that is no JSON, or not of the usual form, is one text.
        Value::String(text) => {
            let password = format!("\"database.password\": \"{}\"", postgres.password());
            *text = text
                .replace("127.0.0.1:8083", &rest.address)
                .replace(
                    "\"database.port\": \"5432\"",
                    &format!("\"database.port\": \"{}\"", postgres.port()),
                )
                .replace("\"database.password\": \"postgres\"", &password);
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| here(value, rest, postgres)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let port = u64::from(postgres.port());
                match (name.as_str(), &mut *value) {
                    ("database.port", Value::String(text)) if text == "5432" => {
                        *text = port.to_string()
                    }
                    ("database.port", Value::Number(number)) if number.as_u64() == Some(5432) => {
                        *number = port.into();
                    }
                    ("database.password", Value::String(text)) if text == "postgres" => {
                        *text = postgres.password().to_owned();
                    }
                    _ => here(value, rest, postgres),
                }
            }
        }
        _ => {}
    }
}

fn recordings(folder: &str) -> Result<Vec<(String, Recording)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../data/golden")
        .join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path
                .file_stem()
                .context("a name")?
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(&path)?;
            Ok((
                name,
                serde_json::from_str(&text).context(path.display().to_string())?,
            ))
        })
        .collect()
}

async fn ask(rest: &Rest, name: &str, request: &Request) -> Result<Answer> {
    let kind = match name {
        "23-create-wrong-content-type" => "text/plain",
        _ => "application/json",
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other JSON values are alike here"
    )]
    let body = match &request.body {
        Value::Null => None,
        Value::String(raw) => Some(raw.clone()),
        body => Some(body.to_string()),
    };
    let headers: Vec<(String, String)> = match &request.headers {
        Some(headers) => headers.clone().into_iter().collect(),
        None => body
            .iter()
            .map(|_| ("Content-Type".to_owned(), kind.to_owned()))
            .collect(),
    };
    let (method, path) = (&request.method, &request.path);
    send(&rest.address, method, path, &headers, body.as_deref()).await
}

/// Status, headers and body of an answer in one value, so that a path leads everywhere.
fn whole(status: u16, [location, kind, allow]: [Option<&str>; 3], body: Value) -> Value {
    serde_json::json!({"status": status, "Location": location, "Content-Type": kind, "Allow": allow, "body": body})
}

/// As JSON where it is, else as text.
fn body_of(answer: &Answer) -> Value {
    let text = || Value::String(answer.text.clone());
    answer.json().unwrap_or_else(|_| text())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_answer_of_kafka_connect_is_ours() -> Result<()> {
    replay("connect-rest", include_str!("deviations.toml")).await
}

/// Methods, types, paths, queries and bodies that are seldom sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seldom_calls_are_answered_as_by_kafka_connect() -> Result<()> {
    replay("own/connect-rest", include_str!("deviations-own.toml")).await
}

async fn replay(folder: &str, deviations: &str) -> Result<()> {
    let (kafka, postgres) = servers().await?;
    // As Kafka Connect does; redaction has a test of its own.
    let rest = Rest::start(|config| config.show_secrets = true, &kafka).await?;
    let deviations: Deviations = toml::from_str(deviations)?;
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    let mut stored = Value::Null;
    let (mut calls, mut left) = (0, 0);
    for (name, mut recording) in recordings(folder)? {
        here(&mut recording.request.body, &rest, &postgres);
        here(&mut recording.body, &rest, &postgres);
        if name == "70-offsets-patch" {
            recording.request.body = stored.clone();
        }
        let answer = ask(&rest, &name, &recording.request).await?;
        if name == "69-offsets-stopped" {
            stored = answer.json()?;
        }
        let mut location = recording
            .headers
            .get("Location")
            .cloned()
            .unwrap_or_default();
        here(&mut location, &rest, &postgres);
        let kind = recording
            .headers
            .get("Content-Type")
            .and_then(Value::as_str);
        let allow = recording.headers.get("Allow").and_then(Value::as_str);
        let theirs = [location.as_str(), kind, allow];
        let theirs = whole(recording.status, theirs, recording.body);
        let ours = [
            answer.header("location"),
            answer.header("content-type"),
            // Where a method is refused, we say which are not.
            answer.header("allow").filter(|_| answer.status != 405),
        ];
        let ours = whole(answer.status, ours, body_of(&answer));
        for difference in differences(&name, &theirs, &ours) {
            let covering = deviations
                .deviation
                .iter()
                .position(|deviation| deviation.covers(&name, &difference));
            match covering {
                Some(deviation) => {
                    used.insert(deviation);
                    left += 1;
                }
                None => wrong.push(format!("{name}: {difference}")),
            }
        }
        calls += 1;
        wait(&rest, &name, recording.then.as_ref()).await?;
    }
    rest.end().await?;
    for (i, deviation) in deviations.deviation.iter().enumerate() {
        if !used.contains(&i) || deviation.why.is_empty() {
            wrong.push(format!(
                "a deviation was not met, or has no reason: {deviation:?}"
            ));
        }
    }
    if !wrong.is_empty() {
        bail!("{} differences:\n{}", wrong.len(), wrong.join("\n"));
    }
    println!("{calls} calls answered as recorded; {left} differences are left on purpose");
    Ok(())
}
