//! The publication beside what is captured, and whether it can be made where it is not there.

use cdc::{
    quote_identifier,
    source::look::{PublicationFacts, RoleFacts, TableFacts},
    table::TableName,
};
use connector::{ConnectorConfig, PublicationAutocreate};

use super::{
    finding::{Finding, Severity},
    report::Report,
};

/// What else is known.
pub struct Around<'a> {
    pub role: Option<&'a RoleFacts>,
    pub tables: &'a [TableFacts],
}

impl Around<'_> {
    fn published(&self) -> impl Iterator<Item = &TableFacts> {
        self.tables.iter().filter(|table| !table.is_unlogged)
    }

    fn is_superuser(&self) -> bool {
        self.role.is_some_and(|role| role.is_superuser)
    }
}

pub fn look(
    found: Option<&PublicationFacts>,
    around: &Around<'_>,
    connector: &ConnectorConfig,
    report: &mut Report,
) {
    match found {
        None => missing(around, connector, report),
        Some(publication) => {
            report.fact(
                "publication",
                format!(
                    "`{}`{}",
                    connector.publication_name,
                    if publication.all_tables {
                        ", of all tables"
                    } else {
                        ""
                    }
                ),
            );
            lacks(publication, around, connector, report);
            narrows(publication, connector, report);
        }
    }
}

/// How its owner makes the publication.
fn creation(around: &Around<'_>, connector: &ConnectorConfig) -> String {
    let tables: Vec<String> = around
        .published()
        .map(|table| table.name.quoted())
        .collect();
    let root = if connector.publish_via_partition_root {
        " with (publish_via_partition_root = true)"
    } else {
        ""
    };
    let name = quote_identifier(&connector.publication_name);
    format!(
        "create publication {name} for table {}{root};",
        tables.join(", ")
    )
}

fn missing(around: &Around<'_>, connector: &ConnectorConfig, report: &mut Report) {
    let name = &connector.publication_name;
    if around.published().next().is_none() {
        return;
    }
    let create = creation(around, connector);
    let is_made = match connector.publication_autocreate {
        PublicationAutocreate::Disabled => {
            report.add(
                Finding::error(
                    "publication-missing",
                    format!("There is no publication `{name}`, and `publication.autocreate.mode` is disabled."),
                )
                .means("The connector does not start before somebody has made it.")
                .sql([create]),
            );
            return;
        }
        mode @ (PublicationAutocreate::AllTables
        | PublicationAutocreate::Filtered
        | PublicationAutocreate::NoTables) => mode,
    };
    report.fact(
        "publication",
        format!("`{name}` is not there yet: the first start makes it"),
    );
    if around.is_superuser() {
        return;
    }
    let role = around.role.map_or("", |role| role.name.as_str());
    if around.role.is_some_and(|role| !role.may_create) {
        report.add(
            Finding::error(
                "no-create-right",
                format!("The role `{role}` may not make a publication `{name}`: it has no CREATE on the database."),
            )
            .means("The first start fails, unless somebody else makes the publication before.")
            .sql([format!(
                "grant create on database {} to {};",
                quote_identifier(&connector.database.dbname),
                quote_identifier(role)
            )]),
        );
    }
    if is_made == PublicationAutocreate::AllTables {
        report.add(
            Finding::error(
                "publication-needs-superuser",
                format!("The publication `{name}` would be made FOR ALL TABLES, which only a superuser may."),
            )
            .means("The first start fails, unless the owner of the tables makes the publication before.")
            .sql([create]),
        );
        return;
    }
    let foreign: Vec<String> = around
        .published()
        .filter(|table| !table.is_ours)
        .map(|table| table.name.full())
        .collect();
    if !foreign.is_empty() && is_made == PublicationAutocreate::Filtered {
        report.add(
            Finding::error(
                "not-owner",
                format!("The role `{role}` does not own all captured tables, and only an owner may publish a table."),
            )
            .means("The first start fails, unless the owner or a superuser makes the publication before.")
            .on(foreign)
            .sql([create]),
        );
    }
}

fn lacks(
    publication: &PublicationFacts,
    around: &Around<'_>,
    connector: &ConnectorConfig,
    report: &mut Report,
) {
    let name = quote_identifier(&connector.publication_name);
    let is_filtered = connector.publication_autocreate == PublicationAutocreate::Filtered;
    if publication.all_tables && is_filtered {
        report.add(
            Finding::error(
                "publication-of-all-tables",
                format!("The publication {name} is FOR ALL TABLES, and is to be narrowed to the captured ones."),
            )
            .means("The start fails: PostgreSQL cannot narrow such a publication.")
            .sql([
                format!("drop publication {name};"),
                creation(around, connector),
            ]),
        );
    }
    let known = |name: &TableName| around.tables.iter().find(|table| table.name == *name);
    let lacking: Vec<&TableName> = publication
        .lacks
        .iter()
        .filter(|name| known(name).is_none_or(|table| !table.is_unlogged))
        .collect();
    if !lacking.is_empty() {
        // Where it may, a start does what is proposed here.
        let does_itself = is_filtered
            && publication.is_ours
            && lacking
                .iter()
                .all(|name| known(name).is_some_and(|table| table.is_ours));
        let severity = if does_itself {
            Severity::Note
        } else {
            Severity::Warning
        };
        let tables: Vec<String> = lacking.iter().map(|name| name.quoted()).collect();
        report.add(
            Finding::new(
                severity,
                "publication-lacks-tables",
                format!("The publication {name} does not have all captured tables."),
            )
            .means("What becomes of their rows is not read. A mirror adds and copies them by itself where the role may; a connector adds them at its next start, and their rows come with a snapshot alone.")
            .on(lacking.iter().map(|name| name.full()))
            .sql([format!("alter publication {name} add table {};", tables.join(", "))]),
        );
    }
    let is_partitioned = around.tables.iter().any(|table| table.is_partitioned);
    if connector.publish_via_partition_root && !publication.via_root && is_partitioned {
        report.add(
            Finding::warning(
                "publication-not-via-root",
                format!("The publication {name} publishes partitions under their own names."),
            )
            .means("What was copied under the name of the whole table changes under the names of its partitions.")
            .sql([format!("alter publication {name} set (publish_via_partition_root = true);")]),
        );
    }
}

fn narrows(publication: &PublicationFacts, connector: &ConnectorConfig, report: &mut Report) {
    let name = quote_identifier(&connector.publication_name);
    let anew = |table: &str| {
        [
            format!("alter publication {name} drop table {table};"),
            format!("alter publication {name} add table {table};"),
        ]
    };
    for narrowed in &publication.narrowed {
        let full_name = narrowed.table.full();
        let overrides = &connector.snapshot.select_overrides;
        if let Some(filter) = &narrowed.row_filter
            && !overrides.contains_key(&full_name)
        {
            report.add(
                Finding::error(
                    "publication-row-filter",
                    format!(
                        "The publication {name} has only rows of {full_name} that are {filter}."
                    ),
                )
                .means(
                    "A snapshot reads all rows, and what becomes of those outside is never told.",
                )
                .on([full_name.clone()])
                .sql(anew(&narrowed.table.quoted())),
            );
        }
        if !narrowed.left_out.is_empty() {
            report.add(
                Finding::error(
                    "publication-column-list",
                    format!(
                        "The publication {name} leaves out columns of {full_name}: {}.",
                        narrowed.left_out.join(", ")
                    ),
                )
                .means("A snapshot reads them, and their changes are never told.")
                .on([full_name])
                .sql(anew(&narrowed.table.quoted())),
            );
        }
    }
    if !publication.unpublished.is_empty() {
        report.add(
            Finding::error(
                "publication-lacks-operations",
                format!(
                    "The publication {name} does not publish {}.",
                    publication.unpublished.join(", ")
                ),
            )
            .means("Rows stay as they were copied, or stay although they are gone.")
            .sql([format!(
                "alter publication {name} set (publish = 'insert, update, delete, truncate');"
            )]),
        );
    }
}
