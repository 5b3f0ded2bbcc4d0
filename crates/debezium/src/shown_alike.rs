use crate::{Column, ColumnRule, ColumnValue, TableSchema, value::truncated};

impl TableSchema {
    /// Whether events show two rows as one: equal, or different only where a column rule hides it.
    pub fn shows_alike(&self, old: &[ColumnValue<'_>], new: &[ColumnValue<'_>]) -> bool {
        old == new
            || (old.len() == new.len()
                && self
                    .columns
                    .iter()
                    .zip(old.iter().zip(new))
                    .all(|(column, (old, new))| old == new || column.shows_alike(old, new)))
    }
}

impl Column {
    fn shows_alike(&self, old: &ColumnValue<'_>, new: &ColumnValue<'_>) -> bool {
        if !self.pg_type.row().is_jdbc_string {
            return false;
        }
        match (&self.rule, old, new) {
            (Some(ColumnRule::Mask { .. }), _, _) => true,
            (
                Some(ColumnRule::Truncate { length }),
                ColumnValue::Text(old),
                ColumnValue::Text(new),
            ) => {
                let units = usize::try_from(*length).unwrap_or(usize::MAX);
                let [old, new] = [old, new].map(|text| String::from_utf8_lossy(text));
                truncated(&old, units) == truncated(&new, units)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PgType, PgTypeKind};

    #[test]
    fn rules_hide_changes() {
        use ColumnValue::{Null, Text};
        let column = |kind, rule| Column {
            name: "c".to_owned(),
            pg_type: PgType {
                oid: 0,
                name: String::new(),
                modifier: -1,
                kind,
            },
            optional: true,
            default_expression: None,
            generated: false,
            older_rows: None,
            number: None,
            rule,
        };
        let (mask, cut) = (
            || Some(ColumnRule::Mask { length: 3 }),
            || Some(ColumnRule::Truncate { length: 2 }),
        );
        for (kind, rule, old, new, alike) in [
            (PgTypeKind::Text, None, Text(b"a"), Text(b"b"), false),
            (PgTypeKind::Text, mask(), Text(b"a"), Null, true),
            (PgTypeKind::Int4, mask(), Text(b"1"), Text(b"2"), false),
            (PgTypeKind::Text, cut(), Text(b"abc"), Text(b"abd"), true),
            (PgTypeKind::Text, cut(), Text(b"ac"), Text(b"ab"), false),
            (PgTypeKind::Text, cut(), Text(b"ac"), Null, false),
        ] {
            assert_eq!(column(kind, rule).shows_alike(&old, &new), alike);
        }
    }
}
