//! Takes the protocol's primitive types off the front of a message; integers are big-endian.
//!
//! It never reads beyond the message, and each error says what was read and at which byte.

use std::ffi::CStr;

use crate::{Lsn, ParseError, PgTimestamp};

/// Takes the protocol's primitive types off the front of one message; integers are big-endian.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            total: bytes.len(),
        }
    }

    pub(crate) fn offset(&self) -> usize {
        self.total - self.rest.len()
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Everything that is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn unexpected_end(&self, reading: &'static str) -> ParseError {
        ParseError::UnexpectedEnd {
            reading,
            offset: self.offset(),
        }
    }

    /// A type byte, with the error for the case that the caller does not know it.
    #[inline]
    pub(crate) fn tag(&mut self, reading: &'static str) -> Result<(u8, ParseError), ParseError> {
        let offset = self.offset();
        let tag = self.u8(reading)?;
        let unknown = ParseError::UnknownTag {
            reading,
            tag,
            offset,
        };
        Ok((tag, unknown))
    }

    #[inline]
    fn array<const N: usize>(&mut self, reading: &'static str) -> Result<[u8; N], ParseError> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.unexpected_end(reading));
        };
        self.rest = rest;
        Ok(*head)
    }

    #[inline]
    pub(crate) fn u8(&mut self, reading: &'static str) -> Result<u8, ParseError> {
        self.array(reading).map(u8::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self, reading: &'static str) -> Result<u32, ParseError> {
        self.array(reading).map(u32::from_be_bytes)
    }

    #[inline]
    pub(crate) fn i32(&mut self, reading: &'static str) -> Result<i32, ParseError> {
        self.array(reading).map(i32::from_be_bytes)
    }

    #[inline]
    pub(crate) fn lsn(&mut self, reading: &'static str) -> Result<Lsn, ParseError> {
        Ok(Lsn(u64::from_be_bytes(self.array(reading)?)))
    }

    #[inline]
    pub(crate) fn timestamp(&mut self, reading: &'static str) -> Result<PgTimestamp, ParseError> {
        Ok(PgTimestamp(i64::from_be_bytes(self.array(reading)?)))
    }

    /// The xid that precedes the fields of a message inside a stream block, and is absent elsewhere.
    #[inline]
    pub(crate) fn stream_xid(&mut self, in_stream: bool) -> Result<Option<u32>, ParseError> {
        in_stream.then(|| self.u32("xid")).transpose()
    }

    /// An Int16 that counts columns.
    #[inline]
    pub(crate) fn count16(&mut self, reading: &'static str) -> Result<u16, ParseError> {
        let offset = self.offset();
        let value = i16::from_be_bytes(self.array(reading)?);
        u16::try_from(value).map_err(|_| ParseError::NegativeLength {
            reading,
            offset,
            value: i32::from(value),
        })
    }

    /// An Int32 that counts bytes or relations.
    #[inline]
    pub(crate) fn count32(&mut self, reading: &'static str) -> Result<usize, ParseError> {
        let offset = self.offset();
        let value = self.i32(reading)?;
        usize::try_from(value).map_err(|_| ParseError::NegativeLength {
            reading,
            offset,
            value,
        })
    }

    #[inline]
    pub(crate) fn bytes(
        &mut self,
        count: usize,
        reading: &'static str,
    ) -> Result<&'a [u8], ParseError> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.unexpected_end(reading));
        };
        self.rest = rest;
        Ok(head)
    }

    /// A String: UTF-8 ended by a zero byte.
    pub(crate) fn string(&mut self, reading: &'static str) -> Result<&'a str, ParseError> {
        let offset = self.offset();
        let text =
            CStr::from_bytes_until_nul(self.rest).map_err(|_| self.unexpected_end(reading))?;
        self.bytes(text.count_bytes() + 1, reading)?;
        text.to_str().map_err(|source| ParseError::InvalidUtf8 {
            reading,
            offset,
            source,
        })
    }

    /// Ends the message: nothing may follow it.
    #[inline]
    pub(crate) fn finish(&self, message: &'static str) -> Result<(), ParseError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(ParseError::TrailingBytes {
            message,
            offset: self.offset(),
            count: self.remaining(),
        })
    }
}
