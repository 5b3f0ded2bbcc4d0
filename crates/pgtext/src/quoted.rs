use std::borrow::Cow;

use crate::{ParseError, cursor::Cursor};

/// A text inside of an array or an hstore, borrowed. Where it stood between double quotes, a backslash may stand before
/// any of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted<'a> {
    /// With its backslashes.
    raw: &'a [u8],
    has_backslashes: bool,
}

impl<'a> Quoted<'a> {
    #[inline]
    pub(crate) fn bare(raw: &'a [u8]) -> Self {
        Self {
            raw,
            has_backslashes: false,
        }
    }

    /// Reads from behind the opening quote to behind the closing one.
    #[inline]
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, ParseError> {
        const EXPECTED: &str = "a closing quote";
        let text = cursor.rest();
        let mut at = 0;
        let mut has_backslashes = false;
        loop {
            let rest = text.get(at..).unwrap_or_default();
            let Some(mark) = memchr::memchr2(b'"', b'\\', rest) else {
                cursor.skip(text.len());
                return cursor.expected(EXPECTED);
            };
            if rest.get(mark) == Some(&b'"') {
                let raw = text.get(..at + mark).unwrap_or_default();
                cursor.skip(at + mark + 1);
                return Ok(Self {
                    raw,
                    has_backslashes,
                });
            }
            has_backslashes = true;
            at += mark + 2;
        }
    }

    /// The text without its backslashes.
    #[inline]
    pub fn text(self) -> Cow<'a, [u8]> {
        if !self.has_backslashes {
            return Cow::Borrowed(self.raw);
        }
        let mut text = Vec::with_capacity(self.raw.len());
        self.append_to(&mut text);
        Cow::Owned(text)
    }

    /// The same for a loop over many: what has backslashes is put together in `buffer`, all else stays where it is.
    #[inline]
    pub fn text_in<'b>(self, buffer: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        if !self.has_backslashes {
            return self.raw;
        }
        buffer.clear();
        self.append_to(buffer);
        buffer
    }

    fn append_to(self, text: &mut Vec<u8>) {
        let mut rest = self.raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            let (plain, escaped) = rest.split_at_checked(at).unwrap_or_default();
            text.extend_from_slice(plain);
            // The byte behind a backslash was seen when the text was read.
            let (byte, after) = escaped
                .get(1..)
                .and_then(|rest| rest.split_first())
                .map_or((None, &[][..]), |(byte, after)| (Some(*byte), after));
            text.extend(byte);
            rest = after;
        }
        text.extend_from_slice(rest);
    }
}
