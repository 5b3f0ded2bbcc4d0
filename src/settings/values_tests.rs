//! Every setting of the list has values that it refuses, and takes its default and what the documentation shows.

use super::*;

/// Bad values of each setting, and good ones that look unlike its default.
const VALUES: &[(&str, &[&str], &[&str])] = &[
    ("log.format", &["xml"], &["json"]),
    (
        "generator.dsn",
        &[
            "hello",
            "host=h port=banana",
            "postgres://h/d?sslkeylogfile=x",
        ],
        &["host=/run/postgresql user=u dbname=d"],
    ),
    ("generator.password", &["a\nb"], &["p=a:s s"]),
    ("generator.rate", &["fast", "0/s"], &["unlimited", "3000/m"]),
    ("generator.mix", &["all"], &["insert=1"]),
    ("generator.seed", &["-1", "seven"], &["7"]),
    (
        "kafka.bootstrap_servers",
        &["kafka", "http://kafka:9092", "kafka:banana", ","],
        &["a:1,b:2"],
    ),
    ("kafka.security_protocol", &["TLS"], &["sasl_ssl"]),
    ("kafka.sasl_mechanism", &["GSSAPI"], &["SCRAM-SHA-512"]),
    ("kafka.sasl_username", &[" u", "a\tb"], &["u"]),
    ("kafka.sasl_password", &["a\0b"], &["ä b"]),
    (
        "kafka.ssl_ca_file",
        &["Cargo.toml"],
        &["probe", "/not/here.pem"],
    ),
    (
        "kafka.ssl_certificate_file",
        &["Cargo.toml", "src"],
        &["/not/here.pem"],
    ),
    (
        "kafka.ssl_key_file",
        &["Cargo.toml", "/dev/zero"],
        &["/not/here.pem"],
    ),
    ("kafka.ssl_key_password", &["a\r"], &["x"]),
    (
        "kafka.ssl_endpoint_identification_algorithm",
        &["http"],
        &["none", "HTTPS"],
    ),
    (
        "cdc.listen",
        &["8083", "everywhere", "127.0.0.1:99999"],
        &["[::]:1"],
    ),
    (
        "cdc.allowed_hosts",
        &["http://connect", "a b"],
        &["*", ".x.local,y"],
    ),
    (
        "cdc.connectors_folder",
        &["Cargo.toml"],
        &["src", "/not/here"],
    ),
    ("cdc.group_id", &["g ", "a\u{7}b"], &["a group"]),
    (
        "cdc.config_storage_topic",
        &["a topic", "."],
        &["my.configs"],
    ),
    ("cdc.offset_storage_topic", &["a/b"], &["my_offsets"]),
    ("cdc.status_storage_topic", &["ä"], &["my-statuses"]),
    ("lake.url", &["gopher://x", "s3://"], &["s3://b/p", "/data"]),
    (
        "lake.endpoint",
        &["minio:9000", "ftp://minio"],
        &["http://minio:9000"],
    ),
    ("lake.ca_file", &["Cargo.toml"], &["/not/here.pem"]),
    ("lake.region", &["eu central", "a/b"], &["eu-central-1"]),
    ("lake.access_key_id", &["a b", "a/b"], &["AKIA0123"]),
    ("lake.secret_access_key", &["a\nb"], &["a/b+c"]),
    (
        "lake.maintenance",
        &["often", "* * *"],
        &["off", "*/5 * * * *"],
    ),
    ("lake.history", &["1min", "long", "0s"], &["15min", "24h"]),
    ("lake.target_file_size", &["0", "big"], &["256MB"]),
    ("mirror.from", &["postgresql://["], &["host=db dbname=shop"]),
    ("mirror.password", &["a\nb"], &["secret"]),
    ("mirror.tables", &["orders"], &["public.*,sales.a"]),
    ("mirror.exclude", &["audit"], &["*.audit"]),
    ("mirror.slot", &["My-Slot", "a-b"], &["my_slot"]),
    ("mirror.name", &[" "], &["shop"]),
    ("mirror.snapshot", &["always"], &["no_data", "when_needed"]),
    ("mirror.freshness", &["0s", "soon"], &["2s"]),
    ("sql.memory_limit", &["1XB", "much", "0"], &["2GB"]),
    ("lakewriter.pipeline", &[" "], &["mine"]),
    ("lakewriter.group_id", &["g\t"], &["g"]),
    ("lakewriter.topics", &["(", "[a"], &["shop\\.(a|b)"]),
    ("lakewriter.topic_prefix", &["a prefix"], &["shop"]),
    ("lakewriter.current", &["yes", "1"], &["true", "false"]),
    ("lakewriter.freshness", &["0s", "banana", "5"], &["500ms"]),
    (
        "lakewriter.max_batch_bytes",
        &["1XB", "64 bananas"],
        &["8MiB"],
    ),
    ("lakewriter.max_batch_rows", &["0", "1.5"], &["1"]),
    (
        "lakewriter.listen",
        &["localhost", "8084"],
        &["0.0.0.0:8084"],
    ),
    ("lakewriter.allowed_hosts", &["a,b c"], &["lakewriter"]),
];

fn load(setting: &Setting, text: &str) -> Result<Settings, SettingsError> {
    Settings::load(None, [(setting.variable(), text.to_owned())].into_iter())
}

#[test]
fn every_setting_refuses_what_it_cannot_be() {
    for setting in SETTINGS {
        let key = setting.key;
        let (_, bad, good) = VALUES
            .iter()
            .find(|(named, ..)| *named == key)
            .unwrap_or_else(|| panic!("no values of {key}"));
        assert!(!bad.is_empty(), "{key}");
        for text in *bad {
            let error = load(setting, text).expect_err(&format!("{key} = `{text}`"));
            let said = error.to_string();
            let shown = if setting.secret { "****" } else { text };
            assert!(
                said.contains(&format!("{key} = `{shown}` ({}): ", setting.variable())),
                "{said}"
            );
            // A flag passes the same rule.
            let mut settings = Settings::load(None, std::iter::empty()).expect("defaults");
            let error = settings.set_flag(key, Some(text)).expect_err(key);
            assert!(error.to_string().contains("(flag): "), "{error}");
            assert!(settings.set_default(key, None, "X").is_err());
        }
        for text in *good {
            let loaded = load(setting, text);
            assert!(loaded.is_ok(), "{key} = `{text}`: {:?}", loaded.err());
        }
    }
    assert_eq!(VALUES.len(), SETTINGS.len());
}

#[test]
fn every_default_keeps_its_rule() {
    for setting in SETTINGS {
        if let Some(default) = setting.default {
            assert_eq!(setting.check(default), Ok(()), "{}", setting.key);
        }
    }
}

#[test]
fn a_wrong_secret_is_not_printed() {
    let setting = SETTINGS
        .iter()
        .find(|setting| setting.key == "lake.secret_access_key")
        .expect("the setting");
    let error = load(setting, "hunter\n2").expect_err("two lines");
    assert!(!error.to_string().contains("hunter"), "{error}");
}
