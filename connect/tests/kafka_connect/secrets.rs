//! Secrets are planted in a file, in a folder, in the environment and in passwords; every property refers to each of them
//! once; then every answer, trace, metric and log line is searched for them.

use std::{
    collections::BTreeMap,
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};
use connector::{ConnectorFile, Providers, properties};
use serde_json::{Value, json};
use service::LogLines;
use stack::until;

use crate::rest::{CLASS, PATIENCE, Rest, connector, servers};

/// Longer than any name of PostgreSQL's may be, which it cuts off.
const IN_FOLDER: &str =
    "planted_in_a_folder_and_longer_than_any_name_of_postgresql_may_be_0123456789";
const IN_FILE: &str = "Planted: in a 'file', \"quoted\" /and \\escaped";
const PASSWORD: &str = "planted passphrase zyxwv";

/// All that was told so far, with where.
#[derive(Default)]
struct Told(Vec<(String, String)>);

impl Told {
    async fn ask(
        &mut self,
        rest: &Rest,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<u16> {
        let answer = rest.call(method, path, body).await?;
        self.0.push((
            format!("{method} {path}"),
            format!("{}{}", answer.headers, answer.text),
        ));
        Ok(answer.status)
    }

    /// No output has any part of a secret that is as long as a word.
    fn hides(&self, secrets: &[&str]) -> Result<()> {
        for secret in secrets {
            let secret = secret.to_lowercase();
            let parts: Vec<&str> = secret
                .split_inclusive(|c: char| !c.is_alphanumeric())
                .collect();
            for (place, text) in &self.0 {
                let text = text.to_lowercase();
                for pair in parts.windows(2) {
                    let part = pair.concat();
                    ensure!(
                        part.len() < 9 || !text.contains(&part),
                        "{place} tells `{part}` of `{secret}`: {text}"
                    );
                }
            }
        }
        Ok(())
    }
}

/// Log lines of this process.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn providers(folder: &Path) -> Result<Providers> {
    let class =
        |name: &str| format!("org.apache.kafka.common.config.provider.{name}ConfigProvider");
    let folder = folder.display().to_string();
    let properties = [
        ("config.providers", "file,directory,env".to_owned()),
        ("config.providers.file.class", class("File")),
        ("config.providers.file.param.allowed.paths", folder.clone()),
        ("config.providers.directory.class", class("Directory")),
        ("config.providers.directory.param.allowed.paths", folder),
        ("config.providers.env.class", class("EnvVar")),
        (
            "config.providers.env.param.allowlist.pattern",
            "CARGO_MANIFEST_PATH".to_owned(),
        ),
    ];
    let properties = properties.map(|(name, value)| (name.to_owned(), value));
    Ok(Providers::from_worker(&BTreeMap::from(properties))?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_output_tells_a_secret() -> Result<()> {
    let lines = Lines::default();
    let kept = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(LogLines(move || kept.clone()))
        .finish();
    tracing::subscriber::set_global_default(subscriber)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().display();
    std::fs::write(folder.path().join("name"), IN_FOLDER)?;
    std::fs::write(folder.path().join("password"), PASSWORD)?;
    let escaped = IN_FILE.replace('\\', "\\\\");
    std::fs::write(
        folder.path().join("x.properties"),
        format!("key={escaped}\n"),
    )?;
    let in_environment = std::env::var("CARGO_MANIFEST_PATH").context("run by cargo")?;
    let references = [
        format!("${{directory:{path}:name}}"),
        format!("${{file:{path}/x.properties:key}}"),
        "${env:CARGO_MANIFEST_PATH}".to_owned(),
    ];

    let (kafka, postgres) = servers().await?;
    let set = format!("alter role {} password '{PASSWORD}'", postgres.user());
    postgres.execute("postgres", &set).await?;
    let mut good = connector(&postgres, "unused");
    good["database.password"] = json!(format!("${{directory:{path}:password}}"));
    good["topic.prefix"] = json!(references[0]);
    good["slot.name"] = json!("planted");
    good["publication.name"] = json!("planted");
    // One that is only found out by its task, which is to leave a trace.
    let mut lost = good.clone();
    lost["database.dbname"] = json!(references[0]);
    lost["slot.name"] = json!("lost");
    let lost = lost.as_object().into_iter().flatten();
    let lost =
        lost.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
    let lost = ConnectorFile::from_settings(lost.collect(), "lost");
    let lost = lost.map_err(|problems| anyhow::Error::msg(problems.join("; ")))?;
    let providers = providers(folder.path())?;
    let rest = Rest::start(
        |config| {
            config.providers = providers;
            config.connectors.push(lost);
        },
        &kafka,
    )
    .await?;

    let mut told = Told::default();
    let body = json!({"name": "good", "config": good});
    let created = told.ask(&rest, "POST", "/connectors", Some(&body)).await?;
    ensure!(created == 201, "{:?}", told.0);
    let validate = format!("/connector-plugins/{CLASS}/config/validate");
    for property in properties() {
        for reference in &references {
            let mut bad = good.clone();
            bad["name"] = json!("bad");
            bad["connector.class"] = json!(CLASS);
            // Only what is about the connection reaches the database, and each may take its time.
            if !property.name.starts_with("database.") {
                bad["database.sslmode"] = json!("none");
            }
            bad[property.name] = json!(reference);
            told.ask(&rest, "PUT", &validate, Some(&bad)).await?;
        }
    }
    for property in [
        "database.hostname",
        "database.user",
        "database.dbname",
        "database.password",
    ] {
        for reference in &references {
            let mut bad = good.clone();
            bad[property] = json!(reference);
            let body = json!({"name": "bad", "config": bad});
            let status = told.ask(&rest, "POST", "/connectors", Some(&body)).await?;
            ensure!(status == 400, "{property}: {:?}", told.0.last());
        }
    }
    until("offsets, topics and a trace", PATIENCE, async || {
        let offsets = rest.get("/connectors/good/offsets").await?.text;
        let topics = rest.get("/connectors/good/topics").await?.text;
        let status = rest.get("/connectors/lost/status").await?.text;
        let all = offsets.contains("lsn") && topics.contains("tweets") && status.contains("FAILED");
        Ok(all.then_some(()))
    })
    .await?;
    let shown = rest.get("/connectors/good/offsets").await?.json()?;
    assert_eq!(
        shown["offsets"][0]["partition"]["server"],
        references[0].as_str()
    );
    for name in ["good", "lost"] {
        for part in [
            "",
            "/config",
            "/status",
            "/tasks",
            "/tasks-config",
            "/topics",
            "/offsets",
        ] {
            told.ask(&rest, "GET", &format!("/connectors/{name}{part}"), None)
                .await?;
        }
    }
    for path in [
        "/connectors?expand=info&expand=status",
        "/metrics",
        "/readyz",
        "/admin/loggers",
    ] {
        told.ask(&rest, "GET", path, None).await?;
    }
    // What is shown can be sent back.
    told.ask(&rest, "PUT", "/connectors/good/stop", None)
        .await?;
    until("the offsets to be changed", PATIENCE, async || {
        let changed = rest
            .call("PATCH", "/connectors/good/offsets", Some(&shown))
            .await?;
        Ok((changed.status == 200).then_some(()))
    })
    .await?;
    let after = rest.get("/connectors/good/offsets").await?.json()?;
    assert_eq!(
        after["offsets"].as_array().map(Vec::len),
        Some(1),
        "{after}"
    );
    for record in kafka.read_all("connect_statuses", true).await? {
        let value =
            String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
        if value.contains("trace") {
            told.0.push(("the status topic".to_owned(), value));
        }
    }
    rest.end().await?;
    let log = lines
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let log = String::from_utf8_lossy(&log).into_owned();
    ensure!(log.contains("the connector failed"), "{log}");
    told.0.push(("the log".to_owned(), log));
    told.hides(&[IN_FOLDER, IN_FILE, PASSWORD, &in_environment])
}
