//! What can be named in a connector's settings beside the connector itself: transforms and converters, and what each of
//! them can be told.

use serde_json::{Value, json};

use super::{CONNECT_VERSION, PLUGIN_VERSION};
use connector::{
    APICURIO_AVRO, CONFLUENT_AVRO, CONNECTOR_CLASS, CONVERTERS, HEADER_CONVERTERS, REGEX_ROUTER,
};

/// One class, as Kafka Connect lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plugin {
    pub(super) class: &'static str,
    /// `source`, `transformation`, `converter` or `header_converter`.
    kind: &'static str,
}

/// The transforms that there are.
const TRANSFORMS: [&str; 1] = [REGEX_ROUTER];

/// All of them, connectors first, in Kafka Connect's order: by kind, then by name.
pub(super) fn plugins() -> Vec<Plugin> {
    let of_kind = |classes: &'static [&'static str], kind| {
        classes.iter().map(move |class| Plugin { class, kind })
    };
    of_kind(&[CONNECTOR_CLASS], "source")
        .chain(of_kind(&TRANSFORMS, "transformation"))
        .chain(of_kind(&CONVERTERS, "converter"))
        .chain(of_kind(&HEADER_CONVERTERS, "header_converter"))
        .collect()
}

/// The one with this class name, its simple name, or that without its kind (`JsonConverter`, `Json`).
pub(super) fn find(name: &str) -> Option<Plugin> {
    plugins().into_iter().find(|plugin| {
        let simple = plugin.class.rsplit('.').next().unwrap_or_default();
        let short = simple.strip_suffix("Converter").unwrap_or(simple);
        // Connectors have more names, and their own definitions.
        plugin.kind != "source" && [plugin.class, simple, short].contains(&name)
    })
}

impl Plugin {
    pub(super) const fn is_connector(self) -> bool {
        matches!(self.kind.as_bytes(), b"source")
    }

    /// As an entry of the list. A class that says no version is listed without one.
    pub(super) fn body(self) -> Value {
        let mut body = json!({"class": self.class, "type": self.kind});
        let version = if self.class.starts_with("io.debezium.") {
            Some(PLUGIN_VERSION)
        } else if self.class.starts_with("org.apache.kafka.") {
            Some(CONNECT_VERSION)
        } else {
            None
        };
        if let (Some(version), Some(body)) = (version, body.as_object_mut()) {
            body.insert("version".to_owned(), Value::from(version));
        }
        body
    }

    /// What it can be told, as definitions of a form.
    pub(super) fn settings(self) -> Vec<Value> {
        let class = self.class.rsplit('.').next().unwrap_or_default();
        SETTINGS
            .iter()
            .filter(|setting| {
                setting
                    .of
                    .split(' ')
                    .any(|of| [class, self.class].contains(&of))
            })
            .map(Setting::body)
            .collect()
    }
}

/// A setting of a transform or a converter, without the prefix that a connector's settings give it.
struct Setting {
    /// The classes that have it, by their simple names where these say enough.
    of: &'static str,
    name: &'static str,
    kind: &'static str,
    /// None: it has to be given, or there is none.
    default: Option<&'static str>,
    required: bool,
    importance: &'static str,
    documentation: &'static str,
    /// Group, name and place in a form, where it has them.
    shown: Option<(&'static str, &'static str, u32)>,
}

const fn setting(
    of: &'static str,
    name: &'static str,
    kind: &'static str,
    default: Option<&'static str>,
    importance: &'static str,
    documentation: &'static str,
) -> Setting {
    Setting {
        of,
        name,
        kind,
        default,
        required: false,
        importance,
        documentation,
        shown: None,
    }
}

impl Setting {
    const fn shown(mut self, group: &'static str, name: &'static str, order: u32) -> Self {
        self.shown = Some((group, name, order));
        self
    }
}

const SETTINGS: [Setting; 17] = [
    Setting {
        required: true,
        ..setting(
            "RegexRouter",
            "regex",
            "STRING",
            None,
            "HIGH",
            "Regular expression that a topic's whole name must match.",
        )
    },
    Setting {
        required: true,
        ..setting(
            "RegexRouter",
            "replacement",
            "STRING",
            None,
            "HIGH",
            "The new name; $1 stands for the first group.",
        )
    },
    Setting {
        required: true,
        ..setting(
            "JsonConverter StringConverter",
            "converter.type",
            "STRING",
            None,
            "LOW",
            "Whether it converts a key, a value or a header. Kafka Connect sets it itself.",
        )
    },
    setting(
        "JsonConverter",
        "schemas.enable",
        "BOOLEAN",
        Some("true"),
        "HIGH",
        "Each key and value comes with its schema.",
    )
    .shown("Schemas", "Enable Schemas", 0),
    setting(
        "JsonConverter",
        "schemas.cache.size",
        "INT",
        Some("1000"),
        "HIGH",
        "Schemas that are remembered. It has no effect: a schema is made once for each version of a table.",
    )
    .shown("Schemas", "Schema Cache Size", 1),
    setting(
        "JsonConverter",
        "decimal.format",
        "STRING",
        Some("BASE64"),
        "LOW",
        "Decimals as BASE64 of their bytes, or NUMERIC.",
    )
    .shown("Serialization", "Decimal Format", 0),
    setting(
        "JsonConverter",
        "replace.null.with.default",
        "BOOLEAN",
        Some("true"),
        "LOW",
        "A null whose column has a default shows the default.",
    )
    .shown("Serialization", "Replace null with default", 1),
    setting(
        "CloudEventsConverter",
        "serializer.type",
        "STRING",
        Some("json"),
        "HIGH",
        "How the event is written: json.",
    ),
    setting(
        "CloudEventsConverter",
        "data.serializer.type",
        "STRING",
        Some("json"),
        "HIGH",
        "How the event's data are written: json.",
    ),
    setting(
        CONFLUENT_AVRO,
        "schema.registry.url",
        "LIST",
        None,
        "HIGH",
        "URLs of a schema registry that speaks Confluent's API.",
    ),
    setting(
        CONFLUENT_AVRO,
        "auto.register.schemas",
        "BOOLEAN",
        Some("true"),
        "MEDIUM",
        "Schemas that the registry does not know are registered.",
    ),
    setting(
        CONFLUENT_AVRO,
        "use.latest.version",
        "BOOLEAN",
        Some("false"),
        "LOW",
        "Without registration: the subject's newest schema is used.",
    ),
    setting(
        CONFLUENT_AVRO,
        "basic.auth.user.info",
        "PASSWORD",
        None,
        "MEDIUM",
        "user:password, with basic.auth.credentials.source=USER_INFO.",
    ),
    setting(
        APICURIO_AVRO,
        "apicurio.registry.url",
        "STRING",
        None,
        "HIGH",
        "The registry, with /apis/registry/v2 at the end.",
    ),
    setting(
        APICURIO_AVRO,
        "apicurio.registry.as-confluent",
        "BOOLEAN",
        Some("false"),
        "HIGH",
        "Confluent's wire format; it must be true here.",
    ),
    setting(
        APICURIO_AVRO,
        "apicurio.registry.use-id",
        "STRING",
        None,
        "HIGH",
        "Which id stands before a value; it must be contentId here.",
    ),
    setting(
        APICURIO_AVRO,
        "apicurio.registry.auto-register",
        "BOOLEAN",
        Some("false"),
        "MEDIUM",
        "Schemas that the registry does not know are registered.",
    ),
];

impl Setting {
    fn body(&self) -> Value {
        let (group, display, width, order) = match self.shown {
            Some((group, display, order)) => (Some(group), display, "MEDIUM", i64::from(order)),
            None => (None, self.name, "NONE", -1),
        };
        json!({
            "name": self.name,
            "type": self.kind,
            "required": self.required,
            "default_value": self.default,
            "importance": self.importance,
            "documentation": self.documentation,
            "group": group,
            "width": width,
            "display_name": display,
            "dependents": [],
            "order": order,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_by_kind_and_name() {
        let all = plugins();
        let kinds = ["source", "transformation", "converter", "header_converter"];
        let place = |plugin: &Plugin| {
            (
                kinds.iter().position(|kind| *kind == plugin.kind),
                plugin.class,
            )
        };
        assert!(all.is_sorted_by_key(place), "{all:?}");
        assert!(all.iter().all(|plugin| kinds.contains(&plugin.kind)));
    }

    #[test]
    fn plugins_have_three_names() {
        for (name, settings) in [
            ("org.apache.kafka.connect.json.JsonConverter", Some(5)),
            ("JsonConverter", Some(5)),
            ("Json", Some(5)),
            ("RegexRouter", Some(2)),
            ("SimpleHeaderConverter", Some(0)),
            ("io.confluent.connect.avro.AvroConverter", Some(4)),
            (
                "io.apicurio.registry.utils.converter.AvroConverter",
                Some(4),
            ),
            ("PostgresConnector", None),
            ("", None),
        ] {
            let found = find(name).map(|plugin| plugin.settings().len());
            assert_eq!(found, settings, "{name}");
        }
    }
}
