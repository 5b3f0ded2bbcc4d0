//! The text of arrays.

use crate::{ParseError, Quoted, cursor::Cursor};

/// An array of any type (manual, 8.15.6 Array Input and Output Syntax): `{1,NULL,3}`, `{"a b","c \"d\""}`, `{{1,2},{3,4}}`,
/// `[0:1]={1,2}`.
#[derive(Debug, Clone)]
pub struct Array<'a> {
    /// Behind the braces that open the first element.
    first: Cursor<'a>,
    delimiter: u8,
    dimensions: usize,
}

impl<'a> Array<'a> {
    /// Reads where the array begins; its elements are read as they are asked for. `delimiter` is `pg_type.typdelim` of the
    /// elements: a comma, and a semicolon for `box` alone. Lower bounds, which are printed where they are not 1, are passed
    /// over.
    #[inline]
    pub fn parse(text: &'a [u8], delimiter: u8) -> Result<Self, ParseError> {
        let mut cursor = Cursor::new(text);
        if cursor.peek() == Some(b'[') {
            let Some(at) = memchr::memchr(b'=', text) else {
                return cursor.expected("`=` behind the bounds of an array");
            };
            cursor.skip(at + 1);
        }
        cursor.expect(b'{', "`{` of an array")?;
        let mut dimensions = 1;
        while cursor.accept(b"{") {
            dimensions += 1;
        }
        Ok(Self {
            first: cursor,
            delimiter,
            dimensions,
        })
    }

    /// How many dimensions it has. An empty array, which PostgreSQL counts none of, has one here.
    #[inline]
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// All elements, those of the last dimension next to each other. It ends with the first error.
    #[inline]
    pub fn elements(self) -> Elements<'a> {
        Elements {
            cursor: self.first,
            delimiter: self.delimiter,
            dimensions: self.dimensions,
            open: self.dimensions,
            state: State::Opened,
        }
    }
}

/// The elements of an [`Array`]. None is NULL.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    cursor: Cursor<'a>,
    delimiter: u8,
    dimensions: usize,
    /// Braces that are open.
    open: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Behind an opening brace.
    Opened,
    /// Behind an element or a closing brace.
    Closed,
    /// Behind the last closing brace, or an error.
    Done,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Option<Quoted<'a>>, ParseError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let is_beside = match self.state {
            // `{}` is the only array without elements.
            State::Opened => self.dimensions > 1 || self.cursor.peek() != Some(b'}'),
            State::Closed => self.open == self.dimensions && self.accept_delimiter(),
            State::Done => return None,
        };
        if !is_beside {
            match self.pass_braces() {
                Ok(true) => {}
                Ok(false) => {
                    self.state = State::Done;
                    return None;
                }
                Err(refused) => {
                    self.state = State::Done;
                    return Some(Err(refused));
                }
            }
        }
        self.state = State::Closed;
        let element = if self.cursor.accept(b"\"") {
            Quoted::read(&mut self.cursor).map(Some)
        } else {
            self.bare()
        };
        if element.is_err() {
            self.state = State::Done;
        }
        Some(element)
    }
}

impl<'a> Elements<'a> {
    #[inline]
    fn accept_delimiter(&mut self) -> bool {
        let is_next = self.cursor.peek() == Some(self.delimiter);
        if is_next {
            self.cursor.skip(1);
        }
        is_next
    }

    /// Steps over what stands between elements that are not in the same braces. False: the array has ended.
    fn pass_braces(&mut self) -> Result<bool, ParseError> {
        while self.cursor.accept(b"}") {
            self.open -= 1;
            if self.open == 0 {
                self.cursor.end()?;
                return Ok(false);
            }
        }
        if !self.accept_delimiter() {
            return self.cursor.expected("a delimiter or `}` behind an element");
        }
        while self.open < self.dimensions {
            self.cursor.expect(b'{', "`{` of the next dimension")?;
            self.open += 1;
        }
        Ok(true)
    }

    /// What PostgreSQL does not quote: no braces, quotes, backslashes, delimiters, white space; not empty; not NULL.
    #[inline]
    fn bare(&mut self) -> Result<Option<Quoted<'a>>, ParseError> {
        let delimiter = self.delimiter;
        let rest = self.cursor.rest();
        let end = rest
            .iter()
            .position(|&byte| byte == delimiter || byte == b'}');
        let Some(text) = end.and_then(|end| rest.get(..end)) else {
            self.cursor.skip(rest.len());
            return self.cursor.expected("`}` at the end of an array");
        };
        if text.is_empty() || text.first() == Some(&b'{') {
            return self.cursor.expected("an element");
        }
        self.cursor.skip(text.len());
        let is_null = text.len() == 4 && text.eq_ignore_ascii_case(b"NULL");
        Ok((!is_null).then_some(Quoted::bare(text)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn elements(text: &str, delimiter: u8) -> Result<(usize, Vec<Option<String>>), ParseError> {
        let array = Array::parse(text.as_bytes(), delimiter)?;
        let dimensions = array.dimensions();
        let mut buffer = Vec::new();
        let elements = array
            .elements()
            .map(|element| {
                let element = element?;
                let text = element.map(|element| element.text().into_owned());
                let again = element.map(|element| element.text_in(&mut buffer).to_vec());
                assert_eq!(text, again);
                Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
            })
            .collect::<Result<_, _>>()?;
        Ok((dimensions, elements))
    }

    #[test]
    fn elements_as_postgresql_prints_them() {
        for (text, dimensions, expected) in [
            ("{}", 1, &[][..]),
            ("{1,-2}", 1, &[Some("1"), Some("-2")]),
            ("{1,NULL,3}", 1, &[Some("1"), None, Some("3")]),
            ("[0:1]={1,2}", 1, &[Some("1"), Some("2")]),
            (
                r#"{a,"b,c","d\"e",NULL,"NULL","","x\\y"}"#,
                1,
                &[
                    Some("a"),
                    Some("b,c"),
                    Some("d\"e"),
                    None,
                    Some("NULL"),
                    Some(""),
                    Some("x\\y"),
                ],
            ),
            (
                "{{1,2},{3,NULL}}",
                2,
                &[Some("1"), Some("2"), Some("3"), None],
            ),
            (
                r#"[0:0][1:2][3:3]={{{"{"},{b}}}"#,
                3,
                &[Some("{"), Some("b")],
            ),
        ] {
            let expected = expected.iter().map(|e| e.map(str::to_owned)).collect();
            assert_eq!(elements(text, b','), Ok((dimensions, expected)), "{text}");
        }
        let boxes = elements("{(1,1),(0,0);(2,2),(0,0)}", b';').map(|(_, boxes)| boxes.len());
        assert_eq!(boxes, Ok(2));
    }

    #[test]
    fn what_is_no_array_is_refused_where_it_is_none() {
        for (text, at) in [
            ("", 0),
            ("1", 0),
            ("[0:1]", 0),
            ("[0:1]=1", 6),
            ("{", 1),
            ("{1", 2),
            ("{1,", 3),
            ("{1,}", 3),
            ("{,}", 1),
            ("{,1}", 1),
            ("{\"a}", 4),
            ("{\"a\\\"}", 6),
            ("{\"a\\", 4),
            ("{\"a\"b}", 4),
            ("{1}x", 3),
            ("{1{2}}", 5),
            ("{1,{2}}", 3),
            ("{{1},2}", 5),
            ("{{1},{2}", 8),
            ("{{}}", 2),
            ("{{1}}}", 5),
        ] {
            let refused = elements(text, b',').expect_err(text);
            assert_eq!(refused.at, at, "{text}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn quoted_elements_survive(values in prop::collection::vec(prop::option::of(".*"), 0..6)) {
            let text: Vec<String> = values
                .iter()
                .map(|value| match value {
                    None => "NULL".to_owned(),
                    Some(text) => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
                })
                .collect();
            prop_assert_eq!(elements(&format!("{{{}}}", text.join(",")), b','), Ok((1, values)));
        }

        #[test]
        fn rectangles_survive(rows in prop::collection::vec(prop::collection::vec(any::<i16>(), 3), 1..5)) {
            let texts = rows.iter().map(|row| {
                let row: Vec<String> = row.iter().map(i16::to_string).collect();
                format!("{{{}}}", row.join(","))
            });
            let text = format!("{{{}}}", texts.collect::<Vec<_>>().join(","));
            let flat = rows.iter().flatten().map(|number| Some(number.to_string())).collect();
            prop_assert_eq!(elements(&text, b','), Ok((2, flat)));
        }

        #[test]
        fn any_text_ends(text in "[\\[\\]{},\"\\\\a=N]{0,20}") {
            if let Err(refused) = elements(&text, b',') {
                prop_assert!(refused.at <= text.len());
            }
        }
    }
}
