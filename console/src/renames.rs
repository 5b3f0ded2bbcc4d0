//! Tables that were given another name, and tables that a later snapshot found empty: what the logs of all tables
//! together tell about one of them.

use std::collections::BTreeMap;

use crate::{
    doubt::{About, Doubt},
    tables::OpenTable,
};

/// Adds to each table what the others tell about it.
pub(crate) fn tell_of_each_other(tables: &mut [OpenTable]) {
    let mut newest: BTreeMap<String, i64> = BTreeMap::new();
    // Which names a table had, by its OID: namespace, OID, beginning, name.
    let mut names = Vec::new();
    for table in tables.iter() {
        let of = newest.entry(table.info.namespace.clone()).or_default();
        *of = (*of).max(table.incarnation.unwrap_or(0));
        for (since, oid) in &table.history.oids {
            let name = format!("{}.{}", table.info.schema, table.info.table);
            names.push((table.info.namespace.clone(), *oid, *since, name));
        }
    }
    for table in tables {
        let own = format!("{}.{}", table.info.schema, table.info.table);
        let others = |oid: u32| {
            let namespace = &table.info.namespace;
            let own = &own;
            names.iter().filter(move |(of, number, _, name)| {
                of == namespace && *number == oid && name != own
            })
        };
        for doubt in &mut table.doubts {
            let since = doubt.since;
            if let About::OtherTable { now, stands, .. } = &mut doubt.about {
                let before = others(*now).filter(|(_, _, then, _)| *then < since);
                *stands = before.map(|(_, _, _, name)| name.clone()).next_back();
            }
        }
        let mut found = Vec::new();
        if let Some((first, oid)) = table.history.oids.first() {
            let mut before = others(*oid).filter(|(_, _, then, _)| then < first);
            if let Some((_, _, _, name)) = before.next_back() {
                found.push(Doubt {
                    since: *first,
                    about: About::CameFrom { name: name.clone() },
                });
            }
        }
        if let Some((last, oid)) = table.history.oids.last() {
            let mut later = others(*oid).filter(|(_, _, then, _)| then > last);
            if let Some((_, _, then, name)) = later.next_back() {
                found.push(Doubt {
                    since: *then,
                    about: About::MovedTo { name: name.clone() },
                });
            }
        }
        let incarnation = newest.get(&table.info.namespace).copied().unwrap_or(0);
        // Who began no history of his own, as other Debeziums, takes no snapshot of everything.
        if table.incarnation.is_some_and(|own| own < incarnation) {
            found.push(Doubt {
                since: (incarnation, 0, 0),
                about: About::NotInSnapshot { incarnation },
            });
        }
        table.doubts.extend(found);
        table.doubts.sort_by_key(|doubt| doubt.since);
        let notes = table.doubts.iter().map(Doubt::note);
        table.info.notes.extend(notes);
    }
}
