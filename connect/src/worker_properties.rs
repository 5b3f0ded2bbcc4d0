//! A worker's properties by Kafka Connect's names, as in `connect-distributed.properties` or in the `CONNECT_*` variables
//! of its images.

use std::{
    collections::BTreeMap,
    net::{SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
    str::FromStr,
};

use super::{WorkerConfig, basic_auth::BasicAuth, rest::RestTls};
use cdc::{Error, ErrorKind};
use connector::{Providers, holds_secret, librdkafka_settings};

/// `CONNECT_X_Y` is the property `x.y`; two underscores are one, three a hyphen.
pub fn property_of_variable(variable: &str) -> Option<String> {
    let words = variable
        .strip_prefix("CONNECT_")
        .filter(|words| !words.is_empty())?;
    // Settings of the images' own start script.
    if words.starts_with("LOG4J") || words.starts_with("KAFKA_HEAP") {
        return None;
    }
    let name = words.to_ascii_lowercase();
    let name = name.replace("___", "-").replace("__", "\u{1}");
    Some(name.replace('_', ".").replace('\u{1}', "_"))
}

/// What is read one by one, with everything that is wrong with it.
struct Properties<'a> {
    all: &'a BTreeMap<String, String>,
    problems: Vec<String>,
}

impl<'a> Properties<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.all
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn problem(&mut self, name: &str, rule: impl std::fmt::Display) {
        let value = self
            .text(name)
            .filter(|value| !holds_secret(name, value))
            .unwrap_or("****");
        self.problems.push(format!("`{name}` is `{value}`: {rule}"));
    }

    fn parsed<T: FromStr>(&mut self, name: &str, rule: &str) -> Option<T> {
        let value = self.text(name)?.parse().ok();
        if value.is_none() {
            self.problem(name, rule);
        }
        value
    }
}

impl WorkerConfig {
    /// Take over the properties; those without an effect are named in the log.
    ///
    /// # Errors
    /// Everything that cannot be used, in one message.
    pub fn apply(&mut self, properties: &BTreeMap<String, String>) -> Result<(), Error> {
        let mut read = Properties {
            all: properties,
            problems: Vec::new(),
        };
        self.topics(&mut read);
        self.creation(&mut read);
        self.rest(&mut read);
        self.kafka(&mut read);
        let mut cause = None;
        match Providers::from_worker(properties) {
            Ok(providers) => self.providers = providers,
            Err(error) => cause = Some(error),
        }
        for name in properties.keys().filter(|name| !is_used(name)) {
            tracing::info!(property = %name, "a worker property of Kafka Connect has no effect");
        }
        match cause {
            Some(error) if read.problems.is_empty() => Err(error.into_kind()),
            Some(error) => {
                read.problems
                    .push(service::render_error(&error, Some(error.hint())));
                Err(refused(&read.problems))
            }
            None if read.problems.is_empty() => Ok(()),
            None => Err(refused(&read.problems)),
        }
    }

    fn topics(&mut self, read: &mut Properties<'_>) {
        for (name, field) in [
            ("bootstrap.servers", &mut self.bootstrap_servers),
            ("group.id", &mut self.group_id),
            ("config.storage.topic", &mut self.config_topic),
            ("offset.storage.topic", &mut self.offset_topic),
            ("status.storage.topic", &mut self.status_topic),
        ] {
            if let Some(value) = read.text(name) {
                value.clone_into(field);
            }
        }
        for (name, field) in [
            ("offset.storage.partitions", &mut self.offset_partitions),
            ("status.storage.partitions", &mut self.status_partitions),
        ] {
            if let Some(partitions) = read.parsed(name, "want a number of partitions") {
                *field = partitions;
            }
        }
        for name in ["config", "offset", "status"] {
            let name = format!("{name}.storage.replication.factor");
            if let Some(factor) = read.parsed(
                &name,
                "want a number of replicas, or -1 for the broker's default",
            ) {
                self.replication_factor = factor;
            }
        }
    }

    fn creation(&mut self, read: &mut Properties<'_>) {
        if let Some(enabled) = read.parsed("topic.creation.enable", "want true or false") {
            self.creates_topics = enabled;
        }
    }

    fn rest(&mut self, read: &mut Properties<'_>) {
        let mut scheme = "http";
        let mut host = read.text("rest.host.name").unwrap_or_default().to_owned();
        let mut port = read.parsed::<u16>("rest.port", "want a port");
        if let Some(listener) = read.text("listeners") {
            match listener_address(listener) {
                Some((its_scheme, its_host, its_port)) => {
                    scheme = its_scheme;
                    // `http://:8083` is every address.
                    host = if its_host.is_empty() {
                        "0.0.0.0"
                    } else {
                        its_host
                    }
                    .to_owned();
                    port = Some(its_port);
                }
                None => read.problem(
                    "listeners",
                    "want one listener, http://host:port or https://host:port",
                ),
            }
        }
        if !host.is_empty() || port.is_some() {
            let host = if host.is_empty() {
                self.rest_listen.ip().to_string()
            } else {
                host
            };
            match socket_address(&host, port.unwrap_or(self.rest_listen.port())) {
                Ok(address) => self.rest_listen = address,
                Err(error) => {
                    let name = if read.text("listeners").is_some() {
                        "listeners"
                    } else {
                        "rest.host.name"
                    };
                    read.problem(name, error);
                }
            }
        }
        let advertised_port = read.parsed::<u16>("rest.advertised.port", "want a port");
        if let Some(host) = read.text("rest.advertised.host.name") {
            let port = advertised_port.unwrap_or(self.rest_listen.port());
            self.advertised = Some(format!("{host}:{port}"));
        }
        if let Some(show) = read.parsed("rest.show.passwords", "want true or false") {
            self.show_secrets = show;
        }
        if let Some(hosts) = read.text("rest.allowed.hosts") {
            let hosts = hosts.split(',').map(|host| host.trim().to_owned());
            self.allowed_hosts.extend(hosts);
        }
        self.rest_auth(read);
        self.rest_tls(read, scheme == "https");
    }

    fn rest_auth(&mut self, read: &mut Properties<'_>) {
        let user = read.text("rest.basic.auth.user");
        // A blank at either end belongs to a password.
        let password = read.all.get("rest.basic.auth.password").map(String::as_str);
        let password = password.filter(|password| !password.is_empty());
        let file = read.text("rest.basic.auth.file");
        match (user, password, file) {
            (None, None, None) => {}
            (Some(user), Some(password), None) => {
                self.rest_auth = Some(BasicAuth::of(user, password));
            }
            (None, None, Some(file)) => match BasicAuth::from_file(&PathBuf::from(file)) {
                Ok(auth) => self.rest_auth = Some(auth),
                Err(error) => read.problem("rest.basic.auth.file", error),
            },
            _ => read.problem(
                "rest.basic.auth.user",
                "want rest.basic.auth.user with rest.basic.auth.password, or rest.basic.auth.file alone",
            ),
        }
        let extensions = read.text("rest.extension.classes").unwrap_or_default();
        for class in extensions
            .split(',')
            .map(str::trim)
            .filter(|class| !class.is_empty())
        {
            if class.starts_with("io.debezium.kcrestextension.") {
                tracing::info!(class, "Debezium's REST extension has no effect");
            } else if !class.ends_with("BasicAuthSecurityRestExtension") {
                read.problem("rest.extension.classes", "Java classes cannot be loaded");
            } else if self.rest_auth.is_none() {
                read.problem(
                    "rest.extension.classes",
                    "name the users by rest.basic.auth.user and rest.basic.auth.password, or by rest.basic.auth.file (lines of `user: password`); JAAS files are not read",
                );
            }
        }
    }

    fn rest_tls(&mut self, read: &mut Properties<'_>, https: bool) {
        let pem = |read: &Properties<'_>, store: &str| {
            let name = format!("listeners.https.ssl.{store}.location");
            read.text(&name)
                .map(|location| (name, PathBuf::from(location)))
        };
        let mut certificate = read.text("rest.tls.certificate").map(PathBuf::from);
        let mut key = read.text("rest.tls.key").map(PathBuf::from);
        let mut client_ca = read.text("rest.tls.client.ca").map(PathBuf::from);
        for store in ["keystore", "truststore"] {
            let Some((name, location)) = pem(read, store) else {
                continue;
            };
            let kind = read.text(&format!("listeners.https.ssl.{store}.type"));
            if kind.is_none_or(|kind| !kind.eq_ignore_ascii_case("PEM")) {
                read.problem(&name, format!("Java's key stores are not read: set listeners.https.ssl.{store}.type=PEM and name a PEM file"));
            } else if store == "keystore" {
                certificate.get_or_insert_with(|| location.clone());
                key.get_or_insert(location);
            } else if read.text("listeners.https.ssl.client.auth") == Some("required") {
                client_ca.get_or_insert(location);
            }
        }
        match (certificate, key) {
            (Some(certificate), Some(key)) => {
                self.rest_tls = Some(RestTls {
                    certificate,
                    key,
                    client_ca,
                });
            }
            (None, None) if https => {
                read.problem(
                    "listeners",
                    "https wants rest.tls.certificate and rest.tls.key",
                );
            }
            (None, None) => {}
            (Some(_), None) => read.problem("rest.tls.certificate", "rest.tls.key is missing"),
            (None, Some(_)) => read.problem("rest.tls.key", "rest.tls.certificate is missing"),
        }
    }

    fn kafka(&mut self, read: &mut Properties<'_>) {
        let mut producer = BTreeMap::new();
        for (name, value) in read.all {
            if is_client_security(name) {
                self.kafka_overrides.insert(name.clone(), value.clone());
            } else if is_converter(name) {
                self.converter_defaults.insert(name.clone(), value.clone());
            } else if let Some(setting) = name.strip_prefix("producer.")
                && !DELIVERY.contains(&setting)
            {
                producer.insert(setting.to_owned(), value.clone());
                let name = format!("producer.override.{setting}");
                self.converter_defaults.insert(name, value.clone());
            }
        }
        // Else every connector would be refused for what it did not say.
        if let Err(error) = librdkafka_settings(&producer) {
            read.problem(&format!("producer.{}", error.setting), error.reason);
        }
    }
}

/// Producer settings that `delivery.guarantee` decides.
const DELIVERY: [&str; 8] = [
    "bootstrap.servers",
    "acks",
    "delivery.timeout.ms",
    "transaction.timeout.ms",
    "enable.idempotence",
    "transactional.id",
    "retries",
    "max.in.flight.requests.per.connection",
];

fn is_client_security(name: &str) -> bool {
    name == "security.protocol" || name.starts_with("sasl.") || name.starts_with("ssl.")
}

fn is_converter(name: &str) -> bool {
    ["key.converter", "value.converter", "header.converter"]
        .iter()
        .any(|converter| name.starts_with(converter))
}

fn is_used(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "bootstrap.servers",
        "group.id",
        "listeners",
        "rest.host.name",
        "rest.port",
        "rest.advertised.host.name",
        "rest.advertised.port",
        "rest.show.passwords",
        "rest.allowed.hosts",
        "rest.extension.classes",
        "offset.storage.partitions",
        "status.storage.partitions",
        "config.providers",
        "topic.creation.enable",
    ];
    let storage = ["config", "offset", "status"].iter().any(|store| {
        name.strip_prefix(store)
            .is_some_and(|rest| [".storage.topic", ".storage.replication.factor"].contains(&rest))
    });
    NAMES.contains(&name)
        || storage
        || is_client_security(name)
        || is_converter(name)
        || name
            .strip_prefix("producer.")
            .is_some_and(|name| !DELIVERY.contains(&name))
        || [
            "config.providers.",
            "rest.basic.auth.",
            "rest.tls.",
            "listeners.https.ssl.",
        ]
        .iter()
        .any(|beginning| name.starts_with(beginning))
}

/// Scheme, host and port of a `listeners` with one entry.
fn listener_address(listener: &str) -> Option<(&str, &str, u16)> {
    let (scheme, rest) = listener.split_once("://")?;
    let (host, port) = rest.trim_end_matches('/').rsplit_once(':')?;
    let scheme = ["http", "https"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(scheme))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.contains(',')).then_some((scheme, host, port.parse().ok()?))
}

fn socket_address(host: &str, port: u16) -> Result<SocketAddr, String> {
    let mut found = (host, port)
        .to_socket_addrs()
        .map_err(|error| format!("`{host}` is no address of this machine: {error}"))?;
    found
        .next()
        .ok_or_else(|| format!("`{host}` has no address"))
}

fn refused(problems: &[String]) -> Error {
    Error::new(ErrorKind::Configuration, "read the worker's properties")
        .with_source(problems.join("\n"))
}

#[cfg(test)]
#[path = "worker_properties_tests.rs"]
mod tests;
