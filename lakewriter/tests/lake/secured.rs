//! Kafka and the object store with TLS: from a broker that asks who comes to a MinIO whose authority nobody knows.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use lakewriter::{
    Error, ErrorKind, Lake, LakeConfig, LakeCounters, Secret,
    lake::{Bucket, check_certificate, create_bucket},
};
use stack::{Authority, Kafka, KafkaOptions, KafkaSecurity, Minio, MinioOptions};
use tokio_util::sync::CancellationToken;

use crate::{
    road::{Running, case_on, reach},
    shop::verify,
};

/// A refusal is told within this time.
const QUICK: Duration = Duration::from_secs(10);

fn settings(root: &str, password: &str) -> BTreeMap<String, String> {
    [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "alice"),
        ("sasl.password", password),
        ("ssl.ca.location", root),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn said(error: &Error, kind: ErrorKind, parts: &[&str]) -> Result<()> {
    let text = service::render_error(error, Some(error.hint()));
    ensure!(error.kind() == kind, "{:?}\n{text}", error.kind());
    for part in parts {
        ensure!(text.contains(part), "no `{part}` in:\n{text}");
    }
    ensure!(!text.contains("geheim"), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_with_tls_and_scram() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("the root")?;
    let (root, stranger) = (
        folder.path().join("root.pem"),
        folder.path().join("other.pem"),
    );
    std::fs::write(&root, authority.pem())?;
    std::fs::write(&stranger, Authority::new("another root")?.pem())?;
    let (root, stranger) = (root.display().to_string(), stranger.display().to_string());
    let kafka = Kafka::start_with(KafkaOptions {
        security: Some(KafkaSecurity {
            server: authority.server(&["localhost"])?,
            client_root: None,
            users: vec![("alice".to_owned(), "wonderland".to_owned())],
        }),
        ..KafkaOptions::default()
    })
    .await?;
    // A case lives as long as the process, as its broker does.
    let kafka: &'static Kafka = Box::leak(Box::new(kafka));
    let mut case = case_on(kafka, "secured", 2).await?;
    case.config.kafka.bootstrap = kafka.bootstrap_sasl_ssl();
    for (overrides, kind, part) in [
        (
            settings(&root, "geheim"),
            ErrorKind::Permission,
            "sasl.password",
        ),
        (
            settings(&stranger, "wonderland"),
            ErrorKind::Configuration,
            "ssl.ca.location",
        ),
    ] {
        case.config.kafka.overrides = overrides;
        let started = Instant::now();
        let outcome = lakewriter::run(
            case.config.clone(),
            std::sync::Arc::new(LakeCounters::default()),
            CancellationToken::new(),
        )
        .await;
        let error = outcome.err().context("a refusal")?;
        said(
            &error,
            kind,
            &[part, &kafka.bootstrap_sasl_ssl(), "SCRAM-SHA-512"],
        )?;
        ensure!(started.elapsed() < QUICK, "{:?}", started.elapsed());
    }
    case.config.kafka.overrides = settings(&root, "wonderland");
    case.transactions(0..20).await?;
    let running = Running::start(&case.config);
    reach(&case.lake, 20).await?;
    running.stop().await?;
    verify(&case.lake, 20).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_store_with_an_authority_of_its_own() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let authority = Authority::new("the root")?;
    let minio = Minio::start_with(MinioOptions {
        tls: Some(authority.server(&["localhost"])?),
        ..MinioOptions::default()
    })
    .await?;
    let (root, stranger) = (
        folder.path().join("root.pem"),
        folder.path().join("other.pem"),
    );
    std::fs::write(&root, authority.pem())?;
    std::fs::write(&stranger, Authority::new("another root")?.pem())?;
    let mut config = LakeConfig::new("s3://lake");
    config.endpoint = Some(minio.endpoint());
    config.access_key = Some(minio.access_key().to_owned());
    config.secret_key = Some(Secret::new(minio.secret_key()));
    let by_address = minio.endpoint().replace("localhost", "127.0.0.1");
    for (ca_file, endpoint, part) in [
        (None, minio.endpoint(), "lake.ca_file"),
        (Some(stranger), minio.endpoint(), "lake.ca_file"),
        (Some(root.clone()), by_address, "lake.endpoint"),
        (
            Some(folder.path().join("missing.pem")),
            minio.endpoint(),
            "missing.pem",
        ),
    ] {
        let mut wrong = config.clone();
        wrong.ca_file = ca_file;
        wrong.endpoint = Some(endpoint);
        let started = Instant::now();
        let bucket = create_bucket(&wrong, "lake")
            .await
            .err()
            .context("no trust")?;
        let open = Lake::open(&wrong).await.err().context("no trust")?;
        let reader = check_certificate(&wrong).await.err().context("no trust")?;
        for error in [bucket, open, reader] {
            said(&error, ErrorKind::Configuration, &[part])?;
        }
        ensure!(started.elapsed() < QUICK, "{:?}", started.elapsed());
    }
    config.ca_file = Some(root);
    let made = stack::until("the bucket", Duration::from_secs(30), async || {
        Ok(Some(create_bucket(&config, "lake").await?))
    })
    .await?;
    ensure!(made == Bucket::Created);
    ensure!(create_bucket(&config, "lake").await? == Bucket::Exists);
    // Opening writes, and proves that the store keeps two writers apart.
    Lake::open(&config).await?;
    Ok(())
}
