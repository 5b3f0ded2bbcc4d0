//! Properties that are taken, and those that are refused: all of them in one report, and no secret in it.

use debezium::{ContractSettings, Format};

use super::*;
use crate::{Registration, SubjectNameStrategy};

fn properties(text: &[(&str, &str)]) -> BTreeMap<String, String> {
    [
        ("name", "inventory-connector"),
        ("connector.class", CONNECTOR_CLASS),
        ("database.hostname", "postgres"),
        ("database.user", "postgres"),
        ("database.password", "hunter2"),
        ("database.dbname", "postgres"),
        ("topic.prefix", "dbserver1"),
    ]
    .iter()
    .chain(text)
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .collect()
}

#[test]
fn the_tutorials_connector_is_accepted_with_debeziums_defaults() {
    let parsed = ConnectorConfig::parse(&properties(&[
        ("tasks.max", "1"),
        ("database.port", "5432"),
        ("schema.include.list", "inventory"),
    ]))
    .unwrap();
    let config = parsed.config;
    assert_eq!(config.slot_name, "debezium");
    assert_eq!(config.publication_name, "dbz_publication");
    assert_eq!(config.delivery, DeliveryGuarantee::ExactlyOnce);
    assert_eq!(config.contract, ContractSettings::new("dbserver1"));
    assert!(config.filter.schema_include[0].is_match("Inventory"));
    assert_eq!(config.database.password.reveal(), "hunter2");
    assert!(!format!("{:?}", config.database).contains("hunter2"));
    let notices: Vec<String> = parsed.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        ["property `tasks.max` has no effect: one slot has one reader"]
    );
}

#[test]
fn missing_settings_are_reported() {
    let report = ConnectorConfig::parse(&BTreeMap::from([
        ("name".to_owned(), "x".to_owned()),
        ("connector.class".to_owned(), CONNECTOR_CLASS.to_owned()),
    ]))
    .unwrap_err();
    assert_eq!(
        report.to_string(),
        "4 settings cannot be used:
  `topic.prefix`: A value is required
  `database.hostname`: A value is required
  `database.user`: A value is required
  `database.dbname`: A value is required"
    );
}

#[test]
fn every_bad_value_is_in_one_report() {
    let report = ConnectorConfig::parse(&properties(&[
        ("topic.prefix", "has space"),
        ("database.port", "99999"),
        ("database.channelBinding", "perhaps"),
        ("slot.name", "Bad-Slot"),
        ("snapshot.mode", "sometimes"),
        ("max.queue.size", "abc"),
        ("table.include.list", "a.b"),
        ("table.exclude.list", "a.c"),
        ("decimal.handling.mode", "roman"),
    ]))
    .unwrap_err();
    assert_eq!(
        report.to_string(),
        "8 settings cannot be used:
  `topic.prefix` = `has space`: has space has invalid format (only the underscore, hyphen, dot and alphanumeric characters are allowed)
  `database.port` = `99999`: A number from 1 to 65535 is expected
  `database.channelBinding` = `perhaps`: channel binding `perhaps` is none of disable, prefer, require
  `slot.name` = `Bad-Slot`: Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63
  `max.queue.size` = `abc`: An integer is expected
  `decimal.handling.mode` = `roman`: Value must be one of string, double, precise
  `snapshot.mode` = `sometimes`: Value must be one of always, never, initial_only, configuration_based, when_needed, initial, custom, no_data
  `table.exclude.list` = `a.c`: \"table.include.list\" is already specified"
    );
}

#[test]
fn what_would_change_the_output_is_refused_by_name() {
    for (name, value, rule) in [
        (
            "value.converter",
            "com.example.Converter",
            "the converter is not available: one of org.apache.kafka.connect.json.JsonConverter, io.confluent.connect.avro.AvroConverter, io.apicurio.registry.utils.converter.AvroConverter, org.apache.kafka.connect.storage.StringConverter, io.debezium.converters.CloudEventsConverter",
        ),
        (
            "snapshot.mode",
            "custom",
            "a custom snapshotter is a Java class and cannot be loaded: choose one of the other modes",
        ),
        (
            "sourceinfo.struct.maker",
            "com.example.SourceMaker",
            "Java classes cannot be loaded",
        ),
        (
            "signal.data.collection",
            "public.s",
            "signals and incremental snapshots are not available yet",
        ),
        (
            "database.sslmode",
            "on",
            "sslmode `on` is none of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        (
            "database.channelBinding",
            "maybe",
            "channel binding `maybe` is none of disable, prefer, require",
        ),
        (
            "table.include.list",
            "a(?=b)",
            "`a(?=b)` is not a regular expression that can be used here: look-around, including look-ahead and look-behind, is not supported",
        ),
        (
            "message.key.columns",
            "public.t",
            r"public.t has an invalid format (expecting '^\s*([^\s:]+):([^:\s]+)\s*$')",
        ),
        (
            "skipped.operations",
            "c,x",
            "Value must be none or some of c, u, d, t",
        ),
    ] {
        let report = ConnectorConfig::parse(&properties(&[(name, value)])).unwrap_err();
        assert_eq!(report.problems.len(), 1, "{name}");
        assert_eq!(report.problems[0].property, name);
        assert_eq!(report.problems[0].rule, rule);
    }
}

#[test]
fn unknown_and_idle_properties_are_notices() {
    let parsed = ConnectorConfig::parse(&properties(&[
        ("slot.nmae", "x"),
        ("schema.refresh.mode", "columns_diff"),
        ("read.only", "false"),
        ("my.own.note", "x"),
    ]))
    .unwrap();
    let notices: Vec<String> = parsed.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        [
            "unknown property `my.own.note` is ignored",
            "property `schema.refresh.mode` has no effect: it has no effect with pgoutput",
            "unknown property `slot.nmae` is ignored: did you mean `slot.name`?",
        ]
    );
}

#[test]
fn a_secret_is_not_in_the_report() {
    let report = ConnectorConfig::parse(&properties(&[
        ("database.sslpassword", "hunter2"),
        ("database.sslmode", "on"),
        (
            "producer.override.sasl.jaas.config",
            "PlainLoginModule required password=\"hunter2\";",
        ),
    ]))
    .unwrap_err();
    assert_eq!(report.problems.len(), 2, "{report}");
    assert!(!format!("{report:?} {report}").contains("hunter2"));
}

/// Whoever may post a connector may not run code in the worker, nor decide about delivery; and is told at once.
#[test]
fn settings_that_may_not_be_passed_to_kafka_are_refused_when_posted() {
    for (setting, value, said) in [
        ("plugin.library.paths", "/tmp/x.so", "none of the settings"),
        ("ssl.providers", "/tmp/x.so", "none of the settings"),
        ("ssl.engine.location", "/tmp/x.so", "none of the settings"),
        (
            "sasl.kerberos.kinit.cmd",
            "touch /tmp/x",
            "none of the settings",
        ),
        ("debug", "all", "none of the settings"),
        ("log_level", "7", "none of the settings"),
        ("opaque", "1", "none of the settings"),
        ("bootstrap.servers", "x:9092", "delivery"),
        ("transactional.id", "x", "delivery"),
        ("enable.idempotence", "false", "delivery"),
        ("acks", "1", "delivery"),
        ("message.max.bytes", "banana", "message.max.bytes"),
        ("max.request.size", "banana", "message.max.bytes"),
        ("compression.type", "brotli", "compression"),
        ("ssl.ca.location", "/dev/zero", "no regular file"),
    ] {
        let property = format!("producer.override.{setting}");
        let report = ConnectorConfig::parse(&properties(&[(&property, value)])).expect_err(setting);
        let [problem] = report.problems.as_slice() else {
            panic!("{setting}: {report}");
        };
        assert_eq!(problem.property, property);
        assert!(problem.rule.contains(said), "{setting}: {}", problem.rule);
    }
}

#[test]
fn no_secret_is_printed_with_a_configuration() {
    let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"hunter2\";";
    let secrets = properties(&[
        ("database.sslpassword", "hunter2"),
        ("producer.override.security.protocol", "SASL_SSL"),
        ("producer.override.sasl.mechanism", "PLAIN"),
        ("producer.override.sasl.jaas.config", jaas),
        ("producer.override.ssl.key.password", "hunter2"),
        ("value.converter", "io.confluent.connect.avro.AvroConverter"),
        (
            "value.converter.schema.registry.url",
            "http://u:hunter2@r:8081",
        ),
        ("value.converter.basic.auth.credentials.source", "USER_INFO"),
        ("value.converter.basic.auth.user.info", "u:hunter2"),
        ("unknown.to.us.password", "hunter2"),
    ]);
    let parsed = ConnectorConfig::parse(&secrets).unwrap();
    let file = crate::ConnectorFile::from_settings(secrets.clone(), "n").unwrap();
    for shown in [
        format!(
            "{parsed:?} {:#?} {:?}",
            parsed.config, parsed.config.registries
        ),
        format!("{file:?}"),
        format!("{:?}", parsed.notices),
    ] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert!(format!("{parsed:?}").contains("dbserver1"));
}

#[test]
fn routes_creation_and_overrides_are_read() {
    let config = ConnectorConfig::parse(&properties(&[
        ("transforms", "route"),
        ("transforms.route.type", "RegexRouter"),
        ("transforms.route.regex", r"([^.]+)\.([^.]+)\.([^.]+)"),
        ("transforms.route.replacement", "twitter.$3"),
        ("topic.creation.default.partitions", "4"),
        ("topic.creation.default.replication.factor", "1"),
        ("topic.creation.default.cleanup.policy", "compact"),
        ("producer.override.compression.type", "zstd"),
        ("message.key.columns", "(.*).t:a,b;public.u:c"),
        ("database.initial.statements", "set a = 1; select ';;'"),
        ("errors.max.retries", "3"),
    ]))
    .unwrap()
    .config;
    assert_eq!(config.routes.len(), 1);
    let topic = config.topic_creation.settings("any");
    assert_eq!((topic.partitions, topic.replication_factor), (4, 1));
    assert_eq!(topic.config["cleanup.policy"], "compact");
    assert_eq!(config.producer_overrides["compression.type"], "zstd");
    let key = &config.message_key_columns[0];
    assert!(key.table.is_match("public.t") && !key.table.is_match("public.u"));
    assert!(key.columns[0].is_match("A") && key.columns[1].is_match("b"));
    assert_eq!(
        config.database.initial_statements,
        ["set a = 1", "select ';'"]
    );
    assert_eq!(config.max_retries, Some(3));
}

#[test]
fn a_broken_transform_names_its_property() {
    for (extra, property) in [
        (vec![("transforms", "a")], "transforms.a.type"),
        (
            vec![
                ("transforms", "a"),
                (
                    "transforms.a.type",
                    "io.debezium.transforms.ExtractNewRecordState",
                ),
            ],
            "transforms.a.type",
        ),
        (
            vec![
                ("transforms", "a"),
                ("transforms.a.type", REGEX_ROUTER),
                ("transforms.a.regex", "("),
            ],
            "transforms.a.regex",
        ),
        (
            vec![
                ("transforms", "a"),
                ("transforms.a.type", REGEX_ROUTER),
                ("transforms.a.regex", "x"),
                ("transforms.a.replacement", "$7"),
            ],
            "transforms.a.replacement",
        ),
    ] {
        let report = ConnectorConfig::parse(&properties(&extra)).unwrap_err();
        assert_eq!(report.problems[0].property, property);
    }
}

#[test]
fn keys_as_json_and_values_as_avro() {
    let parsed = ConnectorConfig::parse(&properties(&[
        (
            "key.converter",
            "org.apache.kafka.connect.json.JsonConverter",
        ),
        ("key.converter.schemas.enable", "false"),
        ("value.converter", "io.confluent.connect.avro.AvroConverter"),
        (
            "value.converter.schema.registry.url",
            "http://one:8081/, https://two:8081",
        ),
        ("value.converter.basic.auth.credentials.source", "USER_INFO"),
        ("value.converter.basic.auth.user.info", "me:pa:ss"),
        ("value.converter.auto.register.schemas", "false"),
        (
            "value.converter.value.subject.name.strategy",
            "io.confluent.kafka.serializers.subject.RecordNameStrategy",
        ),
        ("value.converter.max.schemas.per.subject", "5"),
    ]))
    .unwrap();
    let config = parsed.config;
    assert_eq!(config.contract.key_format, Format::Json);
    assert!(!config.contract.key_schemas_enable);
    assert_eq!(config.contract.value_format, Format::Avro);
    assert_eq!(config.registries.key, None);
    let registry = config.registries.value.unwrap();
    assert_eq!(registry.urls, ["http://one:8081", "https://two:8081"]);
    let (user, password) = registry.login.unwrap();
    assert_eq!((user.as_str(), password.reveal()), ("me", "pa:ss"));
    assert_eq!(registry.registration, Registration::Lookup);
    assert_eq!(registry.strategy, SubjectNameStrategy::Record);
    assert_eq!(parsed.notices.len(), 1, "{:?}", parsed.notices);
}

#[test]
fn apicurios_settings_as_recorded() {
    let of_apicurio = |name: &str| format!("value.converter.apicurio.registry.{name}");
    let mut all = properties(&[(
        "value.converter",
        "io.apicurio.registry.utils.converter.AvroConverter",
    )]);
    for (name, value) in [
        ("url", "http://127.0.0.1:8085/apis/registry/v2"),
        ("auto-register", "true"),
        ("find-latest", "true"),
        ("as-confluent", "true"),
        ("use-id", "contentId"),
        ("headers.enabled", "false"),
    ] {
        all.insert(of_apicurio(name), value.to_owned());
    }
    let registry = ConnectorConfig::parse(&all)
        .unwrap()
        .config
        .registries
        .value
        .unwrap();
    assert_eq!(registry.urls, ["http://127.0.0.1:8085/apis/ccompat/v7"]);
    assert_eq!(registry.registration, Registration::Register);
    all.remove(&of_apicurio("as-confluent"));
    let report = ConnectorConfig::parse(&all).unwrap_err();
    assert_eq!(report.problems.len(), 1);
    assert_eq!(report.problems[0].property, of_apicurio("as-confluent"));
}
