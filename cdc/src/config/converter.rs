//! The converters of keys, values and headers, by the names of their Java classes.

use std::{fmt, path::PathBuf};

use debezium::{ContractSettings, DecimalFormat, Format, HeaderFormat};
use service::{Secret, without_passwords};

use super::{cloud_events::cloud_events, reader::Reader};

const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
const SIMPLE_HEADER: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
const CONFLUENT_AVRO: &str = "io.confluent.connect.avro.AvroConverter";
const APICURIO_AVRO: &str = "io.apicurio.registry.utils.converter.AvroConverter";
const CLOUD_EVENTS: &str = "io.debezium.converters.CloudEventsConverter";

/// The converters of keys and values that there are.
pub const CONVERTERS: [&str; 5] = [APICURIO_AVRO, CONFLUENT_AVRO, CLOUD_EVENTS, JSON, STRING];
/// The converters of headers.
pub const HEADER_CONVERTERS: [&str; 4] = [BYTES, JSON, SIMPLE_HEADER, STRING];

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

/// Reads the converters into the contract; what they need beside it is the answer.
pub(super) fn converters(reader: &mut Reader<'_>, contract: &mut ContractSettings) -> Registries {
    let key = converter(reader, "key");
    let value = converter(reader, "value");
    contract.key_format = key.format;
    contract.value_format = value.format;
    contract.key_schemas_enable = key.schemas;
    contract.value_schemas_enable = value.schemas;
    contract.header_format = header(reader);
    contract.decimal_format = value.decimal_format;
    contract.key_decimal_format = key.decimal_format;
    contract.replace_null_with_default = value.default_for_null;
    contract.key_replace_null_with_default = key.default_for_null;
    contract.cloud_events_extensions = value.extensions;
    Registries {
        key: key.registry,
        value: value.registry,
    }
}

/// What one converter is.
struct Converter {
    format: Format,
    schemas: bool,
    registry: Option<RegistryConfig>,
    decimal_format: DecimalFormat,
    /// Whether a null shows the column's default.
    default_for_null: bool,
    /// Of cloud events.
    extensions: bool,
}

fn converter(reader: &mut Reader<'_>, part: &'static str) -> Converter {
    let property = format!("{part}.converter");
    let below = |name: &str| format!("{property}.{name}");
    let class = reader.text(&property).map_or(JSON, full_name);
    let mut found = Converter {
        format: Format::Json,
        schemas: reader.boolean(&below("schemas.enable"), true),
        registry: None,
        decimal_format: DecimalFormat::Base64,
        default_for_null: true,
        extensions: true,
    };
    match class {
        JSON => json(reader, &property, &mut found),
        STRING => found.format = Format::Text,
        CONFLUENT_AVRO | APICURIO_AVRO => {
            found.format = Format::Avro;
            found.default_for_null = !reader.boolean(&below("ignore.default.for.nullables"), false);
            found.registry = Some(if class == CONFLUENT_AVRO {
                confluent(reader, part)
            } else {
                apicurio(reader, &property)
            });
        }
        CLOUD_EVENTS if part == "value" => {
            found.format = Format::CloudEvents;
            json(reader, &below("json"), &mut found);
            found.extensions = cloud_events(reader, &property);
        }
        _ if let Some(taken) = single_value(class) => reader.problem(
            &property,
            format!("keys and values are structs and the converter takes {taken} only: it needs a transform that leaves one such field, which is not available yet"),
        ),
        _ => {
            let mut known = vec![JSON, CONFLUENT_AVRO, APICURIO_AVRO, STRING];
            if part == "value" {
                known.push(CLOUD_EVENTS);
            }
            reader.problem(
                &property,
                format!("the converter is not available: one of {}", known.join(", ")),
            );
        }
    }
    found
}

/// What `JsonConverter` reads below `prefix`.
fn json(reader: &mut Reader<'_>, prefix: &str, found: &mut Converter) {
    let below = |name: &str| format!("{prefix}.{name}");
    found.schemas = reader.boolean(&below("schemas.enable"), true);
    found.decimal_format = decimal_format(reader, &below("decimal.format"));
    found.default_for_null = reader.boolean(&below("replace.null.with.default"), true);
}

fn decimal_format(reader: &mut Reader<'_>, property: &str) -> DecimalFormat {
    let formats = [
        ("BASE64", DecimalFormat::Base64),
        ("NUMERIC", DecimalFormat::Numeric),
    ];
    reader.choice(property, DecimalFormat::Base64, &formats)
}

/// The class that a name stands for: Kafka Connect knows classes also by their simple names, whole or without
/// `Converter`. An `AvroConverter` could be either of two.
fn full_name(name: &str) -> &str {
    let has_simple_name = |class: &&str| {
        let simple = class.rsplit('.').next().unwrap_or_default();
        name == simple || simple.strip_suffix("Converter") == Some(name)
    };
    let known = [JSON, STRING, BYTES, SIMPLE_HEADER, CLOUD_EVENTS];
    known.into_iter().find(has_simple_name).unwrap_or(name)
}

/// What a converter takes that has no place for a struct.
fn single_value(class: &str) -> Option<&'static str> {
    Some(
        match class.strip_prefix("org.apache.kafka.connect.converters.")? {
            "ByteArrayConverter" => "bytes",
            "BooleanConverter" => "booleans",
            "ShortConverter" | "IntegerConverter" | "LongConverter" => "integers",
            "FloatConverter" | "DoubleConverter" => "floating-point numbers",
            _ => return None,
        },
    )
}

fn header(reader: &mut Reader<'_>) -> HeaderFormat {
    const PROPERTY: &str = "header.converter";
    let available = format!("{SIMPLE_HEADER}, {JSON}, {STRING}, {BYTES}");
    let rule = match reader.text(PROPERTY).map(full_name) {
        None | Some(SIMPLE_HEADER) => return HeaderFormat::Simple,
        Some(JSON) => {
            return HeaderFormat::Json {
                schemas: reader.boolean("header.converter.schemas.enable", true),
                decimal_format: decimal_format(reader, "header.converter.decimal.format"),
            };
        }
        Some(STRING) => return HeaderFormat::Text,
        Some(BYTES) => return HeaderFormat::Bytes,
        Some(class) => match single_value(class) {
            Some(taken) => format!(
                "headers are structs and text and the converter takes {taken} only: one of {available}"
            ),
            None => format!("the converter is not available: one of {available}"),
        },
    };
    reader.problem(PROPERTY, rule);
    HeaderFormat::Simple
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
        reqwest::Url::parse(url)
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

fn confluent(reader: &mut Reader<'_>, part: &str) -> RegistryConfig {
    let below = |name: &str| format!("{part}.converter.{name}");
    let urls = urls(reader, &below("schema.registry.url"));
    let source = below("basic.auth.credentials.source");
    let user_info = |reader: &mut Reader<'_>| {
        let names = [
            below("basic.auth.user.info"),
            below("schema.registry.basic.auth.user.info"),
        ];
        let found = names.iter().find_map(|name| reader.text(name));
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
    let auto = reader.boolean(&below("auto.register.schemas"), true);
    let latest = reader.boolean(&below("use.latest.version"), false);
    RegistryConfig {
        urls,
        login,
        truststore: store(reader, &below("schema.registry.ssl.truststore")),
        keystore: store(reader, &below("schema.registry.ssl.keystore")).map(|file| {
            let password = reader.text(&below("schema.registry.ssl.key.password"));
            (file, password.map(Secret::new))
        }),
        registration: match (auto, latest) {
            (true, _) => Registration::Register,
            (false, true) => Registration::Latest,
            (false, false) => Registration::Lookup,
        },
        normalize: reader.boolean(&below("normalize.schemas"), false),
        strategy: strategy(reader, &below(&format!("{part}.subject.name.strategy"))),
        connect_meta_data: reader.boolean(&below("connect.meta.data"), true),
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
fn apicurio(reader: &mut Reader<'_>, converter: &str) -> RegistryConfig {
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
    if !reader.boolean(&below("as-confluent"), false) {
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
    if reader.boolean(&below("headers.enabled"), false) {
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
        let password = reader.text(&below("auth.password")).unwrap_or_default();
        (user.to_owned(), Secret::new(password))
    });
    let auto = reader.boolean(&below("auto-register"), false);
    let latest = reader.boolean(&below("find-latest"), false);
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
        connect_meta_data: reader.boolean(&format!("{converter}.connect.meta.data"), true),
    }
}

/// Confluent's face of the registry whose own one is given.
fn apicurio_face(url: &str) -> Option<String> {
    const CCOMPAT: &str = "/apis/ccompat/v7";
    match url.split_once("/apis/") {
        Some((base, "registry/v2")) => Some(format!("{base}{CCOMPAT}")),
        Some((_, "ccompat/v6" | "ccompat/v7")) => Some(url.to_owned()),
        Some(_) => None,
        None => reqwest::Url::parse(url)
            .is_ok_and(|parsed| parsed.path() == "/")
            .then(|| format!("{url}{CCOMPAT}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_short_names() {
        for (name, class) in [
            (JSON, JSON),
            ("JsonConverter", JSON),
            ("Json", JSON),
            ("StringConverter", STRING),
            ("SimpleHeaderConverter", SIMPLE_HEADER),
            ("CloudEvents", CLOUD_EVENTS),
            ("AvroConverter", "AvroConverter"),
            ("", ""),
        ] {
            assert_eq!(full_name(name), class);
        }
    }

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
