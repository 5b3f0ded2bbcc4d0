use std::{collections::HashMap, sync::Arc};

use debezium::{
    ChangeEvent, ChangePosition, ColumnValue, ConnectSchema, ContractSettings, EventEncoder,
    Format, KeyChange, OldRow, Operation, SnapshotMarker, Source, TableSchema, halves,
    has_tombstone, topic_name,
};
use pgoutput::{OldTuple, PgOutputMessage, TupleColumn, TupleData};

use crate::catalog::Catalog;

/// A record as it stands on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub topic: String,
    pub key: Option<String>,
    pub value: Option<String>,
    pub headers: Vec<(String, String)>,
}

/// Messages of committed transactions to records: as little as the recorded scenarios need.
pub struct Assembler<'c> {
    settings: &'c ContractSettings,
    delimiter: &'c str,
    catalog: Catalog,
    encoders: HashMap<u32, EventEncoder>,
    source: Source,
    position: ChangePosition,
    records: Vec<Record>,
    /// Avro schemas by the ids that the records carry.
    avro_schemas: Vec<String>,
}

impl<'c> Assembler<'c> {
    pub fn new(settings: &'c ContractSettings, delimiter: &'c str, catalog: Catalog) -> Self {
        let source = Source {
            lsn: 0,
            tx_id: None,
            commit_micros: 0,
            last_commit_lsn: None,
            snapshot: SnapshotMarker::False,
            xmin: None,
        };
        Self {
            settings,
            delimiter,
            catalog,
            encoders: HashMap::new(),
            source,
            position: ChangePosition::default(),
            records: Vec::new(),
            avro_schemas: Vec::new(),
        }
    }

    pub fn into_records(self) -> Vec<Record> {
        self.records
    }

    pub fn into_avro(self) -> (Vec<Record>, Vec<String>) {
        (self.records, self.avro_schemas)
    }

    /// The id of a schema of the records.
    fn schema_id(&mut self, schema: Option<&ConnectSchema>) -> u32 {
        let text = schema.map(|schema| schema.to_avro(true).expect("an Avro schema"));
        self.avro_schemas.push(text.unwrap_or_default());
        self.avro_schemas.len() as u32 - 1
    }

    /// One message and the position of its frame.
    pub fn message(&mut self, start: u64, data: &[u8]) {
        match PgOutputMessage::parse(data, false).expect("a pgoutput message") {
            PgOutputMessage::Begin(begin) => {
                self.source.tx_id = Some(u64::from(begin.xid));
                self.source.commit_micros = begin.commit_time.unix_micros();
                self.position = ChangePosition::new(begin.final_lsn.0, 0);
            }
            PgOutputMessage::Commit(commit) => self.source.last_commit_lsn = Some(commit.end_lsn.0),
            PgOutputMessage::Relation(relation) => {
                let table = self.catalog.table(&relation);
                let name = &table.table;
                let base = topic_name(
                    &self.settings.topic_prefix,
                    self.delimiter,
                    &name.schema,
                    &name.table,
                );
                let mut encoder =
                    EventEncoder::new(table, &base, self.settings).expect("prepare a table");
                if self.settings.value_format == Format::Avro {
                    let key = self.schema_id(encoder.key_schema());
                    let value = self.schema_id(Some(encoder.value_schema()));
                    encoder.set_schema_ids(key, value);
                }
                self.encoders.insert(relation.relation_id, encoder);
            }
            PgOutputMessage::Insert(insert) => {
                let new = row(insert.new);
                self.change(
                    start,
                    insert.relation_id,
                    Operation::Create,
                    OldRow::None,
                    Some(&new),
                );
            }
            PgOutputMessage::Update(update) => {
                let (old, new) = (old_values(update.old), row(update.new));
                self.change(
                    start,
                    update.relation_id,
                    Operation::Update,
                    old_row(update.old, &old),
                    Some(&new),
                );
            }
            PgOutputMessage::Delete(delete) => {
                let old = old_values(delete.old);
                self.change(
                    start,
                    delete.relation_id,
                    Operation::Delete,
                    old_row(delete.old, &old),
                    None,
                );
            }
            PgOutputMessage::Truncate(truncate) => {
                for relation in truncate.relation_ids {
                    self.change(start, relation, Operation::Truncate, OldRow::None, None);
                }
            }
            _ => {}
        }
    }

    fn change(
        &mut self,
        start: u64,
        relation: u32,
        op: Operation,
        before: OldRow<'_>,
        after: Option<&[ColumnValue<'_>]>,
    ) {
        let encoder = self
            .encoders
            .get_mut(&relation)
            .expect("a Relation message came first");
        let table: Arc<TableSchema> = Arc::clone(encoder.table());
        let event = ChangeEvent {
            table: &table,
            op,
            before,
            after,
            key_change: KeyChange::None,
            source: Source {
                lsn: start,
                ..self.source
            },
            position: self.position,
            transaction: None,
            origin: None,
        };
        self.position.ordinal += 1;
        let (first, second) = halves(event);
        for event in [Some(first), second].into_iter().flatten() {
            if !self.settings.skipped_operations.skips(event.op) {
                self.records
                    .extend(records(encoder, &event, self.settings, self.delimiter));
            }
        }
    }
}

fn records(
    encoder: &mut EventEncoder,
    event: &ChangeEvent<'_>,
    settings: &ContractSettings,
    delimiter: &str,
) -> Vec<Record> {
    let text = |bytes: Vec<u8>| match settings.value_format {
        Format::Avro => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        _ => String::from_utf8(bytes).expect("UTF-8"),
    };
    let key = match event.key_row() {
        Some(row) if encoder.has_key() => {
            let mut key = Vec::new();
            encoder.encode_key(row, &mut key).expect("encode a key");
            Some(text(key))
        }
        _ => None,
    };
    let header = match event.key_change {
        KeyChange::None => None,
        KeyChange::NewKey(row) => Some(("__debezium.newkey", row)),
        KeyChange::OldKey(row) => Some(("__debezium.oldkey", row)),
    };
    let headers = header
        .map(|(name, row)| {
            let mut value = Vec::new();
            encoder
                .encode_key_header(row, &mut value)
                .expect("encode a key header");
            let value = String::from_utf8(value).expect("UTF-8");
            (name.to_owned(), value)
        })
        .into_iter()
        .collect();
    let mut value = Vec::new();
    encoder
        .encode_value(event, 0, &mut value)
        .expect("encode a value");
    let name = &event.table.table;
    let record = Record {
        topic: topic_name(&settings.topic_prefix, delimiter, &name.schema, &name.table),
        key,
        value: Some(text(value)),
        headers,
    };
    let tombstone = has_tombstone(event, settings).then(|| Record {
        value: None,
        ..record.clone()
    });
    [Some(record), tombstone].into_iter().flatten().collect()
}

fn row<'a>(tuple: TupleData<'a>) -> Vec<ColumnValue<'a>> {
    tuple
        .iter()
        .map(|column| match column {
            TupleColumn::Null => ColumnValue::Null,
            TupleColumn::Unchanged => ColumnValue::Unchanged,
            TupleColumn::Text(text) => ColumnValue::Text(text),
            TupleColumn::Binary(_) => panic!("binary values were not asked for"),
        })
        .collect()
}

fn old_values<'a>(old: OldTuple<'a>) -> Vec<ColumnValue<'a>> {
    match old {
        OldTuple::None => Vec::new(),
        OldTuple::Key(tuple) | OldTuple::Full(tuple) => row(tuple),
    }
}

fn old_row<'a>(old: OldTuple<'_>, values: &'a [ColumnValue<'a>]) -> OldRow<'a> {
    match old {
        OldTuple::None => OldRow::None,
        OldTuple::Key(_) => OldRow::Key(values),
        OldTuple::Full(_) => OldRow::Full(values),
    }
}
