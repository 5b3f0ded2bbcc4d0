//! A broker that asks who comes: TLS, PLAIN and SCRAM, and what is said when one of them is wrong.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use cdc::{
    Error, ErrorKind,
    kafka::{KafkaClient, TopicSpec, Topics},
};
use stack::{Authority, Kafka, KafkaOptions, KafkaSecurity};

use crate::events::{config, deliver, ids, insert, open_with, table};

/// A refusal is told within this time: librdkafka itself would go on trying.
const QUICK: Duration = Duration::from_secs(10);

struct Secured {
    kafka: Kafka,
    root: String,
    folder: tempfile::TempDir,
    clients: Authority,
}

async fn secured() -> Result<Secured> {
    let folder = tempfile::tempdir()?;
    let (authority, clients) = (Authority::new("the root")?, Authority::new("clients")?);
    let root = folder.path().join("root.pem");
    std::fs::write(&root, authority.pem())?;
    let kafka = Kafka::start_with(KafkaOptions {
        security: Some(KafkaSecurity {
            server: authority.server(&["localhost"])?,
            client_root: Some(clients.pem()),
            users: vec![("alice".to_owned(), "wonder land".to_owned())],
        }),
        ..KafkaOptions::default()
    })
    .await?;
    Ok(Secured {
        kafka,
        root: root.display().to_string(),
        folder,
        clients,
    })
}

fn map(text: &[(&str, &str)]) -> BTreeMap<String, String> {
    text.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// As a Connect user writes it.
fn sasl(root: &str, mechanism: &str, password: &str) -> BTreeMap<String, String> {
    let module = if mechanism == "PLAIN" {
        "org.apache.kafka.common.security.plain.PlainLoginModule"
    } else {
        "org.apache.kafka.common.security.scram.ScramLoginModule"
    };
    map(&[
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", mechanism),
        (
            "sasl.jaas.config",
            &format!("{module} required username=\"alice\" password=\"{password}\";"),
        ),
        ("ssl.truststore.location", root),
        ("ssl.truststore.type", "PEM"),
    ])
}

async fn ensure_topic(bootstrap: String, settings: BTreeMap<String, String>) -> Result<(), Error> {
    let client = KafkaClient::new(bootstrap, &settings)?;
    tokio::task::spawn_blocking(move || {
        let spec = TopicSpec::compacted("secured", 1, 1);
        Topics::new(&client)?.ensure(&[spec]).map(|_| ())
    })
    .await
    .unwrap_or_else(|panic| Err(Error::new(ErrorKind::Protocol, panic.to_string())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_with_tls_and_sasl() -> Result<()> {
    let secured = secured().await?;
    let (kafka, root) = (&secured.kafka, secured.root.as_str());
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        ensure_topic(
            kafka.bootstrap_sasl_ssl(),
            sasl(root, mechanism, "wonder land"),
        )
        .await
        .with_context(|| mechanism.to_owned())?;
    }
    events_exactly_once(&secured).await?;
    client_certificates(&secured).await?;
    refusals(&secured).await
}

async fn client_certificates(secured: &Secured) -> Result<()> {
    let own = secured.clients.client("alice")?;
    let store = secured.folder.path().join("alice.pem");
    std::fs::write(&store, format!("{}{}", own.key, own.certificate))?;
    let store = store.display().to_string();
    let in_files = map(&[
        ("security.protocol", "SSL"),
        ("ssl.truststore.location", &secured.root),
        ("ssl.keystore.location", &store),
        ("ssl.keystore.type", "PEM"),
    ]);
    ensure_topic(secured.kafka.bootstrap_ssl(), in_files).await?;
    // Java holds PEM on one line.
    let one_line = |pem: &str| pem.replace('\n', " ");
    let root = std::fs::read_to_string(Path::new(&secured.root))?;
    let in_line = map(&[
        ("security.protocol", "SSL"),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.certificates", &one_line(&root)),
        ("ssl.keystore.type", "PEM"),
        (
            "ssl.keystore.certificate.chain",
            &one_line(&own.certificate),
        ),
        ("ssl.keystore.key", &one_line(&own.key)),
    ]);
    ensure_topic(secured.kafka.bootstrap_ssl(), in_line).await?;
    Ok(())
}

async fn refusals(secured: &Secured) -> Result<()> {
    let (kafka, root) = (&secured.kafka, secured.root.as_str());
    let stranger = secured.folder.path().join("stranger.pem");
    std::fs::write(&stranger, Authority::new("another root")?.pem())?;
    let stranger = stranger.display().to_string();
    let by_address = kafka.bootstrap_sasl_ssl().replace("localhost", "127.0.0.1");
    for (bootstrap, settings, kind, said) in [
        (
            kafka.bootstrap_sasl_ssl(),
            sasl(root, "SCRAM-SHA-512", "geheim"),
            ErrorKind::Permission,
            "sasl.jaas.config",
        ),
        (
            kafka.bootstrap_sasl_ssl(),
            sasl(root, "PLAIN", "geheim"),
            ErrorKind::Permission,
            "sasl.jaas.config",
        ),
        (
            kafka.bootstrap_sasl_ssl(),
            sasl(&stranger, "PLAIN", "wonder land"),
            ErrorKind::Configuration,
            "ssl.truststore.location",
        ),
        (
            by_address,
            sasl(root, "PLAIN", "wonder land"),
            ErrorKind::Configuration,
            "ssl.endpoint.identification.algorithm",
        ),
        (
            kafka.bootstrap_ssl(),
            map(&[
                ("security.protocol", "SSL"),
                ("ssl.truststore.location", root),
            ]),
            ErrorKind::Configuration,
            "ssl.keystore.location",
        ),
    ] {
        let label = format!("{bootstrap} {kind:?} {said}");
        refused(bootstrap, settings, kind, said, QUICK)
            .await
            .context(label)?;
    }
    // Whether it is another kind of listener or a broker that is just starting cannot be told: it is tried again.
    let patience = Duration::from_secs(30);
    let plain = BTreeMap::new();
    let said = "security.protocol";
    refused(
        kafka.bootstrap_ssl(),
        plain,
        ErrorKind::Connection,
        said,
        patience,
    )
    .await
}

async fn refused(
    bootstrap: String,
    settings: BTreeMap<String, String>,
    kind: ErrorKind,
    said: &str,
    patience: Duration,
) -> Result<()> {
    let started = Instant::now();
    let error = ensure_topic(bootstrap.clone(), settings)
        .await
        .err()
        .context("a refusal")?;
    let took = started.elapsed();
    let text = service::render_error(&error, Some(error.hint()));
    ensure!(error.kind() == kind, "{:?}\n{text}", error.kind());
    ensure!(text.contains(&bootstrap) && text.contains(said), "{text}");
    ensure!(
        !text.contains("geheim") && !text.contains("wonder"),
        "{text}"
    );
    ensure!(took < patience, "{took:?}\n{text}");
    Ok(())
}

/// The producer's transactions over SASL_SSL, its settings as a connector overrides them.
async fn events_exactly_once(secured: &Secured) -> Result<()> {
    let settings = sasl(&secured.root, "SCRAM-SHA-512", "wonder land");
    let config = config("sec", &[])?;
    let client = KafkaClient::new(secured.kafka.bootstrap_sasl_ssl(), &settings)?;
    let (mut sink, _) = open_with(client, &config).await?;
    insert(&mut sink, &table("t"), 1000, 0..500)?;
    deliver(&mut sink).await?;
    drop(sink);
    let records = stack::until("all events", Duration::from_secs(30), async || {
        let records = secured.kafka.read_all("sec.public.t", true).await?;
        Ok((records.len() >= 500).then_some(records))
    })
    .await?;
    ensure!(ids(&records)? == (0..500).collect::<Vec<u64>>());
    Ok(())
}
