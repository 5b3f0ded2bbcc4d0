//! SQL files as psql runs them: one statement after the other, each in a transaction of its own.

/// The statements of a script. Understands quotes, dollar quotes and comments; the scenarios have no psql commands.
pub fn statements(script: &str) -> Vec<String> {
    let bytes = script.as_bytes();
    let (mut found, mut from, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let rest = &script[at..];
        at += match bytes[at] {
            quote @ (b'\'' | b'"') => {
                let escapes = quote == b'\''
                    && at > 0
                    && matches!(bytes[at - 1], b'e' | b'E')
                    && (at < 2 || !bytes[at - 2].is_ascii_alphanumeric());
                quoted(rest.as_bytes(), quote, escapes)
            }
            b'-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            b'$' => dollar_quoted(rest),
            b';' => {
                found.push(script[from..at].to_owned());
                from = at + 1;
                1
            }
            _ => 1,
        };
    }
    found.push(script[from..].to_owned());
    found.retain(|statement| {
        statement
            .lines()
            .any(|line| !line.trim().is_empty() && !line.trim_start().starts_with("--"))
    });
    found
}

/// Length of a quoted text with its quotes; a doubled quote does not end it, as it only begins the next one.
fn quoted(text: &[u8], quote: u8, escapes: bool) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' if escapes => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn dollar_quoted(text: &str) -> usize {
    let Some(end) = text[1..].find('$') else {
        return 1;
    };
    let tag = &text[..end + 2];
    if !tag[1..end + 1]
        .chars()
        .all(|c| c.is_alphanumeric() || c == '_')
        || tag[1..].starts_with(|c: char| c.is_ascii_digit())
    {
        return 1;
    }
    text[tag.len()..]
        .find(tag)
        .map_or(1, |end| tag.len() + end + tag.len())
}

#[test]
fn statements_end_at_bare_semicolons() {
    let script = "a ';' b; -- c;\n$x$;$x$ \"d;\"; E'\\';' /* ; */ e; f 'it''s;'\n;\n-- g\n";
    assert_eq!(
        statements(script),
        [
            "a ';' b",
            " -- c;\n$x$;$x$ \"d;\"",
            " E'\\';' /* ; */ e",
            " f 'it''s;'\n"
        ]
    );
}
