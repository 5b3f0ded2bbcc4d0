//! Records that could not become rows can be asked for.

use std::{fs, path::Path, sync::Arc};

use anyhow::Result;
use arrow::{
    array::{
        ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray,
        TimestampMicrosecondArray,
    },
    datatypes::Schema,
};
use console::{OutputFormat, SqlEngine, write_result};
use debezium::PgTypeKind::Int4;
use lakewriter::lake::{DEAD_LETTERS, dead_letter_schema};
use parquet::arrow::ArrowWriter;

use crate::lake::{Lake, Table, rows_of};

const COLUMNS: [&str; 9] = [
    "reason",
    "topic",
    "partition",
    "offset",
    "timestamp",
    "key",
    "value",
    "_ingest_ts",
    "_date",
];

async fn described(engine: &SqlEngine, name: &str) -> Result<String> {
    let mut out = Vec::new();
    write_result(engine.describe(name).await?, OutputFormat::Csv, &mut out).await?;
    Ok(String::from_utf8(out)?)
}

async fn columns_of(engine: &SqlEngine) -> Result<Vec<String>> {
    let text = described(engine, DEAD_LETTERS).await?;
    let names = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').next());
    Ok(names.map(str::to_owned).collect())
}

#[tokio::test]
async fn they_can_be_asked_for_where_there_are_some() -> Result<()> {
    let mut lake = Lake::new().await?;
    lake.insert(&Table::new("t", 1, &[("id", 1, Int4)], &["id"]), &["1"])
        .await?;
    set_aside(&lake.path().join(DEAD_LETTERS))?;
    let engine = SqlEngine::open(&lake.config(), None).await?;
    assert!(engine.warnings().is_empty(), "{:?}", engine.warnings());
    let list = described(&engine, "").await?;
    assert!(list.contains("public,_dead_letters,dead letters"), "{list}");
    // Under the lake's name for them too, and beside the tables.
    assert_eq!(columns_of(&engine).await?, COLUMNS);
    for name in ["_dead_letters", "public._dead_letters"] {
        let sql = format!(
            "select reason, topic, partition, \"offset\", arrow_cast(value, 'Utf8') from {name}"
        );
        let rows = rows_of(&engine, &sql).await?;
        assert_eq!(
            rows,
            ["no event|t.public.t|2|17|{}", "no event|t.public.t|2|18|"]
        );
    }
    assert_eq!(rows_of(&engine, "select * from t").await?, ["1"]);
    Ok(())
}

#[tokio::test]
async fn they_can_be_asked_for_where_there_are_none() -> Result<()> {
    let mut lake = Lake::new().await?;
    for tables in [0, 1] {
        if tables == 1 {
            lake.insert(&Table::new("t", 1, &[("id", 1, Int4)], &["id"]), &["1"])
                .await?;
        }
        let engine = SqlEngine::open(&lake.config(), None).await?;
        assert_eq!(
            rows_of(&engine, "select count(*) from _dead_letters").await?,
            ["0"]
        );
        assert_eq!(columns_of(&engine).await?, COLUMNS);
        // What is not there is not in the list.
        let list = described(&engine, "").await?;
        assert!(!list.contains(DEAD_LETTERS), "{list}");
    }
    Ok(())
}

/// A source may have a table of their name: it keeps it, and they are beside it.
#[tokio::test]
async fn they_stand_beside_a_table_of_their_name() -> Result<()> {
    let mut lake = Lake::new().await?;
    let theirs = Table::new(DEAD_LETTERS, 1, &[("id", 1, Int4)], &["id"]);
    lake.insert(&theirs, &["1"]).await?;
    for letters in [0, 2] {
        if letters > 0 {
            set_aside(&lake.path().join(DEAD_LETTERS))?;
        }
        let engine = SqlEngine::open(&lake.config(), None).await?;
        for name in ["_dead_letters", "public._dead_letters"] {
            let sql = format!("select id from {name}");
            assert_eq!(rows_of(&engine, &sql).await?, ["1"]);
        }
        let sql = "select count(reason) from __dead_letters";
        assert_eq!(rows_of(&engine, sql).await?, [letters.to_string()]);
        let [warning] = engine.warnings() else {
            panic!("{:?}", engine.warnings());
        };
        assert!(warning.contains("public.__dead_letters"), "{warning}");
        let list = described(&engine, "").await?;
        let listed = list.contains("public,__dead_letters,dead letters");
        assert_eq!(listed, letters > 0, "{list}");
    }
    Ok(())
}

/// Two letters, as lakewriter keeps them: its columns, a file of one day.
fn set_aside(folder: &Path) -> Result<()> {
    let day = folder.join("_date=2026-11-21");
    fs::create_dir_all(&day)?;
    fs::create_dir_all(folder.join("_delta_log"))?;
    let schema = dead_letter_schema();
    let times = || -> ArrayRef {
        Arc::new(
            TimestampMicrosecondArray::from(vec![1_790_000_000_000_000; 2]).with_timezone("UTC"),
        )
    };
    let stored: Vec<_> = schema.fields().iter().take(8).cloned().collect();
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(stored)),
        vec![
            Arc::new(StringArray::from(vec!["no event"; 2])),
            Arc::new(StringArray::from(vec!["t.public.t"; 2])),
            Arc::new(Int32Array::from(vec![2; 2])),
            Arc::new(Int64Array::from(vec![17, 18])),
            times(),
            Arc::new(BinaryArray::from_opt_vec(vec![None, Some(b"k")])),
            Arc::new(BinaryArray::from_opt_vec(vec![Some(b"{}"), None])),
            times(),
        ],
    )?;
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    fs::write(day.join("part.parquet"), &bytes)?;
    let types = [
        "string",
        "string",
        "integer",
        "long",
        "timestamp",
        "binary",
        "binary",
        "timestamp",
        "date",
    ];
    let fields: Vec<String> = schema
        .fields()
        .iter()
        .zip(types)
        .map(|(field, data_type)| {
            format!(
                r#"{{"name":"{}","type":"{data_type}","nullable":true,"metadata":{{}}}}"#,
                field.name()
            )
        })
        .collect();
    let schema = format!(r#"{{"type":"struct","fields":[{}]}}"#, fields.join(","));
    let entry = [
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#.to_owned(),
        format!(
            r#"{{"metaData":{{"id":"5b8e2a3e-0000-4000-8000-000000000001","format":{{"provider":"parquet","options":{{}}}},"schemaString":{},"partitionColumns":["_date"],"configuration":{{}},"createdTime":1790000000000}}}}"#,
            serde_json::to_string(&schema)?
        ),
        format!(
            r#"{{"add":{{"path":"_date=2026-11-21/part.parquet","partitionValues":{{"_date":"2026-11-21"}},"size":{},"modificationTime":1790000000000,"dataChange":true}}}}"#,
            bytes.len()
        ),
    ];
    fs::write(
        folder.join("_delta_log/00000000000000000000.json"),
        entry.join("\n"),
    )?;
    Ok(())
}
