//! `hstore` text.

use crate::{ParseError, Quoted, cursor::Cursor};

/// The pairs of an hstore (manual, F.17.1 hstore External Representation), as they are printed:
/// `"key"=>"value", "other"=>NULL`. It ends with the first error. A value is None where it is NULL.
#[derive(Debug, Clone)]
pub struct Hstore<'a> {
    cursor: Cursor<'a>,
    is_first: bool,
}

impl<'a> Hstore<'a> {
    /// Begins at the first pair; nothing is read yet.
    pub fn new(text: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(text),
            is_first: true,
        }
    }

    fn pair(&mut self) -> Result<(Quoted<'a>, Option<Quoted<'a>>), ParseError> {
        if !std::mem::take(&mut self.is_first) && !self.cursor.accept(b", ") {
            return self.cursor.expected("a comma and a space between pairs");
        }
        self.cursor.expect(b'"', "the quote before a key")?;
        let key = Quoted::read(&mut self.cursor)?;
        if !self.cursor.accept(b"=>") {
            return self.cursor.expected("`=>` behind a key");
        }
        if self.cursor.accept(b"NULL") {
            return Ok((key, None));
        }
        self.cursor
            .expect(b'"', "NULL or the quote before a value")?;
        Ok((key, Some(Quoted::read(&mut self.cursor)?)))
    }
}

impl<'a> Iterator for Hstore<'a> {
    type Item = Result<(Quoted<'a>, Option<Quoted<'a>>), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.cursor.peek()?;
        let pair = self.pair();
        if pair.is_err() {
            self.cursor.skip(usize::MAX);
        }
        Some(pair)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Pairs = Vec<(String, Option<String>)>;

    fn pairs(text: &str) -> Result<Pairs, ParseError> {
        let owned = |quoted: Quoted<'_>| String::from_utf8_lossy(&quoted.text()).into_owned();
        Hstore::new(text.as_bytes())
            .map(|pair| pair.map(|(key, value)| (owned(key), value.map(owned))))
            .collect()
    }

    #[test]
    fn pairs_are_read() {
        let pair = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
        for (text, expected) in [
            ("", vec![]),
            (r#""a"=>"1""#, vec![pair("a", Some("1"))]),
            (
                r#""n"=>NULL, "k"=>"NULL""#,
                vec![pair("n", None), pair("k", Some("NULL"))],
            ),
            (
                r#""q\"\\"=>"a, b=>c", ""=>"""#,
                vec![pair("q\"\\", Some("a, b=>c")), pair("", Some(""))],
            ),
        ] {
            assert_eq!(pairs(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_hstore_is_refused_where_it_is_none() {
        for (text, at) in [
            ("a", 0),
            ("\"a\"", 3),
            ("\"a\"=>", 5),
            ("\"a\"=>1", 5),
            ("\"a\"=>\"1\",", 8),
            ("\"a\"=>\"1\", ", 10),
            ("\"a\"=>\"1\"x", 8),
            ("\"a", 2),
        ] {
            let refused = pairs(text).expect_err(text);
            assert_eq!(refused.at, at, "{text}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn printed_pairs_are_read_back(expected in prop::collection::vec((".*", prop::option::of(".*")), 0..5)) {
            let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
            let texts = expected.iter().map(|(key, value)| {
                let value = value.as_deref().map_or("NULL".to_owned(), quoted);
                format!("{}=>{value}", quoted(key))
            });
            let text = texts.collect::<Vec<_>>().join(", ");
            prop_assert_eq!(pairs(&text), Ok(expected));
        }

        #[test]
        fn any_text_ends(text in r#"["\\a=>, NUL]{0,24}"#) {
            if let Err(refused) = pairs(&text) {
                prop_assert!(refused.at <= text.len());
            }
        }
    }
}
