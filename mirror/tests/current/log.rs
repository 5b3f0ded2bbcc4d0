//! A `changes` table that is written by hand, so that its rows come in any order.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Result, ensure};
use arrow::{
    array::{
        Array, ArrayRef, Int32Array, Int64Array, ListBuilder, RecordBatch, StringArray,
        StringBuilder, TimestampMicrosecondArray,
    },
    datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
};
use deltalake_core::{
    kernel::{
        Action, Add, StructType, engine::arrow_conversion::TryIntoKernel as _,
        transaction::CommitData,
    },
    protocol::{DeltaOperation, SaveMode},
};
use lakewriter::{
    Lake,
    lake::{
        delta::{Put, put_entry},
        property, upload, write_parquet,
    },
};
use object_store::{ObjectStore, path::Path};
use serde_json::json;
use url::Url;

/// The folder of the log.
pub const CHANGES: &str = "app/public.t/changes";

/// A value that PostgreSQL did not send, or one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Unsent,
    Sent(Option<String>),
}

#[derive(Debug, Clone)]
pub struct Event {
    pub op: char,
    pub incarnation: i64,
    pub lsn: i64,
    pub seq: i64,
    pub id: i64,
    pub n: i64,
    pub body: Body,
    pub partition: i32,
    pub offset: i64,
}

pub struct Log {
    pub lake: Lake,
    version: u64,
    properties: BTreeMap<String, String>,
}

pub fn lake_on(store: Arc<dyn ObjectStore>) -> Result<Lake> {
    Ok(Lake::on_store(
        store,
        Url::parse("memory:///")?,
        Path::default(),
    ))
}

fn schema() -> SchemaRef {
    let text = Arc::new(Field::new("element", DataType::Utf8, true));
    let timestamp = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields = [
        ("id", DataType::Int64),
        ("n", DataType::Int64),
        ("body", DataType::Utf8),
        ("_op", DataType::Utf8),
        ("_lsn", DataType::Int64),
        ("_seq", DataType::Int64),
        ("_ts", timestamp.clone()),
        ("_ingest_ts", timestamp),
        ("_partition", DataType::Int32),
        ("_offset", DataType::Int64),
        ("_unavailable", DataType::List(text)),
        ("_incarnation", DataType::Int64),
        ("_table_version", DataType::Int32),
    ];
    let fields = fields.map(|(name, data_type)| Field::new(name, data_type, true));
    Arc::new(Schema::new(fields.to_vec()))
}

impl Log {
    pub async fn create(lake: Lake) -> Result<Self> {
        let properties = [(property::KEY.to_owned(), "[\"id\"]".to_owned())].into();
        let mut log = Self {
            lake,
            version: 0,
            properties,
        };
        let metadata = log.metadata()?;
        let protocol = json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}});
        let actions = vec![
            serde_json::from_value(protocol)?,
            serde_json::from_value(metadata)?,
        ];
        log.put(0, actions).await?;
        Ok(log)
    }

    pub async fn commit(&mut self, events: &[Event]) -> Result<()> {
        let batch = batch(events)?;
        let file = write_parquet(&[batch])?;
        self.version += 1;
        let path = format!("{}.parquet", self.version);
        let size = i64::try_from(file.bytes.len())?;
        upload(&self.lake, CHANGES, &path, file.bytes).await?;
        let add = Add {
            path,
            size,
            data_change: true,
            stats: Some(file.stats),
            ..Add::default()
        };
        self.put(self.version, vec![Action::Add(add)]).await
    }

    /// The table's configuration says of a snapshot that its rows are counted, and how many there are.
    pub async fn tell(&mut self, (incarnation, lsn): (i64, i64), rows: Option<u64>) -> Result<()> {
        let key = format!("{}.{incarnation}.{lsn}", property::SNAPSHOT);
        if let Some(rows) = rows {
            self.properties
                .insert(format!("{key}.rows"), rows.to_string());
        }
        self.properties.insert(key, "counted".to_owned());
        self.version += 1;
        let action = serde_json::from_value(self.metadata()?)?;
        self.put(self.version, vec![action]).await
    }

    fn metadata(&self) -> Result<serde_json::Value> {
        let columns: StructType = schema().as_ref().try_into_kernel()?;
        Ok(json!({"metaData": {
            "id": "t", "name": null, "description": null,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": serde_json::to_string(&columns)?,
            "partitionColumns": [], "createdTime": 0,
            "configuration": self.properties,
        }}))
    }

    async fn put(&mut self, version: u64, actions: Vec<Action>) -> Result<()> {
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: None,
            predicate: None,
        };
        let data = CommitData::new(actions, operation, Default::default(), Vec::new());
        let put = put_entry(&self.lake, CHANGES, version, data.get_bytes()?).await?;
        ensure!(put == Put::Done, "version {version} is taken");
        Ok(())
    }
}

fn batch(events: &[Event]) -> Result<RecordBatch> {
    let numbers = |of: &dyn Fn(&Event) -> i64| -> ArrayRef {
        Arc::new(
            events
                .iter()
                .map(|event| Some(of(event)))
                .collect::<Int64Array>(),
        )
    };
    let times = |of: &dyn Fn(&Event) -> i64| -> ArrayRef {
        let times: TimestampMicrosecondArray = events.iter().map(|e| Some(of(e))).collect();
        Arc::new(times.with_timezone("UTC"))
    };
    let text = Field::new("element", DataType::Utf8, true);
    let mut unsent = ListBuilder::new(StringBuilder::new()).with_field(text);
    for event in events {
        let is_unsent = event.body == Body::Unsent;
        if is_unsent {
            unsent.values().append_value("body");
        }
        unsent.append(is_unsent);
    }
    let bodies: StringArray = events
        .iter()
        .map(|event| match &event.body {
            Body::Unsent => None,
            Body::Sent(text) => text.clone(),
        })
        .collect();
    let operations: StringArray = events.iter().map(|e| Some(e.op.to_string())).collect();
    let partitions: Int32Array = events.iter().map(|e| Some(e.partition)).collect();
    let columns: Vec<ArrayRef> = vec![
        numbers(&|e| e.id),
        numbers(&|e| e.n),
        Arc::new(bodies),
        Arc::new(operations),
        numbers(&|e| e.lsn),
        numbers(&|e| e.seq),
        times(&|e| e.lsn * 10),
        times(&|e| e.offset),
        Arc::new(partitions),
        numbers(&|e| e.offset),
        Arc::new(unsent.finish()),
        numbers(&|e| e.incarnation),
        arrow::array::new_null_array(&DataType::Int32, events.len()),
    ];
    ensure!(
        columns.iter().all(|column| column.len() == events.len()),
        "columns of one length"
    );
    Ok(RecordBatch::try_new(schema(), columns)?)
}
