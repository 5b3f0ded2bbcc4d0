//! The connections to PostgreSQL, and what the replication slot is asked for.

use postgres_tls::TlsSettings;
use service::Secret;

use super::{DatabaseConfig, reader::Reader};

pub(super) fn database(reader: &mut Reader<'_>) -> DatabaseConfig {
    let hostname = reader.required("database.hostname");
    let port = reader.integer("database.port", 1, u16::MAX);
    let user = reader.required("database.user");
    let dbname = reader.required("database.dbname");
    let tls = tls(reader);
    DatabaseConfig {
        hostname,
        port,
        user,
        password: Secret::new(reader.exact("database.password").unwrap_or_default()),
        dbname,
        tls,
        tcp_keepalive: reader.boolean("database.tcpKeepAlive"),
        query_timeout: reader.millis("database.query.timeout.ms"),
        initial_statements: statements(reader.text("database.initial.statements").unwrap_or("")),
    }
}

/// Libpq's parameters, which Debezium has under the same names.
fn tls(reader: &mut Reader<'_>) -> TlsSettings {
    let mut tls = TlsSettings::default();
    for (property, parameter) in [
        ("database.sslmode", "sslmode"),
        ("database.sslrootcert", "sslrootcert"),
        ("database.sslcert", "sslcert"),
        ("database.sslkey", "sslkey"),
        ("database.sslpassword", "sslpassword"),
        ("database.channelBinding", "channel_binding"),
        ("database.requireAuth", "require_auth"),
    ] {
        let value = match parameter {
            "sslpassword" => reader.exact(property),
            _ => reader.text(property),
        };
        if let Some(value) = value
            && let Err(rule) = tls.set(parameter, value)
        {
            reader.problem(property, rule);
        }
    }
    tls
}

/// Statements separated by `;`; two of them are a semicolon of the statement itself.
fn statements(text: &str) -> Vec<String> {
    text.replace(";;", "\u{1}")
        .split(';')
        .map(|statement| statement.replace('\u{1}', ";").trim().to_owned())
        .filter(|statement| !statement.is_empty())
        .collect()
}

pub(super) fn slot_name(reader: &mut Reader<'_>) -> String {
    let name = reader.text_or_default("slot.name");
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.len() > 63 || !name.chars().all(allowed) {
        reader.problem("slot.name", "Valid replication slot name must contain only digits, lowercase characters and underscores with length <= 63");
    }
    name
}

/// Options of pgoutput, in place of ours of the same name. What the decoding of the stream depends on is not to choose.
pub(super) fn slot_stream_params(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    const PROPERTY: &str = "slot.stream.params";
    let text = reader.text(PROPERTY).unwrap_or_default();
    let mut params: Vec<(String, String)> = Vec::new();
    for entry in text.split(';').map(str::trim).filter(|it| !it.is_empty()) {
        let Some((name, value)) = entry.split_once('=') else {
            reader.problem(PROPERTY, "Value must be name=value;name=value");
            continue;
        };
        let (name, value) = (name.trim(), value.trim());
        let rule = match name {
            "proto_version" | "streaming" => "the server's version decides it",
            "two_phase" => "prepared transactions are written when they are committed",
            "binary" if !matches!(value, "false" | "off" | "0") => "values are read as text",
            _ => {
                params.retain(|(known, _)| known != name);
                params.push((name.to_owned(), value.to_owned()));
                continue;
            }
        };
        reader.problem(PROPERTY, format!("`{name}` cannot be set: {rule}"));
    }
    params
}

/// Whether positions are confirmed: `lsn.flush.mode` is the later name of `flush.lsn.source`.
pub(super) fn flush_lsn(reader: &mut Reader<'_>) -> bool {
    let source = reader.boolean("flush.lsn.source");
    if reader.text("lsn.flush.mode").is_none() {
        return source;
    }
    reader.choice(
        "lsn.flush.mode",
        &[
            ("connector", true),
            ("manual", false),
            ("connector_and_driver", true),
        ],
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn options_of_the_stream() {
        let name_and_value = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        for (text, params, problems) in [
            ("", vec![], 0),
            (
                " origin = none ;messages=false;",
                vec![("origin", "none"), ("messages", "false")],
                0,
            ),
            ("origin=any;origin=none", vec![("origin", "none")], 0),
            ("binary=false", vec![("binary", "false")], 0),
            ("binary=true;streaming=off;proto_version=1;x", vec![], 4),
        ] {
            let properties = BTreeMap::from([("slot.stream.params".to_owned(), text.to_owned())]);
            let mut reader = Reader::new(&properties);
            let expected: Vec<_> = params.into_iter().map(name_and_value).collect();
            assert_eq!(slot_stream_params(&mut reader), expected, "{text}");
            assert_eq!(reader.problems.len(), problems, "{text}");
        }
    }
}
