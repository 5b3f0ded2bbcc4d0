//! The versions of a source table -> what the lake made of each change of its columns and its key, in words.

use super::table_version::{ColumnType, RowIdentity, TableShape, TableVersion, VersionColumn};

/// A line for each change, the oldest first. `versions` are in the order of their beginning.
pub(crate) fn decisions(versions: &[TableVersion]) -> Vec<String> {
    let mut told = Vec::new();
    for (before, now) in versions.iter().zip(versions.iter().skip(1)) {
        let (incarnation, lsn, _) = now.since;
        let since = format!(
            "since LSN {:X}/{:X}{}",
            lsn >> 32,
            lsn & 0xFFFF_FFFF,
            match incarnation {
                0 => String::new(),
                incarnation => format!(" of history {incarnation}"),
            }
        );
        let changes = changes(&before.shape, &now.shape);
        let changes = if changes.is_empty() {
            "as before in the lake".to_owned()
        } else {
            changes.join("; ")
        };
        told.push(format!("table version {}, {since}: {changes}", now.id));
    }
    told
}

fn changes(before: &TableShape, now: &TableShape) -> Vec<String> {
    let mut told = Vec::new();
    let is_one = match (before.oid, now.oid) {
        (Some(before), Some(now)) => before == now,
        _ => true,
    };
    if !is_one {
        told.push("the table was dropped and made again: no row from before is in it".to_owned());
    }
    let known = |column: &VersionColumn| {
        before
            .columns
            .iter()
            .find(|then| match (then.number, column.number) {
                (Some(then), Some(now)) if is_one => then == now,
                _ => then.name == column.name,
            })
    };
    for column in &now.columns {
        match known(column) {
            None => told.push(added(column)),
            Some(then) => told.extend(changed(then, column)),
        }
    }
    for then in &before.columns {
        let is_there = |column: &VersionColumn| known(column).is_some_and(|known| known == then);
        if !now.columns.iter().any(is_there) {
            told.push(format!(
                "column {} was dropped: {} stays and holds nulls from here on",
                quoted(&then.name),
                quoted(&then.lake)
            ));
        }
    }
    let (then, key) = (identity(before), identity(now));
    if then != key {
        told.push(format!("rows are told apart by {key}, before by {then}"));
    }
    told
}

fn added(column: &VersionColumn) -> String {
    let of = column.of.as_ref().map(written).unwrap_or_default();
    let older = match &column.older_rows {
        Some(value) => format!("older rows have {value}"),
        None => "older rows have null".to_owned(),
    };
    format!(
        "column {}{of} came{}: {older}",
        quoted(&column.name),
        goes_to(column)
    )
}

fn changed(then: &VersionColumn, now: &VersionColumn) -> Option<String> {
    let mut parts = Vec::new();
    if then.name != now.name {
        parts.push(format!("was renamed to {}", quoted(&now.name)));
    }
    if let (Some(before), Some(after)) = (&then.of, &now.of)
        && before != after
    {
        parts.push(format!("is{} now, was{}", written(after), written(before)));
    }
    if then.lake != now.lake {
        parts.push(format!(
            "goes on as {}; older rows keep their values in {}",
            quoted(&now.lake),
            quoted(&then.lake)
        ));
    }
    (!parts.is_empty()).then(|| format!("column {} {}", quoted(&then.name), parts.join(", ")))
}

fn goes_to(column: &VersionColumn) -> String {
    if column.lake == column.name {
        return String::new();
    }
    format!(" as {}", quoted(&column.lake))
}

fn identity(shape: &TableShape) -> String {
    match &shape.identity {
        RowIdentity::Key(key) => {
            let columns = key.iter().filter_map(|at| shape.columns.get(*at));
            let names: Vec<String> = columns.map(|column| quoted(&column.name)).collect();
            format!("the key ({})", names.join(", "))
        }
        RowIdentity::WholeRow => "all of their columns".to_owned(),
        RowIdentity::Hidden => "a key that the lake does not have".to_owned(),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// With a blank before it.
fn written(of: &ColumnType) -> String {
    match of.modifier {
        -1 => format!(" {}", of.name),
        modifier => format!(" {} (modifier {modifier})", of.name),
    }
}

#[cfg(test)]
mod tests {
    use debezium::PgTypeKind;

    use super::*;

    fn column(number: i16, name: &str, lake: &str, kind: PgTypeKind) -> VersionColumn {
        VersionColumn {
            number: Some(number),
            name: name.to_owned(),
            lake: lake.to_owned(),
            raw: None,
            of: Some(ColumnType {
                name: format!("{kind:?}").to_lowercase(),
                modifier: -1,
                kind,
            }),
            older_rows: None,
        }
    }

    fn version(id: i32, columns: Vec<VersionColumn>, key: usize) -> TableVersion {
        TableVersion {
            id,
            since: (0, i64::from(id), 0),
            shape: TableShape {
                oid: Some(7),
                columns,
                identity: RowIdentity::Key(vec![key]),
            },
        }
    }

    #[test]
    fn each_change_of_columns_is_told() {
        use PgTypeKind::{Int4, Int8, Text};
        let id = || column(1, "id", "id", Int4);
        let mut with_default = column(3, "b", "b", Int8);
        with_default.older_rows = Some("5".to_owned());
        let versions = [
            version(1, vec![id(), column(2, "a", "a", Int4)], 0),
            version(
                2,
                vec![id(), column(2, "a", "a", Int4), with_default.clone()],
                0,
            ),
            version(
                3,
                vec![id(), column(2, "a", "a__v2", Text), with_default.clone()],
                0,
            ),
            version(4, vec![id(), column(2, "name", "name", Text)], 1),
        ];
        assert_eq!(
            decisions(&versions),
            [
                "table version 2, since LSN 0/2: column \"b\" int8 came: older rows have 5",
                "table version 3, since LSN 0/3: column \"a\" is text now, was int4, goes on as \"a__v2\"; older rows \
                 keep their values in \"a\"",
                "table version 4, since LSN 0/4: column \"a\" was renamed to \"name\", goes on as \"name\"; older rows \
                 keep their values in \"a__v2\"; column \"b\" was dropped: \"b\" stays and holds nulls from here on; \
                 rows are told apart by the key (\"name\"), before by the key (\"id\")",
            ]
        );
    }
}
