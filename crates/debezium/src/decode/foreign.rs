//! Events of another Debezium, which do not name the version of their table.

use std::sync::Arc;

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
/// With an embedded schema the column types are those of the schema. Without one they are inferred from the first event
/// of each set of columns: `true` is a bool, `1` an int8, `1.5` a float8, everything else, null too, is text (of arrays
/// and objects the JSON). A later value that does not fit is an error; the schema or a types table is the remedy.
#[derive(Debug, Default)]
pub struct ForeignDecoders {
    placeholder: String,
    /// The last used is the last.
    decoders: Vec<Known>,
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
    /// JSON texts of `db`, `schema`, `table`.
    names: [Vec<u8>; 3],
    /// Without schema: the keys of the row.
    keys: Vec<Vec<u8>>,
}

/// The parts of a record that tell its shape.
#[derive(Default)]
struct Parts<'a> {
    schema: Option<&'a [u8]>,
    prefix: &'a [u8],
    names: [&'a [u8]; 3],
    row: Option<&'a str>,
}

impl ForeignDecoders {
    /// `placeholder` is the producer's `unavailable.value.placeholder`.
    pub fn new(placeholder: impl Into<String>) -> Self {
        Self {
            placeholder: placeholder.into(),
            decoders: Vec::new(),
        }
    }

    /// The decoder for a record, made if this is the first of its kind. None: the record changes no row, such as a
    /// truncate in a topic where nothing else was seen, or a logical message.
    ///
    /// # Errors
    /// The value is not JSON, or its embedded schema is not one of a change event.
    pub fn decoder_for(
        &mut self,
        key: Option<&[u8]>,
        value: &[u8],
    ) -> Result<Option<&mut EnvelopeDecoder>, DecodeError> {
        let parts = Parts::of(value, self.decoders.last().map(|known| &known.shape))?;
        if parts.names.iter().any(|name| name.is_empty()) || parts.names[2] == b"\"\"" {
            return Ok(None);
        }
        let found = self
            .decoders
            .iter()
            .rposition(|known| known.shape.is_of(&parts));
        let index = match found {
            Some(index) => index,
            None => {
                // Whole this time: what was likely was not so.
                let parts = Parts::of(value, None)?;
                let Some(decoder) = self.make(key, &parts)? else {
                    return Ok(None);
                };
                if self.decoders.len() >= MOST_DECODERS {
                    self.decoders.remove(0);
                }
                self.decoders.push(Known {
                    shape: parts.shape(),
                    decoder,
                });
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

    fn make(
        &self,
        key: Option<&[u8]>,
        parts: &Parts<'_>,
    ) -> Result<Option<EnvelopeDecoder>, Boxed> {
        let name = |json: &[u8]| {
            let text = std::str::from_utf8(json).unwrap_or_default();
            let text = JsonValue::parse(text)
                .ok()
                .and_then(|json| Some(json.string()?.into_owned()));
            text.unwrap_or_default()
        };
        let table = TableId {
            database: name(parts.names[0]),
            schema: name(parts.names[1]),
            table: name(parts.names[2]),
        };
        let columns = match (parts.schema, parts.row) {
            (Some(schema), _) => columns_of_schema(schema)?,
            (None, Some(row)) => columns_of_row(row),
            (None, None) => return Ok(None),
        };
        let key_names = key.map(key_names).unwrap_or_default();
        let key = key_names
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
            table,
            columns: columns.into_iter().map(|c| c.column).collect(),
            key,
            replica_identity: ReplicaIdentity::Default,
        };
        let decoder =
            EnvelopeDecoder::with_representations(Arc::new(schema), field_names, representations);
        Ok(Some(decoder.foreign(&self.placeholder, defaults)))
    }
}

impl Shape {
    fn is_of(&self, parts: &Parts<'_>) -> bool {
        self.prefix == parts.prefix
            && self
                .names
                .iter()
                .zip(parts.names)
                .all(|(known, name)| known == name)
            && (!self.prefix.is_empty() || parts.row.is_none() || self.keys == row_keys(parts.row))
    }
}

impl<'a> Parts<'a> {
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
                parts.schema = value.get(at..end);
                Ok(end)
            }
            b"payload" if scanner.byte(at) == Some(b'{') => {
                parts.prefix = value.get(..at).unwrap_or_default();
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
                let [database, schema, table] = &mut self.names;
                let slot = match key {
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

    fn shape(&self) -> Shape {
        Shape {
            prefix: self.prefix.to_vec(),
            names: self.names.map(<[u8]>::to_vec),
            keys: row_keys(self.row),
        }
    }
}

fn row_keys(row: Option<&str>) -> Vec<Vec<u8>> {
    let members = row.map(|row| JsonValue::new(row).members());
    members
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_json().as_bytes().to_vec())
        .collect()
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
                    rule: None,
                },
                representation,
                default: field.schema.default.clone().map(String::into_boxed_str),
            }
        })
        .collect())
}

fn columns_of_row(row: &str) -> Vec<ForeignColumn> {
    let column = |(name, value): (JsonValue<'_>, JsonValue<'_>)| {
        let (kind, representation) = match value {
            _ if value.boolean().is_some() => (PgTypeKind::Bool, Representation::Boolean),
            _ if value.integer().is_some() => (PgTypeKind::Int8, Representation::Integer),
            _ if !value.is_string() && value.double().is_some() => {
                (PgTypeKind::Float8, Representation::Double)
            }
            _ => (PgTypeKind::Text, Representation::Inferred),
        };
        Some(ForeignColumn {
            column: Column {
                name: name.string()?.into_owned(),
                pg_type: named(kind),
                optional: true,
                default_expression: None,
                generated: false,
                rule: None,
            },
            representation,
            default: None,
        })
    };
    JsonValue::new(row).members().filter_map(column).collect()
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
