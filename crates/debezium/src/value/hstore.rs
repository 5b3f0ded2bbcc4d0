//! hstore as a JSON object, as text of one, and as a map.

use pgtext::{Hstore, Quoted};

use super::{Unconvertible, hash_order};
use crate::json::write_string;

/// Appends a JSON object, its members in the order of the map.
pub(crate) fn write_object(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    object(text, out, write_string)
}

/// Appends the JSON object as text of its own, as `io.debezium.data.Json` holds it.
pub(crate) fn write_json_text(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    object(text, out, write_inner_string)
}

/// Appends the JSON object as a JSON string, as `io.debezium.data.Json` stands in JSON.
pub(crate) fn write_json_string(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let mut inner = Vec::with_capacity(text.len() + 8);
    write_json_text(text, &mut inner)?;
    write_string(out, &inner);
    Ok(())
}

/// The inner text keeps characters beyond the BMP: only the outer string escapes them.
fn write_inner_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for part in text.split_inclusive(|&b| b < 0x20 || b == b'"' || b == b'\\') {
        match part.split_last() {
            Some((last, plain)) if *last < 0x20 || matches!(last, b'"' | b'\\') => {
                out.extend_from_slice(plain);
                crate::json::write_escaped(out, std::slice::from_ref(last));
            }
            _ => out.extend_from_slice(part),
        }
    }
    out.push(b'"');
}

fn object(
    text: &[u8],
    out: &mut Vec<u8>,
    write: fn(&mut Vec<u8>, &[u8]),
) -> Result<(), Unconvertible> {
    out.push(b'{');
    let mut first = true;
    each_pair(text, |part| match part {
        Part::Key(key) => {
            if !first {
                out.push(b',');
            }
            first = false;
            write(out, key);
            out.push(b':');
        }
        Part::Value(Some(value)) => write(out, value),
        Part::Value(None) => out.extend_from_slice(b"null"),
    })?;
    out.push(b'}');
    Ok(())
}

/// Half of a pair, unquoted.
pub(crate) enum Part<'p> {
    Key(&'p [u8]),
    Value(Option<&'p [u8]>),
}

/// Takes the text apart: a key and a value in turn, in the order of the map that Debezium's driver makes of it.
pub(crate) fn each_pair(text: &[u8], mut take: impl FnMut(Part<'_>)) -> Result<(), Unconvertible> {
    let pairs = Hstore::new(text).map(|pair| {
        let (key, value) = pair?;
        Ok((key.text(), value.map(Quoted::text)))
    });
    let mut entries = pairs.collect::<Result<Vec<_>, Unconvertible>>()?;
    hash_order::sort(&mut entries, |(key, _)| key);
    for (key, value) in &entries {
        take(Part::Key(key));
        take(Part::Value(value.as_deref()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_become_members() {
        for (text, json) in [
            ("", "{}"),
            (r#""a"=>"1""#, r#"{"a":"1"}"#),
            (r#""n"=>NULL, "k"=>"v""#, r#"{"k":"v","n":null}"#),
            (r#""q\"\\"=>"🐘""#, r#"{"q\"\\":"\uD83D\uDC18"}"#),
        ] {
            let mut out = Vec::new();
            write_object(text.as_bytes(), &mut out).expect("an hstore");
            assert_eq!(String::from_utf8_lossy(&out), json);
        }
        let mut out = Vec::new();
        write_json_string("\"a\"=>\"🐘\n\"".as_bytes(), &mut out).expect("an hstore");
        assert_eq!(
            String::from_utf8_lossy(&out),
            r#""{\"a\":\"\uD83D\uDC18\\n\"}""#
        );
        for bad in [
            "a",
            "\"a\"",
            "\"a\"=>",
            "\"a\"=>1",
            "\"a\"=>\"1\",",
            "\"a\"=>\"1\", ",
        ] {
            assert!(
                write_object(bad.as_bytes(), &mut Vec::new()).is_err(),
                "{bad}"
            );
        }
    }
}
