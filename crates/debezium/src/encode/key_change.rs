use crate::{
    ChangeEvent, ColumnValue, ContractSettings, KeyChange, OldRow, Operation, PgTypeKind,
    value::same_number,
};

/// Splits an UPDATE that changed the event key into a delete of the old row and a create of the new one; every other
/// event comes back as it is. The order on the topic is: the delete, its tombstone, the create.
///
/// The old key is known only if PostgreSQL sent it: the old tuple is there when the replica identity's columns changed,
/// or always under `REPLICA IDENTITY FULL`. An old tuple that lacks a key column (`USING INDEX`) decides nothing.
pub fn halves<'a>(event: ChangeEvent<'a>) -> (ChangeEvent<'a>, Option<ChangeEvent<'a>>) {
    let (Operation::Update, Some(old), Some(new)) = (event.op, event.before.columns(), event.after)
    else {
        return (event, None);
    };
    if !key_changed(&event, old, new) {
        return (event, None);
    }
    split(event, old, new)
}

/// The halves of an UPDATE of a table whose rows are told apart by nothing but their values: the whole old row goes, the
/// whole new row comes. Every event whose old row is not known whole comes back as it is.
pub fn whole_row_halves<'a>(event: ChangeEvent<'a>) -> (ChangeEvent<'a>, Option<ChangeEvent<'a>>) {
    match (event.op, event.before, event.after) {
        (Operation::Update, OldRow::Full(old), Some(new)) => split(event, old, new),
        _ => (event, None),
    }
}

fn split<'a>(
    event: ChangeEvent<'a>,
    old: &'a [ColumnValue<'a>],
    new: &'a [ColumnValue<'a>],
) -> (ChangeEvent<'a>, Option<ChangeEvent<'a>>) {
    let delete = ChangeEvent {
        op: Operation::Delete,
        after: None,
        key_change: KeyChange::NewKey(new),
        ..event
    };
    let create = ChangeEvent {
        op: Operation::Create,
        before: OldRow::None,
        key_change: KeyChange::OldKey(old),
        ..event
    };
    (delete, Some(create))
}

fn key_changed(event: &ChangeEvent<'_>, old: &[ColumnValue<'_>], new: &[ColumnValue<'_>]) -> bool {
    let mut changed = false;
    for &index in &event.table.key {
        let (Some(column), Some(before), Some(after)) = (
            event.table.columns.get(index),
            old.get(index),
            new.get(index),
        ) else {
            return false;
        };
        match (before, after) {
            // Not part of the replica identity, so nothing is known of the old key.
            (ColumnValue::Null, _) if matches!(event.before, OldRow::Key(_)) => return false,
            (ColumnValue::Unchanged, _) | (_, ColumnValue::Unchanged) => {}
            (ColumnValue::Text(before), ColumnValue::Text(after)) => {
                changed |= before != after
                    // `1.50` and `1.5` differ as tuples but are one key.
                    && !(column.pg_type.kind == PgTypeKind::UnconstrainedNumeric && same_number(before, after));
            }
            (before, after) => changed |= before != after,
        }
    }
    changed
}

/// Whether a tombstone (same key, null value, same headers) follows the event. Ask after `skipped.operations`: a delete
/// that is not emitted has no tombstone.
pub fn has_tombstone(event: &ChangeEvent<'_>, settings: &ContractSettings) -> bool {
    settings.tombstones_on_delete && event.op == Operation::Delete
}
