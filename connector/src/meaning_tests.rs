//! Where properties of Debezium end up.

use std::{collections::BTreeMap, time::Duration};

use debezium::{Compat, DecimalFormat, Format, HeaderFormat};

use super::{ConnectorConfig, DeliveryGuarantee, FailureHandling, Guardrail};

fn properties(text: &[(&str, &str)]) -> BTreeMap<String, String> {
    [
        ("name", "c"),
        ("database.hostname", "postgres"),
        ("database.user", "postgres"),
        ("database.dbname", "postgres"),
        ("topic.prefix", "p"),
    ]
    .iter()
    .chain(text)
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .collect()
}

fn parsed(text: &[(&str, &str)]) -> ConnectorConfig {
    let parsed = ConnectorConfig::parse(&properties(text)).expect("usable settings");
    assert!(parsed.notices.is_empty(), "{:?}", parsed.notices);
    parsed.config
}

fn refused(text: &[(&str, &str)]) -> Vec<(String, String)> {
    let report = ConnectorConfig::parse(&properties(text)).expect_err("refused settings");
    let problems = report.problems.into_iter();
    problems
        .map(|problem| (problem.property, problem.rule))
        .collect()
}

#[test]
fn of_the_contract() {
    let config = parsed(&[
        ("debezium.compat", "3"),
        ("source.version", "3.9.9.Final"),
        ("money.fraction.digits", "4"),
        ("include.unknown.datatypes", "true"),
        ("unavailable.value.placeholder", "hex:00"),
        ("skip.messages.without.change", "true"),
        ("schema.exclude.list", "a,b.*"),
        ("message.prefix.include.list", "a.*,b"),
        (
            "message.key.columns",
            "(.*).t:a,b;public.\\w+:c; s.\"x y\":d",
        ),
        ("max.batch.size", "10"),
        ("max.queue.size.in.bytes", "10"),
        ("exactly.once.support", "required"),
        ("extended.headers.enabled", "false"),
        ("custom.metric.tags", "env=prod"),
    ]);
    assert_eq!(config.contract.compat, Compat::V3);
    assert_eq!(config.contract.source_version, "3.9.9.Final");
    assert_eq!(config.contract.money_fraction_digits, 4);
    assert!(config.contract.include_unknown_datatypes);
    assert_eq!(config.contract.unavailable_value_placeholder, "hex:00");
    assert!(config.skip_messages_without_change && !config.extended_headers);
    assert_eq!(config.delivery, DeliveryGuarantee::ExactlyOnce);
    let excluded = &config.filter.schema_exclude;
    assert!(excluded.iter().any(|regex| regex.is_match("B1")));
    assert!(!excluded.iter().any(|regex| regex.is_match("ab")));
    assert!(config.records.message_filter.emits("abc"));
    assert!(!config.records.message_filter.emits("bc"));
    let keys = |table: &str| -> Vec<&str> {
        let entries = config.message_key_columns.iter();
        let entries = entries.filter(|entry| entry.table.is_match(table));
        let wanted: Vec<_> = entries.flat_map(|entry| &entry.columns).collect();
        let columns = ["a", "b", "c", "d"].into_iter();
        columns
            .filter(|name| wanted.iter().any(|wanted| wanted.is_match(name)))
            .collect()
    };
    assert_eq!(keys("public.t"), ["a", "b", "c"]);
    assert_eq!(keys("PUBLIC.U"), ["c"]);
    assert_eq!(keys("s.\"x y\""), ["d"]);
}

#[test]
fn of_connections_and_failures() {
    let config = parsed(&[
        ("database.tcpKeepAlive", "false"),
        ("database.query.timeout.ms", "5"),
        ("slot.max.retries", "3"),
        ("xmin.fetch.interval.ms", "7"),
        ("guardrail.collections.max", "9"),
        ("guardrail.collections.limit.action", "fail"),
    ]);
    assert!(!config.database.tcp_keepalive);
    assert_eq!(config.database.query_timeout, Duration::from_millis(5));
    assert_eq!(config.slot_max_retries, 3);
    assert_eq!(config.xmin_interval, Some(Duration::from_millis(7)));
    let guardrail = Guardrail {
        most: 9,
        fails: true,
    };
    assert_eq!(config.guardrail, Some(guardrail));
    let defaults = parsed(&[]);
    assert_eq!(defaults.database.query_timeout, Duration::from_secs(600));
    assert_eq!((defaults.xmin_interval, defaults.guardrail), (None, None));
    for (settings, expected) in [
        (&[("errors.tolerance", "none")][..], FailureHandling::Fail),
        (&[("errors.tolerance", "all")], FailureHandling::Skip),
        (
            &[("errors.tolerance", "all"), ("errors.log.enable", "true")],
            FailureHandling::Warn,
        ),
        (
            &[
                ("errors.tolerance", "all"),
                ("event.processing.failure.handling.mode", "warn"),
            ],
            FailureHandling::Warn,
        ),
        (
            &[("event.processing.failure.handling.mode", "skip")],
            FailureHandling::Skip,
        ),
    ] {
        assert_eq!(parsed(settings).failure_handling, expected, "{settings:?}");
    }
}

#[test]
fn of_converters() {
    let config = parsed(&[
        (
            "key.converter",
            "org.apache.kafka.connect.json.JsonConverter",
        ),
        ("key.converter.replace.null.with.default", "false"),
        (
            "value.converter",
            "io.debezium.converters.CloudEventsConverter",
        ),
        ("value.converter.json.schemas.enable", "false"),
        ("value.converter.json.decimal.format", "NUMERIC"),
        ("value.converter.extension.attributes.enable", "false"),
        (
            "header.converter",
            "org.apache.kafka.connect.json.JsonConverter",
        ),
        ("header.converter.schemas.enable", "false"),
        ("header.converter.decimal.format", "NUMERIC"),
    ]);
    let contract = config.contract;
    assert_eq!(contract.value_format, Format::CloudEvents);
    assert!(!contract.value_schemas_enable && contract.key_schemas_enable);
    assert_eq!(contract.decimal_format, DecimalFormat::Numeric);
    assert_eq!(contract.key_decimal_format, DecimalFormat::Base64);
    assert!(contract.replace_null_with_default && !contract.key_replace_null_with_default);
    assert!(!contract.cloud_events_extensions);
    assert_eq!(
        contract.header_format,
        HeaderFormat::Json {
            schemas: false,
            decimal_format: DecimalFormat::Numeric
        }
    );
    let bytes = "org.apache.kafka.connect.converters.ByteArrayConverter";
    let config = parsed(&[("header.converter", bytes)]);
    assert_eq!(config.contract.header_format, HeaderFormat::Bytes);
}

#[test]
fn what_no_struct_fits_into_is_refused_by_name() {
    let package = "org.apache.kafka.connect.converters";
    for (class, taken) in [
        ("ByteArrayConverter", "bytes"),
        ("BooleanConverter", "booleans"),
        ("LongConverter", "integers"),
        ("IntegerConverter", "integers"),
        ("ShortConverter", "integers"),
        ("DoubleConverter", "floating-point numbers"),
        ("FloatConverter", "floating-point numbers"),
    ] {
        let class = format!("{package}.{class}");
        for property in ["key.converter", "value.converter", "header.converter"] {
            if property == "header.converter" && taken == "bytes" {
                continue;
            }
            let problems = refused(&[(property, class.as_str())]);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!(problems[0].0, property);
            assert!(
                problems[0].1.contains(&format!("takes {taken} only")),
                "{problems:?}"
            );
        }
    }
    let bytes = format!("{package}.ByteArrayConverter");
    let problems = refused(&[("debezium.compat", "3"), ("header.converter", &bytes)]);
    assert!(
        problems[0].1.contains("extended.headers.enabled"),
        "{problems:?}"
    );
    let cloud = (
        "value.converter",
        "io.debezium.converters.CloudEventsConverter",
    );
    for (name, value) in [
        ("serializer.type", "avro"),
        ("data.serializer.type", "avro"),
        ("metadata.source", "header"),
        ("metadata.source", "value,id:header,type:generate"),
        ("opentelemetry.tracing.attributes.enable", "true"),
        ("extension.attributes.enable", "perhaps"),
    ] {
        let name = format!("value.converter.{name}");
        let problems = refused(&[cloud, (&name, value)]);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].0, name);
    }
    for (name, value) in [
        ("slot.stream.params", "binary=true"),
        ("custom.metric.tags", "x"),
    ] {
        assert_eq!(refused(&[(name, value)])[0].0, name);
    }
}
