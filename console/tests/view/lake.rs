//! A source table whose changes are written to a lake of its own, and the SQL over that lake.

use std::sync::Arc;

use anyhow::Result;
use console::{OutputFormat, SqlEngine, write_result};
use debezium::{
    ChangeEvent, ChangePosition, Column, ColumnValue, KeyChange, OldRow, Operation, PgType,
    PgTypeKind, ReplicaIdentity, SnapshotMarker, Source, TableId, TableSchema,
};
use lakewriter::{DirectPosition, DirectWriter, LakeConfig, LakeCounters};
use tempfile::TempDir;

/// A value that PostgreSQL did not send.
pub const UNSENT: &str = "~";

/// NULL.
pub const NULL: &str = "-";

/// A lake and its writer. Every transaction is committed at once.
pub struct Lake {
    folder: TempDir,
    writer: DirectWriter,
    lsn: u64,
    incarnation: u64,
}

/// A version of a table.
#[derive(Clone)]
pub struct Table(pub Arc<TableSchema>);

impl Table {
    /// Columns as `name number type`; the key by names.
    pub fn new(name: &str, oid: u32, columns: &[(&str, i16, PgTypeKind)], key: &[&str]) -> Self {
        let places = key
            .iter()
            .filter_map(|key| columns.iter().position(|(name, _, _)| name == key));
        let key = places.collect();
        let columns = columns.iter().map(|(name, number, kind)| Column {
            name: (*name).to_owned(),
            pg_type: PgType {
                oid: 0,
                name: "t".to_owned(),
                modifier: -1,
                kind: kind.clone(),
            },
            optional: true,
            default_expression: None,
            generated: false,
            older_rows: None,
            number: Some(*number),
            rule: None,
        });
        Self(Arc::new(TableSchema {
            table: TableId {
                database: "shop".to_owned(),
                schema: "public".to_owned(),
                table: name.to_owned(),
            },
            columns: columns.collect(),
            key,
            replica_identity: ReplicaIdentity::Default,
            oid: Some(oid),
        }))
    }

    /// Old rows come whole.
    pub fn full(mut self) -> Self {
        Arc::make_mut(&mut self.0).replica_identity = ReplicaIdentity::Full;
        self
    }

    /// Nobody asked the catalog for numbers, as with the events of another Debezium.
    pub fn without_numbers(mut self) -> Self {
        let table = Arc::make_mut(&mut self.0);
        table.oid = None;
        table
            .columns
            .iter_mut()
            .for_each(|column| column.number = None);
        self
    }
}

impl Lake {
    pub async fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = LakeConfig::new(folder.path().display().to_string());
        let progress = Arc::new(LakeCounters::default());
        let (writer, _) = DirectWriter::open(config, "test", progress).await?;
        Ok(Self {
            folder,
            writer,
            lsn: 1000,
            incarnation: 0,
        })
    }

    pub fn config(&self) -> LakeConfig {
        LakeConfig::new(self.folder.path().display().to_string())
    }

    pub fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Everything that is written from now on belongs to a later history of the WAL.
    pub fn begin_another_history(&mut self) {
        self.incarnation += 1;
    }

    pub async fn insert(&mut self, table: &Table, row: &[&str]) -> Result<()> {
        self.write(table, Operation::Create, None, Some(row)).await
    }

    /// The rows of a table in a snapshot, or those of them that were read before it was killed.
    pub async fn snapshot(&mut self, table: &Table, rows: &[[&str; 2]]) -> Result<()> {
        let rows = rows.iter().map(|row| row.map(str::to_owned).to_vec());
        self.write_many(table, Operation::Read, rows).await
    }

    /// `old`: the key where it changed, or the whole old row under REPLICA IDENTITY FULL.
    pub async fn update(
        &mut self,
        table: &Table,
        old: Option<&[&str]>,
        row: &[&str],
    ) -> Result<()> {
        self.write(table, Operation::Update, old, Some(row)).await
    }

    pub async fn delete(&mut self, table: &Table, old: &[&str]) -> Result<()> {
        self.write(table, Operation::Delete, Some(old), None).await
    }

    pub async fn truncate(&mut self, table: &Table) -> Result<()> {
        self.write(table, Operation::Truncate, None, None).await
    }

    /// Rows that one transaction inserts.
    pub async fn insert_many(
        &mut self,
        table: &Table,
        rows: impl Iterator<Item = Vec<String>>,
    ) -> Result<()> {
        self.write_many(table, Operation::Create, rows).await
    }

    async fn write_many(
        &mut self,
        table: &Table,
        op: Operation,
        rows: impl Iterator<Item = Vec<String>>,
    ) -> Result<()> {
        let lsn = self.next();
        for (ordinal, row) in rows.enumerate() {
            let row: Vec<&str> = row.iter().map(String::as_str).collect();
            self.append(table, op, None, Some(&row), lsn, ordinal as u64)?;
        }
        self.commit(lsn).await
    }

    async fn write(
        &mut self,
        table: &Table,
        op: Operation,
        old: Option<&[&str]>,
        row: Option<&[&str]>,
    ) -> Result<()> {
        let lsn = self.next();
        self.append(table, op, old, row, lsn, 0)?;
        self.commit(lsn).await
    }

    fn append(
        &mut self,
        table: &Table,
        op: Operation,
        old: Option<&[&str]>,
        row: Option<&[&str]>,
        lsn: u64,
        ordinal: u64,
    ) -> Result<()> {
        let old = old.map(values);
        let row = row.map(values);
        let before = match (&old, table.0.replica_identity) {
            (None, _) => OldRow::None,
            (Some(old), ReplicaIdentity::Full) => OldRow::Full(old),
            (Some(old), _) => OldRow::Key(old),
        };
        let event = ChangeEvent {
            table: &table.0,
            op,
            before,
            after: row.as_deref(),
            key_change: KeyChange::None,
            source: Source {
                lsn,
                tx_id: Some(lsn),
                commit_micros: 1_790_000_000_000_000,
                last_commit_lsn: None,
                snapshot: SnapshotMarker::False,
                xmin: None,
            },
            position: self.position(lsn, ordinal),
            transaction: None,
            origin: None,
        };
        Ok(self.writer.append(&event)?)
    }

    fn next(&mut self) -> u64 {
        self.lsn += 8;
        self.lsn
    }

    fn position(&self, lsn: u64, ordinal: u64) -> ChangePosition {
        ChangePosition::new(lsn, ordinal).in_incarnation(self.incarnation)
    }

    async fn commit(&mut self, lsn: u64) -> Result<()> {
        let end = DirectPosition {
            position: self.position(lsn, u64::from(u32::MAX)),
            end_lsn: lsn + 4,
            last_commit_lsn: None,
            snapshot_completed: true,
            slot: "{}".to_owned(),
        };
        self.writer.commit_open(end).await?;
        Ok(())
    }

    /// The rows of a query, each as its values joined by `|`, in alphabetical order.
    pub async fn rows(&self, sql: &str) -> Result<Vec<String>> {
        let engine = SqlEngine::open(&self.config(), Some(512 << 20)).await?;
        assert!(engine.warnings().is_empty(), "{:?}", engine.warnings());
        rows_of(&engine, sql).await
    }
}

impl Lake {
    /// The rows of a query as [`Lake::rows`] has them, and what is said with them.
    pub async fn rows_and_notices(&self, sql: &str) -> Result<(Vec<String>, Vec<String>)> {
        let engine = SqlEngine::open(&self.config(), Some(512 << 20)).await?;
        let rows = rows_of(&engine, sql).await?;
        Ok((rows, engine.take_notices()))
    }

    /// What is said with every row of table `t`, after `part` was found in it; nothing with its log.
    pub async fn notice(&self, part: &str) -> Result<()> {
        let (_, notices) = self.rows_and_notices("select * from t").await?;
        assert!(
            notices.iter().any(|notice| notice.contains(part)),
            "{part} is not said: {notices:?}"
        );
        self.silent("select count(*) from t_changes").await
    }

    pub async fn silent(&self, sql: &str) -> Result<()> {
        let (rows, notices) = self.rows_and_notices(sql).await?;
        assert!(notices.is_empty(), "{sql}: {notices:?} of {rows:?}");
        Ok(())
    }
}

pub async fn rows_of(engine: &SqlEngine, sql: &str) -> Result<Vec<String>> {
    let mut out = Vec::new();
    write_result(engine.query(sql).await?, OutputFormat::Csv, &mut out).await?;
    let text = String::from_utf8(out)?;
    let mut rows: Vec<String> = text
        .lines()
        .skip(1)
        .map(|line| line.replace(',', "|"))
        .collect();
    rows.sort();
    Ok(rows)
}

fn values<'a>(row: &[&'a str]) -> Vec<ColumnValue<'a>> {
    row.iter()
        .map(|value| match *value {
            UNSENT => ColumnValue::Unchanged,
            NULL => ColumnValue::Null,
            text => ColumnValue::Text(text.as_bytes()),
        })
        .collect()
}
