//! The columns of a row version; PostgreSQL manual, "Logical Replication Message Formats", "TupleData".
//!
//! Parsing has walked a tuple from end to end, so that iterating over it cannot fail.

use std::fmt;
use std::iter::FusedIterator;

use crate::ParseError;
use crate::reader::Reader;

/// The columns of one row version, still in wire form; PostgreSQL manual, "TupleData".
///
/// Parsing walked it once from end to end, so iterating cannot fail. Copying it copies two words.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TupleData<'a> {
    count: u16,
    columns: &'a [u8],
}

/// One column of a [`TupleData`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TupleColumn<'a> {
    /// SQL NULL. In a key-only old tuple also every column that is not part of the key.
    Null,
    /// A TOASTed value that the update did not touch and that is therefore not in the WAL.
    Unchanged,
    /// The type's text output, in the connection's encoding.
    Text(&'a [u8]),
    /// The type's binary output; only with the option `binary 'on'`.
    Binary(&'a [u8]),
}

impl<'a> TupleData<'a> {
    /// How many columns the tuple has: as many as its Relation.
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether the table has no (published) columns.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The columns in the order of the Relation.
    #[inline]
    pub fn iter(&self) -> TupleColumns<'a> {
        TupleColumns {
            left: self.count,
            rest: self.columns,
        }
    }

    #[inline]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        let count = reader.count16("tuple column count")?;
        let columns = reader.rest();
        for _ in 0..count {
            let (tag, unknown) = reader.tag("tuple column kind")?;
            match tag {
                b'n' | b'u' => {}
                b't' | b'b' => {
                    let length = reader.count32("column value length")?;
                    reader.bytes(length, "column value")?;
                }
                _ => return Err(unknown),
            }
        }
        // `rest` is a suffix of `columns`, so the subtraction cannot wrap and the prefix exists.
        let length = columns.len() - reader.remaining();
        let (columns, _) = columns.split_at(length);
        Ok(Self { count, columns })
    }
}

/// Iterator over the columns of a [`TupleData`].
#[derive(Clone)]
pub struct TupleColumns<'a> {
    left: u16,
    rest: &'a [u8],
}

impl<'a> TupleColumns<'a> {
    #[inline]
    fn value(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(value)
    }
}

impl<'a> Iterator for TupleColumns<'a> {
    type Item = TupleColumn<'a>;

    #[inline]
    fn next(&mut self) -> Option<TupleColumn<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (&kind, rest) = self.rest.split_first()?;
        self.rest = rest;
        match kind {
            b't' => self.value().map(TupleColumn::Text),
            b'n' => Some(TupleColumn::Null),
            b'u' => Some(TupleColumn::Unchanged),
            // `TupleData::read` let no other kind through.
            _ => self.value().map(TupleColumn::Binary),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.left);
        (left, Some(left))
    }
}

impl ExactSizeIterator for TupleColumns<'_> {}
impl FusedIterator for TupleColumns<'_> {}

impl<'a> IntoIterator for TupleData<'a> {
    type Item = TupleColumn<'a>;
    type IntoIter = TupleColumns<'a>;

    #[inline]
    fn into_iter(self) -> TupleColumns<'a> {
        self.iter()
    }
}

impl<'a> IntoIterator for &TupleData<'a> {
    type Item = TupleColumn<'a>;
    type IntoIter = TupleColumns<'a>;

    #[inline]
    fn into_iter(self) -> TupleColumns<'a> {
        self.iter()
    }
}

impl fmt::Debug for TupleData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Row values must not reach a log: only their lengths are shown.
impl fmt::Debug for TupleColumn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Unchanged => f.write_str("Unchanged"),
            Self::Text(value) => write!(f, "Text({} bytes)", value.len()),
            Self::Binary(value) => write!(f, "Binary({} bytes)", value.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<TupleData<'_>, ParseError> {
        TupleData::read(&mut Reader::new(bytes))
    }

    #[test]
    fn every_kind_of_column_is_read() {
        let tuple =
            read(b"\0\x05nut\0\0\0\x02hit\0\0\0\0b\0\0\0\x01\xFFrest").expect("valid tuple");
        assert_eq!(tuple.len(), 5);
        let columns = tuple.iter();
        assert_eq!(columns.len(), 5);
        assert_eq!(
            columns.collect::<Vec<_>>(),
            [
                TupleColumn::Null,
                TupleColumn::Unchanged,
                TupleColumn::Text(b"hi"),
                TupleColumn::Text(b""),
                TupleColumn::Binary(b"\xFF"),
            ]
        );
        assert_eq!(
            format!("{tuple:?}"),
            "[Null, Unchanged, Text(2 bytes), Text(0 bytes), Binary(1 bytes)]"
        );
    }

    #[test]
    fn a_table_without_columns_has_an_empty_tuple() {
        let tuple = read(b"\0\0").expect("valid tuple");
        assert!(tuple.is_empty());
        assert_eq!(tuple.iter().next(), None);
    }

    #[test]
    fn damage_is_found_before_iteration() {
        let end = |reading, offset| ParseError::UnexpectedEnd { reading, offset };
        for (bytes, error) in [
            (&b"\0"[..], end("tuple column count", 0)),
            (b"\0\x01", end("tuple column kind", 2)),
            (b"\0\x02n", end("tuple column kind", 3)),
            (b"\0\x01t\0\0\0", end("column value length", 3)),
            (b"\0\x01t\0\0\0\x03hi", end("column value", 7)),
            (b"\0\x01t\x7F\xFF\xFF\xFF", end("column value", 7)),
            (
                b"\0\x01t\xFF\xFF\xFF\xFF",
                ParseError::NegativeLength {
                    reading: "column value length",
                    offset: 3,
                    value: -1,
                },
            ),
            (
                b"\xFF\xFE",
                ParseError::NegativeLength {
                    reading: "tuple column count",
                    offset: 0,
                    value: -2,
                },
            ),
            (
                b"\0\x01x",
                ParseError::UnknownTag {
                    reading: "tuple column kind",
                    tag: b'x',
                    offset: 2,
                },
            ),
        ] {
            assert_eq!(read(bytes), Err(error), "{}", bytes.escape_ascii());
        }
    }
}
