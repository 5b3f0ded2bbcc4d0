//! Proves: DuckDB, Polars, deltalake and Apache Spark see in `changes` and in `current` what PostgreSQL says, value for
//! value, on disk and on S3, with deletion vectors, after a compaction and after changes of the columns; the lines of
//! docs/readers.md work; Spark's OPTIMIZE, DELETE and appends cost nobody a row.
//! Steps: two mirrors of one database; changes of every kind; what the readers see, twice; then Spark writes.
//! Requires: PostgreSQL, MinIO, DuckDB, Polars, deltalake, Spark (Java 17).

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::{
    mirror::ended,
    reader_lines::{Page, python},
    servers::{Servers, shared},
    spark::Spark,
    spark_beside,
    tables::CHANGES,
    truth::{self, first_column},
    verdict::{Verdict, compare},
    workload::{EARLIER_ROWS, SCHEMA, TABLES, Workload},
};

/// The database's name is the tables' first folder: the one that the page names.
pub const DATABASE: &str = "twitter";
const BUCKET: &str = "readers";

/// Without a key there is no `current`.
const KEYLESS: &str = "public.no_key";

/// A lake, in a folder or on the S3 server.
pub struct Place {
    pub root: String,
    storage: Option<Value>,
    folder: PathBuf,
    dsn: String,
}

impl Place {
    fn new(servers: &Servers, root: String, folder: &Path) -> Self {
        let minio = &servers.minio;
        let storage = json!({
            "endpoint": minio.endpoint(),
            "access_key": minio.access_key(),
            "secret_key": minio.secret_key(),
        });
        Self {
            storage: root.starts_with("s3:").then_some(storage),
            root,
            folder: folder.to_owned(),
            dsn: servers.postgres.dsn(DATABASE),
        }
    }

    /// Where a table lies, with `changes` or `current` behind its name.
    pub fn table(&self, table: &str) -> String {
        format!("{}/{DATABASE}/{table}", self.root)
    }

    pub fn tributary(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = stack::tributary()?;
        command
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        for (name, key) in [
            ("TRIBUTARY_LAKE__ENDPOINT", "endpoint"),
            ("TRIBUTARY_LAKE__ACCESS_KEY_ID", "access_key"),
            ("TRIBUTARY_LAKE__SECRET_ACCESS_KEY", "secret_key"),
        ] {
            let value = self.storage.as_ref().and_then(|it| it.get(key));
            command.envs(value.and_then(Value::as_str).map(|value| (name, value)));
        }
        Ok(command)
    }

    pub fn mirror(&self, more: &[&str]) -> Result<Command> {
        let mut arguments = vec!["mirror", "--from", &self.dsn, "--to", &self.root];
        arguments.extend(["--exclude", "oracle.*", "--freshness", "300ms"]);
        arguments.extend(more);
        self.tributary(&arguments)
    }

    pub async fn catch_up(&self) -> Result<()> {
        let (output, said) = ended(self.mirror(&["--once"])?).await?;
        ensure!(output.status.success(), "{}: {said}", self.root);
        Ok(())
    }

    async fn optimize(&self) -> Result<()> {
        let (output, said) =
            ended(self.tributary(&["lake", "optimize", "--lake", &self.root])?).await?;
        ensure!(output.status.success(), "{}: {said}", self.root);
        Ok(())
    }
}

/// The lakes, and what PostgreSQL says of their tables.
pub struct Scene {
    pub servers: Arc<Servers>,
    pub client: Client,
    pub folder: TempDir,
    pub disk: Place,
    pub bucket: Place,
    after_lsn: u64,
}

impl Scene {
    async fn new() -> Result<Self> {
        let servers = shared().await?;
        let folder = TempDir::new()?;
        servers.minio.create_bucket(BUCKET)?;
        servers.postgres.create_database(DATABASE).await?;
        let client = servers.postgres.connect(DATABASE).await?;
        client.batch_execute(&servers.schema(SCHEMA)).await?;
        client.batch_execute(EARLIER_ROWS).await?;
        client.batch_execute(spark_beside::TABLE).await?;
        truth::watch(&client, &TABLES).await?;
        let lake = folder.path().join("lake").display().to_string();
        let disk = Place::new(&servers, lake, folder.path());
        let bucket = Place::new(&servers, format!("s3://{BUCKET}"), folder.path());
        disk.catch_up().await?;
        bucket.catch_up().await?;
        let lsn = first_column(&client, "select (pg_current_wal_lsn() - '0/0')::text").await?;
        let after_lsn = lsn.first().context("no LSN")?.parse()?;
        Ok(Self {
            servers,
            client,
            folder,
            disk,
            bucket,
            after_lsn,
        })
    }

    pub async fn execute(&self, statements: &[&str]) -> Result<()> {
        for sql in statements {
            self.client
                .batch_execute(sql)
                .await
                .context((*sql).to_owned())?;
        }
        Ok(())
    }

    async fn catch_up(&self) -> Result<()> {
        self.disk.catch_up().await?;
        self.bucket.catch_up().await
    }

    /// What a reader sees is what PostgreSQL says.
    pub async fn compare(&self, place: &Place, reader: &str) -> Result<Verdict> {
        let tables = TABLES.iter().map(|&table| {
            let mut paths = json!({"changes": format!("{}/changes", place.table(table))});
            if table != KEYLESS {
                paths["current"] = json!(format!("{}/current", place.table(table)));
            }
            (table.to_owned(), paths)
        });
        self.judge(place, reader, tables.collect())
            .await
            .with_context(|| format!("{}, read by {reader}", place.root))
    }

    async fn compare_spark(&self, place: &Place, spark: &mut Spark) -> Result<Verdict> {
        let copies = self.folder.path().join("read_by_spark");
        let mut tables = Map::new();
        for table in TABLES {
            let mut paths = Map::new();
            for part in ["changes", "current"] {
                if part == "current" && table == KEYLESS {
                    continue;
                }
                let copy = copies.join(table).join(part);
                let url = format!("{}/{part}", place.table(table));
                spark.copy(&url, &copy).await?;
                paths.insert(part.to_owned(), json!(copy));
            }
            tables.insert(table.to_owned(), Value::Object(paths));
        }
        self.judge(place, "parquet", tables)
            .await
            .with_context(|| format!("{}, read by Spark", place.root))
    }

    async fn judge(
        &self,
        place: &Place,
        reader: &str,
        tables: Map<String, Value>,
    ) -> Result<Verdict> {
        let truth = self.folder.path().join("truth.jsonl");
        truth::export(&self.client, &truth).await?;
        let request = json!({
            "truth": truth,
            "reader": reader,
            "storage": place.storage,
            "after_lsn": self.after_lsn,
            "tables": tables,
        });
        compare(self.folder.path(), &request).await
    }

    /// All readers see the same, and all of it.
    async fn all_readers(&self, place: &Place, spark: &mut Spark) -> Result<()> {
        let by_spark = self.compare_spark(place, spark).await?;
        for reader in ["duckdb", "polars", "deltalake"] {
            let seen = self.compare(place, reader).await?;
            ensure!(
                seen == by_spark,
                "{reader} sees {seen:?}, Spark {by_spark:?}"
            );
        }
        eprintln!("{}: {by_spark:?}", place.root);
        Ok(())
    }

    fn deletion_vectors(&self, table: &str) -> Result<usize> {
        let log = Path::new(&self.disk.table(table)).join("current/_delta_log");
        let mut found = 0;
        for entry in std::fs::read_dir(log)? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "json") {
                found += std::fs::read_to_string(path)?
                    .matches("\"storageType\"")
                    .count();
            }
        }
        Ok(found)
    }

    /// The lines of the page, on S3 and in the folder. Spark's begins its session.
    async fn lines(&self) -> Result<Spark> {
        let page = Page::read(&self.servers.minio.endpoint(), BUCKET)?;
        let count = first_column(&self.client, "select count(*)::text from tweets").await?;
        let count = count.first().context("no count")?;
        let lake = Path::new(&self.disk.root);
        for title in ["DuckDB", "Polars", "deltalake"] {
            for block in [page.block(title)?, page.of_folder(title, lake)?] {
                let printed = python(&block).await?;
                ensure!(printed.contains(count), "{title}: no {count} in {printed}");
            }
        }
        let session = page.spark()?;
        let (mut spark, printed) = Spark::start(self.folder.path(), &session).await?;
        let again = spark.run(&page.of_folder("Apache Spark", lake)?).await?;
        for printed in [printed, again] {
            ensure!(printed.trim() == count, "Spark: {printed} is not {count}");
        }
        Ok(spark)
    }
}

#[tokio::test]
async fn every_reader_sees_what_postgresql_has_and_spark_may_write() -> Result<()> {
    let scene = Scene::new().await?;
    let is_ddl = |sql: &&str| sql.starts_with("alter table");
    let first_ddl = CHANGES.iter().position(is_ddl);
    let (changes, shapes) = CHANGES.split_at(first_ddl.context("no DDL")?);

    for half in [&changes[..4], &changes[4..]] {
        scene.execute(half).await?;
        scene.catch_up().await?;
    }
    ensure!(
        scene.deletion_vectors("public.tweets")? > 0,
        "no deletion vector"
    );
    let mut spark = scene.lines().await?;
    scene.all_readers(&scene.disk, &mut spark).await?;

    scene.execute(shapes).await?;
    scene.catch_up().await?;
    scene.disk.optimize().await?;
    scene.bucket.optimize().await?;
    let before = scene.deletion_vectors("public.tweets")?;
    let mut workload = Workload::new(1, 42);
    for _ in 0..60 {
        scene.client.batch_execute(&workload.transaction()).await?;
    }
    scene
        .execute(&["update tweets set like_count = like_count + 1 where id between -100 and -90"])
        .await?;
    scene.catch_up().await?;
    ensure!(
        scene.deletion_vectors("public.tweets")? > before,
        "no deletion vector"
    );
    for place in [&scene.disk, &scene.bucket] {
        scene.all_readers(place, &mut spark).await?;
    }

    spark_beside::on_disk(&scene, &mut spark).await?;
    spark_beside::on_s3(&scene, &mut spark).await
}
