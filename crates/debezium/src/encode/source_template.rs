//! The `source` block by its schema, as Avro or as Java's text of a struct.

use super::{
    form::Form,
    source::{KnownOrigin, Transaction, snapshot_text},
};
use crate::{
    ConnectField, ConnectSchema, ContractSettings, Origin, SnapshotMarker, Source, TableId,
    avro::{
        binary::{write_length, write_long, write_string},
        write_branch,
    },
};

/// Writes the `source` block by its schema, as Avro or as Java's text. As in JSON all but two LSNs is put together once
/// per transaction.
#[derive(Debug)]
pub(super) struct SourceTemplate {
    form: Form,
    parts: Vec<Part>,
    /// What a null `snapshot` shows in a schema with a default.
    streaming: Option<&'static str>,
    transaction: Option<Transaction>,
    origin: KnownOrigin,
    /// `["123","`, the start of `sequence`.
    sequence_start: Vec<u8>,
    /// From the start to `sequence`, from there to `lsn`, and the rest.
    runs: [Vec<u8>; 3],
}

/// A stretch of the block.
#[derive(Debug)]
enum Part {
    Fixed(Vec<u8>),
    /// A field whose value the transaction decides.
    Field(ConnectField),
    Sequence(ConnectField),
    Lsn(ConnectField),
}

/// The value of a field.
enum Value<'v> {
    Null,
    Text(&'v str),
    Number(i64),
}

impl SourceTemplate {
    pub(super) fn new(
        schema: &ConnectSchema,
        id: &TableId,
        settings: &ContractSettings,
        form: Form,
    ) -> Self {
        let mut parts = vec![Part::Fixed(match form {
            Form::Text => b"Struct{".to_vec(),
            Form::Json | Form::Avro | Form::Header => Vec::new(),
        })];
        for field in schema.fields() {
            let text = match field.name.as_str() {
                "version" => settings.source_version.as_str(),
                "connector" => "postgresql",
                "name" => &settings.topic_prefix,
                "db" => &id.database,
                "schema" => &id.schema,
                "table" => &id.table,
                "sequence" => {
                    parts.push(Part::Sequence(field.clone()));
                    continue;
                }
                "lsn" => {
                    parts.push(Part::Lsn(field.clone()));
                    continue;
                }
                _ => {
                    parts.push(Part::Field(field.clone()));
                    continue;
                }
            };
            match parts.last_mut() {
                Some(Part::Fixed(run)) => write_field(form, field, Value::Text(text), run),
                _ => {
                    let mut run = Vec::new();
                    write_field(form, field, Value::Text(text), &mut run);
                    parts.push(Part::Fixed(run));
                }
            }
        }
        Self {
            form,
            parts,
            streaming: (form == Form::Avro && settings.replace_null_with_default)
                .then_some("false"),
            transaction: None,
            origin: KnownOrigin::default(),
            sequence_start: Vec::new(),
            runs: Default::default(),
        }
    }

    #[inline]
    pub(super) fn write(&mut self, source: &Source, origin: Option<Origin<'_>>, out: &mut Vec<u8>) {
        let transaction = Transaction::of(source);
        if self.transaction != Some(transaction) || !self.origin.is(origin) {
            self.prepare(transaction, origin);
        }
        let mut buffer = itoa::Buffer::new();
        let lsn = buffer.format(source.lsn).as_bytes();
        let [head, middle, tail] = &self.runs;
        out.extend_from_slice(head);
        if self.form == Form::Avro {
            write_length(self.sequence_start.len() + lsn.len() + 2, out);
        }
        out.extend_from_slice(&self.sequence_start);
        out.extend_from_slice(lsn);
        out.extend_from_slice(b"\"]");
        out.extend_from_slice(middle);
        // Rows of an incremental snapshot were read, not written: they have no place in the WAL. Their null is in `tail`.
        if source.snapshot != SnapshotMarker::Incremental {
            match self.form {
                Form::Avro => write_long(i64::try_from(source.lsn).unwrap_or(i64::MAX), out),
                Form::Json | Form::Text | Form::Header => out.extend_from_slice(lsn),
            }
        }
        out.extend_from_slice(tail);
    }

    #[cold]
    fn prepare(&mut self, transaction: Transaction, origin: Option<Origin<'_>>) {
        self.sequence_start.clear();
        match transaction.last_commit_lsn {
            None => self.sequence_start.extend_from_slice(b"[null,\""),
            Some(lsn) => {
                self.sequence_start.extend_from_slice(b"[\"");
                self.sequence_start
                    .extend_from_slice(itoa::Buffer::new().format(lsn).as_bytes());
                self.sequence_start.extend_from_slice(b"\",\"");
            }
        }
        for run in &mut self.runs {
            run.clear();
        }
        let mut runs = self.runs.iter_mut();
        let Some(mut out) = runs.next() else { return };
        for part in &self.parts {
            match part {
                Part::Fixed(bytes) => out.extend_from_slice(bytes),
                Part::Field(field) => {
                    let streaming = self.streaming;
                    let value = transaction_value(&field.name, &transaction, origin, streaming);
                    write_field(self.form, field, value, out);
                }
                Part::Sequence(field) => {
                    write_label(self.form, field, out);
                    out = runs.next().unwrap_or(out);
                }
                Part::Lsn(field) if transaction.snapshot == SnapshotMarker::Incremental => {
                    out = runs.next().unwrap_or(out);
                    write_field(self.form, field, Value::Null, out);
                }
                Part::Lsn(field) => {
                    write_label(self.form, field, out);
                    out = runs.next().unwrap_or(out);
                }
            }
        }
        if self.form == Form::Text {
            out.push(b'}');
        }
        self.transaction = Some(transaction);
        self.origin.set(origin);
    }
}

fn transaction_value<'o>(
    field: &str,
    transaction: &Transaction,
    origin: Option<Origin<'o>>,
    streaming: Option<&'static str>,
) -> Value<'o> {
    let number =
        |value: Option<u64>| value.map_or(Value::Null, |it| Value::Number(it.cast_signed()));
    let micros = transaction.commit_micros;
    match field {
        "ts_ms" => Value::Number(micros.div_euclid(1_000)),
        "ts_us" => Value::Number(micros),
        "ts_ns" => Value::Number(micros.saturating_mul(1_000)),
        "snapshot" => match snapshot_text(transaction.snapshot).or(streaming) {
            Some(marker) => Value::Text(marker),
            None => Value::Null,
        },
        "txId" if transaction.snapshot != SnapshotMarker::Incremental => transaction
            .tx_id
            .and_then(|id| i64::try_from(id).ok())
            .map_or(Value::Null, Value::Number),
        "xmin" => number(transaction.xmin),
        "origin" => origin.map_or(Value::Null, |origin| Value::Text(origin.name)),
        "origin_lsn" => number(origin.and_then(|origin| origin.lsn)),
        _ => Value::Null,
    }
}

/// What stands before a value that is not null.
fn write_label(form: Form, field: &ConnectField, out: &mut Vec<u8>) {
    match form {
        Form::Avro => write_branch(&field.schema, out),
        Form::Json | Form::Text | Form::Header => {
            if out.last() != Some(&b'{') {
                out.push(b',');
            }
            out.extend_from_slice(field.name.as_bytes());
            out.push(b'=');
        }
    }
}

fn write_field(form: Form, field: &ConnectField, value: Value<'_>, out: &mut Vec<u8>) {
    match (form, value) {
        (Form::Avro, Value::Null) => out.push(if field.schema.default.is_some() {
            crate::avro::binary::SECOND
        } else {
            crate::avro::binary::FIRST
        }),
        (_, Value::Null) => {}
        (form, Value::Text(text)) => {
            write_label(form, field, out);
            match form {
                Form::Avro => write_string(text.as_bytes(), out),
                Form::Json | Form::Text | Form::Header => out.extend_from_slice(text.as_bytes()),
            }
        }
        (form, Value::Number(number)) => {
            write_label(form, field, out);
            match form {
                Form::Avro => write_long(number, out),
                Form::Json | Form::Text | Form::Header => {
                    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes())
                }
            }
        }
    }
}
