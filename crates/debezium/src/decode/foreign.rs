//! Events of another Debezium, which do not name the version of their table.

use std::{collections::HashMap, sync::Arc};

use super::{
    connect_type::{named, postgres_type},
    envelope::EnvelopeDecoder,
    error::{Boxed, DecodeError, DecodeReason},
    representation::Representation,
    scan::Scanner,
    value::JsonValue,
};
use crate::{Column, ConnectSchema, PgTypeKind, ReplicaIdentity, TableId, TableSchema};

/// Table versions of one topic that are kept in mind; the one not used for the longest time makes room.
const MOST_DECODERS: usize = 64;

/// Makes a decoder for each table version that shows up in a topic.
///
/// With an embedded schema the column types are those of the schema. Without one a value tells little, and what one
/// event seems to say the next may deny: after `5` comes `5.5`. So a column is a bool where its first value is `true` or
/// `false`, and otherwise text, which holds every other value exactly as the event wrote it (of a string its
/// characters, of everything else the JSON text). What the destination knows of the column already wins; a value that
/// does not fit makes the column text from then on.
#[derive(Debug, Default)]
pub struct ForeignDecoders {
    placeholder: String,
    /// The last used is the last.
    decoders: Vec<Known>,
    /// Of tables whose events have no schema: what each column was taken for.
    inferred: HashMap<[Vec<u8>; 4], HashMap<String, InferredType>>,
}

/// A table of another Debezium's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignTable {
    /// `source.name`; None where the events do not tell it.
    pub topic_prefix: Option<String>,
    /// Its names in PostgreSQL.
    pub table: TableId,
}

/// What a column without a schema is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InferredType {
    /// `true` and `false`.
    Bool,
    /// Whole numbers.
    Int8,
    /// Numbers with a point or an exponent.
    Float8,
    /// Everything else.
    Text,
}

#[derive(Debug)]
struct Known {
    shape: Shape,
    decoder: EnvelopeDecoder,
}

/// What makes two events one table version.
#[derive(Debug, PartialEq, Eq, Default)]
struct Shape {
    /// `{"schema":...,"payload":`; empty without schema.
    prefix: Vec<u8>,
    /// JSON texts of `name`, `db`, `schema`, `table`.
    names: [Vec<u8>; 4],
    /// An event without key cannot tell which columns are the key.
    keyed: bool,
    /// Without schema: the columns and what they are taken for.
    columns: Vec<(String, InferredType)>,
}

/// The parts of a record that tell its shape.
#[derive(Default)]
struct Parts<'a> {
    schema: Option<&'a [u8]>,
    prefix: &'a [u8],
    names: [&'a [u8]; 4],
    row: Option<&'a str>,
}

impl ForeignDecoders {
    /// `placeholder` is the producer's `unavailable.value.placeholder`.
    pub fn new(placeholder: impl Into<String>) -> Self {
        Self {
            placeholder: placeholder.into(),
            ..Self::default()
        }
    }

    /// The decoder for a record, made if this is the first of its kind. None: the record is no envelope of a PostgreSQL
    /// table; [`RecordKind`](super::RecordKind) tells what it is.
    ///
    /// # Errors
    /// The value is not JSON, or its embedded schema is not one of a change event.
    pub fn decoder_for(
        &mut self,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> Result<Option<&mut EnvelopeDecoder>, DecodeError> {
        self.decoder_of_remembered(key, value, &mut |_| HashMap::new())
    }

    /// The same; `remembered` is asked once for each table whose events have no schema: what its columns were taken for
    /// in an earlier life.
    ///
    /// # Errors
    /// As [`Self::decoder_for`].
    pub fn decoder_of_remembered(
        &mut self,
        key: Option<&[u8]>,
        value: &[u8],
        remembered: &mut dyn FnMut(&ForeignTable) -> HashMap<String, InferredType>,
    ) -> Result<Option<&mut EnvelopeDecoder>, DecodeError> {
        let mut parts = Parts::of(value, self.decoders.last().map(|known| &known.shape))?;
        let [_, of_table @ ..] = parts.names;
        if of_table.iter().any(|name| name.is_empty()) || of_table[2] == b"\"\"" {
            return Ok(None);
        }
        let mut columns = Vec::new();
        let known = match parts.row {
            // A truncate shows no row, so that it can be read as any version of its table, and makes none by itself:
            // its key is not that of the table.
            None => self
                .decoders
                .iter()
                .rposition(|known| known.shape.is_of_table(&parts)),
            Some(row) => {
                if parts.schema.is_none() {
                    columns = self.infer(&parts, row, remembered);
                }
                let keyed = key.is_some();
                self.decoders
                    .iter()
                    .rposition(|known| known.shape.is_of(&parts, keyed, &columns))
            }
        };
        let index = match known {
            Some(index) => index,
            None => {
                // Whole this time: what was likely was not so.
                parts = Parts::of(value, None)?;
                let known = self.make(key, &parts, columns)?;
                if self.decoders.len() >= MOST_DECODERS {
                    self.decoders.remove(0);
                }
                self.decoders.push(known);
                self.decoders.len() - 1
            }
        };
        let last = self.decoders.len().saturating_sub(1);
        if index < last {
            let known = self.decoders.remove(index);
            self.decoders.push(known);
        }
        Ok(self.decoders.last_mut().map(|known| &mut known.decoder))
    }

    /// The columns of a row without schema, and what they are taken for.
    fn infer(
        &mut self,
        parts: &Parts<'_>,
        row: &str,
        remembered: &mut dyn FnMut(&ForeignTable) -> HashMap<String, InferredType>,
    ) -> Vec<(String, InferredType)> {
        let types = self
            .inferred
            .entry(parts.names.map(<[u8]>::to_vec))
            .or_insert_with(|| {
                remembered(&ForeignTable {
                    topic_prefix: string_of(parts.names[0]),
                    table: parts.table(),
                })
            });
        let mut columns = Vec::new();
        for (name, value) in JsonValue::new(row).members() {
            // Half of a surrogate pair is no name of PostgreSQL's.
            let Some(name) = name.string() else { continue };
            let known = types.get(name.as_ref()).copied();
            let inferred = match known {
                Some(known) if value.is_null() || known.holds(value) => known,
                Some(_) => InferredType::Text,
                None => InferredType::of(value),
            };
            let name = name.into_owned();
            if known != Some(inferred) {
                types.insert(name.clone(), inferred);
            }
            columns.push((name, inferred));
        }
        columns
    }

    fn make(
        &self,
        key: Option<&[u8]>,
        parts: &Parts<'_>,
        inferred: Vec<(String, InferredType)>,
    ) -> Result<Known, Boxed> {
        let columns = match (parts.schema, parts.row) {
            (_, None) => Vec::new(),
            (Some(schema), Some(_)) => columns_of_schema(schema)?,
            (None, Some(_)) => inferred.iter().map(column_of).collect(),
        };
        let key_names = key.map(key_names).unwrap_or_default();
        let key_columns = key_names
            .iter()
            .filter_map(|name| {
                columns
                    .iter()
                    .position(|column| column.column.name == *name)
            })
            .collect();
        let field_names = columns.iter().map(|c| c.column.name.clone()).collect();
        let representations = columns
            .iter()
            .map(|c| Some(c.representation.clone()))
            .collect();
        let defaults = columns.iter().map(|c| c.default.clone()).collect();
        let schema = TableSchema {
            table: parts.table(),
            columns: columns.into_iter().map(|c| c.column).collect(),
            key: key_columns,
            replica_identity: ReplicaIdentity::Default,
            oid: None,
        };
        let decoder =
            EnvelopeDecoder::with_representations(Arc::new(schema), field_names, representations);
        Ok(Known {
            shape: Shape {
                // Of a truncate nothing is learnt: no event with a row has this shape.
                prefix: parts.row.map_or_else(Vec::new, |_| parts.prefix.to_vec()),
                names: parts.names.map(<[u8]>::to_vec),
                keyed: key.is_some(),
                columns: inferred,
            },
            decoder: decoder.foreign(&self.placeholder, defaults),
        })
    }
}

impl Shape {
    fn is_of_table(&self, parts: &Parts<'_>) -> bool {
        let mut names = self.names.iter().zip(parts.names);
        names.all(|(known, name)| known == name)
    }

    fn is_of(&self, parts: &Parts<'_>, keyed: bool, columns: &[(String, InferredType)]) -> bool {
        self.prefix == parts.prefix
            && self.keyed == keyed
            && self.is_of_table(parts)
            && self.columns == columns
    }
}

impl InferredType {
    fn of(value: JsonValue<'_>) -> Self {
        match value.boolean() {
            Some(_) => Self::Bool,
            None => Self::Text,
        }
    }

    /// Whether a column of this type tells the value exactly.
    fn holds(self, value: JsonValue<'_>) -> bool {
        /// Up to here every whole number is a double.
        const EXACT: i64 = 1 << 53;
        match self {
            Self::Bool => value.boolean().is_some(),
            Self::Int8 => value.integer().is_some(),
            Self::Float8 => match value.integer() {
                Some(whole) => (-EXACT..=EXACT).contains(&whole),
                None => value.double().is_some(),
            },
            Self::Text => true,
        }
    }
}

impl<'a> Parts<'a> {
    fn table(&self) -> TableId {
        let name = |json: &[u8]| string_of(json).unwrap_or_default();
        let [_, database, schema, table] = self.names;
        TableId {
            database: name(database),
            schema: name(schema),
            table: name(table),
        }
    }

    /// `likely` saves walking through the schema if it is the same.
    fn of(value: &'a [u8], likely: Option<&Shape>) -> Result<Self, Boxed> {
        let text = std::str::from_utf8(value)
            .map_err(|e| DecodeError::new(e.valid_up_to(), DecodeReason::NotUtf8))?;
        let scanner = Scanner::new(value);
        let mut parts = Self::default();
        if let Some(likely) = likely.filter(|shape| !shape.prefix.is_empty())
            && scanner.starts_with(0, &likely.prefix)
        {
            let at = likely.prefix.len();
            parts.prefix = value.get(..at).unwrap_or_default();
            parts.schema = Some(&[]);
            scanner.members(at, |scanner, key, at| parts.member(text, scanner, key, at))?;
            return Ok(parts);
        }
        scanner.members(scanner.white_space(0), |scanner, key, at| match key {
            b"schema" => {
                let end = scanner.value(at)?;
                // `"schema":null` stands before a payload of which nothing is told.
                if scanner.byte(at) == Some(b'{') {
                    parts.schema = value.get(at..end);
                }
                Ok(end)
            }
            b"payload" if scanner.byte(at) == Some(b'{') => {
                if parts.schema.is_some() {
                    parts.prefix = value.get(..at).unwrap_or_default();
                }
                scanner.members(at, |scanner, key, at| parts.member(text, scanner, key, at))
            }
            _ => parts.member(text, scanner, key, at),
        })?;
        Ok(parts)
    }

    fn member(
        &mut self,
        text: &'a str,
        scanner: Scanner<'a>,
        key: &[u8],
        at: usize,
    ) -> Result<usize, Boxed> {
        if key == b"source" && scanner.byte(at) == Some(b'{') {
            return scanner.members(at, |scanner, key, at| {
                let end = scanner.value(at)?;
                let [prefix, database, schema, table] = &mut self.names;
                let slot = match key {
                    b"name" => prefix,
                    b"db" => database,
                    b"schema" => schema,
                    b"table" => table,
                    _ => return Ok(end),
                };
                *slot = scanner.text.get(at..end).unwrap_or_default();
                Ok(end)
            });
        }
        let end = scanner.value(at)?;
        if matches!(key, b"before" | b"after") && scanner.byte(at) == Some(b'{') {
            self.row = text.get(at..end);
        }
        Ok(end)
    }
}

/// The text of a JSON string; None for anything else.
fn string_of(json: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(json).ok()?;
    Some(JsonValue::parse(text).ok()?.string()?.into_owned())
}

struct ForeignColumn {
    column: Column,
    representation: Representation,
    default: Option<Box<str>>,
}

fn columns_of_schema(schema: &[u8]) -> Result<Vec<ForeignColumn>, Boxed> {
    let wrong = |why: String| DecodeError::new(0, DecodeReason::Schema(why));
    let schema = ConnectSchema::from_json(schema).map_err(|error| wrong(error.to_string()))?;
    let row = schema
        .fields()
        .iter()
        .find(|field| field.name == "after" || field.name == "before")
        .ok_or_else(|| wrong("it has no `after`".to_owned()))?;
    Ok(row
        .schema
        .fields()
        .iter()
        .map(|field| {
            let (pg_type, representation) = postgres_type(&field.schema);
            ForeignColumn {
                column: Column {
                    name: field.name.clone(),
                    pg_type,
                    optional: field.schema.optional,
                    default_expression: None,
                    generated: false,
                    older_rows: None,
                    number: None,
                    rule: None,
                },
                representation,
                default: field.schema.default.clone().map(String::into_boxed_str),
            }
        })
        .collect())
}

fn column_of((name, inferred): &(String, InferredType)) -> ForeignColumn {
    let (kind, representation) = match inferred {
        InferredType::Bool => (PgTypeKind::Bool, Representation::Boolean),
        InferredType::Int8 => (PgTypeKind::Int8, Representation::Integer),
        InferredType::Float8 => (PgTypeKind::Float8, Representation::Double),
        InferredType::Text => (PgTypeKind::Text, Representation::Inferred),
    };
    ForeignColumn {
        column: Column {
            name: name.clone(),
            pg_type: named(kind),
            optional: true,
            default_expression: None,
            generated: false,
            older_rows: None,
            number: None,
            rule: None,
        },
        representation,
        default: None,
    }
}

/// The names of the key's columns, from its embedded schema or its JSON. A key that is no JSON object has none.
fn key_names(key: &[u8]) -> Vec<String> {
    let value = std::str::from_utf8(key)
        .ok()
        .and_then(|text| JsonValue::parse(text).ok());
    let Some(value) = value else {
        return Vec::new();
    };
    let row = match (value.member("schema"), value.member("payload")) {
        (Some(_), Some(payload)) => payload,
        _ => value,
    };
    row.members()
        .filter_map(|(name, _)| Some(name.string()?.into_owned()))
        .collect()
}
