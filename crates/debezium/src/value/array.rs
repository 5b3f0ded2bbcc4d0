//! PostgreSQL's array text: `{a,"b,c",NULL}`, with bounds where they do not start at 1.

use super::Unconvertible;

/// Takes one-dimensional array text apart.
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
    delimiter: u8,
    state: State,
    /// Elements with backslashes are put together here.
    unquoted: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    First,
    Later,
    Done,
}

/// One element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element<'e> {
    Null,
    Text(&'e [u8]),
}

impl<'a> Elements<'a> {
    /// Starts on array text. Arrays of more than one dimension are found when their first inner brace is met.
    pub(crate) fn new(text: &'a [u8], delimiter: u8) -> Result<Self, Unconvertible> {
        let mut rest = text;
        if rest.first() == Some(&b'[') {
            let at = rest.iter().position(|&b| b == b'=').ok_or(Unconvertible)?;
            rest = rest.get(at + 1..).ok_or(Unconvertible)?;
        }
        let rest = rest.strip_prefix(b"{").ok_or(Unconvertible)?;
        Ok(Self {
            rest,
            delimiter,
            state: State::First,
            unquoted: Vec::new(),
        })
    }

    /// The next element; None at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Element<'_>>, Unconvertible> {
        if self.state == State::Done {
            return Ok(None);
        }
        let (&first, after) = self.rest.split_first().ok_or(Unconvertible)?;
        match (first, self.state) {
            (b'}', _) => {
                self.state = State::Done;
                return if after.is_empty() {
                    Ok(None)
                } else {
                    Err(Unconvertible)
                };
            }
            (_, State::First) => self.state = State::Later,
            _ if first == self.delimiter => self.rest = after,
            _ => return Err(Unconvertible),
        }
        match self.rest.split_first() {
            Some((b'"', after)) => self.quoted(after),
            Some((b'{', _)) | None => Err(Unconvertible),
            Some(_) => self.bare(),
        }
        .map(Some)
    }

    fn quoted(&mut self, text: &'a [u8]) -> Result<Element<'_>, Unconvertible> {
        let end = memchr::memchr2(b'"', b'\\', text).ok_or(Unconvertible)?;
        let (plain, tail) = text.split_at_checked(end).ok_or(Unconvertible)?;
        if let Some((b'"', after)) = tail.split_first() {
            self.rest = after;
            return Ok(Element::Text(plain));
        }
        self.unquoted.clear();
        self.unquoted.extend_from_slice(plain);
        let mut bytes = tail.iter();
        loop {
            match bytes.next().ok_or(Unconvertible)? {
                b'"' => break,
                b'\\' => self.unquoted.push(*bytes.next().ok_or(Unconvertible)?),
                &byte => self.unquoted.push(byte),
            }
        }
        self.rest = bytes.as_slice();
        Ok(Element::Text(&self.unquoted))
    }

    fn bare(&mut self) -> Result<Element<'_>, Unconvertible> {
        let delimiter = self.delimiter;
        let end = self
            .rest
            .iter()
            .position(|&b| b == delimiter || b == b'}')
            .ok_or(Unconvertible)?;
        let (text, rest) = self.rest.split_at_checked(end).ok_or(Unconvertible)?;
        self.rest = rest;
        match text {
            b"" => Err(Unconvertible),
            _ if text.eq_ignore_ascii_case(b"NULL") => Ok(Element::Null),
            _ => Ok(Element::Text(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn elements(text: &str) -> Result<Vec<Option<String>>, Unconvertible> {
        let mut parser = Elements::new(text.as_bytes(), b',')?;
        let mut found = Vec::new();
        while let Some(element) = parser.next()? {
            found.push(match element {
                Element::Null => None,
                Element::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            });
        }
        Ok(found)
    }

    #[test]
    fn elements_as_postgresql_prints_them() {
        let some = |text: &str| Some(text.to_owned());
        for (text, expected) in [
            ("{}", vec![]),
            ("{1,-2}", vec![some("1"), some("-2")]),
            ("[0:1]={1,2}", vec![some("1"), some("2")]),
            (
                r#"{a,"b,c","d\"e",NULL,"NULL",""}"#,
                vec![
                    some("a"),
                    some("b,c"),
                    some("d\"e"),
                    None,
                    some("NULL"),
                    some(""),
                ],
            ),
        ] {
            assert_eq!(elements(text), Ok(expected));
        }
        for bad in [
            "",
            "{",
            "{1",
            "{1,",
            "{1,}",
            "{,}",
            "{{1},{2}}",
            "1",
            "{\"a}",
            "{1}x",
            "{\"a\"b}",
            "{\"a\\",
        ] {
            assert!(elements(bad).is_err(), "{bad}");
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
            prop_assert_eq!(elements(&format!("{{{}}}", text.join(","))), Ok(values));
        }

        #[test]
        fn any_text_ends(text in "[\\[\\]{},\"\\\\a=N]{0,20}") {
            let _ = elements(&text);
        }
    }
}
