//! One map of properties in every form that a connector's settings may have.

use std::collections::BTreeMap;

use connector::{ConnectorConfig, ConnectorFile, load_connector_file};
use proptest::prelude::*;

use super::Settings;

/// Valid values of properties, of every kind that the forms could mistake: numbers, booleans, quotes, separators,
/// spaces within, what Java or TOML escapes, letters beyond ASCII.
const VALUES: &[(&str, &[&str])] = &[
    ("database.port", &["5432", "6000"]),
    (
        "database.password",
        &["p=a:s#s!w\\o\"r'd", "  inside  ", "ä€🐘"],
    ),
    ("database.sslmode", &["disable", "PREFER"]),
    ("database.tcpKeepAlive", &["true", "false"]),
    (
        "database.initial.statements",
        &["set work_mem = '8MB'; select ';;'"],
    ),
    ("database.query.timeout.ms", &["0", "1000"]),
    ("plugin.name", &["pgoutput", "decoderbufs"]),
    ("slot.name", &["s_1"]),
    ("slot.stream.params", &["origin=none;messages=false"]),
    ("publication.autocreate.mode", &["filtered", "disabled"]),
    (
        "table.include.list",
        &["public\\.a,public\\.b", "public.\"x y\", s.t{1\\,2}"],
    ),
    ("column.exclude.list", &["public\\.a\\.(x|y)"]),
    ("message.key.columns", &["public.a:id,v;(.*).b:id"]),
    ("column.mask.with.12.chars", &["public.a.v"]),
    ("tombstones.on.delete", &["false"]),
    ("skipped.operations", &["none", "c,t"]),
    ("decimal.handling.mode", &["string", "double"]),
    ("time.precision.mode", &["connect"]),
    (
        "unavailable.value.placeholder",
        &["hex:2a,2b", "# no comment", "= : \\u0041 \t|"],
    ),
    ("snapshot.mode", &["no_data", "initial"]),
    ("heartbeat.interval.ms", &["0", "5000"]),
    (
        "heartbeat.action.query",
        &["insert into h values ('a=b', \"c\") -- #1"],
    ),
    ("topic.heartbeat.prefix", &["hb"]),
    ("provide.transaction.metadata", &["true"]),
    ("message.prefix.include.list", &["a.*,b"]),
    (
        "key.converter",
        &["org.apache.kafka.connect.storage.StringConverter"],
    ),
    ("value.converter.schemas.enable", &["false"]),
    ("value.converter.decimal.format", &["NUMERIC"]),
    ("topic.creation.default.partitions", &["3"]),
    ("topic.creation.default.cleanup.policy", &["compact,delete"]),
    ("errors.max.retries", &["-1", "2"]),
    ("debezium.compat", &["3"]),
    ("max.batch.size", &["4096"]),
];

fn maps() -> impl Strategy<Value = BTreeMap<String, String>> {
    let chosen: Vec<_> = VALUES
        .iter()
        .map(|(name, values)| {
            let values = proptest::sample::select(*values);
            (Just(*name), proptest::option::weighted(0.4, values))
        })
        .collect();
    chosen.prop_map(|chosen| {
        let required = [
            ("name", "forms"),
            ("topic.prefix", "p"),
            ("database.hostname", "db.example"),
            ("database.user", "u"),
            ("database.dbname", "d"),
            // One `topic.creation.*` is only right with both of these.
            ("topic.creation.default.partitions", "1"),
            ("topic.creation.default.replication.factor", "1"),
        ];
        let chosen = chosen
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        required
            .into_iter()
            .chain(chosen)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    })
}

/// A line of a `.properties` file, as Java stores it.
fn line(prefix: &str, (name, value): (&String, &String)) -> String {
    let mut text = format!("{prefix}{name}=");
    for c in value.chars() {
        match c {
            '\\' | '#' | '!' | '=' | ':' => text.extend(['\\', c]),
            ' ' => text.push_str("\\ "),
            '\t' => text.push_str("\\t"),
            c => text.push(c),
        }
    }
    text + "\n"
}

fn file(name: &str, text: &str) -> ConnectorFile {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("write a connector file");
    load_connector_file(&path).expect("a connector")
}

fn settings(toml: &str, variables: Vec<(String, String)>) -> ConnectorFile {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tributary.toml");
    std::fs::write(&path, toml).expect("write the settings");
    let settings = Settings::load(Some(&path), variables.into_iter()).expect("settings");
    let connector = settings.connector().expect("a connector's settings");
    connector.expect("a connector")
}

fn variables(prefix: &str, map: &BTreeMap<String, String>) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| {
            let word = |c: char| {
                if c == '.' {
                    '_'
                } else {
                    c.to_ascii_uppercase()
                }
            };
            let words: String = name.chars().map(word).collect();
            (format!("{prefix}{words}"), value.clone())
        })
        .collect()
}

/// The map in all forms, by their names.
fn forms(map: &BTreeMap<String, String>) -> Vec<(&'static str, ConnectorFile)> {
    let json = serde_json::to_value(map).expect("JSON");
    let registered = serde_json::json!({"name": "forms", "config": json});
    let lines = |prefix: &str| {
        map.iter()
            .map(|pair| line(prefix, pair))
            .collect::<String>()
    };
    let quoted = toml::Table::from_iter(
        map.iter()
            .map(|(name, value)| (name.clone(), toml::Value::String(value.clone()))),
    );
    let section = toml::Table::from_iter([("cdc".to_owned(), toml::Value::Table(quoted))]);
    vec![
        ("registered JSON", file("c.json", &registered.to_string())),
        ("flat JSON", file("c.json", &json.to_string())),
        (".properties", file("c.properties", &lines(""))),
        (
            "debezium.source.*",
            file("c.properties", &lines("debezium.source.")),
        ),
        ("[cdc]", settings(&section.to_string(), Vec::new())),
        (
            "TRIBUTARY_CDC_*",
            settings("", variables("TRIBUTARY_CDC_", map)),
        ),
        (
            "DEBEZIUM_SOURCE_*",
            settings("", variables("DEBEZIUM_SOURCE_", map)),
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn every_form_gives_the_same_connector(map in maps()) {
        let wanted = ConnectorConfig::parse(&map).map_err(|report| TestCaseError::fail(report.to_string()))?.config;
        for (form, found) in forms(&map) {
            prop_assert_eq!(&found.name, "forms");
            for (name, value) in &map {
                prop_assert_eq!(found.properties.get(name), Some(value), "{}: {}", form, name);
            }
            let mut config = ConnectorConfig::parse(&found.properties)
                .map_err(|report| TestCaseError::fail(format!("{form}: {report}")))?
                .config;
            // The class may be left out of what is not posted.
            config.properties.remove("connector.class");
            prop_assert_eq!(config.database.password.reveal(), wanted.database.password.reveal(), "{}", form);
            prop_assert_eq!(format!("{config:?}"), format!("{wanted:?}"), "{}", form);
        }
    }

    #[test]
    fn every_form_reports_the_same_problems(map in maps()) {
        let mut map = map;
        for (name, value) in [("slot.name", "No"), ("snapshot.mode", "sometimes"), ("database.port", "many"), ("decimal.handling.mode", "x")] {
            map.insert(name.to_owned(), value.to_owned());
        }
        let problems = |properties: &BTreeMap<String, String>| {
            ConnectorConfig::parse(properties).expect_err("four values are wrong").problems
        };
        let wanted = problems(&map);
        prop_assert!(wanted.len() >= 4, "{:?}", wanted);
        for (form, found) in forms(&map) {
            prop_assert_eq!(problems(&found.properties), wanted.clone(), "{}", form);
        }
    }
}
