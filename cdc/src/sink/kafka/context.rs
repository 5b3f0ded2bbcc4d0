use std::sync::Arc;

use debezium::HeaderFormat;
use uuid::Uuid;

use crate::{clock::now_nanos, kafka::batch::ContextHeaders};
use connector::ConnectorConfig;

/// `extended.headers.enabled`: which connector, task and run a change of a row comes from. There is one task.
pub(super) fn context_headers(config: &ConnectorConfig) -> ContextHeaders {
    if !config.extended_headers {
        return Arc::default();
    }
    let run = run_id(now_nanos());
    [
        (
            "__debezium.context.connectorLogicalName",
            config.contract.topic_prefix.as_str(),
        ),
        ("__debezium.context.taskId", "0"),
        ("__debezium.context.connectorName", "postgresql"),
        ("__debezium.context.runId", &run),
    ]
    .into_iter()
    .map(|(name, value)| (name, header_value(config.contract.header_format, value)))
    .collect()
}

/// A UUID of version 7: it begins with the time.
fn run_id(now_nanos: i64) -> String {
    // A clock before 1970 gives an id that is as good: it is only told apart from others.
    let millis = u64::try_from(now_nanos / 1_000_000).unwrap_or(0);
    // Ten bytes of another one are random but for a few bits, which are set anew.
    let [_, _, _, _, _, _, bytes @ ..] = Uuid::new_v4().into_bytes();
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes)
        .into_uuid()
        .to_string()
}

/// A string as the header converter writes it.
fn header_value(format: HeaderFormat, value: &str) -> Vec<u8> {
    let json = || serde_json::Value::from(value).to_string();
    match format {
        // Settings with context headers have another converter than that of bytes.
        HeaderFormat::Simple | HeaderFormat::Text | HeaderFormat::Bytes => value.to_owned(),
        HeaderFormat::Json { schemas: false, .. } => json(),
        HeaderFormat::Json { schemas: true, .. } => format!(
            "{{\"schema\":{{\"type\":\"string\",\"optional\":false}},\"payload\":{}}}",
            json()
        ),
    }
    .into_bytes()
}

#[test]
fn values_are_the_converters() {
    let json = |schemas| HeaderFormat::Json {
        schemas,
        decimal_format: debezium::DecimalFormat::Base64,
    };
    for (format, expected) in [
        (HeaderFormat::Simple, "a"),
        (json(false), "\"a\""),
        (
            json(true),
            "{\"schema\":{\"type\":\"string\",\"optional\":false},\"payload\":\"a\"}",
        ),
    ] {
        assert_eq!(header_value(format, "a"), expected.as_bytes());
    }
}
