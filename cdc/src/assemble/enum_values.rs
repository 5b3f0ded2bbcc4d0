use std::collections::HashSet;

use pgoutput::{PgOutputMessage, TupleColumn, TupleData};

use super::relations::{Capture, RelationVersion};
use crate::table::StreamedTable;

/// Values that were looked for in vain are remembered up to this many: beyond it, one that was renamed costs a look at
/// the catalog again.
const MOST_REMEMBERED: usize = 10_000;

/// Finds values of enums whose labels the events of their table do not list: `ALTER TYPE ... ADD VALUE` leaves no trace
/// in the stream but them.
#[derive(Debug, Default)]
pub(super) struct EnumValues {
    /// Such values are looked for at all.
    pub(super) enabled: bool,
    /// Not listed when the catalog was asked: renamed since, or gone with their type.
    gone: HashSet<(u32, Vec<u8>)>,
}

impl EnumValues {
    pub(super) fn new(enabled: bool) -> Self {
        Self {
            enabled,
            gone: HashSet::new(),
        }
    }

    /// The types of the values in the new row of a change that are not listed.
    #[inline]
    pub(super) fn unlisted(
        &self,
        message: &PgOutputMessage<'_>,
        version: Option<&RelationVersion>,
    ) -> Vec<u32> {
        let Some(tuple) = message.new_row().filter(|_| self.enabled) else {
            return Vec::new();
        };
        match version.map(|version| &version.capture) {
            Some(Capture::Yes(table)) if !table.enums.is_empty() => {
                let found = unlisted_values(tuple, table);
                found
                    .filter(|(oid, value)| !self.gone.contains(&(*oid, value.to_vec())))
                    .map(|(oid, _)| oid)
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The catalog was asked, and `version` is what came of it: what is still not listed is not looked for again.
    pub(super) fn remember(&mut self, message: &PgOutputMessage<'_>, version: &RelationVersion) {
        let Some(new) = message.new_row() else {
            return;
        };
        let Capture::Yes(table) = &version.capture else {
            return;
        };
        for (oid, value) in unlisted_values(new, table) {
            if self.gone.len() < MOST_REMEMBERED {
                self.gone.insert((oid, value.to_vec()));
            }
        }
    }
}

fn unlisted_values<'a>(
    tuple: TupleData<'a>,
    table: &'a StreamedTable,
) -> impl Iterator<Item = (u32, &'a [u8])> {
    tuple.iter().enumerate().filter_map(|(at, column)| {
        let TupleColumn::Text(value) = column else {
            return None;
        };
        let labels = table.enums.iter().find(|column| column.index == at)?;
        let is_listed = labels.labels.iter().any(|label| label.as_bytes() == value);
        (!is_listed).then_some((labels.oid, value))
    })
}
