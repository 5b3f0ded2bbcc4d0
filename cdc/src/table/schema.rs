//! A table as its events describe it, made from a Relation message or from the catalog, and from the connector's
//! settings.

use std::sync::Arc;

use debezium::{Column, ColumnRule, Compat, PgType, PgTypeKind, TableId, TableSchema};

use super::{CatalogColumn, CatalogTable, RelationDescription, TypeCatalog};
use crate::capture::captures_column;
use connector::{ConnectorConfig, RuledColumn};

/// A Relation message made complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamedTable {
    pub schema: Arc<TableSchema>,
    /// Which columns of a tuple are in `schema`; None when all are.
    pub kept: Option<Vec<bool>>,
    /// The columns whose type is an enum.
    pub enums: Vec<EnumColumn>,
    /// The catalog has changed by this transaction since the one that the table was read for: changes of later ones ask
    /// again.
    pub changed_by: Option<u32>,
}

/// A column of a tuple, and what its events list as the labels of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnumColumn {
    /// Its place in the tuple.
    pub index: usize,
    pub oid: u32,
    pub labels: Vec<String>,
}

/// A table as a snapshot reads it: all its columns, generated ones too.
pub fn snapshot_schema(
    table: &CatalogTable,
    types: &TypeCatalog,
    config: &ConnectorConfig,
) -> TableSchema {
    let names = table.columns.iter().map(|column| column.name.as_str());
    let key_names = key_names(
        table.key().to_vec(),
        &table.schema,
        &table.name,
        names,
        config,
    );
    let columns = table
        .columns
        .iter()
        .filter(|column| {
            key_names.contains(&column.name)
                || captures_column(&config.filter, &table.schema, &table.name, &column.name)
        })
        .map(|column| {
            let pg_type = types.pg_type(column.type_oid, column.type_modifier);
            let rule = column_rule(
                RuledColumn {
                    schema: &table.schema,
                    table: &table.name,
                    name: &column.name,
                    pg_type: &pg_type,
                    type_name: driver_type_name(&pg_type, column.default_expression.as_deref()),
                    snapshot: true,
                },
                config,
            );
            Column {
                name: column.name.clone(),
                pg_type,
                optional: !column.not_null,
                default_expression: default_of(column, types),
                generated: column.generated,
                older_rows: column.older_rows.clone(),
                number: Some(column.number),
                rule,
            }
        })
        .collect::<Vec<_>>();
    TableSchema {
        table: TableId {
            database: config.database.dbname.clone(),
            schema: table.schema.clone(),
            table: table.name.clone(),
        },
        key: key_indexes(&key_names, &columns),
        columns,
        replica_identity: table.replica_identity,
        oid: Some(table.oid),
    }
}

/// What the catalog knows of the columns of a Relation message.
#[derive(Debug, Clone, Default)]
pub struct KnownColumns {
    /// As many as the message has and in its order, without rules.
    pub columns: Vec<Column>,
    /// Names of the key's columns in key order, generated ones too.
    pub key: Vec<String>,
    /// Names of generated columns, which are not streamed.
    pub generated: Vec<String>,
    /// See [`StreamedTable::changed_by`].
    pub changed_by: Option<u32>,
}

/// A Relation message with what is known of its columns, as the settings want it. `enum_of` is the enum that a column's
/// type is made from.
pub fn streamed_table(
    relation: &RelationDescription,
    known: KnownColumns,
    enum_of: impl Fn(u32) -> u32,
    config: &ConnectorConfig,
) -> StreamedTable {
    let (schema, name) = (&relation.namespace, &relation.name);
    let names = known.columns.iter().map(|column| column.name.as_str());
    let key_names = key_names(known.key, schema, name, names, config);
    let is_kept = |column: &Column| {
        key_names.contains(&column.name)
            || captures_column(&config.filter, schema, name, &column.name)
    };
    let kept: Vec<bool> = known.columns.iter().map(is_kept).collect();
    let enums = known.columns.iter().zip(&relation.columns).enumerate();
    let enums = enums
        .filter(|(_, (column, _))| is_kept(column))
        .filter_map(|(index, (column, sent))| {
            let PgTypeKind::Enum { labels } = &column.pg_type.kind else {
                return None;
            };
            Some(EnumColumn {
                index,
                oid: enum_of(sent.type_oid),
                labels: labels.clone(),
            })
        })
        .collect();
    let columns = known.columns.into_iter().zip(&kept);
    let columns: Vec<Column> = columns
        .filter(|(_, kept)| **kept)
        .map(|(mut column, _)| {
            column.rule = column_rule(
                RuledColumn {
                    schema,
                    table: name,
                    name: &column.name,
                    pg_type: &column.pg_type,
                    type_name: match config.contract.compat {
                        Compat::V2_7 => &column.pg_type.name,
                        Compat::V3 => {
                            driver_type_name(&column.pg_type, column.default_expression.as_deref())
                        }
                    },
                    snapshot: false,
                },
                config,
            );
            column
        })
        .collect();
    // A key with a column that is never streamed would name many rows by one key.
    let partly_generated = key_names.iter().any(|name| {
        known.generated.contains(name) && !columns.iter().any(|column| column.name == *name)
    });
    let key = if partly_generated {
        Vec::new()
    } else {
        key_indexes(&key_names, &columns)
    };
    let schema = Arc::new(TableSchema {
        table: TableId {
            database: config.database.dbname.clone(),
            schema: relation.namespace.clone(),
            table: relation.name.clone(),
        },
        columns,
        key,
        replica_identity: relation.replica_identity,
        oid: Some(relation.id),
    });
    StreamedTable {
        schema,
        kept: kept.contains(&false).then_some(kept),
        enums,
        changed_by: known.changed_by,
    }
}

/// Debezium knows no defaults of domains.
pub(super) fn default_of(column: &CatalogColumn, types: &TypeCatalog) -> Option<String> {
    let expression = column.default_expression.as_ref();
    expression
        .filter(|_| !types.is_domain(column.type_oid))
        .cloned()
}

/// A column that is only kept for the key, or the first column property that names it.
fn column_rule(column: RuledColumn<'_>, config: &ConnectorConfig) -> Option<ColumnRule> {
    if captures_column(&config.filter, column.schema, column.table, column.name) {
        config.column_rules.of(column)
    } else {
        Some(ColumnRule::KeyOnly)
    }
}

/// The JDBC driver calls an integer that takes its default from a sequence by the name of its pseudo-type. Since 3.x the
/// stream does so too.
fn driver_type_name<'t>(pg_type: &'t PgType, default_expression: Option<&str>) -> &'t str {
    let sequence = default_expression.is_some_and(|default| default.contains("nextval("));
    match pg_type.name.as_str() {
        "int2" if sequence => "smallserial",
        "int4" if sequence => "serial",
        "int8" if sequence => "bigserial",
        name => name,
    }
}

/// The columns of `message.key.columns` that there are, of all entries that name the table, else the catalog's key.
fn key_names<'a>(
    of_catalog: Vec<String>,
    schema: &str,
    name: &str,
    columns: impl Iterator<Item = &'a str> + Clone,
    config: &ConnectorConfig,
) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    if !config.message_key_columns.is_empty() {
        let full_name = format!("{schema}.{name}");
        let entries = config.message_key_columns.iter();
        let entries = entries.filter(|entry| entry.table.is_match(&full_name));
        for wanted in entries.flat_map(|entry| &entry.columns) {
            for column in columns.clone().filter(|name| wanted.is_match(name)) {
                if !names.iter().any(|name| name == column) {
                    names.push(column.to_owned());
                }
            }
        }
    }
    if names.is_empty() { of_catalog } else { names }
}

fn key_indexes(names: &[String], columns: &[Column]) -> Vec<usize> {
    names
        .iter()
        .filter_map(|name| columns.iter().position(|column| column.name == *name))
        .collect()
}
