//! Reads fields off the start of a text and knows where it stands.

use crate::ParseError;

#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self {
            rest: text,
            length: text.len(),
        }
    }

    /// How many bytes were read.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.length - self.rest.len()
    }

    pub(crate) fn expected<T>(&self, expected: &'static str) -> Result<T, ParseError> {
        Err(ParseError {
            expected,
            at: self.at(),
        })
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Steps over so many bytes, or all that are left.
    #[inline]
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Steps over these bytes if they are next.
    #[inline]
    pub(crate) fn accept(&mut self, bytes: &[u8]) -> bool {
        match self.rest.strip_prefix(bytes) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), ParseError> {
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                Ok(())
            }
            _ => self.expected(expected),
        }
    }

    #[inline]
    pub(crate) fn end(&self) -> Result<(), ParseError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            self.expected("the end of the value")
        }
    }

    /// As many digits as follow, and their number. At most `most`, of which nine fit.
    #[inline]
    pub(crate) fn number(
        &mut self,
        least: usize,
        most: usize,
        expected: &'static str,
    ) -> Result<(u32, usize), ParseError> {
        let mut number = 0u32;
        let mut count = 0;
        let mut rest = self.rest;
        while count < most
            && let Some((&byte, after)) = rest.split_first()
            && byte.is_ascii_digit()
        {
            number = number * 10 + u32::from(byte - b'0');
            count += 1;
            rest = after;
        }
        if count < least {
            return self.expected(expected);
        }
        self.rest = rest;
        Ok((number, count))
    }

    /// At least one digit and at most ten, which is what 32 bits and hours in 64 bits of microseconds have.
    #[inline]
    pub(crate) fn long_number(&mut self, expected: &'static str) -> Result<i64, ParseError> {
        let (high, count) = self.number(1, 9, expected)?;
        let mut number = i64::from(high);
        if count == 9
            && let Some((&byte, rest)) = self.rest.split_first()
            && byte.is_ascii_digit()
        {
            number = number * 10 + i64::from(byte - b'0');
            self.rest = rest;
        }
        Ok(number)
    }

    /// Two digits.
    #[inline]
    pub(crate) fn two_digits(
        &mut self,
        range: std::ops::RangeInclusive<u8>,
        expected: &'static str,
    ) -> Result<u8, ParseError> {
        if let Some(([tens, ones], rest)) = self.rest.split_first_chunk::<2>()
            && tens.is_ascii_digit()
            && ones.is_ascii_digit()
        {
            let number = (tens - b'0') * 10 + (ones - b'0');
            if range.contains(&number) {
                self.rest = rest;
                return Ok(number);
            }
        }
        self.expected(expected)
    }
}
