//! How the values of one column are written, its rules included: a codec and the bytes around it.

use super::{EncodeError, form::Form};
use crate::{
    Column, ColumnRule, ConnectField, ConnectSchema, ConnectType, ContractSettings, DatumError,
    TableId, TableSchema,
    avro::{write_branch, write_json_datum},
    default_value::{fallback, unavailable},
    json::write_string,
    mapping::column_mapping,
    name::adjusted_field_name,
    value::{Codec, RuledText, Style, TextRule, write_header_string, write_java_of_json},
};

/// One column as it is written into rows or keys: everything that does not depend on the value is ready.
#[derive(Debug)]
pub(super) struct PreparedColumn {
    /// Position in the table's columns.
    pub(super) index: usize,
    pub(super) field: ConnectField,
    /// What stands before a value: in JSON `,"name":`, the comma left out for the first field.
    pub(super) label: Vec<u8>,
    pub(super) codec: Codec,
    /// For the rows of a snapshot, where those are written another way.
    pub(super) of_snapshot: Option<Codec>,
    pub(super) style: Style,
    /// The schema is one of Connect's own logical times.
    logical_time: bool,
    /// The column may be NULL, whatever its schema says.
    pub(super) nullable: bool,
    /// What stands for NULL, label included: `null`, or the default (`replace.null.with.default`); None where null is
    /// not allowed.
    pub(super) null: Option<Vec<u8>>,
    /// What is written where the value is missing: as `null`, or the type's zero if the column is required.
    pub(super) missing: Option<Vec<u8>>,
    /// What stands for an unchanged TOAST value.
    pub(super) unavailable: Option<Vec<u8>>,
}

impl PreparedColumn {
    /// As JSON, what stands for missing values without the label: see `finished`. None if the column's type is left out
    /// of events.
    fn new(
        index: usize,
        column: &Column,
        first: bool,
        settings: &ContractSettings,
    ) -> Option<Self> {
        let mapping = column_mapping(column, settings)?;
        let name = adjusted_field_name(&column.name, settings.field_name_adjustment).into_owned();
        let comma = if first { &b""[..] } else { b"," };
        let mut label = comma.to_vec();
        write_string(&mut label, name.as_bytes());
        label.push(b':');
        let ConnectSchema {
            optional, default, ..
        } = &mapping.schema;
        let null = match default {
            Some(default)
                if (settings.replace_null_with_default && !column.generated) || !optional =>
            {
                Some(default.clone().into_bytes())
            }
            _ => optional.then(|| b"null".to_vec()),
        };
        let missing = if column.optional {
            null.clone()
        } else {
            let zero = fallback(&mapping.schema, &mapping.codec);
            zero.or_else(|| null.clone())
        };
        let unavailable = unavailable(&mapping.codec, settings).or_else(|| null.clone());
        Some(Self {
            index,
            field: ConnectField {
                name,
                schema: mapping.schema,
            },
            label,
            of_snapshot: mapping.codec.of_snapshot(settings.compat),
            codec: mapping.codec,
            style: Style::Json,
            logical_time: mapping.logical_time,
            nullable: column.optional,
            null,
            missing,
            unavailable,
        })
    }

    /// Changes what a row's column is written as. Parameters stand behind those of the type.
    fn follow(&mut self, rule: &ColumnRule, column: &Column) {
        let schema = &mut self.field.schema;
        let mut parameter = |name: &str, value: String| {
            schema.parameters.push((name.to_owned(), value));
        };
        let text_rule = match rule {
            ColumnRule::KeyOnly => None,
            ColumnRule::SourceType { type_name, size } => {
                parameter("__debezium.source.column.type", type_name.to_uppercase());
                parameter("__debezium.source.column.length", size.length.to_string());
                if let Some(scale) = size.scale {
                    parameter("__debezium.source.column.scale", scale.to_string());
                }
                parameter("__debezium.source.column.name", column.name.clone());
                None
            }
            ColumnRule::Truncate { length } => {
                parameter("truncateLength", length.to_string());
                (schema.kind == ConnectType::String).then_some(TextRule::Truncate {
                    units: usize::try_from(*length).unwrap_or(usize::MAX),
                })
            }
            ColumnRule::Mask { length } => {
                parameter("masked", "true".to_owned());
                let stars = usize::try_from(*length).unwrap_or_default();
                column
                    .pg_type
                    .row()
                    .is_jdbc_string
                    .then(|| TextRule::Constant("*".repeat(stars)))
            }
            ColumnRule::Hash {
                algorithm,
                input,
                salt,
                length,
            } => {
                parameter("masked", "true".to_owned());
                column.pg_type.row().is_jdbc_string.then(|| TextRule::Hash {
                    algorithm: *algorithm,
                    input: *input,
                    salt: salt.clone(),
                    length: length
                        .and_then(|length| usize::try_from(length).ok())
                        .unwrap_or(usize::MAX),
                })
            }
        };
        let Some(rule) = text_rule else { return };
        let is_constant = matches!(rule, TextRule::Constant(_));
        let of_snapshot = self.of_snapshot.take().map(|codec| RuledText {
            codec,
            rule: rule.clone(),
        });
        self.of_snapshot = of_snapshot.map(|ruled| Codec::Ruled(Box::new(ruled)));
        let codec = std::mem::replace(&mut self.codec, Codec::Text);
        let ruled = RuledText { codec, rule };
        let substitute = |json: &mut Option<Vec<u8>>| {
            *json = json.as_deref().map(|json| ruled.substitute(json));
        };
        // NULL stays what it is without the rule; only a mask hides it.
        if is_constant {
            self.null = Some(ruled.substitute(b"null"));
            self.missing.clone_from(&self.null);
        } else if !self.field.schema.optional {
            substitute(&mut self.missing);
        }
        substitute(&mut self.unavailable);
        self.codec = Codec::Ruled(Box::new(ruled));
    }

    /// The column in the form it is written in. From here on what stands for missing values includes the label.
    fn finished(mut self, form: Form) -> Result<Self, DatumError> {
        self.style = form.style(self.logical_time);
        let name = self.field.name.as_bytes();
        match form {
            Form::Json => {}
            Form::Header => {
                let comma = if self.label.first() == Some(&b',') {
                    &b","[..]
                } else {
                    b""
                };
                self.label = comma.to_vec();
                write_header_string(name, &mut self.label);
                self.label.push(b':');
            }
            Form::Avro => {
                self.label.clear();
                write_branch(&self.field.schema, &mut self.label);
            }
            Form::Text => {
                self.label = b",".to_vec();
                self.label.extend_from_slice(name);
                self.label.push(b'=');
            }
        }
        let (label, schema) = (&self.label, &self.field.schema);
        for substitute in [&mut self.null, &mut self.missing, &mut self.unavailable] {
            let Some(json) = substitute else { continue };
            let mut bytes = Vec::new();
            match form {
                Form::Json | Form::Header => {
                    bytes.extend_from_slice(label);
                    bytes.extend_from_slice(json);
                }
                Form::Avro => {
                    write_json_datum(schema, json, &mut bytes)?;
                }
                Form::Text if json == b"null" => {}
                Form::Text => {
                    bytes.extend_from_slice(label);
                    write_java_of_json(schema, json, &mut bytes);
                }
            }
            *json = bytes;
        }
        Ok(self)
    }
}

/// The columns that stand in events, in the order given; not finished yet.
fn unfinished<'a>(
    columns: impl Iterator<Item = (usize, &'a Column)>,
    settings: &ContractSettings,
) -> Vec<PreparedColumn> {
    let mut prepared: Vec<PreparedColumn> = Vec::new();
    for (index, column) in columns {
        prepared.extend(PreparedColumn::new(
            index,
            column,
            prepared.is_empty(),
            settings,
        ));
    }
    prepared
}

fn finished(
    columns: Vec<PreparedColumn>,
    table: &TableId,
    form: Form,
) -> Result<Vec<PreparedColumn>, EncodeError> {
    let finish = |column: PreparedColumn| {
        let name = column.field.name.clone();
        column
            .finished(form)
            .map_err(|source| EncodeError::Substitute {
                table: table.clone(),
                column: name,
                source: Box::new(source),
            })
    };
    columns.into_iter().map(finish).collect()
}

/// The columns of a key, in its order: whatever rules the columns have, keys are written without. Of a column that is
/// left out of rows, Debezium knows neither its default nor that it is NOT NULL.
pub(super) fn key_columns<'a>(
    table: &TableId,
    columns: impl Iterator<Item = (usize, &'a Column)>,
    settings: &ContractSettings,
    form: Form,
) -> Result<Vec<PreparedColumn>, EncodeError> {
    let mut hidden = Vec::new();
    let columns = columns.inspect(|(index, column)| {
        if column.rule == Some(ColumnRule::KeyOnly) {
            hidden.push(*index);
        }
    });
    let mut prepared = unfinished(columns, &form.settings(settings));
    for column in &mut prepared {
        if hidden.contains(&column.index) {
            column.field.schema.optional = true;
            column.field.schema.default = None;
        }
    }
    finished(prepared, table, form)
}

/// The columns of a row that stand in events, in the table's order.
pub(super) fn row_columns(
    table: &TableSchema,
    settings: &ContractSettings,
    form: Form,
) -> Result<Vec<PreparedColumn>, EncodeError> {
    let in_row = |column: &Column| column.rule != Some(ColumnRule::KeyOnly);
    let columns = table.columns.iter().enumerate();
    let columns = columns.filter(|(_, column)| in_row(column));
    let mut prepared = unfinished(columns, &form.settings(settings));
    for column in &mut prepared {
        if let Some(ruled) = table.columns.get(column.index)
            && let Some(rule) = &ruled.rule
        {
            column.follow(rule, ruled);
        }
    }
    finished(prepared, &table.table, form)
}
