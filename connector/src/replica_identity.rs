use regex::Regex;

use super::{
    filter::{anchored, not_a_regex},
    reader::Reader,
};

const PROPERTY: &str = "replica.identity.autoset.values";

/// One entry of `replica.identity.autoset.values`.
#[derive(Debug, Clone)]
pub struct IdentityRule {
    /// Against `schema.table`.
    pub table: Regex,
    pub identity: WantedIdentity,
}

/// What ALTER TABLE .. REPLICA IDENTITY is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedIdentity {
    Default,
    Full,
    Nothing,
    /// The name of the index.
    Index(String),
}

/// `<regex>:FULL,<regex>:INDEX <name>,...`
pub(super) fn identity_rules(reader: &mut Reader<'_>) -> Vec<IdentityRule> {
    let text = reader.text(PROPERTY).unwrap_or_default();
    let mut rules = Vec::new();
    for entry in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
        let parts = entry.rsplit_once(':');
        let identity = parts.and_then(|(_, identity)| wanted(identity.trim()));
        let (Some((table, _)), Some(identity)) = (parts, identity) else {
            reader.problem(
                PROPERTY,
                format!("`{entry}`: want <table regex>:DEFAULT, FULL, NOTHING or INDEX <name>"),
            );
            continue;
        };
        match anchored(table.trim()) {
            Ok(table) => rules.push(IdentityRule { table, identity }),
            Err(error) => reader.problem(PROPERTY, not_a_regex(table, &error)),
        }
    }
    rules
}

fn wanted(text: &str) -> Option<WantedIdentity> {
    let mut words = text.split_whitespace();
    let (word, name) = (words.next()?.to_ascii_uppercase(), words.next());
    match (word.as_str(), name) {
        ("DEFAULT", None) => Some(WantedIdentity::Default),
        ("FULL", None) => Some(WantedIdentity::Full),
        ("NOTHING", None) => Some(WantedIdentity::Nothing),
        ("INDEX", Some(name)) if words.next().is_none() => {
            Some(WantedIdentity::Index(name.to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn identities_are_read() {
        for (text, want) in [
            ("public.a:FULL", Some(WantedIdentity::Full)),
            ("public.a: default", Some(WantedIdentity::Default)),
            ("public.a:NOTHING", Some(WantedIdentity::Nothing)),
            (
                "public.a:INDEX a_i",
                Some(WantedIdentity::Index("a_i".to_owned())),
            ),
            ("public.a:INDEX", None),
            ("public.a", None),
            ("public.a:SOME", None),
        ] {
            let properties = BTreeMap::from([(PROPERTY.to_owned(), text.to_owned())]);
            let mut reader = Reader::new(&properties);
            let rules = identity_rules(&mut reader);
            assert_eq!(reader.problems.len(), usize::from(want.is_none()), "{text}");
            assert_eq!(
                rules.first().map(|rule| rule.identity.clone()),
                want,
                "{text}"
            );
            assert!(rules.iter().all(|rule| rule.table.is_match("public.a")));
        }
    }
}
