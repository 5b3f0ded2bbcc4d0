//! Security settings of Kafka's Java client as those of librdkafka.
//!
//! Only settings that are on the list are passed. No error holds a value that may be secret.

use std::{collections::BTreeMap, path::Path};

use super::{
    admitted::{Admission, admission},
    jaas,
};
use crate::read_settings_file;

/// A security setting that cannot be used. Never holds a value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the Kafka setting `{setting}` cannot be used: {reason}")]
pub struct KafkaSettingError {
    /// Its name, as it was given.
    pub setting: String,
    /// What is wrong with it, and what is wanted.
    pub reason: String,
}

/// Settings of Java's security that change nothing here: OpenSSL decides these.
const JAVA_ONLY: [&str; 8] = [
    "sasl.kerberos.service.name",
    "ssl.enabled.protocols",
    "ssl.keymanager.algorithm",
    "ssl.protocol",
    "ssl.provider",
    "ssl.secure.random.implementation",
    "ssl.trustmanager.algorithm",
    "ssl.truststore.password",
];

/// Settings of security that both have, or librdkafka alone, and that hold no name of a file.
const SECURITY: [&str; 9] = [
    "enable.ssl.certificate.verification",
    "sasl.password",
    "sasl.username",
    "ssl.ca.pem",
    "ssl.certificate.pem",
    "ssl.cipher.suites",
    "ssl.curves.list",
    "ssl.key.password",
    "ssl.key.pem",
];

/// Java classes that would decide who is let in.
const JAVA_CLASSES: [&str; 4] = [
    "sasl.client.callback.handler.class",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "ssl.engine.factory.class",
];

/// The settings with those of Kafka's Java client turned into librdkafka's. What is neither of security nor among those
/// that may be passed is refused. Stores of type PEM and a client's PKCS12 are used where they are; JKS is refused with the command that
/// converts it.
///
/// # Errors
/// The first setting that cannot be used, and what to do.
pub fn security_settings(
    settings: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, KafkaSettingError> {
    let each = security_settings_of_each(settings)?;
    Ok(each.into_values().flatten().collect())
}

/// As `security_settings`, with what each setting became by the name that it was given. Files are read once.
///
/// # Errors
/// As `security_settings`.
pub fn security_settings_of_each(
    settings: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, KafkaSettingError> {
    let each = settings
        .iter()
        .map(|(name, value)| Ok((name.clone(), translated(name, value, settings)?)));
    each.collect()
}

/// One of the settings; a store's type stands in another one.
fn translated(
    name: &str,
    value: &str,
    settings: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, KafkaSettingError> {
    let refused = |reason: String| KafkaSettingError {
        setting: name.to_owned(),
        reason,
    };
    let mut translated = BTreeMap::new();
    let mut set = |name: &str, value: String| {
        translated.insert(name.to_owned(), value);
    };
    match name {
        "security.protocol" => {
            let protocol = value.trim().to_ascii_lowercase();
            if !["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"].contains(&protocol.as_str()) {
                return Err(refused(
                    "want PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL".to_owned(),
                ));
            }
            set(name, protocol);
        }
        "sasl.mechanism" | "sasl.mechanisms" => {
            let mechanism = value.trim().to_ascii_uppercase();
            if !["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].contains(&mechanism.as_str()) {
                return Err(refused(format!(
                    "`{mechanism}` is not supported: PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 are"
                )));
            }
            set("sasl.mechanism", mechanism);
        }
        "sasl.jaas.config" => {
            let (user, password) = jaas::login(value).map_err(refused)?;
            set("sasl.username", user);
            set("sasl.password", password);
        }
        "ssl.endpoint.identification.algorithm" => {
            let algorithm = value.trim().to_ascii_lowercase();
            let none = algorithm.is_empty();
            set(name, if none { "none".to_owned() } else { algorithm });
        }
        "ssl.truststore.location" => {
            pem_store(
                value,
                settings.get("ssl.truststore.type"),
                "ssl.truststore.type",
            )
            .map_err(refused)?;
            set("ssl.ca.location", value.to_owned());
        }
        "ssl.truststore.certificates" => set("ssl.ca.pem", rewrapped(value)),
        "ssl.keystore.location" => {
            if is_pkcs12(value, settings.get("ssl.keystore.type")) {
                small_file(value).map_err(refused)?;
                set(name, value.to_owned());
            } else {
                pem_store(value, settings.get("ssl.keystore.type"), "ssl.keystore.type")
                    .map_err(|reason| {
                        refused(format!("{reason}; for a keystore also: keytool -importkeystore -srckeystore {value} -destkeystore client.p12 -deststoretype PKCS12, with ssl.keystore.type=PKCS12"))
                    })?;
                set("ssl.certificate.location", value.to_owned());
                set("ssl.key.location", value.to_owned());
            }
        }
        "ssl.keystore.password" => {
            let store = settings.get("ssl.keystore.location");
            if store.is_some_and(|path| is_pkcs12(path, settings.get("ssl.keystore.type"))) {
                set(name, value.to_owned());
            }
        }
        "ssl.keystore.certificate.chain" => set("ssl.certificate.pem", rewrapped(value)),
        "ssl.keystore.key" => set("ssl.key.pem", rewrapped(value)),
        "ssl.truststore.type" | "ssl.keystore.type" => {}
        java if JAVA_CLASSES.contains(&java) => {
            return Err(refused("Java classes cannot be loaded".to_owned()));
        }
        java if JAVA_ONLY.contains(&java) => {
            tracing::info!(setting = %java, "setting of Kafka's Java client has no effect");
        }
        // A folder of certificates, or `probe` for the usual places.
        "ssl.ca.location" if value == "probe" || Path::new(value).is_dir() => {
            set(name, value.to_owned());
        }
        "ssl.ca.location" | "ssl.certificate.location" | "ssl.key.location" => {
            // A file that is not there does no harm; the settings may be looked at on another machine.
            if Path::new(value).exists() {
                small_file(value).map_err(refused)?;
            }
            set(name, value.to_owned());
        }
        security if SECURITY.contains(&security) => set(name, value.to_owned()),
        other => match admission(other, value) {
            Admission::Passed(librdkafkas) => set(librdkafkas, value.to_owned()),
            Admission::WithoutEffect => {
                tracing::info!(setting = %other, "setting of Kafka's Java client has no effect");
            }
            Admission::Refused(reason) => return Err(refused(reason.to_owned())),
        },
    }
    Ok(translated)
}

fn is_pkcs12(path: &str, kind: Option<&String>) -> bool {
    match kind {
        Some(kind) => kind.eq_ignore_ascii_case("PKCS12"),
        None => path.ends_with(".p12") || path.ends_with(".pfx"),
    }
}

/// What librdkafka will read by itself, without looking at what it is.
fn small_file(path: &str) -> Result<Vec<u8>, String> {
    read_settings_file(Path::new(path)).map_err(|error| format!("read `{path}`: {error}"))
}

/// The magic number at the beginning of a JKS file.
const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

/// Whether a store is PEM: by its type, or where that is not said (Java's default is JKS) by what it holds.
fn pem_store(path: &str, kind: Option<&String>, setting: &str) -> Result<(), String> {
    let bytes = small_file(path)?;
    if memchr::memmem::find(&bytes, b"-----BEGIN ").is_some() {
        return Ok(());
    }
    let found = if bytes.starts_with(&JKS) {
        "JKS".to_owned()
    } else {
        kind.map_or_else(|| "not PEM".to_owned(), |kind| kind.to_uppercase())
    };
    Err(format!(
        "`{path}` is {found}, which is not supported here: convert it with `keytool -list -rfc -keystore {path} > certificates.pem` and set {setting}=PEM"
    ))
}

/// PEM whose lines may have been joined, as Java's properties hold it, with a line for each 64 characters again.
fn rewrapped(pem: &str) -> String {
    let mut text = String::new();
    let mut rest = pem;
    while let Some(section) = next_section(rest) {
        let (label, body, after) = section;
        text.push_str(&format!("-----BEGIN {label}-----\n"));
        let body: Vec<char> = body
            .replace("\\n", "\n")
            .chars()
            .filter(|c| !c.is_whitespace())
            .collect();
        for line in body.chunks(64) {
            text.extend(line);
            text.push('\n');
        }
        text.push_str(&format!("-----END {label}-----\n"));
        rest = after;
    }
    text
}

fn next_section(text: &str) -> Option<(&str, &str, &str)> {
    let (_, begun) = text.split_once("-----BEGIN ")?;
    let (label, body) = begun.split_once("-----")?;
    let end = format!("-----END {label}-----");
    let (body, after) = body.split_once(end.as_str())?;
    Some((label, body, after))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn map(text: &[(&str, &str)]) -> BTreeMap<String, String> {
        text.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn javas_settings_become_librdkafkas() {
        let folder = tempfile::tempdir().expect("a folder");
        let pem = folder.path().join("store.pem");
        fs::write(&pem, "-----BEGIN CERTIFICATE-----\n").expect("written");
        let pem = pem.display().to_string();
        let client = folder.path().join("client.p12");
        fs::write(&client, "0").expect("written");
        let client = client.display().to_string();
        let found = security_settings(&map(&[
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            (
                "sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"u\" password=\"p\";",
            ),
            ("ssl.truststore.location", &pem),
            ("ssl.truststore.type", "PEM"),
            ("ssl.keystore.location", &client),
            ("ssl.keystore.password", "secret"),
            ("ssl.endpoint.identification.algorithm", ""),
            ("ssl.protocol", "TLSv1.3"),
            ("linger.ms", "5"),
        ]));
        let wanted = map(&[
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.username", "u"),
            ("sasl.password", "p"),
            ("ssl.ca.location", &pem),
            ("ssl.keystore.location", &client),
            ("ssl.keystore.password", "secret"),
            ("ssl.endpoint.identification.algorithm", "none"),
            ("linger.ms", "5"),
        ]);
        assert_eq!(found, Ok(wanted));
        let pem_keystore = security_settings(&map(&[("ssl.keystore.location", &pem)]));
        let wanted = map(&[
            ("ssl.certificate.location", &pem),
            ("ssl.key.location", &pem),
        ]);
        assert_eq!(pem_keystore, Ok(wanted));
    }

    #[test]
    fn certificates_on_one_line_are_wrapped_again() {
        let body = "A".repeat(100);
        let line = format!("-----BEGIN CERTIFICATE----- {body} -----END CERTIFICATE-----");
        let found = security_settings(&map(&[("ssl.truststore.certificates", &line)]));
        let wanted = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n{}\n-----END CERTIFICATE-----\n",
            "A".repeat(64),
            "A".repeat(36)
        );
        assert_eq!(found, Ok(map(&[("ssl.ca.pem", &wanted)])));
    }

    /// Each of these loads a library, runs a command, opens a file or is a pointer.
    #[test]
    fn what_runs_code_is_refused() {
        for name in [
            "plugin.library.paths",
            "ssl.providers",
            "ssl.engine.location",
            "ssl.engine.id",
            "ssl_engine_callback_data",
            "sasl.kerberos.kinit.cmd",
            "sasl.kerberos.keytab",
            "sasl.oauthbearer.assertion.private.key.file",
            "sasl.oauthbearer.token.endpoint.url",
            "https.ca.location",
            "ssl.crl.location",
            "debug",
            "log_level",
            "log.queue",
            "log_cb",
            "opaque",
            "interceptors",
            "resolve_cb",
            "open_cb",
            "enabled_events",
            "internal.termination.signal",
            "statistics.interval.ms",
            "topic.blacklist",
            "queuing.strategy",
            "a.setting.of.tomorrow",
        ] {
            let error = security_settings(&map(&[(name, "x")])).expect_err(name);
            assert_eq!(error.setting, name);
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_a_remedy() {
        let folder = tempfile::tempdir().expect("a folder");
        let jks = folder.path().join("trust.jks");
        fs::write(&jks, JKS).expect("written");
        let jks = jks.display().to_string();
        for (name, value, said) in [
            (
                "ssl.truststore.location",
                jks.as_str(),
                "keytool -list -rfc",
            ),
            (
                "ssl.keystore.location",
                jks.as_str(),
                "-deststoretype PKCS12",
            ),
            (
                "ssl.truststore.location",
                "/missing.pem",
                "read `/missing.pem`",
            ),
            ("security.protocol", "TLS", "SASL_SSL"),
            ("sasl.mechanism", "GSSAPI", "SCRAM-SHA-512"),
            (
                "sasl.jaas.config",
                "x required password=\"geheim\";",
                "PlainLoginModule",
            ),
            ("ssl.engine.factory.class", "a.B", "Java classes"),
            ("ssl.ca.location", "/dev/zero", "no regular file"),
            ("ssl.certificate.location", "/dev/zero", "no regular file"),
            ("ssl.key.location", "/dev/zero", "no regular file"),
            ("ssl.truststore.location", "/dev/zero", "no regular file"),
            ("ssl.keystore.location", "/dev/zero", "no regular file"),
            ("transactional.id", "mine", "delivery.guarantee"),
            ("plugin.library.paths", "/tmp/x.so", "docs/security.md"),
        ] {
            let error = security_settings(&map(&[(name, value)])).expect_err("refused");
            assert_eq!(error.setting, name);
            assert!(
                error.reason.contains(said) && !error.reason.contains("geheim"),
                "{error}"
            );
        }
    }
}
