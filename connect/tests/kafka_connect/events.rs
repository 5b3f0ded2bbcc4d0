//! Events made by hand, for tests of the sink that need no PostgreSQL.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use cdc::{
    EventSink, PipelineStatus, Progress, TransactionEnd,
    checkpoint::StartPosition,
    kafka::KafkaClient,
    sink::kafka::{ActiveTopics, KafkaSink},
};
use connector::ConnectorConfig;
use debezium::{
    ChangeEvent, ChangePosition, Column, ColumnValue, KeyChange, OldRow, Operation, PgType,
    PgTypeKind, ReplicaIdentity, SnapshotMarker, Source, TableId, TableSchema,
};
use pgoutput::Lsn;
use stack::{Kafka, Record};

pub const OFFSETS: &str = "connect_offsets";

/// Settings of a connector that never connects to a database.
pub fn config(name: &str, extra: &[(&str, &str)]) -> Result<ConnectorConfig> {
    let mut properties: BTreeMap<String, String> = [
        ("name", name),
        ("database.hostname", "nowhere"),
        ("database.user", "u"),
        ("database.dbname", "d"),
        ("topic.prefix", name),
        ("key.converter.schemas.enable", "false"),
        ("value.converter.schemas.enable", "false"),
    ]
    .iter()
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .collect();
    for (name, value) in extra {
        properties.insert((*name).to_owned(), (*value).to_owned());
    }
    Ok(ConnectorConfig::parse(&properties)?.config)
}

/// A sink as a task opens it, and where it would go on from.
pub async fn open(kafka: &Kafka, config: &ConnectorConfig) -> Result<(KafkaSink, StartPosition)> {
    open_with(
        KafkaClient::new(kafka.bootstrap(), &BTreeMap::new())?,
        config,
    )
    .await
}

/// As [`open`], with the client's own settings.
pub async fn open_with(
    client: KafkaClient,
    config: &ConnectorConfig,
) -> Result<(KafkaSink, StartPosition)> {
    let opened = KafkaSink::connect(
        config,
        &client,
        OFFSETS,
        ActiveTopics::default(),
        Arc::new(PipelineStatus::default()),
    );
    Ok(opened.await?)
}

fn column(name: &str, kind: PgTypeKind, type_name: &str, optional: bool) -> Column {
    Column {
        name: name.to_owned(),
        pg_type: PgType {
            oid: 0,
            name: type_name.to_owned(),
            modifier: -1,
            kind,
        },
        optional,
        default_expression: None,
        generated: false,
        number: None,
        rule: None,
    }
}

/// `public.<name>(id bigint primary key, t text)`.
pub fn table(name: &str) -> Arc<TableSchema> {
    Arc::new(TableSchema {
        table: TableId {
            database: "d".to_owned(),
            schema: "public".to_owned(),
            table: name.to_owned(),
        },
        columns: vec![
            column("id", PgTypeKind::Int8, "int8", false),
            column("t", PgTypeKind::Text, "text", true),
        ],
        key: vec![0],
        replica_identity: ReplicaIdentity::Default,
        oid: None,
    })
}

/// The same table without a key.
pub fn keyless(name: &str) -> Arc<TableSchema> {
    let mut keyless = TableSchema::clone(&table(name));
    keyless.key.clear();
    Arc::new(keyless)
}

/// A transaction of inserts with these ids, committed at `commit_lsn`.
pub fn insert(
    sink: &mut KafkaSink,
    table: &Arc<TableSchema>,
    commit_lsn: u64,
    ids: std::ops::Range<u64>,
) -> Result<()> {
    let mut position = ChangePosition::new(commit_lsn, 0);
    for (ordinal, id) in ids.enumerate() {
        position.ordinal = ordinal as u64;
        let id = id.to_string();
        let row = [
            ColumnValue::Text(id.as_bytes()),
            ColumnValue::Text(b"text of a row"),
        ];
        sink.write(&event(
            table,
            Operation::Create,
            position,
            OldRow::None,
            Some(&row),
        ))?;
    }
    sink.end_transaction(TransactionEnd {
        position,
        end_lsn: Lsn(commit_lsn + 8),
    })?;
    Ok(())
}

pub fn event<'a>(
    table: &'a Arc<TableSchema>,
    op: Operation,
    position: ChangePosition,
    before: OldRow<'a>,
    after: Option<&'a [ColumnValue<'a>]>,
) -> ChangeEvent<'a> {
    ChangeEvent {
        table,
        op,
        before,
        after,
        key_change: KeyChange::None,
        source: Source {
            lsn: position.commit_lsn,
            tx_id: Some(7),
            commit_micros: 1_700_000_000_000_000,
            last_commit_lsn: None,
            snapshot: SnapshotMarker::False,
            xmin: None,
        },
        position,
        transaction: None,
        origin: None,
    }
}

/// Dispatch and wait until everything is durable.
pub async fn deliver(sink: &mut KafkaSink) -> Result<Progress> {
    sink.begin_drain();
    let mut last = Progress::default();
    let all = async {
        while !sink.is_idle() {
            sink.dispatch()?;
            last = sink.progress().await?;
        }
        anyhow::Ok(())
    };
    match tokio::time::timeout(Duration::from_secs(60), all).await {
        Ok(done) => done?,
        Err(_) => bail!("nothing was delivered within a minute"),
    }
    Ok(last)
}

/// The `id` of each record's key, sorted.
pub fn ids(records: &[Record]) -> Result<Vec<u64>> {
    let mut ids = records
        .iter()
        .map(|record| {
            let value = record.value.as_deref().context("a tombstone")?;
            let value: serde_json::Value = serde_json::from_slice(value)?;
            value["after"]["id"].as_u64().context("no id")
        })
        .collect::<Result<Vec<u64>>>()?;
    ids.sort_unstable();
    Ok(ids)
}

/// A header's text.
pub fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record
        .headers
        .iter()
        .find(|(header, _)| header == name)
        .and_then(|(_, value)| std::str::from_utf8(value.as_deref()?).ok())
}
