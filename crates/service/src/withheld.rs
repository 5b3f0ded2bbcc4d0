//! Values that were read for somebody from elsewhere (an environment variable, a file of secrets) and that must not come
//! out of the process again: not in an error, not in a log line. What is printed goes through `without_withheld`.
//!
//! Servers and libraries repeat what they were given in their own words: cut off at 63 bytes, in small letters, quoted,
//! percent-encoded. So not the whole value is looked for but every run of eight bytes of it, in any case.
//!
//! Invariant: no value of four bytes or more is printed, whatever stands before or after it. Whoever writes the text around
//! a reference decides about that, so a short value is hidden within other words, too.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    io,
    ops::Range,
    sync::{PoisonError, RwLock},
};

use tracing_subscriber::fmt::MakeWriter;

/// So many bytes in a row tell a value.
const RUN: usize = 8;
/// Shorter values cannot be told from other text, and are none that anybody would guess for long.
const SHORTEST: usize = 4;

/// One value and the name that stands in its place.
struct Withheld {
    value: String,
    name: String,
    /// Values of fewer than `RUN` bytes, which are looked for whole.
    short: Vec<Vec<u8>>,
    runs: BTreeSet<[u8; RUN]>,
}

static ALL: RwLock<Vec<Withheld>> = RwLock::new(Vec::new());

/// From now on, print `name` where this value would be printed. Values of fewer than four bytes are not withheld.
pub fn withhold(value: &str, name: &str) {
    let trimmed = value.trim();
    let known = |all: &[Withheld]| all.iter().any(|it| it.value == trimmed && it.name == name);
    if trimmed.len() < SHORTEST || known(&ALL.read().unwrap_or_else(PoisonError::into_inner)) {
        return;
    }
    let mut all = ALL.write().unwrap_or_else(PoisonError::into_inner);
    if !known(&all) {
        all.push(Withheld::new(trimmed, name));
    }
}

/// The text with names in the place of values that are withheld.
pub fn without_withheld(text: &str) -> Cow<'_, str> {
    let all = ALL.read().unwrap_or_else(PoisonError::into_inner);
    let mut shown = Cow::Borrowed(text);
    for withheld in all.iter() {
        if let Some(hidden) = withheld.hide(&shown) {
            shown = Cow::Owned(hidden);
        }
    }
    shown
}

impl Withheld {
    fn new(value: &str, name: &str) -> Self {
        let (mut short, mut runs) = (Vec::new(), BTreeSet::new());
        for form in forms(value) {
            let form = form.to_ascii_lowercase().into_bytes();
            if form.len() < RUN {
                short.push(form);
            } else {
                runs.extend(
                    form.windows(RUN)
                        .filter_map(|run| <[u8; RUN]>::try_from(run).ok()),
                );
            }
        }
        Self {
            value: value.to_owned(),
            name: name.to_owned(),
            short,
            runs,
        }
    }

    /// None where nothing of it is in the text.
    fn hide(&self, text: &str) -> Option<String> {
        let lower = text.to_ascii_lowercase();
        let found = self.found(lower.as_bytes());
        if found.is_empty() {
            return None;
        }
        let (mut shown, mut done) = (String::with_capacity(text.len()), 0);
        for Range { start, end } in found {
            // A run may begin or end within a character, which goes with it.
            let start = (0..=start).rev().find(|at| text.is_char_boundary(*at));
            let end = (end..=text.len()).find(|at| text.is_char_boundary(*at));
            let (start, end) = (start.unwrap_or(0), end.unwrap_or(text.len()));
            shown.push_str(text.get(done..start).unwrap_or_default());
            shown.push_str(&self.name);
            done = end.max(done);
        }
        shown.push_str(text.get(done..).unwrap_or_default());
        Some(shown)
    }

    /// Where it is in lower-case text, in order and apart from each other.
    fn found(&self, lower: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for (start, run) in lower.windows(RUN).enumerate() {
            if <[u8; RUN]>::try_from(run).is_ok_and(|run| self.runs.contains(&run)) {
                found.push(start..start + RUN);
            }
        }
        for short in &self.short {
            let places = memchr::memmem::find_iter(lower, short);
            found.extend(places.map(|start| start..start + short.len()));
        }
        found.sort_by_key(|range| range.start);
        found.dedup_by(|next, last| {
            let touches = next.start <= last.end;
            if touches {
                last.end = last.end.max(next.end);
            }
            touches
        });
        found
    }
}

/// How a value may be written: as it is, as Rust and JSON escape it, as in a URL.
fn forms(value: &str) -> BTreeSet<String> {
    let debug = format!("{value:?}");
    let json = serde_json::Value::from(value).to_string();
    let unquoted = |text: &str| {
        let inside = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        inside.unwrap_or(text).to_owned()
    };
    let percent = value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02x}"));
        }
        text
    });
    BTreeSet::from([value.to_owned(), unquoted(&debug), unquoted(&json), percent])
}

/// Where log lines go, without what is withheld.
#[derive(Debug, Clone)]
pub struct LogLines<M>(pub M);

/// The writer of one line.
#[derive(Debug)]
pub struct LogLine<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for LogLines<M> {
    type Writer = LogLine<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        LogLine(self.0.make_writer())
    }
}

/// The subscriber writes whole lines.
impl<W: io::Write> io::Write for LogLine<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(without_withheld(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_hidden_however_it_is_repeated() {
        let hide = |value: &str, text: &str| {
            let withheld = Withheld::new(value, "${env:X}");
            withheld.hide(text).unwrap_or_else(|| text.to_owned())
        };
        let long = "Begin\"Key\" \u{e4}\u{f6}/x\nSecond-line-of-it";
        for (value, text, want) in [
            (
                "hunter2",
                "role \"hunter2\" does not exist",
                "role \"${env:X}\" does not exist",
            ),
            // Whoever writes the text around a reference may put a letter before it.
            ("hunter2", "user \"xhunter2\"", "user \"x${env:X}\""),
            ("hunter2", "hunter22_HUNTER2", "${env:X}2_${env:X}"),
            ("pw1x", "topic apw1xb.public.t", "topic a${env:X}b.public.t"),
            (
                "db.internal.example",
                "no host DB.INTERNAL.EXAMPLE.",
                "no host ${env:X}.",
            ),
            // PostgreSQL cuts names off.
            (
                "0123456789abcdef",
                "database \"0123456789a\"",
                "database \"${env:X}\"",
            ),
            ("0123456789abcdef", "9abcdef 0123456", "9abcdef 0123456"),
            (long, "a Second-line-of-it b", "a ${env:X} b"),
            (long, &format!("<{long}>"), "<${env:X}>"),
            (long, &format!("{long:?}"), "\"${env:X}\""),
            ("p w/d", "http://h/p%20w%2Fd", "http://h/${env:X}"),
            (
                "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
                "<\u{e4}\u{e4}\u{e4}\u{e4}>",
                "<${env:X}>",
            ),
            ("a-secret-of-mine", "", ""),
        ] {
            assert_eq!(hide(value, text), want, "{value:?} in {text:?}");
        }
    }

    #[test]
    fn all_that_is_withheld_is_hidden_in_errors() {
        withhold(" a-password-from-a-file\n", "${file:a:b}");
        withhold("a-password-from-a-file", "${file:a:b}");
        for short in ["", " ", "cdc"] {
            withhold(short, "${env:SHORT}");
        }
        assert_eq!(without_withheld("a cdc"), "a cdc");
        let error = io::Error::other("no host a-password-from-a-file");
        assert_eq!(
            crate::render_error(&error, None),
            "error: no host ${file:a:b}"
        );
        assert_eq!(without_withheld("plain"), "plain");
    }
}
