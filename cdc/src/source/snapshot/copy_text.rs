//! Rows of `COPY ... TO STDOUT` in text format; PostgreSQL manual, "COPY", "Text Format".
//!
//! A line with another number of columns, or with an escape that COPY does not write, is an error. The buffers are
//! used again for each row.

use debezium::ColumnValue;
use memchr::memchr;

use crate::{Error, error::defect};

/// One row of `COPY .. TO STDOUT` in text format, unescaped; PostgreSQL manual, "COPY", "Text Format". Reused for row
/// after row, so a snapshot does not allocate per row.
#[derive(Debug, Clone, Default)]
pub struct CopyRow {
    bytes: Vec<u8>,
    /// Where each column ends in `bytes`; None for NULL.
    ends: Vec<Option<usize>>,
}

/// The line is not a row of the table that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyTextError {
    #[error("a row of {found} columns where the table has {wanted}")]
    ColumnCount { wanted: usize, found: usize },
    #[error("a row that ends within an escape")]
    UnfinishedEscape,
}

impl CopyRow {
    /// Read one line, with or without its line end, of `columns` columns.
    ///
    /// # Errors
    /// Another number of columns, or an escape without its character.
    pub fn read(&mut self, line: &[u8], columns: usize) -> Result<(), CopyTextError> {
        self.bytes.clear();
        self.ends.clear();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if columns > 0 {
            let mut rest = Some(line);
            while let Some(text) = rest {
                let (field, later) = match memchr(b'\t', text) {
                    Some(at) => {
                        let (field, later) = text.split_at(at);
                        (field, later.strip_prefix(b"\t"))
                    }
                    None => (text, None),
                };
                rest = later;
                if field == br"\N" {
                    self.ends.push(None);
                } else {
                    unescape(field, &mut self.bytes)?;
                    self.ends.push(Some(self.bytes.len()));
                }
            }
        }
        if self.ends.len() == columns {
            Ok(())
        } else {
            Err(CopyTextError::ColumnCount {
                wanted: columns,
                found: self.ends.len(),
            })
        }
    }

    /// The columns, in order.
    ///
    /// An error is a `Defect`: a column ends where none can.
    pub fn values(&self) -> impl Iterator<Item = Result<ColumnValue<'_>, Error>> {
        let mut start = 0;
        self.ends.iter().map(move |end| match end {
            None => Ok(ColumnValue::Null),
            Some(end) => {
                let value = self.bytes.get(start..*end).ok_or_else(|| {
                    defect(
                        "the columns of a row end in their order, within its bytes",
                        format_args!("{start}..{end} of {}", self.bytes.len()),
                    )
                })?;
                start = *end;
                Ok(ColumnValue::Text(value))
            }
        })
    }
}

/// COPY escapes backslash, the delimiter and control characters; it writes no octal or hexadecimal escapes.
fn unescape(field: &[u8], out: &mut Vec<u8>) -> Result<(), CopyTextError> {
    let mut rest = field;
    while let Some(at) = memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((&letter, later)) = escape.get(1..).and_then(<[u8]>::split_first) else {
            return Err(CopyTextError::UnfinishedEscape);
        };
        out.push(match letter {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            other => other,
        });
        rest = later;
    }
    out.extend_from_slice(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &[u8], columns: usize) -> Result<Vec<Option<Vec<u8>>>, CopyTextError> {
        let mut row = CopyRow::default();
        row.read(line, columns)?;
        Ok(row
            .values()
            .map(|value| match value.expect("within the row") {
                ColumnValue::Text(text) => Some(text.to_vec()),
                ColumnValue::Null | ColumnValue::Unchanged => None,
            })
            .collect())
    }

    #[test]
    fn rows_are_unescaped() {
        let text = |text: &str| Some(text.as_bytes().to_vec());
        for (line, want) in [
            ("1\tabc\n", vec![text("1"), text("abc")]),
            ("\\N\t\n", vec![None, text("")]),
            ("\\\\N\t\\N\n", vec![text("\\N"), None]),
            (
                "a\\tb\t\\b\\f\\n\\r\\v\n",
                vec![text("a\tb"), text("\u{8}\u{c}\n\r\u{b}")],
            ),
            ("\\\\\t\\\\x00ff", vec![text("\\"), text("\\x00ff")]),
        ] {
            assert_eq!(read(line.as_bytes(), 2), Ok(want), "{line:?}");
        }
        assert_eq!(read(b"\n", 0), Ok(vec![]));
        assert_eq!(read(b"\n", 1), Ok(vec![text("")]));
    }

    #[test]
    fn wrong_rows_are_refused() {
        assert_eq!(
            read(b"1\t2\n", 3),
            Err(CopyTextError::ColumnCount {
                wanted: 3,
                found: 2
            })
        );
        assert_eq!(read(b"1\\", 1), Err(CopyTextError::UnfinishedEscape));
    }

    #[test]
    fn a_column_that_ends_nowhere_halts() {
        let row = CopyRow {
            bytes: b"ab".to_vec(),
            ends: vec![Some(2), Some(1)],
        };
        let error = row
            .values()
            .nth(1)
            .expect("a column")
            .expect_err("no range");
        assert_eq!(error.kind(), crate::ErrorKind::Defect);
    }

    fn escape(value: &Option<Vec<u8>>) -> Vec<u8> {
        let Some(value) = value else {
            return b"\\N".to_vec();
        };
        let mut out = Vec::new();
        for &byte in value {
            match byte {
                8 => out.extend(b"\\b"),
                12 => out.extend(b"\\f"),
                b'\n' => out.extend(b"\\n"),
                b'\r' => out.extend(b"\\r"),
                b'\t' => out.extend(b"\\t"),
                11 => out.extend(b"\\v"),
                b'\\' => out.extend(b"\\\\"),
                other => out.push(other),
            }
        }
        out
    }

    proptest! {
        #[test]
        fn what_copy_writes_is_read_back(row in prop::collection::vec(
            prop::option::of(prop::collection::vec(any::<u8>(), 0..20)), 1..6)
        ) {
            let mut line = row.iter().map(escape).collect::<Vec<_>>().join(&b'\t');
            line.push(b'\n');
            prop_assert_eq!(read(&line, row.len()), Ok(row));
        }

        #[test]
        fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..100), columns in 0_usize..5) {
            let _ = read(&line, columns);
        }
    }
}
