//! Writes the fields of rows, as lines of COPY or as values of SQL.

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines of `COPY ... FROM STDIN` in text format.
    Copy,
    /// The list after `VALUES`, with `standard_conforming_strings` on.
    Values,
}

/// Writes the fields of one row, in the order of the columns.
pub struct Fields<'a> {
    out: &'a mut Vec<u8>,
    form: Form,
    first: bool,
}

impl<'a> Fields<'a> {
    pub fn begin(out: &'a mut Vec<u8>, form: Form) -> Self {
        if form == Form::Values {
            out.extend_from_slice(if out.is_empty() { b"(" } else { b",\n(" });
        }
        Self {
            out,
            form,
            first: true,
        }
    }

    pub fn end(self) {
        self.out.push(match self.form {
            Form::Copy => b'\n',
            Form::Values => b')',
        });
    }

    fn next(&mut self) {
        if !self.first {
            self.out.push(match self.form {
                Form::Copy => b'\t',
                Form::Values => b',',
            });
        }
        self.first = false;
    }

    pub fn null(&mut self) {
        self.next();
        self.out.extend_from_slice(match self.form {
            Form::Copy => b"\\N",
            Form::Values => b"null",
        });
    }

    pub fn int(&mut self, value: impl itoa::Integer) {
        self.next();
        self.out
            .extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    pub fn optional_int(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.int(value),
            None => self.null(),
        }
    }

    pub fn bool(&mut self, value: bool) {
        self.next();
        self.out.extend_from_slice(match (self.form, value) {
            (Form::Copy, true) => b"t",
            (Form::Copy, false) => b"f",
            (Form::Values, true) => b"true",
            (Form::Values, false) => b"false",
        });
    }

    /// A decimal number with five places, given in 1e-5.
    #[expect(
        clippy::indexing_slicing,
        reason = "a number from a million on has a first digit"
    )]
    pub fn hundred_thousandths(&mut self, value: i32) {
        self.next();
        if value < 0 {
            self.out.push(b'-');
        }
        let value = value.unsigned_abs();
        self.out
            .extend_from_slice(itoa::Buffer::new().format(value / 100_000).as_bytes());
        self.out.push(b'.');
        // The leading 1 keeps the zeros.
        let fraction = 100_000 + value % 100_000;
        self.out
            .extend_from_slice(&itoa::Buffer::new().format(fraction).as_bytes()[1..]);
    }

    pub fn optional_text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    pub fn text(&mut self, value: &str) {
        self.quoted(value.as_bytes());
    }

    /// Anything whose text form is these bytes.
    pub fn quoted(&mut self, value: &[u8]) {
        self.next();
        match self.form {
            Form::Copy => escape(self.out, value, copy_escape),
            Form::Values => {
                self.out.push(b'\'');
                escape(self.out, value, literal_escape);
                self.out.push(b'\'');
            }
        }
    }
}

fn copy_escape(byte: u8) -> Option<&'static [u8]> {
    match byte {
        b'\\' => Some(b"\\\\"),
        b'\n' => Some(b"\\n"),
        b'\r' => Some(b"\\r"),
        b'\t' => Some(b"\\t"),
        _ => None,
    }
}

fn literal_escape(byte: u8) -> Option<&'static [u8]> {
    (byte == b'\'').then_some(b"''")
}

#[inline]
#[expect(clippy::indexing_slicing, reason = "both ends are places of the text")]
fn escape(out: &mut Vec<u8>, value: &[u8], escaped: impl Fn(u8) -> Option<&'static [u8]>) {
    let mut from = 0;
    for (at, byte) in value.iter().enumerate() {
        if let Some(replacement) = escaped(*byte) {
            out.extend_from_slice(&value[from..at]);
            out.extend_from_slice(replacement);
            from = at + 1;
        }
    }
    out.extend_from_slice(&value[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(form: Form) -> String {
        let mut out = Vec::new();
        let mut fields = Fields::begin(&mut out, form);
        fields.int(-5_i64);
        fields.text("a\\b\tc\nd\r'e'");
        fields.null();
        fields.bool(true);
        fields.hundred_thousandths(-12_776);
        fields.hundred_thousandths(5_150_705);
        fields.optional_text(None);
        fields.end();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_of_copy() {
        assert_eq!(
            row(Form::Copy),
            "-5\ta\\\\b\\tc\\nd\\r'e'\t\\N\tt\t-0.12776\t51.50705\t\\N\n"
        );
    }

    #[test]
    fn rows_of_values() {
        assert_eq!(
            row(Form::Values),
            "(-5,'a\\b\tc\nd\r''e''',null,true,-0.12776,51.50705,null)"
        );
        let mut out = b"(1)".to_vec();
        Fields::begin(&mut out, Form::Values).end();
        assert_eq!(out, b"(1),\n()");
    }
}
