//! Checked steps over JSON text: each returns where the thing that begins at `at` ends.

use memchr::memchr2;

use super::error::{Boxed, DecodeError, DecodeReason, MAX_DEPTH};

type Scanned = Result<usize, Boxed>;

/// Bytes of a string that are looked at one by one.
const SHORT: usize = 16;

/// Strings must hold no control characters (RFC 8259). They are looked for once over the whole text, and only a text
/// that has some (white space between its tokens, say) is checked again string by string.
#[derive(Clone, Copy)]
pub(super) struct Scanner<'a> {
    pub text: &'a [u8],
    pub has_control_characters: bool,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            has_control_characters: text
                .iter()
                .fold(false, |found, &byte| found | (byte < 0x20)),
        }
    }

    #[inline(always)]
    pub fn byte(self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    #[inline(always)]
    pub fn starts_with(self, at: usize, prefix: &[u8]) -> bool {
        self.text
            .get(at..)
            .is_some_and(|rest| rest.starts_with(prefix))
    }

    #[inline(always)]
    pub fn white_space(self, mut at: usize) -> usize {
        while matches!(self.byte(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            at += 1;
        }
        at
    }

    /// One given byte, white space before it skipped.
    #[inline(always)]
    pub fn expect(self, at: usize, byte: u8, what: &'static str) -> Scanned {
        let at = self.white_space(at);
        match self.byte(at) {
            Some(found) if found == byte => Ok(at + 1),
            Some(_) => Err(DecodeError::expected(at, what)),
            None => Err(DecodeError::new(at, DecodeReason::UnexpectedEnd)),
        }
    }

    /// A string; `at` is its opening quote.
    #[inline]
    pub fn string(self, at: usize) -> Scanned {
        let mut end = match self.byte(at) {
            Some(b'"') => at + 1,
            _ => return Err(DecodeError::expected(at, "a string")),
        };
        loop {
            // Most strings, and most stretches between escapes, are too short for a search to pay.
            let near = end + SHORT;
            while end < near && !matches!(self.byte(end), Some(b'"' | b'\\') | None) {
                end += 1;
            }
            if end == near {
                let rest = self.text.get(end..).unwrap_or_default();
                end += memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
            }
            match self.byte(end) {
                Some(b'"') => break,
                Some(_) => end = self.escape(end)?,
                None => return Err(DecodeError::new(end, DecodeReason::UnexpectedEnd)),
            }
        }
        if self.has_control_characters
            && let Some(found) = self
                .text
                .get(at + 1..end)
                .and_then(|inside| inside.iter().position(|&byte| byte < 0x20))
        {
            return Err(DecodeError::new(
                at + 1 + found,
                DecodeReason::ControlCharacter,
            ));
        }
        Ok(end + 1)
    }

    fn escape(self, at: usize) -> Scanned {
        match self.byte(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u')
                if self
                    .text
                    .get(at + 2..at + 6)
                    .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) =>
            {
                Ok(at + 6)
            }
            Some(_) => Err(DecodeError::new(at, DecodeReason::InvalidEscape)),
            None => Err(DecodeError::new(at, DecodeReason::UnexpectedEnd)),
        }
    }

    fn digits(self, mut at: usize) -> Scanned {
        let start = at;
        while self.byte(at).is_some_and(|byte| byte.is_ascii_digit()) {
            at += 1;
        }
        if at == start {
            return Err(DecodeError::new(start, DecodeReason::InvalidNumber));
        }
        Ok(at)
    }

    /// A number; `at` is its first character.
    #[inline]
    pub fn number(self, mut at: usize) -> Scanned {
        if self.byte(at) == Some(b'-') {
            at += 1;
        }
        at = match self.byte(at) {
            Some(b'0') => at + 1,
            _ => self.digits(at)?,
        };
        if self.byte(at) == Some(b'.') {
            at = self.digits(at + 1)?;
        }
        if matches!(self.byte(at), Some(b'e' | b'E')) {
            at += 1;
            if matches!(self.byte(at), Some(b'+' | b'-')) {
                at += 1;
            }
            at = self.digits(at)?;
        }
        Ok(at)
    }

    fn literal(self, at: usize, literal: &'static str) -> Scanned {
        if self.starts_with(at, literal.as_bytes()) {
            Ok(at + literal.len())
        } else {
            Err(DecodeError::expected(at, literal))
        }
    }

    /// Any value; `at` is its first character.
    #[inline]
    pub fn value(self, at: usize) -> Scanned {
        self.value_within(at, 0)
    }

    #[inline]
    fn value_within(self, at: usize, depth: usize) -> Scanned {
        match self.byte(at) {
            Some(b'"') => self.string(at),
            Some(b'-' | b'0'..=b'9') => self.number(at),
            Some(b'n') => self.literal(at, "null"),
            _ => self.rarer_value(at, depth),
        }
    }

    fn rarer_value(self, at: usize, depth: usize) -> Scanned {
        match self.byte(at) {
            Some(b't') => self.literal(at, "true"),
            Some(b'f') => self.literal(at, "false"),
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                Err(DecodeError::new(at, DecodeReason::TooDeep))
            }
            Some(b'{') => self.members(at, |scanner, _, value| {
                scanner.value_within(value, depth + 1)
            }),
            Some(b'[') => self.items(at, depth),
            Some(_) => Err(DecodeError::expected(at, "a JSON value")),
            None => Err(DecodeError::new(at, DecodeReason::UnexpectedEnd)),
        }
    }

    fn items(self, at: usize, depth: usize) -> Scanned {
        let mut at = self.white_space(at + 1);
        if self.byte(at) == Some(b']') {
            return Ok(at + 1);
        }
        loop {
            at = self.value_within(self.white_space(at), depth + 1)?;
            at = self.white_space(at);
            match self.byte(at) {
                Some(b',') => at += 1,
                Some(b']') => return Ok(at + 1),
                Some(_) => return Err(DecodeError::expected(at, "`,` or `]`")),
                None => return Err(DecodeError::new(at, DecodeReason::UnexpectedEnd)),
            }
        }
    }

    /// The members of the object at `at`: `member` gets the text between the quotes of the key and where the value
    /// begins, and returns where it ends.
    #[inline(always)]
    pub fn members(
        self,
        at: usize,
        mut member: impl FnMut(Self, &'a [u8], usize) -> Scanned,
    ) -> Scanned {
        let mut at = self.white_space(self.expect(at, b'{', "an object")?);
        if self.byte(at) == Some(b'}') {
            return Ok(at + 1);
        }
        loop {
            let start = self.white_space(at);
            let end = self.string(start)?;
            let key = self.text.get(start + 1..end - 1).unwrap_or_default();
            let value = self.expect(end, b':', "`:`")?;
            at = self.white_space(member(self, key, self.white_space(value))?);
            match self.byte(at) {
                Some(b',') => at += 1,
                Some(b'}') => return Ok(at + 1),
                Some(_) => return Err(DecodeError::expected(at, "`,` or `}`")),
                None => return Err(DecodeError::new(at, DecodeReason::UnexpectedEnd)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(text: &[u8]) -> bool {
        let scanner = Scanner::new(text);
        scanner
            .value(scanner.white_space(0))
            .is_ok_and(|end| scanner.white_space(end) == text.len())
    }

    #[test]
    fn accepts_what_is_json_and_nothing_else() {
        for (text, valid) in [
            ("0", true),
            ("-0.5e+10", true),
            ("01", false),
            ("1.", false),
            (".5", false),
            ("-", false),
            ("1e", false),
            ("tru", false),
            ("nul", false),
            ("\"a\\u00e9\\n\"", true),
            ("\"\\u00g0\"", false),
            ("\"\\x\"", false),
            ("\"a", false),
            ("\"a\nb\"", false),
            ("{ \"a\" : [ 1 , {} , [] ] }", true),
            ("{\"a\":1,}", false),
            ("{\"a\" 1}", false),
            ("{a:1}", false),
            ("[1 2]", false),
            ("[1,]", false),
            ("", false),
        ] {
            assert_eq!(whole(text.as_bytes()), valid, "{text}");
        }
        assert!(!whole("[".repeat(1000).as_bytes()));
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(text in r#"[\[\]{}:,"a0-9.eE+\-\\u tfn]{0,12}|true|null|"[ -~]{0,6}""#) {
            let serde = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
            prop_assert_eq!(whole(text.as_bytes()), serde, "{}", text);
        }
    }
}
