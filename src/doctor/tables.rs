//! The captured tables: what of their rows and changes cannot be read, or is otherwise than one may think.

use std::collections::{BTreeMap, BTreeSet};

use cdc::{
    quote_identifier,
    source::look::{ColumnFacts, TableFacts},
    table::TableName,
};
use connector::ConnectorConfig;

use super::{
    finding::Finding,
    report::{Report, counted},
    server::shown,
};

pub fn look(
    tables: &[TableFacts],
    foreign: &[TableName],
    connector: &ConnectorConfig,
    report: &mut Report,
) {
    report.fact("tables", format!("{} captured", tables.len()));
    if tables.is_empty() {
        report.add(
            Finding::error("no-tables", "No table of the database is captured.")
                .means("There is nothing to read: the filters name no table, or the database has none.")
                .words("correct --tables and --exclude (table.include.list, schema.include.list)"),
        );
    }
    rights(tables, connector, report);
    identity(tables, report);
    kinds(tables, foreign, connector, report);
    columns(tables, report);
    names(tables, report);
}

/// The tables of which something is true.
fn those(tables: &[TableFacts], is: impl Fn(&TableFacts) -> bool) -> Option<Vec<&TableFacts>> {
    let found: Vec<&TableFacts> = tables.iter().filter(|table| is(table)).collect();
    (!found.is_empty()).then_some(found)
}

fn full(tables: &[&TableFacts]) -> Vec<String> {
    tables.iter().map(|table| table.name.full()).collect()
}

fn altered(tables: &[&TableFacts], how: &str) -> Vec<String> {
    let alter = |table: &&TableFacts| format!("alter table {} {how};", table.name.quoted());
    tables.iter().map(alter).collect()
}

fn rights(tables: &[TableFacts], connector: &ConnectorConfig, report: &mut Report) {
    let role = quote_identifier(&connector.database.user);
    if let Some(found) = those(tables, |table| !table.may_read) {
        let schemas: BTreeSet<&str> = found.iter().map(|it| it.name.schema.as_str()).collect();
        let usage = schemas.into_iter().map(|schema| {
            format!(
                "grant usage on schema {} to {role};",
                quote_identifier(schema)
            )
        });
        let select = found
            .iter()
            .map(|table| format!("grant select on {} to {role};", table.name.quoted()));
        report.add(
            Finding::error(
                "no-select",
                format!(
                    "The role may not read {}.",
                    counted(found.len(), "captured table")
                ),
            )
            .means("The snapshot fails.")
            .on(full(&found))
            .sql(usage.chain(select)),
        );
    }
    if let Some(found) = those(tables, |table| table.hides_rows) {
        report.add(
            Finding::error(
                "row-security",
                "Row level security hides rows of captured tables from the role.",
            )
            .means(
                "The snapshot would lack rows of which the stream has the changes; it is refused.",
            )
            .on(full(&found))
            .sql([format!("alter role {role} bypassrls;")]),
        );
    }
}

fn identity(tables: &[TableFacts], report: &mut Report) {
    let nameless = |table: &TableFacts| table.without_identity && !table.is_unlogged;
    if let Some(found) = those(tables, |it| nameless(it) && !it.has_primary_key) {
        report.add(
            Finding::error(
                "no-key",
                "Nothing tells the rows of these tables apart: they have no primary key and no replica identity.",
            )
            .means("Once they are published PostgreSQL refuses every UPDATE and DELETE of them. Give each a primary key, or let the whole row be its identity.")
            .on(full(&found))
            .sql(altered(&found, "replica identity full")),
        );
    }
    if let Some(found) = those(tables, |it| nameless(it) && it.has_primary_key) {
        report.add(
            Finding::error(
                "identity-nothing",
                "These tables have a primary key, and REPLICA IDENTITY says not to use it.",
            )
            .means("Once they are published PostgreSQL refuses every UPDATE and DELETE of them.")
            .on(full(&found))
            .sql(altered(&found, "replica identity default")),
        );
    }
    let partly = |table: &TableFacts| !table.without_identity && !table.key_not_sent.is_empty();
    if let Some(found) = those(tables, partly) {
        let lacking = found
            .iter()
            .map(|table| format!("{} ({})", table.name.full(), table.key_not_sent.join(", ")));
        let lacking: Vec<String> = lacking.collect();
        report.add(
            Finding::error(
                "identity-misses-key",
                format!(
                    "The key of events has columns that PostgreSQL does not send of deleted rows: {}.",
                    lacking.join(", ")
                ),
            )
            .means("The first DELETE ends in an error: nothing tells which row it was.")
            .on(full(&found))
            .sql(altered(&found, "replica identity full")),
        );
    }
    let apart = |table: &TableFacts| {
        table.stored_apart_bytes > 0
            && table.identity != 'f'
            && !nameless(table)
            && table.columns.iter().any(|it| it.may_be_stored_apart)
    };
    if let Some(found) = those(tables, apart) {
        let bytes: u64 = found.iter().map(|table| table.stored_apart_bytes).sum();
        report.add(
            Finding::note(
                "toast-unsent",
                format!("Long values ({}) are stored apart, and the identity of their tables is not the whole row.", shown(bytes)),
            )
            .means("An UPDATE that leaves such a value alone does not send it: events have a placeholder in its place, and the lake takes the value from the row's older change.")
            .on(full(&found))
            .sql(altered(&found, "replica identity full")),
        );
    }
}

fn kinds(
    tables: &[TableFacts],
    foreign: &[TableName],
    connector: &ConnectorConfig,
    report: &mut Report,
) {
    if let Some(found) = those(tables, |table| table.is_unlogged) {
        report.add(
            Finding::warning("unlogged", "Captured tables are unlogged.")
                .means(
                    "Their changes are in no WAL: they are left out, or stay as they were copied.",
                )
                .on(full(&found))
                .sql(altered(&found, "set logged")),
        );
    }
    if !foreign.is_empty() {
        let names: Vec<String> = foreign.iter().map(TableName::full).collect();
        report.add(
            Finding::note("foreign-table", "Foreign tables match the filters.")
                .means("Their rows are another server's, and their changes are in no WAL of this one: they are left out.")
                .on(names.clone())
                .words(format!(
                    "leave them out with --exclude '{}', and mirror the server that has them",
                    names.join(",")
                )),
        );
    }
    if connector.publish_via_partition_root {
        return;
    }
    if let Some(found) = those(tables, |table| table.is_partitioned) {
        report.add(
            Finding::note("partitions-apart", "Captured tables have partitions.")
                .means(
                    "Changes come under the names of the partitions, each with a topic of its own.",
                )
                .on(full(&found))
                .property(["publish.via.partition.root=true".to_owned()]),
        );
    }
}

fn columns(tables: &[TableFacts], report: &mut Report) {
    let named = |is: &dyn Fn(&ColumnFacts) -> bool| -> Vec<(&TableFacts, &ColumnFacts)> {
        tables
            .iter()
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
            .filter(|(_, column)| is(column))
            .collect()
    };
    let full = |found: &[(&TableFacts, &ColumnFacts)]| -> Vec<String> {
        let full = |(table, column): &(&TableFacts, &ColumnFacts)| {
            format!(
                "{}.{} ({})",
                table.name.full(),
                column.name,
                column.type_name
            )
        };
        found.iter().map(full).collect()
    };
    let found = named(&|column| column.is_numeric_without_scale);
    if !found.is_empty() {
        let alter = |(table, column): &(&TableFacts, &ColumnFacts)| {
            format!(
                "alter table {} alter column {} type numeric(38, 10);",
                table.name.quoted(),
                quote_identifier(&column.name)
            )
        };
        report.add(
            Finding::note("numeric-without-scale", "Columns are numeric without precision and scale.")
                .means("Each value has a scale of its own: events have a struct of scale and bytes, and the lake has the exact text. The statement writes the table anew and rounds to its scale; choose it with care.")
                .on(full(&found))
                .sql(found.iter().map(alter)),
        );
    }
    let found = named(&|column| column.is_generated);
    if !found.is_empty() {
        report.add(
            Finding::note("generated-column", "Columns are generated.")
                .means("A snapshot has their values, and changes do not: the server works them out and publishes none, before PostgreSQL 18 with publish_generated_columns.")
                .on(full(&found))
                .words("work them out where the lake is read, or leave them out (column.exclude.list)"),
        );
    }
    let found = named(&|column| column.is_left_out);
    if !found.is_empty() {
        report.add(
            Finding::warning(
                "type-left-out",
                "Columns have types for which there is no rule.",
            )
            .means("Events and the lake have no such columns.")
            .on(full(&found))
            .property(["include.unknown.datatypes=true".to_owned()]),
        );
    }
    let found = named(&|column| column.is_opaque && !column.is_left_out);
    if !found.is_empty() {
        report.add(
            Finding::note(
                "opaque-type",
                "Columns have types for which there is no rule.",
            )
            .means("Events have their text as bytes, whatever it means.")
            .on(full(&found))
            .words("cast them to text or json in a view or a column of its own"),
        );
    }
}

/// Delta Lake, and file systems of some machines, do not tell names apart that differ in case alone.
fn names(tables: &[TableFacts], report: &mut Report) {
    let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for table in tables {
        let name = table.name.full();
        alike.entry(name.to_lowercase()).or_default().push(name);
    }
    let tables_alike: Vec<String> = collided(alike);
    if !tables_alike.is_empty() {
        report.add(
            Finding::note("tables-alike", "Names of captured tables differ in case alone.")
                .means("Their folders lie in each other's place on disks that do not tell case apart, and `tributary sql` wants their names quoted.")
                .on(tables_alike)
                .words("rename one of each, where the lake is on such a disk"),
        );
    }
    let mut columns_alike = Vec::new();
    for table in tables {
        let mut alike: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for column in &table.columns {
            let names = alike.entry(column.name.to_lowercase()).or_default();
            names.push(format!("{}.{}", table.name.full(), column.name));
        }
        columns_alike.extend(collided(alike));
    }
    if !columns_alike.is_empty() {
        report.add(
            Finding::note(
                "columns-alike",
                "Names of columns of one table differ in case alone.",
            )
            .means("Delta tables do not tell them apart: the lake gives one of them another name.")
            .on(columns_alike)
            .words("rename one of each"),
        );
    }
}

fn collided(alike: BTreeMap<String, Vec<String>>) -> Vec<String> {
    alike
        .into_values()
        .filter(|names| names.len() > 1)
        .flatten()
        .collect()
}
