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

/// `message.key.columns`: `<regex>:<column>,<column>;<regex>:<column>...`.
pub(super) fn message_key_columns(reader: &mut Reader<'_>) -> Vec<MessageKeyColumns> {
    const PROPERTY: &str = "message.key.columns";
    let Some(text) = reader.text(PROPERTY) else {
        return Vec::new();
    };
    let mut entries = Vec::new();
    for entry in text.split(';').map(str::trim).filter(|it| !it.is_empty()) {
        let columns: Vec<String> = entry
            .rsplit_once(':')
            .map(|(_, columns)| columns.split(','))
            .into_iter()
            .flatten()
            .map(|column| column.trim().to_owned())
            .filter(|column| !column.is_empty())
            .collect();
        let table = entry.rsplit_once(':').map_or("", |(table, _)| table.trim());
        if table.is_empty() || columns.is_empty() {
            reader.problem(
                PROPERTY,
                format!("`{entry}`: want <table regex>:<column>,<column>;..."),
            );
            continue;
        }
        match anchored(table) {
            Ok(table) => entries.push(MessageKeyColumns { table, columns }),
            Err(error) => reader.problem(PROPERTY, not_a_regex(table, &error)),
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
    fn a_regex_covers_the_whole_name_in_any_case() {
        let regex = anchored(r"public\.t").unwrap();
        assert!(regex.is_match("PUBLIC.T"));
        assert!(!regex.is_match("public.tweets"));
        let either = anchored("a|b").unwrap();
        assert!(!either.is_match("ab"));
    }
}
