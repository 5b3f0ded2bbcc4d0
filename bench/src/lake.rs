//! `tributary lakewriter` from Kafka to Delta tables on MinIO.

use anyhow::{Context, Result, bail, ensure};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use stack::{free_port, tributary};

use crate::capture::{NAME, TOPIC};
use crate::report::{Bar, Report};
use crate::servers::{BUCKET, Servers};
use crate::service::Service;
use crate::usage::{Meter, Watched};

/// Rows that the process has made visible.
pub const ROWS: &str = "tributary_lakewriter_rows_total ";

/// The command with the lake's place, for any subcommand that has one.
fn with_lake(servers: &Servers) -> Result<std::process::Command> {
    let mut command = tributary()?;
    command
        .env("TRIBUTARY_LAKE__URL", format!("s3://{BUCKET}/{NAME}"))
        .env("TRIBUTARY_LAKE__ENDPOINT", servers.minio.endpoint())
        .env("TRIBUTARY_LAKE__ACCESS_KEY_ID", servers.minio.access_key())
        .env(
            "TRIBUTARY_LAKE__SECRET_ACCESS_KEY",
            servers.minio.secret_key(),
        );
    Ok(command)
}

/// Starts lakewriter with the settings of its defaults.
pub fn start(servers: &Servers) -> Result<Service> {
    let port = free_port()?;
    let mut command = with_lake(servers)?;
    command
        .env("TRIBUTARY_LAKEWRITER__TOPIC_PREFIX", NAME)
        .args([
            "lakewriter",
            "--bootstrap-servers",
            &servers.kafka.bootstrap(),
        ])
        .args(["--topics", &TOPIC.replace('.', "\\.")])
        .args(["--listen", &format!("127.0.0.1:{port}")]);
    Service::start("lakewriter", command, port)
}

/// Writes the whole topic, as it stands.
pub async fn write_topic(servers: &Servers, report: &mut Report) -> Result<()> {
    const PART: &str = "topic to lake, MinIO";
    let rows: f64 = servers
        .value("select count(*) from tweets")
        .await?
        .parse()
        .context("read the number of rows")?;
    let mut lakewriter = start(servers)?;
    let meter = Meter::start(
        [("lakewriter", Watched::Process(lakewriter.pid()))]
            .into_iter()
            .chain(servers.watched()),
    )?;
    lakewriter.wait(ROWS, |visible| visible >= rows).await?;
    let usage = meter.read()?;
    report.add(
        PART,
        "from start of process to the last visible",
        rows / usage.wall,
        "rows/s",
        None,
    );
    report.add(
        PART,
        "of lakewriter",
        rows / usage.of("lakewriter"),
        "events/CPU-s",
        Some(Bar::AtLeast(200_000.0)),
    );
    report.add(
        PART,
        "lakewriter, peak memory",
        lakewriter.peak()?,
        "MB",
        None,
    );
    let mut sizes = file_sizes(servers).await?;
    sizes.sort_by(f64::total_cmp);
    let largest = sizes.last().copied().unwrap_or_default();
    let middle = sizes.get(sizes.len() / 2).copied().unwrap_or_default();
    let total: f64 = sizes.iter().sum();
    report.add(PART, "Parquet", sizes.len() as f64, "files", None);
    report.add(PART, "Parquet file, median", middle, "MB", None);
    report.add(PART, "Parquet file, largest", largest, "MB", None);
    report.add(PART, "Parquet of a row", total * 1e6 / rows, "bytes", None);
    report.add_cores(PART, &usage);
    lakewriter.stop().await?;
    check(servers, rows).await
}

/// Sizes of the data files, MB.
async fn file_sizes(servers: &Servers) -> Result<Vec<f64>> {
    let store = AmazonS3Builder::new()
        .with_endpoint(servers.minio.endpoint())
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name(BUCKET)
        .with_access_key_id(servers.minio.access_key())
        .with_secret_access_key(servers.minio.secret_key())
        .build()
        .context("open the bucket")?;
    let objects: Vec<_> = store
        .list(None)
        .try_collect()
        .await
        .context("list the bucket")?;
    let files = objects.iter().filter(|object| {
        let path = object.location.as_ref();
        path.ends_with(".parquet") && !path.contains("/_delta_log/")
    });
    Ok(files.map(|file| file.size as f64 / 1e6).collect())
}

/// Every row came once: what is measured must also be right.
async fn check(servers: &Servers, rows: f64) -> Result<()> {
    let mut command = with_lake(servers)?;
    command
        .args(["sql", "--format", "csv"])
        .arg("select count(*) as n, count(distinct id) as ids from public.tweets_changes");
    let output = tokio::process::Command::from(command)
        .output()
        .await
        .context("count the rows of the lake")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!(
            "count the rows of the lake: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let wanted = format!("{rows},{rows}");
    ensure!(
        text.lines().last() == Some(&wanted),
        "the lake has `{text}`, the table {rows} rows"
    );
    Ok(())
}
