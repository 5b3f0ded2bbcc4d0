//! The attribute numbers of a Relation message's columns, which the message does not have.
//!
//! A number says that two columns of one name are two, or that two names are one column. What cannot be told stays untold:
//! a wrong number would show the values of one column as those of another.

use debezium::Column;

use super::{CatalogColumn, CatalogTable, RelationColumn, RelationDescription};

/// The attribute number of a message's column. Messages and catalog have columns in the order of their numbers: where none
/// was ever dropped, and none was added since, the place is the number, whatever the columns are called by now. Otherwise a
/// name and a type that the catalog has changed since may be those of another column: then only what was known before, and
/// the place, tell it.
pub(super) fn number_then(
    relation: &RelationDescription,
    sent: &RelationColumn,
    table: Option<&CatalogTable>,
    then: Option<&Column>,
    is_of_now: bool,
) -> Option<i16> {
    let columns = table.map(|table| sent_of_now(relation, table));
    let place = relation
        .columns
        .iter()
        .position(|column| column.name == sent.name)?;
    if let Some(columns) = &columns
        && columns.len() == relation.columns.len()
        && (1..)
            .zip(columns)
            .all(|(number, column)| column.number == number)
    {
        return i16::try_from(place + 1).ok();
    }
    let mut named = table.into_iter().flat_map(|table| &table.columns);
    let now = named
        .find(|column| column.name == sent.name)
        .filter(|_| is_of_now)
        .map(|column| column.number);
    match then.and_then(|then| then.number) {
        Some(number) if !is_of_now => Some(number),
        Some(_) | None => now
            .or_else(|| number_of_renamed(relation, place, table?, &columns?))
            .or_else(|| numbers_by_count(relation, table?)?.get(place).copied()),
    }
}

/// The columns of the catalog that a message has, if it was written by now.
fn sent_of_now<'t>(
    relation: &RelationDescription,
    table: &'t CatalogTable,
) -> Vec<&'t CatalogColumn> {
    let is_sent = |column: &&CatalogColumn| {
        !column.generated || relation.columns.iter().any(|sent| sent.name == column.name)
    };
    table.columns.iter().filter(is_sent).collect()
}

/// The attribute number of a column that the catalog may have under another name by now, and that was not met before: where
/// all others stand at their places, the column at this one's place is it. Unless a number is missing before it: then
/// this may be the column that was dropped.
fn number_of_renamed(
    relation: &RelationDescription,
    place: usize,
    table: &CatalogTable,
    now: &[&CatalogColumn],
) -> Option<i16> {
    if now.len() != relation.columns.len() {
        return None;
    }
    let mut pairs = relation.columns.iter().zip(now);
    let in_place = pairs.all(|(sent, at_its_place)| {
        let mut columns = table.columns.iter();
        columns.all(|column| column.name != sent.name) || at_its_place.name == sent.name
    });
    let number = now.get(place)?.number;
    let before = number - 1;
    let no_gap = before == 0 || table.columns.iter().any(|column| column.number == before);
    (in_place && no_gap).then_some(number)
}

/// The numbers of all columns of a message, in its order, where a column was dropped since. Numbers are given in their order
/// and never again, so a table had then the first of all its numbers but those that were dropped by then: as many as the
/// message has columns. What the catalog is certain of must agree, or the publication does not send every column.
fn numbers_by_count(relation: &RelationDescription, table: &CatalogTable) -> Option<Vec<i16>> {
    let there = table.columns.iter().map(|column| column.number);
    let gone = table.dropped.iter().map(|gone| gone.number);
    // Every number that was ever given is known.
    let highest = there.chain(gone).max()?;
    if table.columns.len() + table.dropped.len() != usize::try_from(highest).ok()? {
        return None;
    }
    let is_sent = |column: &CatalogColumn| {
        let mut sent = relation.columns.iter();
        sent.any(|sent| sent.name == column.name)
    };
    let mut numbers: Vec<(i16, Option<&CatalogColumn>)> = table
        .columns
        .iter()
        .filter(|column| !column.generated || is_sent(column))
        .map(|column| (column.number, Some(column)))
        .collect();
    let dropped_since = table
        .dropped
        .iter()
        .filter(|gone| gone.changed_by.is_some());
    numbers.extend(dropped_since.map(|gone| (gone.number, None)));
    numbers.sort_by_key(|(number, _)| *number);
    let then = numbers.get(..relation.columns.len())?;
    let later = numbers.get(relation.columns.len()..)?;
    // A column whose row of the catalog is older than the message was there, under its name.
    let is_certain = |column: &CatalogColumn| column.changed_by.is_none();
    let agrees = |(sent, (_, column)): (&RelationColumn, &(i16, Option<&CatalogColumn>))| {
        let certain = find(&table.columns, sent).filter(|column| is_certain(column));
        match (certain, column) {
            (Some(certain), Some(column)) => certain.number == column.number,
            (Some(_), None) => false,
            (None, Some(column)) => !is_certain(column),
            (None, None) => true,
        }
    };
    let none_is_missing = later
        .iter()
        .all(|(_, column)| column.is_none_or(|column| !is_certain(column)));
    let all_agree = relation.columns.iter().zip(then).all(agrees);
    (none_is_missing && all_agree).then(|| then.iter().map(|(number, _)| *number).collect())
}

/// The column of the catalog that a message's column still is.
pub(super) fn find<'a>(
    columns: &'a [CatalogColumn],
    sent: &RelationColumn,
) -> Option<&'a CatalogColumn> {
    let mut columns = columns.iter();
    columns.find(|column| column.name == sent.name && column.type_oid == sent.type_oid)
}
