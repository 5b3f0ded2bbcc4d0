//! A client of a schema registry in Confluent's form: registers or looks up schemas, and remembers their ids.
//!
//! An id that was told once is not asked for again. Each URL is tried before a request fails; what the registry says
//! of a schema that it refuses is passed on.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustls::ClientConfig;
use serde::Deserialize;
use serde_json::{Value, json};
use service::{Backoff, tls};

use super::answer::refused;
use crate::{Error, ErrorKind};
use connector::{Registration, RegistryConfig};

/// Rounds over all URLs before a registry that does not answer is an error; the connector starts again after it.
const ROUNDS: u32 = 5;
/// One request, connecting included.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connecting, the TLS handshake included.
const CONNECTING: Duration = Duration::from_secs(10);
/// Larger than any answer: a schema of 1,600 columns has less than a tenth. A registry's URL is a setting, and may lead to
/// what never ends.
const LARGEST_ANSWER: usize = 4 << 20;
const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// A client of one registry. It keeps every id it was told.
#[derive(Debug)]
pub struct Registry {
    config: RegistryConfig,
    http: reqwest::Client,
    /// By subject and text.
    known: Mutex<HashMap<(String, String), u32>>,
}

#[derive(Deserialize)]
struct Registered {
    id: u32,
}

#[derive(Deserialize)]
struct Version {
    id: u32,
    schema: String,
}

impl Registry {
    /// # Errors
    /// The truststore or the keystore cannot be used.
    pub fn new(config: RegistryConfig) -> Result<Self, Error> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::new(
                ErrorKind::Configuration,
                "prepare the client of the schema registry",
            )
            .with_source(error)
        };
        let mut builder = reqwest::Client::builder()
            .timeout(PATIENCE)
            .connect_timeout(CONNECTING)
            .no_proxy()
            .user_agent("tributary");
        if config.urls.iter().any(|url| url.starts_with("https:")) {
            builder = builder.use_preconfigured_tls(tls_config(&config).map_err(failed)?);
        }
        let http = builder.build().map_err(|error| failed(error.into()))?;
        Ok(Self {
            config,
            http,
            known: Mutex::default(),
        })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), u32>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn config(&self) -> &RegistryConfig {
        &self.config
    }

    /// The id of a schema under a subject: registered, looked up or compared with the newest, as configured.
    ///
    /// # Errors
    /// No URL answers, or the registry refuses.
    pub async fn schema_id(&self, subject: &str, schema: &str) -> Result<u32, Error> {
        let key = (subject.to_owned(), schema.to_owned());
        if let Some(id) = self.known().get(&key) {
            return Ok(*id);
        }
        let path = format!("subjects/{}", service::path_part(subject));
        let normalize = if self.config.normalize {
            "?normalize=true"
        } else {
            ""
        };
        let body = json!({ "schema": schema });
        let id = match self.config.registration {
            Registration::Register => {
                let attempted = format!("register the Avro schema of subject `{subject}`");
                let path = format!("{path}/versions{normalize}");
                self.ask::<Registered>(&path, Some(&body), &attempted)
                    .await?
                    .id
            }
            Registration::Lookup => {
                let attempted = format!("look up the Avro schema under subject `{subject}`");
                self.ask::<Registered>(&format!("{path}{normalize}"), Some(&body), &attempted)
                    .await?
                    .id
            }
            Registration::Latest => {
                let attempted = format!("ask for the newest schema of subject `{subject}`");
                let path = format!("{path}/versions/latest");
                let newest: Version = self.ask(&path, None, &attempted).await?;
                if !same_binary(&newest.schema, schema) {
                    return Err(Error::new(
                        ErrorKind::Configuration,
                        format!("write with the newest schema of subject `{subject}`: it is not the table's"),
                    )
                    .with_hint("register the table's schema, or set auto.register.schemas=true or use.latest.version=false"));
                }
                newest.id
            }
        };
        tracing::info!(subject, id, "the schema registry knows the schema");
        self.known().insert(key, id);
        Ok(id)
    }

    /// Sends a request, POST where there is a body, to one URL after the other until one answers.
    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        body: Option<&Value>,
        attempted: &str,
    ) -> Result<T, Error> {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));
        loop {
            let mut failure = None;
            for url in &self.config.urls {
                match self.ask_one::<T>(url, path, body, attempted).await {
                    Ok(answer) => return Ok(answer),
                    Err(error) if error.kind() != ErrorKind::Connection => return Err(error),
                    Err(error) => failure = Some(error),
                }
            }
            let error = failure.unwrap_or_else(|| {
                Error::new(ErrorKind::Configuration, attempted).with_hint("name the registry's URL")
            });
            if backoff.attempt() + 1 >= ROUNDS || error.kind() != ErrorKind::Connection {
                return Err(error);
            }
            let delay = backoff.next_delay();
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(error = %error, ?cause, attempt = backoff.attempt(), ?delay, "the schema registry does not answer; trying again");
            tokio::time::sleep(delay).await;
        }
    }

    async fn ask_one<T: for<'de> Deserialize<'de>>(
        &self,
        url: &str,
        path: &str,
        body: Option<&Value>,
        attempted: &str,
    ) -> Result<T, Error> {
        let shown = shown(url);
        let attempted = || format!("{attempted} at {shown}");
        let address = format!("{url}/{path}");
        let mut request = match body {
            Some(body) => self.http.post(&address).body(body.to_string()),
            None => self.http.get(&address),
        };
        request = request
            .header("Content-Type", CONTENT_TYPE)
            .header("Accept", CONTENT_TYPE);
        if let Some((user, password)) = &self.config.login {
            request = request.basic_auth(user, Some(password.reveal()));
        }
        // The URL may carry a password: it does not get into the error.
        let unreachable = |error: reqwest::Error| {
            let hint = match (error.is_timeout(), error.is_connect()) {
                (true, true) => {
                    "it took no connection, or took one and fell silent in the TLS handshake: check host, port, http or https, and what is between"
                }
                (true, false) => {
                    "it took the connection and did not answer in time: check that this is the schema registry, and that it is well"
                }
                (false, _) => {
                    "check that the schema registry runs, its URL, and for https the truststore"
                }
            };
            Error::new(ErrorKind::Connection, attempted())
                .with_hint(hint)
                .with_source(error.without_url())
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let mut answer = answer;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(Error::new(ErrorKind::Configuration, attempted())
                    .with_source(format!("its answer is longer than {LARGEST_ANSWER} bytes"))
                    .with_hint("check the registry's URL: no schema registry answers so much"));
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            return Err(refused(
                attempted(),
                self.config.registration,
                status.as_u16(),
                &body,
            ));
        }
        serde_json::from_slice(&body).map_err(|error| {
            Error::new(ErrorKind::Configuration, attempted())
                .with_hint("check the registry's URL: its answer is not that of Confluent's API")
                .with_source(error)
        })
    }
}

fn tls_config(
    config: &RegistryConfig,
) -> Result<ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
    let roots = match &config.truststore {
        Some(path) => tls::root_store(path)?,
        None => tls::system_root_store()?,
    };
    let builder = ClientConfig::builder_with_provider(tls::crypto_provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(match &config.keystore {
        None => builder.with_no_client_auth(),
        Some((path, password)) => builder.with_client_auth_cert(
            tls::certificates(path)?,
            tls::private_key(path, password.as_ref())?,
        )?,
    })
}

/// A URL without the user and password it may carry.
fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest
                .split_once('/')
                .map_or((rest, String::new()), |it| (it.0, format!("/{}", it.1)));
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

/// Whether two schemas describe the same bytes: they may differ in documentation and in properties that Avro does not
/// know, not in types, names or order.
fn same_binary(one: &str, other: &str) -> bool {
    let parse = |text| serde_json::from_str::<Value>(text).ok().map(structure);
    match (parse(one), parse(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

fn structure(schema: Value) -> Value {
    const KEPT: [&str; 8] = [
        "type",
        "name",
        "namespace",
        "fields",
        "items",
        "values",
        "symbols",
        "size",
    ];
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other JSON values are alike here"
    )]
    match schema {
        Value::Object(members) => {
            let mut kept: serde_json::Map<String, Value> = members
                .into_iter()
                .filter(|(name, _)| KEPT.contains(&name.as_str()))
                .map(|(name, value)| (name, structure(value)))
                .collect();
            match (kept.len(), kept.remove("type")) {
                // `{"type":"string"}` is `"string"`.
                (1, Some(kind)) => kind,
                (_, Some(kind)) => {
                    kept.insert("type".to_owned(), kind);
                    Value::Object(kept)
                }
                (_, None) => Value::Object(kept),
            }
        }
        Value::Array(items) => Value::Array(items.into_iter().map(structure).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_in_urls_are_not_shown() {
        for (url, expected) in [
            ("http://u:p@r:8081/x", "http://r:8081/x"),
            ("https://r", "https://r"),
            ("http://u:p@r", "http://r"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    fn config(url: &str) -> RegistryConfig {
        RegistryConfig {
            urls: vec![url.to_owned()],
            login: None,
            truststore: None,
            keystore: None,
            registration: Registration::Register,
            normalize: false,
            strategy: connector::SubjectNameStrategy::Topic,
            connect_meta_data: true,
        }
    }

    /// A listener that takes connections and never answers.
    #[tokio::test]
    async fn a_registry_that_falls_silent_is_given_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok(connection) = listener.accept().await {
                held.push(connection);
            }
        });
        let ask = |scheme: &'static str, said: &'static str| async move {
            let url = format!("{scheme}://u:hunter2@{address}");
            let registry = Registry::new(config(&url)).unwrap();
            let asked = registry.ask_one::<Registered>(&url, "subjects", None, "ask for subjects");
            let asked = tokio::time::timeout(Duration::from_secs(40), asked).await;
            let error = asked.expect("an end").err().expect("an error");
            let text = service::render_error(&error, Some(error.hint()));
            assert_eq!(error.kind(), ErrorKind::Connection, "{text}");
            assert!(
                text.contains(&address.to_string()) && text.contains(said),
                "{text}"
            );
            assert!(!text.contains("hunter2"), "{text}");
        };
        tokio::join!(
            ask("https", "in the TLS handshake"),
            ask("http", "did not answer in time")
        );
    }

    /// The server counts what was taken from it: the memory is not measured.
    #[tokio::test]
    async fn an_answer_without_end_is_given_up() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            let mut sent = 0_usize;
            // More than sockets hold, less than a machine has.
            while sent < 256 << 20 && stream.write_all(&[b' '; 1 << 16]).await.is_ok() {
                sent += 1 << 16;
            }
            sent
        });
        let registry = Registry::new(config(&url)).unwrap();
        let asked = registry.ask_one::<Registered>(&url, "subjects", None, "ask for subjects");
        let error = asked.await.err().expect("an error");
        drop(registry);
        let text = service::render_error(&error, Some(error.hint()));
        assert!(text.contains("longer than 4194304 bytes"), "{text}");
        let sent = server.await.unwrap();
        assert!(sent < 64 << 20, "{sent}");
    }

    #[test]
    fn properties_do_not_make_another_schema() {
        let ours = r#"{"type":"record","name":"K","fields":[{"name":"a","type":{"type":"int","connect.default":0},"default":0}],"connect.name":"K"}"#;
        let same = r#"{"name":"K","type":"record","doc":"x","fields":[{"name":"a","type":"int"}]}"#;
        let other = r#"{"name":"K","type":"record","fields":[{"name":"a","type":"long"}]}"#;
        assert!(same_binary(ours, same));
        assert!(!same_binary(ours, other));
        assert!(!same_binary(ours, "nonsense"));
    }
}
