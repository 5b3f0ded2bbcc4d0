//! The answers to `\d` and `\d NAME`.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
};
use datafusion::{error::DataFusionError, prelude::SessionContext};

use crate::{
    names::{CATALOG, DEFAULT_SCHEMA, SqlNames},
    tables::TableInfo,
};

/// A row of `\d`.
pub(crate) struct Listed {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) holds: &'static str,
    pub(crate) note: String,
}

/// What a table adds to the list.
pub(crate) fn list_table(info: &TableInfo, names: &SqlNames) -> [Listed; 2] {
    let schema = if names.is_unique {
        info.schema.clone()
    } else {
        format!("{}.{}", names.catalog, info.schema)
    };
    [
        Listed {
            schema: schema.clone(),
            name: info.table.clone(),
            holds: "latest rows",
            note: info.notes.join("; "),
        },
        Listed {
            schema,
            name: names.changes.clone(),
            holds: "changes",
            note: String::new(),
        },
    ]
}

/// The list as a table.
pub(crate) fn list(rows: &[Listed]) -> Result<RecordBatch, ArrowError> {
    let of = |value: fn(&Listed) -> &str| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| Some(value(row)))
                .collect::<StringArray>(),
        )
    };
    table(
        ["schema", "name", "holds", "note"],
        vec![
            of(|row| &row.schema),
            of(|row| &row.name),
            of(|row| row.holds),
            of(|row| &row.note),
        ],
    )
}

/// The columns of `name`, as it would be written in a query.
pub(crate) async fn columns(
    session: &SessionContext,
    name: &str,
) -> Result<RecordBatch, DataFusionError> {
    let parts = split(name);
    let (catalog, schema, table_name) = match parts.as_slice() {
        [table] => (CATALOG, DEFAULT_SCHEMA, table.as_str()),
        [schema, table] => (CATALOG, schema.as_str(), table.as_str()),
        [catalog, schema, table] => (catalog.as_str(), schema.as_str(), table.as_str()),
        _ => ("", "", name),
    };
    let found = session
        .catalog(catalog)
        .and_then(|catalog| catalog.schema(schema));
    let found = match found {
        Some(schema) => schema.table(table_name).await?,
        None => None,
    };
    let Some(found) = found else {
        return Err(DataFusionError::Plan(format!("there is no table `{name}`")));
    };
    let schema = found.schema();
    let fields = schema.fields().iter();
    let names = fields.clone().map(|field| Some(field.name().clone()));
    let types = fields.map(|field| Some(field.data_type().to_string()));
    Ok(table(
        ["column", "type"],
        vec![
            Arc::new(names.collect::<StringArray>()) as ArrayRef,
            Arc::new(types.collect::<StringArray>()),
        ],
    )?)
}

fn table<const N: usize>(
    names: [&str; N],
    columns: Vec<ArrayRef>,
) -> Result<RecordBatch, ArrowError> {
    let fields = names.map(|name| Field::new(name, DataType::Utf8, true));
    RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), columns)
}

/// A dotted name into its parts: quoted ones as they are, others in lower case.
fn split(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut characters = name.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                push(&mut parts, '"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            other if quoted => push(&mut parts, other),
            other => push(&mut parts, other.to_ascii_lowercase()),
        }
    }
    parts
}

fn push(parts: &mut [String], character: char) {
    if let Some(last) = parts.last_mut() {
        last.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_sql_reads_them() {
        assert_eq!(split("Public.Tweets"), ["public", "tweets"]);
        assert_eq!(
            split("\"My.Shop\".public.\"a\"\"B\""),
            ["My.Shop", "public", "a\"B"]
        );
    }
}
