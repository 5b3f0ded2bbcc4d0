//! One value of an event's JSON, read by the schema of its field.

use std::borrow::Cow;

use super::{
    error::{DecodeError, DecodeReason},
    scan::Scanner,
};

/// A JSON value that stands, checked, in the text of an event. Empty text: the event does not have the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonValue<'a>(&'a str);

impl<'a> JsonValue<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// A value of its own.
    ///
    /// # Errors
    /// The text is not one JSON value.
    pub fn parse(text: &'a str) -> Result<Self, DecodeError> {
        let scanner = Scanner::new(text.as_bytes());
        let start = scanner.white_space(0);
        let end = scanner.value(start)?;
        if scanner.white_space(end) != text.len() {
            return Err(DecodeError::new(end, DecodeReason::TrailingText).into());
        }
        Ok(Self(text.get(start..end).unwrap_or_default()))
    }

    /// The JSON text.
    pub const fn as_json(self) -> &'a str {
        self.0
    }

    /// The column is not in the event at all.
    pub const fn is_absent(self) -> bool {
        self.0.is_empty()
    }

    /// `null`, or not in the event.
    #[inline]
    pub fn is_null(self) -> bool {
        self.0.is_empty() || self.0 == "null"
    }

    /// `true` or `false`.
    pub fn boolean(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A whole number, in the range of a Connect int64.
    #[inline]
    pub fn integer(self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// A number, or one of the strings that stand for what JSON cannot write.
    pub fn double(self) -> Option<f64> {
        match self.0.as_bytes().first()? {
            b'-' | b'0'..=b'9' => self.0.parse().ok(),
            _ => match self.0 {
                "\"NaN\"" => Some(f64::NAN),
                "\"Infinity\"" => Some(f64::INFINITY),
                "\"-Infinity\"" => Some(f64::NEG_INFINITY),
                _ => None,
            },
        }
    }

    /// Whether this is a string.
    #[inline]
    pub fn is_string(self) -> bool {
        self.0.starts_with('"')
    }

    /// The text between the quotes, escapes and all.
    #[inline]
    fn inside(self) -> Option<&'a str> {
        self.0.strip_prefix('"')?.strip_suffix('"')
    }

    /// The text of a string. None: not a string, or it has half of a surrogate pair.
    #[inline]
    pub fn string(self) -> Option<Cow<'a, str>> {
        let inside = self.inside()?;
        if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
            return Some(Cow::Borrowed(inside));
        }
        let mut text = Vec::with_capacity(inside.len());
        unescape(inside.as_bytes(), &mut text)?;
        String::from_utf8(text).ok().map(Cow::Owned)
    }

    /// Appends the text of a string. None: not a string, or it has half of a surrogate pair; part of it may then have
    /// been appended.
    #[inline]
    pub fn append_string(self, out: &mut Vec<u8>) -> Option<()> {
        unescape(self.inside()?.as_bytes(), out)
    }

    /// The items of an array; none of anything else.
    pub fn items(self) -> impl Iterator<Item = JsonValue<'a>> {
        let mut at = usize::from(self.0.starts_with('['));
        let json = if at == 1 { self.0 } else { "" };
        let scanner = Scanner::new(json.as_bytes());
        std::iter::from_fn(move || {
            let start = scanner.white_space(at);
            let end = scanner.value(start).ok()?;
            // Past the comma, or past the closing bracket, where no value follows.
            at = scanner.white_space(end) + 1;
            json.get(start..end).map(JsonValue)
        })
    }

    /// The members of an object; none of anything else. Keys are JSON strings.
    pub fn members(self) -> impl Iterator<Item = (JsonValue<'a>, JsonValue<'a>)> {
        let mut at = usize::from(self.0.starts_with('{'));
        let json = if at == 1 { self.0 } else { "" };
        let scanner = Scanner::new(json.as_bytes());
        std::iter::from_fn(move || {
            let key_start = scanner.white_space(at);
            let key_end = scanner.string(key_start).ok()?;
            let start = scanner.white_space(scanner.expect(key_end, b':', "`:`").ok()?);
            let end = scanner.value(start).ok()?;
            at = scanner.white_space(end) + 1;
            Some((
                JsonValue(json.get(key_start..key_end)?),
                JsonValue(json.get(start..end)?),
            ))
        })
    }

    /// The member of an object with this name, which needs no escapes.
    pub fn member(self, name: &str) -> Option<JsonValue<'a>> {
        self.members()
            .find(|(key, _)| key.inside() == Some(name))
            .map(|(_, value)| value)
    }
}

/// Appends `text` with its escapes resolved. None: it has a broken escape or half of a surrogate pair.
pub(super) fn unescape(mut text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    while let Some(at) = memchr::memchr(b'\\', text) {
        let (plain, rest) = text.split_at_checked(at)?;
        out.extend_from_slice(plain);
        let (&letter, after) = rest.get(1..)?.split_first()?;
        text = after;
        out.push(match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let (character, after) = unicode_escape(text)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                text = after;
                continue;
            }
            _ => return None,
        });
    }
    out.extend_from_slice(text);
    Some(())
}

/// The character whose `\u` was just read, with its second half if it has one, and what follows.
fn unicode_escape(text: &[u8]) -> Option<(char, &[u8])> {
    let (first, rest) = hex_unit(text)?;
    match first {
        0xD800..=0xDBFF => {
            let (second, rest) = hex_unit(rest.strip_prefix(b"\\u")?)?;
            if !(0xDC00..=0xDFFF).contains(&second) {
                return None;
            }
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            Some((char::from_u32(code)?, rest))
        }
        _ => Some((char::from_u32(first)?, rest)),
    }
}

fn hex_unit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(4)?;
    let unit = digits.iter().try_fold(0, |unit, &digit| {
        Some(unit << 4 | char::from(digit).to_digit(16)?)
    })?;
    Some((unit, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strings_are_unescaped() {
        for (json, text) in [
            (r#""""#, Some("")),
            (r#""plain ä""#, Some("plain ä")),
            (
                r#""\"\\\/\b\f\n\r\t\u00E9""#,
                Some("\"\\/\u{8}\u{c}\n\r\té"),
            ),
            (r#""\uD83D\uDC18 \ud83d\udc18""#, Some("🐘 🐘")),
            (r#""\uD83D""#, None),
            (r#""\uD83Dx""#, None),
            (r#""\uD83D\u0041""#, None),
            (r#""\uDC18\uD83D""#, None),
            ("12", None),
        ] {
            let value = JsonValue::parse(json).expect("valid JSON");
            assert_eq!(value.string().as_deref(), text, "{json}");
        }
    }

    #[test]
    fn arrays_and_objects_are_walked() {
        let value = JsonValue::parse(r#"{"a": [1, "x,]", null ,[2]], "b":{}}"#).expect("valid");
        let items: Vec<_> = value
            .member("a")
            .into_iter()
            .flat_map(JsonValue::items)
            .map(JsonValue::as_json)
            .collect();
        assert_eq!(items, ["1", "\"x,]\"", "null", "[2]"]);
        assert_eq!(value.members().count(), 2);
        assert_eq!(value.member("b").map(|b| b.members().count()), Some(0));
        assert_eq!(value.items().count(), 0);
    }

    proptest! {
        #[test]
        fn any_string_reads_back(text in any::<String>()) {
            let json = serde_json::to_string(&text).expect("a string is JSON");
            let read = JsonValue::parse(&json).expect("valid JSON").string();
            prop_assert_eq!(read.as_deref(), Some(text.as_str()));
        }
    }
}
