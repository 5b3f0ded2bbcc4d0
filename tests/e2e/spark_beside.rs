//! Spark as a writer of the same tables: OPTIMIZE, DELETE and appends while a mirror runs, and on S3 while none does.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stack::{Process, until};

use crate::{
    mirror::ends_well,
    readers::{Place, Scene},
    spark::{Spark, address},
    truth::first_column,
    verdict,
    workload::Load,
};

/// The table to which Spark writes rows; the oracle judges the others.
pub const TABLE: &str = "create table beside (id int primary key, v text); insert into beside select i, 'early' from generate_series(1, 100) i";
const NAME: &str = "public.beside";
/// Changes to it in each round, each of them an event.
const ROUND: [&str; 3] = [
    "insert into beside select i, 'new' from generate_series((select max(id) + 1 from beside), (select max(id) + 20 from beside)) i",
    "update beside set v = v || '.' where id % 7 = 0",
    "delete from beside where id in (select id from beside order by id limit 5)",
];
/// The least, and the most if Spark is refused again and again.
const ROUNDS: std::ops::RangeInclusive<u64> = 2..=6;
/// What Spark appends in a round, told by a partition that Kafka does not have: deletes that are in the log already. What is
/// in the log is what `current` is made of, whoever wrote it, and a row is deleted once.
const APPENDED: u64 = 3;

const PATIENCE: Duration = Duration::from_secs(120);

/// Events of a round.
async fn round(scene: &Scene) -> Result<u64> {
    let mut events = 0;
    for sql in ROUND {
        events += scene.client.execute(sql, &[]).await?;
    }
    Ok(events)
}

/// How often Spark was let through, and how often a commit of ours that came before had it refused: then nothing of it is
/// there.
#[derive(Debug, Default)]
struct Attempts(BTreeMap<&'static str, (u32, u32)>);

impl Attempts {
    async fn run(&mut self, kind: &'static str, spark: &mut Spark, sql: &str) -> Result<()> {
        let (through, refused) = self.0.entry(kind).or_default();
        match spark.sql(sql).await {
            Ok(_) => *through += 1,
            Err(error) => {
                let said = format!("{error:#}");
                let conflict = ["Concurrent", "MetadataChangedException"];
                if !conflict.iter().any(|conflict| said.contains(conflict)) {
                    return Err(error);
                }
                *refused += 1;
            }
        }
        Ok(())
    }

    fn all_went_through(&self) -> bool {
        self.0.values().all(|(through, _)| *through > 0)
    }

    /// Each kind of commit went through at least once.
    fn ensure(&self) -> Result<()> {
        eprintln!("Spark, let through and refused: {:?}", self.0);
        ensure!(self.all_went_through(), "some never let through");
        Ok(())
    }
}

/// Has Spark compact, delete from and add to what lies there; how many rows it added to the log.
async fn write(
    scene: &Scene,
    place: &Place,
    spark: &mut Spark,
    attempts: &mut Attempts,
) -> Result<u64> {
    let url = |table: &str, part: &str| address(&format!("{}/{part}", place.table(table)));
    for (kind, table, part) in [
        ("OPTIMIZE of the log", NAME, "changes"),
        ("OPTIMIZE of the rows", NAME, "current"),
        ("OPTIMIZE of a busy log", "public.tweets", "changes"),
    ] {
        let sql = format!("optimize delta.`{}`", url(table, part));
        attempts.run(kind, spark, &sql).await?;
    }
    let current = url(NAME, "current");
    for (kind, sql) in [
        (
            "DELETE",
            format!("delete from delta.`{current}` where id % 5 = 0"),
        ),
        (
            "INSERT",
            format!("insert into delta.`{current}` select * from delta.`{current}` limit 3"),
        ),
    ] {
        attempts.run(kind, spark, &sql).await?;
    }
    let changes = url(NAME, "changes");
    spark
        .run(&format!(
            "rows = spark.read.format('delta').load('{changes}')\n\
             kind = rows.schema['_partition'].dataType\n\
             from pyspark.sql.functions import lit\n\
             rows = rows.where(\"_op = 'd' and coalesce(_partition, 0) <> -7\").orderBy('_lsn', '_seq').limit({APPENDED})\n\
             rows = rows.withColumn('_partition', lit(-7).cast(kind)).localCheckpoint()\n\
             print(rows.count())\n\
             rows.write.format('delta').mode('append').save('{changes}')\n"
        ))
        .await
        .and_then(|printed| Ok(printed.trim().parse()?))
        .with_context(|| format!("append to the log; {}", scene.folder.path().display()))
}

/// Every change is in the log once, besides what Spark added, and `current` is the table.
async fn nothing_is_lost(
    scene: &Scene,
    place: &Place,
    spark: &mut Spark,
    (events, appended): (u64, u64),
) -> Result<()> {
    let url = |part: &str| address(&format!("{}/{part}", place.table(NAME)));
    let counts = spark
        .sql(&format!(
            "select count_if(_partition <=> -7), count_if(not _partition <=> -7), \
             count(distinct if(_partition <=> -7, null, struct(_lsn, _seq, _op))) from delta.`{}`",
            url("changes")
        ))
        .await?;
    let counts: Vec<u64> = counts[0]
        .as_array()
        .context("counts")?
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    ensure!(
        counts == [appended, events, events],
        "of {appended} rows by Spark and {events} by us, each once, there are {counts:?}"
    );
    let shown = spark
        .sql(&format!(
            "select concat(id, ' ', v) from delta.`{}` order by id",
            url("current")
        ))
        .await?;
    let shown: Vec<&str> = shown
        .as_array()
        .context("rows")?
        .iter()
        .filter_map(|row| row[0].as_str())
        .collect();
    let wanted = first_column(
        &scene.client,
        "select id || ' ' || v from beside order by id",
    );
    let wanted = wanted.await?;
    ensure!(shown == wanted, "{shown:?} is not {wanted:?}");
    Ok(())
}

/// A mirror runs all the while, under load.
pub async fn on_disk(scene: &Scene, spark: &mut Spark) -> Result<()> {
    let place = &scene.disk;
    let mut running = Process::spawn("tributary mirror", place.mirror(&[])?)?;
    let load = Load::start(&scene.servers, crate::readers::DATABASE, 1);
    let (mut events, mut appended) = (100, 0);
    let mut attempts = Attempts::default();
    for number in 1..=*ROUNDS.end() {
        events += round(scene).await?;
        let newest = first_column(&scene.client, "select max(id)::text from beside").await?;
        let newest = newest.first().context("no row")?.clone();
        until("the mirror to follow", PATIENCE, async || {
            let query = format!("select max(id) as newest from {NAME}");
            let mut command =
                place.tributary(&["sql", "--format", "csv", "--lake", &place.root, &query])?;
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let seen = verdict::run(command, "tributary sql").await?;
            Ok((seen.trim().lines().last() == Some(newest.as_str())).then_some(()))
        })
        .await
        .with_context(|| running.output().unwrap_or_default())?;
        appended += write(scene, place, spark, &mut attempts)
            .await
            .with_context(|| running.output().unwrap_or_default())?;
        if number >= *ROUNDS.start() && attempts.all_went_through() {
            break;
        }
    }
    attempts.ensure()?;
    let refused = spark
        .sql(&format!(
            "delete from delta.`{}/changes` where id = 1",
            place.table(NAME)
        ))
        .await;
    ensure!(
        refused
            .as_ref()
            .is_err_and(|error| format!("{error:#}").contains("append")),
        "a DELETE on the log: {refused:?}"
    );
    events += round(scene).await?;
    load.finish().await?;
    ends_well(&mut running).await?;
    place.catch_up().await?;
    nothing_is_lost(scene, place, spark, (events, appended)).await?;
    let verdict = scene.compare(place, "duckdb").await?;
    eprintln!("beside Spark: {verdict:?}");
    Ok(())
}

/// No writer of ours runs, as the page asks.
pub async fn on_s3(scene: &Scene, spark: &mut Spark) -> Result<()> {
    let place = &scene.bucket;
    place.catch_up().await?;
    let there = spark
        .sql(&format!(
            "select count(*) from delta.`{}/changes`",
            address(&place.table(NAME))
        ))
        .await?;
    let mut events = there[0][0].as_u64().context("a count")?;
    let mut attempts = Attempts::default();
    let appended = write(scene, place, spark, &mut attempts).await?;
    attempts.ensure()?;
    events += round(scene).await?;
    place.catch_up().await?;
    nothing_is_lost(scene, place, spark, (events, appended)).await?;
    scene.compare(place, "duckdb").await?;
    Ok(())
}
