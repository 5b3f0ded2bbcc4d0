//! The column properties: masks, digests, truncation and propagated source types.

use std::collections::BTreeMap;

use debezium::{ColumnRule, ColumnSize, HashAlgorithm, HashInput, PgType};
use regex::Regex;

use super::{filter::regex_list, reader::Reader};

/// All column properties of a connector, in the order in which Debezium asks them: the first that matches a column is
/// the only one.
#[derive(Debug, Clone, Default)]
pub struct ColumnRules {
    rules: Vec<(Vec<Regex>, Rule)>,
}

#[derive(Debug, Clone)]
enum Rule {
    Truncate {
        length: u32,
    },
    Mask {
        length: u32,
    },
    SourceType,
    /// Matched against `schema.table.type`.
    SourceTypeByType,
    Hash(HashAlgorithm, HashInput, String),
}

/// A column that rules are looked up for.
#[derive(Debug, Clone, Copy)]
pub struct RuledColumn<'a> {
    pub schema: &'a str,
    pub table: &'a str,
    pub name: &'a str,
    pub pg_type: &'a PgType,
    /// What a snapshot calls the type, where it is another name than the type's own.
    pub type_name: &'a str,
    /// As the catalog tells the column, not a Relation message.
    pub snapshot: bool,
}

impl ColumnRules {
    /// What the properties make of a column.
    pub fn of(&self, column: RuledColumn<'_>) -> Option<ColumnRule> {
        if self.rules.is_empty() {
            return None;
        }
        let RuledColumn { schema, table, .. } = column;
        let name = format!("{schema}.{table}.{}", column.name);
        let type_name = format!("{schema}.{table}.{}", column.type_name);
        let (_, rule) = self.rules.iter().find(|(list, rule)| {
            let subject = match rule {
                Rule::SourceTypeByType => &type_name,
                Rule::Truncate { .. } | Rule::Mask { .. } | Rule::SourceType | Rule::Hash(..) => {
                    &name
                }
            };
            list.iter().any(|regex| regex.is_match(subject))
        })?;
        let size = ColumnSize::of(column.pg_type, column.snapshot);
        Some(match rule {
            Rule::Truncate { length } => {
                let fits = u32::try_from(size.length).is_ok_and(|longest| longest <= *length);
                if fits {
                    return None;
                }
                ColumnRule::Truncate { length: *length }
            }
            Rule::Mask { length } => ColumnRule::Mask { length: *length },
            Rule::SourceType | Rule::SourceTypeByType => ColumnRule::SourceType {
                type_name: column.type_name.to_owned(),
                size,
            },
            Rule::Hash(algorithm, input, salt) => ColumnRule::Hash {
                algorithm: *algorithm,
                input: *input,
                salt: salt.clone(),
                length: u32::try_from(size.length)
                    .ok()
                    .filter(|length| (1..i32::MAX as u32).contains(length)),
            },
        })
    }
}

/// Reads the rules from `column.truncate.to.N.chars`, `column.mask.with.N.chars`, `column.propagate.source.type`,
/// `datatype.propagate.source.type` and `column.mask.hash[.v2].ALGORITHM.with.salt.SALT`.
pub(super) fn column_rules(
    reader: &mut Reader<'_>,
    properties: &BTreeMap<String, String>,
) -> ColumnRules {
    let mut rules = Vec::new();
    for (beginning, least) in [("column.truncate.to.", 1), ("column.mask.with.", 0)] {
        for property in properties.keys() {
            let Some(number) = property.strip_prefix(beginning) else {
                continue;
            };
            let number = number.strip_suffix(".chars").map(str::parse::<u32>);
            match number {
                Some(Ok(length)) if length >= least => {
                    let rule = if least == 0 {
                        Rule::Mask { length }
                    } else {
                        Rule::Truncate { length }
                    };
                    rules.push((regex_list(reader, property), rule));
                }
                _ => reader.problem(
                    property,
                    format!("the name must be {beginning}<number from {least}>.chars"),
                ),
            }
        }
    }
    for (property, rule) in [
        ("column.propagate.source.type", Rule::SourceType),
        ("datatype.propagate.source.type", Rule::SourceTypeByType),
    ] {
        rules.push((regex_list(reader, property), rule));
    }
    for (beginning, input) in [
        ("column.mask.hash.", HashInput::JavaObject),
        ("column.mask.hash.v2.", HashInput::Text),
    ] {
        for property in properties.keys() {
            let other =
                input == HashInput::JavaObject && property.starts_with("column.mask.hash.v2.");
            let Some(name) = property.strip_prefix(beginning).filter(|_| !other) else {
                continue;
            };
            match name.split_once(".with.salt.") {
                Some((algorithm, salt)) if !salt.is_empty() => {
                    match HashAlgorithm::from_name(algorithm) {
                        Some(algorithm) => {
                            let rule = Rule::Hash(algorithm, input, salt.to_owned());
                            rules.push((regex_list(reader, property), rule));
                        }
                        None => reader.problem(
                            property,
                            "the algorithm must be one of MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512, \
                             SHA-512/224, SHA-512/256",
                        ),
                    }
                }
                _ => reader.problem(
                    property,
                    format!("the name must be {beginning}<algorithm>.with.salt.<salt>"),
                ),
            }
        }
    }
    rules.retain(|(list, _)| !list.is_empty());
    ColumnRules { rules }
}

#[cfg(test)]
mod tests {
    use debezium::PgTypeKind;

    use super::*;

    fn parsed(entries: &[(&str, &str)]) -> (ColumnRules, Vec<String>) {
        let properties: BTreeMap<String, String> = entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut reader = Reader::new(&properties);
        let rules = column_rules(&mut reader, &properties);
        let problems = reader.problems.into_iter().map(|it| it.property).collect();
        (rules, problems)
    }

    fn rule(rules: &ColumnRules, name: &str, modifier: i32) -> Option<ColumnRule> {
        let pg_type = PgType {
            oid: 1043,
            name: "varchar".to_owned(),
            modifier,
            kind: PgTypeKind::Varchar,
        };
        rules.of(RuledColumn {
            schema: "public",
            table: "t",
            name,
            pg_type: &pg_type,
            type_name: "varchar",
            snapshot: false,
        })
    }

    #[test]
    fn the_first_rule_that_names_a_column_counts() {
        let (rules, problems) = parsed(&[
            ("column.mask.with.3.chars", "public.t.(a|b)"),
            ("column.truncate.to.2.chars", "PUBLIC.T.A,public.t.s"),
            (
                "column.mask.hash.v2.SHA-256.with.salt.x.y",
                "public.t.b,public.t.c",
            ),
            ("datatype.propagate.source.type", r".+\.VARCHAR"),
        ]);
        assert!(problems.is_empty());
        assert_eq!(
            rule(&rules, "a", 24),
            Some(ColumnRule::Truncate { length: 2 })
        );
        assert_eq!(rule(&rules, "b", 24), Some(ColumnRule::Mask { length: 3 }));
        // It is short enough by its type, and no other rule is asked.
        assert_eq!(rule(&rules, "s", 6), None);
        assert!(matches!(
            rule(&rules, "c", 24),
            Some(ColumnRule::SourceType { .. })
        ));
        let (rules, _) = parsed(&[("column.mask.hash.v2.SHA-256.with.salt.x.y", "public.t.c")]);
        assert_eq!(
            rule(&rules, "c", 24),
            Some(ColumnRule::Hash {
                algorithm: HashAlgorithm::Sha256,
                input: HashInput::Text,
                salt: "x.y".to_owned(),
                length: Some(20),
            })
        );
    }

    #[test]
    fn names_that_say_nothing_are_problems() {
        let (_, problems) = parsed(&[
            ("column.mask.hash.ROT13.with.salt.s", "a"),
            ("column.mask.hash.MD5", "a"),
            ("column.mask.with.some.chars", "a"),
            ("column.truncate.to.0.chars", "a"),
        ]);
        assert_eq!(
            problems,
            [
                "column.truncate.to.0.chars",
                "column.mask.with.some.chars",
                "column.mask.hash.MD5",
                "column.mask.hash.ROT13.with.salt.s",
            ]
        );
    }
}
