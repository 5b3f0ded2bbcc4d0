//! The schema registries of converters, by the properties of Confluent's and of Apicurio's.

use std::{fmt, path::PathBuf};

use service::{Secret, without_passwords};

use super::reader::Reader;

/// Under which subject a schema stands at the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectNameStrategy {
    /// `<topic>-key`, `<topic>-value`.
    #[default]
    Topic,
    /// The record's full name.
    Record,
    /// `<topic>-<record's full name>`.
    TopicRecord,
}

/// How a schema comes to its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Registration {
    /// It is registered where it is not (`auto.register.schemas`).
    #[default]
    Register,
    /// It must be registered already.
    Lookup,
    /// It must be the subject's newest (`use.latest.version`).
    Latest,
}

/// A schema registry that speaks Confluent's REST API.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryConfig {
    /// Tried in turn; without a slash at the end.
    pub urls: Vec<String>,
    /// User and password of basic auth.
    pub login: Option<(String, Secret)>,
    /// Root certificates (PEM); the system's without it.
    pub truststore: Option<PathBuf>,
    /// The client's certificate and its key in one PEM file, and the key's password.
    pub keystore: Option<(PathBuf, Option<Secret>)>,
    pub registration: Registration,
    pub normalize: bool,
    pub strategy: SubjectNameStrategy,
    /// `connect.meta.data`: schemas carry `connect.*` properties.
    pub connect_meta_data: bool,
}

/// A URL may hold a password.
impl fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls: Vec<_> = self.urls.iter().map(|url| without_passwords(url)).collect();
        f.debug_struct("RegistryConfig")
            .field("urls", &urls)
            .field("login", &self.login)
            .field("truststore", &self.truststore)
            .field("keystore", &self.keystore)
            .field("registration", &self.registration)
            .field("strategy", &self.strategy)
            .finish_non_exhaustive()
    }
}

/// The registries of keys and of values, where they are Avro.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registries {
    pub key: Option<RegistryConfig>,
    pub value: Option<RegistryConfig>,
}

impl Registries {
    pub const fn is_empty(&self) -> bool {
        self.key.is_none() && self.value.is_none()
    }
}

/// Registry URLs of a comma-separated list, each without the slash at its end.
fn urls(reader: &mut Reader<'_>, property: &str) -> Vec<String> {
    let list = reader.required(property);
    let urls: Vec<String> = list
        .split(',')
        .map(|url| url.trim().trim_end_matches('/').to_owned())
        .filter(|url| !url.is_empty())
        .collect();
    let fine = |url: &String| {
        url::Url::parse(url)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some())
    };
    if !urls.iter().all(fine) {
        reader.problem(
            property,
            "Value must be http:// or https:// URLs, separated by commas",
        );
    }
    urls
}

pub(super) fn confluent(reader: &mut Reader<'_>, part: &str) -> RegistryConfig {
    let below = |name: &str| format!("{part}.converter.{name}");
    let urls = urls(reader, &below("schema.registry.url"));
    let source = below("basic.auth.credentials.source");
    let user_info = |reader: &mut Reader<'_>| {
        let names = [
            below("basic.auth.user.info"),
            below("schema.registry.basic.auth.user.info"),
        ];
        let found = names.iter().find_map(|name| reader.exact(name));
        match found.and_then(|text| text.split_once(':')) {
            Some((user, password)) => Some((user.to_owned(), Secret::new(password))),
            None => {
                reader.problem(&below("basic.auth.user.info"), "user:password is expected");
                None
            }
        }
    };
    let login = match reader.text(&source) {
        // The URL's own user and password are sent by the HTTP client.
        None | Some("URL") => None,
        Some("USER_INFO") => user_info(reader),
        Some("SASL_INHERIT") => {
            reader.problem(&source, "SASL_INHERIT is not available: URL or USER_INFO");
            None
        }
        Some(_) => {
            reader.problem(&source, "Value must be one of URL, USER_INFO");
            None
        }
    };
    let auto = reader.boolean(&below("auto.register.schemas"));
    let latest = reader.boolean(&below("use.latest.version"));
    RegistryConfig {
        urls,
        login,
        truststore: store(reader, &below("schema.registry.ssl.truststore")),
        keystore: store(reader, &below("schema.registry.ssl.keystore")).map(|file| {
            let password = reader.exact(&below("schema.registry.ssl.key.password"));
            (file, password.map(Secret::new))
        }),
        registration: match (auto, latest) {
            (true, _) => Registration::Register,
            (false, true) => Registration::Latest,
            (false, false) => Registration::Lookup,
        },
        normalize: reader.boolean(&below("normalize.schemas")),
        strategy: strategy(reader, &below(&format!("{part}.subject.name.strategy"))),
        connect_meta_data: reader.boolean(&below("connect.meta.data")),
    }
}

/// `ssl.truststore` or `ssl.keystore`: a PEM file.
fn store(reader: &mut Reader<'_>, prefix: &str) -> Option<PathBuf> {
    let location = reader.text(&format!("{prefix}.location"))?;
    let kind = format!("{prefix}.type");
    if !reader
        .text(&kind)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("PEM"))
    {
        reader.problem(
            &kind,
            "only PEM files are read, and the type must say so: PEM (Java's default is JKS)",
        );
    }
    Some(PathBuf::from(location))
}

fn strategy(reader: &mut Reader<'_>, property: &str) -> SubjectNameStrategy {
    const PACKAGE: &str = "io.confluent.kafka.serializers.subject.";
    match reader
        .text(property)
        .map(|class| class.strip_prefix(PACKAGE).unwrap_or(class))
    {
        None | Some("TopicNameStrategy") => SubjectNameStrategy::Topic,
        Some("RecordNameStrategy") => SubjectNameStrategy::Record,
        Some("TopicRecordNameStrategy") => SubjectNameStrategy::TopicRecord,
        Some(_) => {
            reader.problem(
                property,
                format!("the strategy is not available: TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy of {PACKAGE}"),
            );
            SubjectNameStrategy::Topic
        }
    }
}

/// Apicurio's own names, for the registry's face that speaks Confluent's API. Ids there are content ids.
pub(super) fn apicurio(reader: &mut Reader<'_>, converter: &str) -> RegistryConfig {
    let below = |name: &str| format!("{converter}.apicurio.registry.{name}");
    let url = below("url");
    let urls = urls(reader, &url)
        .iter()
        .map(|text| match apicurio_face(text) {
            Some(face) => face,
            None => {
                reader.problem(
                    &url,
                    "Value must end in /apis/registry/v2 or in /apis/ccompat/v6 or v7",
                );
                String::new()
            }
        })
        .collect();
    if !reader.boolean(&below("as-confluent")) {
        reader.problem(
            &below("as-confluent"),
            "only Confluent's wire format is written: true",
        );
    }
    if reader.text(&below("use-id")) != Some("contentId") {
        reader.problem(
            &below("use-id"),
            "schemas are known by their content ids: contentId",
        );
    }
    if reader.boolean(&below("headers.enabled")) {
        reader.problem(
            &below("headers.enabled"),
            "ids stand before the value, not in headers: false",
        );
    }
    let strategy_name = below("artifact-resolver-strategy");
    let strategy = match reader.text(&strategy_name) {
        None | Some("io.apicurio.registry.serde.strategy.TopicIdStrategy") => {
            SubjectNameStrategy::Topic
        }
        Some("io.apicurio.registry.serde.avro.strategy.TopicRecordIdStrategy") => {
            SubjectNameStrategy::TopicRecord
        }
        Some(_) => {
            reader.problem(
                &strategy_name,
                "the strategy is not available: TopicIdStrategy or TopicRecordIdStrategy",
            );
            SubjectNameStrategy::Topic
        }
    };
    let login = reader.text(&below("auth.username")).map(|user| {
        let password = reader.exact(&below("auth.password")).unwrap_or_default();
        (user.to_owned(), Secret::new(password))
    });
    let auto = reader.boolean(&below("auto-register"));
    let latest = reader.boolean(&below("find-latest"));
    RegistryConfig {
        urls,
        login,
        truststore: store(reader, &below("request.ssl.truststore")),
        keystore: None,
        registration: match (auto, latest) {
            (true, _) => Registration::Register,
            (false, true) => Registration::Latest,
            (false, false) => Registration::Lookup,
        },
        normalize: false,
        strategy,
        connect_meta_data: reader.boolean(&format!("{converter}.connect.meta.data")),
    }
}

/// Confluent's face of the registry whose own one is given.
fn apicurio_face(url: &str) -> Option<String> {
    const CCOMPAT: &str = "/apis/ccompat/v7";
    match url.split_once("/apis/") {
        Some((base, "registry/v2")) => Some(format!("{base}{CCOMPAT}")),
        Some((_, "ccompat/v6" | "ccompat/v7")) => Some(url.to_owned()),
        Some(_) => None,
        None => url::Url::parse(url)
            .is_ok_and(|parsed| parsed.path() == "/")
            .then(|| format!("{url}{CCOMPAT}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apicurios_face_for_confluents_clients() {
        for (url, face) in [
            (
                "http://r:8080/apis/registry/v2",
                Some("http://r:8080/apis/ccompat/v7"),
            ),
            (
                "http://r:8080/apis/ccompat/v6",
                Some("http://r:8080/apis/ccompat/v6"),
            ),
            (
                "https://r/x/apis/registry/v2",
                Some("https://r/x/apis/ccompat/v7"),
            ),
            ("http://r:8080", Some("http://r:8080/apis/ccompat/v7")),
            ("http://r:8080/api", None),
            ("http://r:8080/apis/registry/v3", None),
        ] {
            assert_eq!(apicurio_face(url).as_deref(), face, "{url}");
        }
    }
}
