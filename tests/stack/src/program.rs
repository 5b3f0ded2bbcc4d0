//! The programs that tests start: each is fetched or built by its script in `tests/servers`, once, and found again.
//!
//! What cannot be had fails with what the script said; nothing is skipped.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::OnceCell;

use crate::PostgresVersion;

/// The folder of the programs of a PostgreSQL server, of this version where one is asked for.
pub async fn postgres(version: Option<PostgresVersion>) -> Result<&'static Path> {
    static FOUND: [OnceCell<PathBuf>; 6] = [const { OnceCell::const_new() }; 6];
    let [usual, v14, v15, v16, v17, v18] = &FOUND;
    let found = match version {
        None => return ensure(usual, "postgres").await,
        Some(PostgresVersion::V14) => v14,
        Some(PostgresVersion::V15) => v15,
        Some(PostgresVersion::V16) => v16,
        Some(PostgresVersion::V17) => v17,
        Some(PostgresVersion::V18) => v18,
    };
    let major = version.map(|version| version.major().to_string());
    let variable = major.map(|major| ("TRIBUTARY_POSTGRES_VERSION", major));
    ensure_with(found, "postgres", variable).await
}

/// The psql program.
pub async fn psql() -> Result<&'static Path> {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    ensure(&FOUND, "psql").await
}

/// A folder of compiled locales: `ar_BH.utf8` and `ar_KW.utf8`, whose money has three decimals, and `ja_JP.utf8`, where it
/// has none.
pub async fn locales() -> Result<&'static Path> {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    ensure(&FOUND, "locales").await
}

/// The folder of Apache Kafka's jars.
pub async fn kafka() -> Result<&'static Path> {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    ensure(&FOUND, "kafka").await
}

/// The jar of Apicurio Registry.
pub async fn apicurio() -> Result<&'static Path> {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    ensure(&FOUND, "apicurio").await
}

/// The MinIO server program.
pub async fn minio() -> Result<&'static Path> {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    ensure(&FOUND, "minio").await
}

/// A Python with duckdb (and its delta and httpfs extensions), polars, deltalake and pyarrow: readers of the lake that
/// share no code with us.
pub async fn readers() -> Result<&'static Path> {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    ensure(&FOUND, "readers").await
}

/// A Python with pyspark and delta-spark, and the jars with which Apache Spark reads Delta tables on disk and on S3: it
/// needs Java, as Kafka does.
pub async fn spark() -> Result<&'static Path> {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    ensure(&FOUND, "spark").await
}

/// A docker-compose program, version 1.29 where the distribution has it. There may be no engine behind it.
pub async fn docker_compose() -> Result<&'static Path> {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    ensure(&FOUND, "compose").await
}

/// How often it is told that something is still being fetched or built.
const STILL: Duration = Duration::from_secs(15);

/// Runs `tests/servers/<name>.sh`, which installs or builds the program when it is missing and prints its path. What it
/// says meanwhile goes to standard error.
async fn ensure(found: &'static OnceCell<PathBuf>, name: &str) -> Result<&'static Path> {
    ensure_with(found, name, None).await
}

/// The same with a variable in the script's environment.
async fn ensure_with(
    found: &'static OnceCell<PathBuf>,
    name: &str,
    variable: Option<(&str, String)>,
) -> Result<&'static Path> {
    let path = found.get_or_try_init(|| async {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../servers")
            .join(format!("{name}.sh"));
        let attempted = || format!("run `{}`", script.display());
        let mut child = tokio::process::Command::new("bash")
            .arg(&script)
            .envs(variable)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(attempted)?;
        let said = child.stderr.take().map(|said| listen(name, said));
        let said = async {
            match said {
                Some(said) => said.await,
                None => Ok(String::new()),
            }
        };
        let (output, said) = tokio::join!(child.wait_with_output(), said);
        let (output, said) = (output.with_context(attempted)?, said?);
        let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() || path.is_empty() {
            bail!(
                "`{}` found no {name}, {}:\n{said}",
                script.display(),
                output.status,
            );
        }
        Ok(PathBuf::from(path))
    });
    Ok(path.await?)
}

/// Passes on line by line what a script says, and that it still works when it says nothing. All of it, at its end.
async fn listen(name: &str, said: tokio::process::ChildStderr) -> Result<String> {
    let started = Instant::now();
    let mut lines = BufReader::new(said).lines();
    let (mut all, mut telling) = (String::new(), false);
    loop {
        match tokio::time::timeout(STILL, lines.next_line()).await {
            Ok(Ok(Some(line))) => {
                eprintln!("{line}");
                all.push_str(&line);
                all.push('\n');
                telling = true;
            }
            Ok(Ok(None)) => return Ok(all),
            Ok(Err(error)) => return Err(error).context("read what a script says"),
            // a script that has said nothing yet only looks around, or waits for another one that fetches the same
            Err(_) => {
                let doing = if telling { "works" } else { "waits" };
                eprintln!(
                    "{name}: still {doing} after {} s",
                    started.elapsed().as_secs()
                );
            }
        }
    }
}
