//! Arrays as PostgreSQL prints them: `{1,NULL,"a \"b\""}`, `[0:1]={1,2}`, `{{1,2},{3,4}}`.

use super::error::ValueError;

/// How the elements were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimensions {
    /// None or one: every element was handed over.
    One,
    /// Elements are arrays; some may have been handed over.
    More,
}

const EXPECTED: ValueError = ValueError::Expected("an array");

/// Hands each element to `element`, None for a NULL.
pub(super) fn for_each_element(
    text: &[u8],
    mut element: impl FnMut(Option<&[u8]>) -> Result<(), ValueError>,
) -> Result<Dimensions, ValueError> {
    let mut rest = match text.first() {
        // Lower bounds other than 1; neither Debezium nor the lake keeps them.
        Some(b'[') => {
            let equals = memchr::memchr(b'=', text).ok_or(EXPECTED)?;
            text.get(equals + 1..).ok_or(EXPECTED)?
        }
        _ => text,
    };
    rest = rest
        .strip_prefix(b"{")
        .and_then(|rest| rest.strip_suffix(b"}"))
        .ok_or(EXPECTED)?;
    if rest.is_empty() {
        return Ok(Dimensions::One);
    }
    let mut unquoted = Vec::new();
    loop {
        match rest.first() {
            Some(b'{') => return Ok(Dimensions::More),
            Some(b'"') => {
                unquoted.clear();
                rest = unquote(rest.get(1..).unwrap_or_default(), &mut unquoted)?;
                element(Some(&unquoted))?;
            }
            _ => {
                let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
                let (value, after) = rest.split_at_checked(end).ok_or(EXPECTED)?;
                if value.is_empty() {
                    return Err(EXPECTED);
                }
                element((value != b"NULL").then_some(value))?;
                rest = after;
            }
        }
        match rest.split_first() {
            None => return Ok(Dimensions::One),
            Some((b',', after)) => rest = after,
            Some(_) => return Err(EXPECTED),
        }
    }
}

/// Appends the text up to the closing quote, backslashes resolved, and returns what follows the quote.
pub(super) fn unquote<'a>(mut text: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ValueError> {
    loop {
        let at = memchr::memchr2(b'"', b'\\', text).ok_or(EXPECTED)?;
        let (plain, rest) = text.split_at_checked(at).ok_or(EXPECTED)?;
        out.extend_from_slice(plain);
        match rest {
            [b'"', after @ ..] => return Ok(after),
            [_, escaped, after @ ..] => {
                out.push(*escaped);
                text = after;
            }
            _ => return Err(EXPECTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn elements(text: &str) -> Result<(Vec<Option<String>>, Dimensions), ValueError> {
        let mut found = Vec::new();
        let dimensions = for_each_element(text.as_bytes(), |element| {
            found.push(element.map(|text| String::from_utf8_lossy(text).into_owned()));
            Ok(())
        })?;
        Ok((found, dimensions))
    }

    #[test]
    fn elements_are_told_apart() {
        for (text, expected) in [
            ("{}", &[][..]),
            ("{1,NULL,3}", &[Some("1"), None, Some("3")]),
            (
                r#"{a,"b,c","d\"e",NULL,"NULL","","x\\y"}"#,
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
            ("[0:1]={1,2}", &[Some("1"), Some("2")]),
        ] {
            let expected = expected.iter().map(|e| e.map(str::to_owned)).collect();
            assert_eq!(elements(text), Ok((expected, Dimensions::One)), "{text}");
        }
        assert_eq!(
            elements("{{1,2},{3,4}}").map(|found| found.1),
            Ok(Dimensions::More)
        );
        for text in [
            "",
            "{",
            "1",
            "{1,}",
            "{,1}",
            "{\"a}",
            "{\"a\"b}",
            "{\"a\\\"}",
            "[0:1]",
        ] {
            assert!(elements(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in r#"\[?[0-9:=]{0,3}\{[a,"\\{}N]{0,9}\}?"#) {
            let _ = elements(&text);
        }
    }
}
