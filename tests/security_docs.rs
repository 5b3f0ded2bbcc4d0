//! The examples of docs/security.md are read by what they are examples of.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path};

use anyhow::{Context, Result, ensure};
use cdc::kafka::KafkaClient;
use connect::WorkerConfig;
use connector::ConnectorConfig;
use postgres_tls::{Connector, SslMode, TlsSettings};

/// The block that is labelled so.
fn example(label: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let text = fs::read_to_string(path)?;
    let (_, rest) = text
        .split_once(&format!(" {label}\n"))
        .with_context(|| format!("no example {label}"))?;
    let (block, _) = rest.split_once("```").context("an example that ends")?;
    Ok(block.to_owned())
}

fn properties(label: &str) -> Result<BTreeMap<String, String>> {
    Ok(serde_json::from_str(&example(label)?)?)
}

#[test]
fn the_rest_faces_properties_are_all_used() -> Result<()> {
    let properties = connector::parse_properties(example("security-rest")?.as_bytes())?;
    let mut worker = WorkerConfig::new("nowhere:9092", SocketAddr::from(([127, 0, 0, 1], 8083)));
    worker.apply(&properties)?;
    ensure!(worker.rest_listen == SocketAddr::from(([0, 0, 0, 0], 8443)));
    let tls = worker.rest_tls.as_ref().context("TLS")?;
    ensure!(tls.client_ca.is_some() && worker.rest_auth.is_some());
    ensure!(!format!("{worker:?}").contains("change-me"));
    Ok(())
}

#[test]
fn the_providers_are_read() -> Result<()> {
    let properties = connector::parse_properties(example("security-providers")?.as_bytes())?;
    let providers = connector::Providers::from_worker(&properties)?;
    let refused = providers.resolve("${directory:/etc:hostname}").err();
    ensure!(refused.is_some_and(|reason| reason.contains("allowed.paths")));
    Ok(())
}

#[test]
fn the_connectors_properties_are_all_used() -> Result<()> {
    let mut all = properties("security-connector")?;
    all.extend(properties("security-producer")?);
    for (name, value) in [
        ("name", "example"),
        ("topic.prefix", "example"),
        ("database.user", "u"),
        ("database.dbname", "d"),
    ] {
        all.insert(name.to_owned(), value.to_owned());
    }
    let parsed = ConnectorConfig::parse(&all)?;
    ensure!(parsed.notices.is_empty(), "{:?}", parsed.notices);
    ensure!(parsed.config.database.tls.mode == SslMode::VerifyFull);
    KafkaClient::new("nowhere:9092", &parsed.config.producer_overrides)?;
    Ok(())
}

#[test]
fn the_generators_connection_string_is_read() -> Result<()> {
    let line = example("security-generator")?;
    let string = line.split('\'').nth(1).context("a quoted string")?;
    let parsed = Connector::parse(string, TlsSettings::default())?;
    ensure!(parsed.tls.mode == SslMode::VerifyFull);
    ensure!(parsed.tls.root_certificates.is_some());
    Ok(())
}

#[test]
fn the_settings_are_known() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::write(
        folder.path().join("tributary.toml"),
        example("security-settings")?,
    )?;
    let output = stack::tributary()?
        .arg("config")
        .current_dir(folder.path())
        .env("TRIBUTARY_KAFKA__SASL_PASSWORD", "geheim")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(
        text.contains("kafka.security_protocol = SASL_SSL"),
        "{text}"
    );
    ensure!(
        text.contains("lake.ca_file = /etc/tributary/s3-root.pem"),
        "{text}"
    );
    ensure!(!text.contains("geheim"), "{text}");
    Ok(())
}
