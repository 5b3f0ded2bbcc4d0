//! Tables that are published, or could be, and that we may not read: they are left out and told once, with the GRANT that lets
//! them be copied. All others go on.

use std::collections::BTreeSet;

use connector::ConnectorConfig;

use crate::{PipelineStatus, quoting::quote_identifier, table::SnapshotTable};

/// Tell of those that were not told of before.
pub(super) fn tell(tables: &[SnapshotTable], config: &ConnectorConfig, status: &PipelineStatus) {
    let now: BTreeSet<u32> = tables.iter().map(|table| table.oid).collect();
    let before = status.replace_unreadable(now);
    let user = &config.database.user;
    for table in tables.iter().filter(|table| !before.contains(&table.oid)) {
        tracing::warn!(
            table = %table.name.quoted(),
            user = %user,
            "a table is left out, because it may not be read; it is copied when its owner has run: {}",
            grant(table, user)
        );
    }
}

fn grant(table: &SnapshotTable, user: &str) -> String {
    let user = quote_identifier(user);
    format!(
        "grant usage on schema {} to {user}; grant select on {} to {user};",
        quote_identifier(&table.name.schema),
        table.name.quoted()
    )
}
