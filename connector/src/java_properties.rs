//! The `.properties` format, as `java.util.Properties` documents it for `load`.

use std::{collections::BTreeMap, iter::Peekable, str::Chars};

/// A `\u` escape without four hex digits: the one thing that is wrong in any such file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `\\u` wants four hex digits")]
pub struct MalformedEscape {
    /// Counted from 1.
    pub line: usize,
}

/// The pairs of a file; of several with one key the last holds. Text that is not UTF-8 is read as ISO 8859-1, the
/// format's older encoding.
///
/// # Errors
/// A malformed `\u` escape.
pub fn parse_properties(bytes: &[u8]) -> Result<BTreeMap<String, String>, MalformedEscape> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    };
    let mut pairs = BTreeMap::new();
    for (number, line) in logical_lines(&text) {
        let (key, value) = split(&line);
        let unescape = |text| unescape(text).ok_or(MalformedEscape { line: number });
        pairs.insert(unescape(key)?, unescape(value)?);
    }
    Ok(pairs)
}

const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Lines joined where a backslash ends them, without blanks before them; comments and empty lines are left out. With
/// the number of their first line.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, natural) in natural_lines(text).into_iter().enumerate() {
        let line = natural.trim_start_matches(is_blank);
        if open.is_none() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let (_, text) = open.get_or_insert_with(|| (index + 1, String::new()));
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            text.push_str(line.strip_suffix('\\').unwrap_or(line));
        } else {
            text.push_str(line);
            lines.extend(open.take());
        }
    }
    lines.extend(open);
    lines
}

/// Lines end with `\n`, `\r` or both.
fn natural_lines(text: &str) -> Vec<&str> {
    text.split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
        .collect()
}

/// The key ends at the first `=`, `:` or blank that no backslash stands before.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (is_blank(c) || matches!(c, '=' | ':'));
        escaped = c == '\\' && !escaped;
        ends
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(is_blank))
}

/// None where a `\u` is malformed.
fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => push_utf16(&mut plain, &mut chars)?,
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Some(plain)
}

/// One UTF-16 unit, and those that follow it in the same form: characters beyond the first plane are two of them.
fn push_utf16(plain: &mut String, chars: &mut Peekable<Chars<'_>>) -> Option<()> {
    let mut units = vec![hex_unit(chars)?];
    loop {
        let mut ahead = chars.clone();
        if ahead.next() != Some('\\') || ahead.next() != Some('u') {
            break;
        }
        *chars = ahead;
        units.push(hex_unit(chars)?);
    }
    plain.push_str(&String::from_utf16_lossy(&units));
    Some(())
}

fn hex_unit(chars: &mut Peekable<Chars<'_>>) -> Option<u16> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit << 4 | u16::try_from(chars.next()?.to_digit(16)?).ok()?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_read_as_java_reads_them() {
        for (text, want) in [
            ("a=1\nb = 2\r\nc:3\rd 4", "a=1,b=2,c=3,d=4"),
            ("# no\n  ! neither \\\na=1\n\n \t\n", "a=1"),
            (
                "fruits = apple, \\\n    banana, \\\n\tpear",
                "fruits=apple, banana, pear",
            ),
            ("a=x\\\\\nb=y", "a=x\\,b=y"),
            ("a=x\\\\\\\n  y", "a=x\\y"),
            ("a\\=b\\:c\\ d = \\ e ", "a=b:c d= e "),
            ("a==b", "a==b"),
            ("key\n=v\n: w", "=w,key="),
            ("a=\\u00e4\\ud83d\\udc18\\tz\\q", "a=\u{e4}\u{1f418}\tzq"),
            ("a=1\na=2", "a=2"),
            ("a=b\\", "a=b"),
            ("a=b\\\n#c", "a=b#c"),
            ("a", "a="),
        ] {
            let pairs = parse_properties(text.as_bytes()).unwrap();
            let shown: Vec<String> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
            assert_eq!(shown.join(","), want, "{text:?}");
        }
    }

    #[test]
    fn a_malformed_escape_names_its_line() {
        for text in ["a=1\n\nb=\\u12", "a=1\n\nb=\\uzzzz"] {
            assert_eq!(
                parse_properties(text.as_bytes()),
                Err(MalformedEscape { line: 3 })
            );
        }
    }

    #[test]
    fn what_is_not_utf8_is_latin1() {
        let pairs = parse_properties(b"a=\xe4").unwrap();
        assert_eq!(pairs.get("a").map(String::as_str), Some("\u{e4}"));
    }

    /// As `java.util.Properties.store` writes it.
    fn store(text: &str, key: bool) -> String {
        let mut stored = String::new();
        for (i, c) in text.chars().enumerate() {
            match c {
                ' ' if key || i == 0 => stored.push_str("\\ "),
                '\t' => stored.push_str("\\t"),
                '\n' => stored.push_str("\\n"),
                '\r' => stored.push_str("\\r"),
                '\u{c}' => stored.push_str("\\f"),
                '\\' | '=' | ':' | '#' | '!' => stored.extend(['\\', c]),
                ' '..='~' => stored.push(c),
                _ => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(stored, "\\u{unit:04X}").unwrap();
                    }
                }
            }
        }
        stored
    }

    proptest! {
        #[test]
        fn what_java_stores_is_read_back(pairs in prop::collection::btree_map(any::<String>(), any::<String>(), 0..8)) {
            let text: String = pairs
                .iter()
                .map(|(key, value)| format!("{}={}\n", store(key, true), store(value, false)))
                .collect();
            prop_assert_eq!(parse_properties(text.as_bytes()), Ok(pairs));
        }

        #[test]
        fn arbitrary_bytes_are_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_properties(&bytes);
        }
    }
}
