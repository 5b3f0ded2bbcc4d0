//! Debezium's lists of regular expressions: which tables and columns are captured, and which columns are a table's
//! key.
//!
//! An expression is matched against whole names, without regard to case. One that cannot be read is a problem of the
//! report, never an empty list.

use debezium::Compat;
use regex::{Regex, RegexBuilder};

use super::{CaptureFilter, MessageKeyColumns, reader::Reader};

/// Debezium's lists: entries separated by commas (`\,` is a comma of the regex itself), each a regex over the whole
/// name in any case.
pub(super) fn capture_filter(reader: &mut Reader<'_>) -> CaptureFilter {
    let mut lists = [
        "schema.include.list",
        "schema.exclude.list",
        "table.include.list",
        "table.exclude.list",
        "column.include.list",
        "column.exclude.list",
    ]
    .map(|property| regex_list(reader, property));
    for (include, exclude) in [
        ("schema.include.list", "schema.exclude.list"),
        ("table.include.list", "table.exclude.list"),
        ("column.include.list", "column.exclude.list"),
    ] {
        if reader.text(include).is_some() && reader.text(exclude).is_some() {
            reader.problem(exclude, format!("\"{include}\" is already specified"));
        }
    }
    let [
        schema_include,
        schema_exclude,
        table_include,
        table_exclude,
        column_include,
        column_exclude,
    ] = &mut lists;
    CaptureFilter {
        schema_include: std::mem::take(schema_include),
        schema_exclude: std::mem::take(schema_exclude),
        table_include: std::mem::take(table_include),
        table_exclude: std::mem::take(table_exclude),
        column_include: std::mem::take(column_include),
        column_exclude: std::mem::take(column_exclude),
    }
}

/// `message.key.columns`: `<regex>:<column>,<column>;<regex>:<column>...`, the columns regexes as well. What an entry
/// may look like, and so what is said of one that does not, is another pattern since 3.x.
pub(super) fn message_key_columns(
    reader: &mut Reader<'_>,
    compat: Compat,
) -> Vec<MessageKeyColumns> {
    const PROPERTY: &str = "message.key.columns";
    let Some(text) = reader.text(PROPERTY) else {
        return Vec::new();
    };
    let is_space = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let mut entries = Vec::new();
    for entry in text.split(';').filter(|entry| !entry.is_empty()) {
        let parts = entry.trim_matches(is_space).split_once(':');
        let parts = parts.filter(|(table, columns)| {
            let is_plain = !table.is_empty() && !columns.is_empty() && !columns.contains(':');
            is_plain
                && match compat {
                    Compat::V2_7 => !table.contains(is_space) && !columns.contains(is_space),
                    Compat::V3 => columns.split(',').all(|column| !column.is_empty()),
                }
        });
        let Some((table, columns)) = parts else {
            let pattern = match compat {
                Compat::V2_7 => r"^\s*([^\s:]+):([^:\s]+)\s*$",
                Compat::V3 => r"^\s*([^:]+):([^:,]+(,[^:,]+)*)\s*$",
            };
            let text = format!("{entry} has an invalid format (expecting '{pattern}')");
            reader.problem(PROPERTY, text);
            continue;
        };
        let columns = columns
            .split(',')
            .map(|column| column.trim_matches(is_space));
        let columns = columns.filter(|column| !column.is_empty());
        let regexes: Result<Vec<Regex>, _> = std::iter::once(table)
            .chain(columns)
            .map(|text| anchored(text).map_err(|error| not_a_regex(text, &error)))
            .collect();
        match regexes {
            Ok(mut columns) => {
                let table = columns.remove(0);
                entries.push(MessageKeyColumns { table, columns });
            }
            Err(text) => reader.problem(PROPERTY, text),
        }
    }
    entries
}

/// The regexes of one list; those that cannot be read are problems.
pub(super) fn regex_list(reader: &mut Reader<'_>, property: &str) -> Vec<Regex> {
    let Some(text) = reader.text(property) else {
        return Vec::new();
    };
    let mut list = Vec::new();
    for entry in split_list(text) {
        match anchored(&entry) {
            Ok(regex) => list.push(regex),
            Err(error) => reader.problem(property, not_a_regex(&entry, &error)),
        }
    }
    list
}

pub(super) fn anchored(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&format!("^(?:{pattern})$"))
        .case_insensitive(true)
        .build()
}

pub(super) fn not_a_regex(pattern: &str, error: &regex::Error) -> String {
    // The library draws a picture of several lines; its last one says what is wrong.
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    format!("`{pattern}` is not a regular expression that can be used here: {reason}")
}

fn split_list(text: &str) -> Vec<String> {
    let mut entries = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&',') => {
                if let (Some(entry), Some(comma)) = (entries.last_mut(), chars.next()) {
                    entry.push(comma);
                }
            }
            ',' => entries.push(String::new()),
            other => {
                if let Some(entry) = entries.last_mut() {
                    entry.push(other);
                }
            }
        }
    }
    entries
        .into_iter()
        .map(|entry| entry.trim().to_owned())
        .filter(|entry| !entry.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_split_at_bare_commas() {
        assert_eq!(
            split_list(r" a\.b , c\.d{1\,2},, "),
            [r"a\.b", r"c\.d{1,2}"]
        );
    }

    #[test]
    fn entries_of_key_columns_have_the_form_of_their_release() {
        for (text, before_3, since_3) in [
            ("a.b:c", true, true),
            (" a.b:c,D.* ; x:y ", true, true),
            ("a.b:c d", false, true),
            ("a b:c", false, true),
            ("a.b:c,,d", true, false),
            ("a.b:c:d", false, false),
            ("a.b:", false, false),
            (":c", false, false),
            ("a.b", false, false),
        ] {
            let properties = [("message.key.columns".to_owned(), text.to_owned())].into();
            let found = [Compat::V2_7, Compat::V3].map(|compat| {
                let mut reader = Reader::new(&properties);
                message_key_columns(&mut reader, compat);
                reader.problems.is_empty()
            });
            assert_eq!(found, [before_3, since_3], "{text}");
        }
    }

    #[test]
    fn a_regex_covers_the_whole_name_in_any_case() {
        let regex = anchored(r"public\.t").unwrap();
        assert!(regex.is_match("PUBLIC.T"));
        assert!(!regex.is_match("public.tweets"));
        let either = anchored("a|b").unwrap();
        assert!(!either.is_match("ab"));
    }
}
