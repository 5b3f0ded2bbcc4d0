//! Strings that a column rule shortens or replaces: `column.truncate.to`, `column.mask.with`, `column.mask.hash`.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};

use super::{Codec, Style, Unconvertible};
use crate::{HashAlgorithm, HashInput, json::write_string};

/// How a string is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextRule {
    Constant(String),
    Truncate {
        units: usize,
    },
    Hash {
        algorithm: HashAlgorithm,
        input: HashInput,
        salt: String,
        /// Characters of the digest that are kept.
        length: usize,
    },
}

/// A codec whose values are strings, and the rule for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RuledText {
    pub(crate) codec: Codec,
    pub(crate) rule: TextRule,
}

impl RuledText {
    /// The string that stands in the event for a value's text.
    pub(crate) fn text(&self, text: &[u8]) -> Result<String, Unconvertible> {
        match (&self.rule, &self.codec) {
            (TextRule::Constant(constant), _) => Ok(constant.clone()),
            (rule, Codec::Text) => Ok(rule.apply(&String::from_utf8_lossy(text))),
            (rule, codec) => {
                let mut json = Vec::new();
                codec.write(text, Style::Json, &mut json)?;
                let text: String = serde_json::from_slice(&json).map_err(|_| Unconvertible)?;
                Ok(rule.apply(&text))
            }
        }
    }

    /// What stands for the value that would be this JSON text, such as a fallback or the placeholder of unchanged TOAST
    /// values. Only a constant stands for null.
    pub(crate) fn substitute(&self, json: &[u8]) -> Vec<u8> {
        let text = match &self.rule {
            TextRule::Constant(constant) => constant.clone(),
            rule @ (TextRule::Truncate { .. } | TextRule::Hash { .. }) => {
                match serde_json::from_slice::<String>(json) {
                    Ok(text) => rule.apply(&text),
                    Err(_) => return json.to_vec(),
                }
            }
        };
        let mut out = Vec::new();
        write_string(&mut out, text.as_bytes());
        out
    }
}

impl TextRule {
    fn apply(&self, text: &str) -> String {
        match self {
            Self::Constant(constant) => constant.clone(),
            Self::Truncate { units } => truncated(text, *units).to_owned(),
            Self::Hash {
                algorithm,
                input,
                salt,
                length,
            } => {
                let object;
                let input = match input {
                    HashInput::Text => text.as_bytes(),
                    HashInput::JavaObject => {
                        object = java_object(text);
                        &object
                    }
                };
                let mut digest = digest(*algorithm, salt.as_bytes(), input);
                digest.truncate(*length);
                digest
            }
        }
    }
}

/// The first UTF-16 units of a text. A character beyond the BMP has two: it is left out where only one fits, since half
/// of it is no text.
pub(crate) fn truncated(text: &str, units: usize) -> &str {
    let mut left = units;
    for (at, character) in text.char_indices() {
        match left.checked_sub(character.len_utf16()) {
            Some(rest) => left = rest,
            None => return text.get(..at).unwrap_or(text),
        }
    }
    text
}

fn digest(algorithm: HashAlgorithm, salt: &[u8], input: &[u8]) -> String {
    fn hex<D: Digest>(salt: &[u8], input: &[u8]) -> String {
        let mut text = String::new();
        for byte in D::new().chain_update(salt).chain_update(input).finalize() {
            for nibble in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(u32::from(nibble), 16));
            }
        }
        text
    }
    match algorithm {
        HashAlgorithm::Md5 => hex::<Md5>(salt, input),
        HashAlgorithm::Sha1 => hex::<Sha1>(salt, input),
        HashAlgorithm::Sha224 => hex::<Sha224>(salt, input),
        HashAlgorithm::Sha256 => hex::<Sha256>(salt, input),
        HashAlgorithm::Sha384 => hex::<Sha384>(salt, input),
        HashAlgorithm::Sha512 => hex::<Sha512>(salt, input),
        HashAlgorithm::Sha512To224 => hex::<Sha512_224>(salt, input),
        HashAlgorithm::Sha512To256 => hex::<Sha512_256>(salt, input),
    }
}

/// A string as Java's `ObjectOutputStream` writes it: the stream's magic and version, the tag of a string (of a long
/// string beyond 65,535 bytes), its length and its characters in modified UTF-8.
fn java_object(text: &str) -> Vec<u8> {
    const TC_STRING: u8 = 0x74;
    const TC_LONGSTRING: u8 = 0x7c;
    let mut characters = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        let [high, low] = unit.to_be_bytes();
        match unit {
            1..=0x7f => characters.push(low),
            0 | 0x80..=0x7ff => {
                characters.extend([0xc0 | high << 2 | low >> 6, 0x80 | low & 0x3f]);
            }
            _ => characters.extend([
                0xe0 | high >> 4,
                0x80 | (high & 0xf) << 2 | low >> 6,
                0x80 | low & 0x3f,
            ]),
        }
    }
    let mut object = vec![0xac, 0xed, 0, 5];
    match u16::try_from(characters.len()) {
        Ok(length) => {
            object.push(TC_STRING);
            object.extend(length.to_be_bytes());
        }
        Err(_) => {
            object.push(TC_LONGSTRING);
            object.extend((characters.len() as u64).to_be_bytes());
        }
    }
    object.extend(characters);
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(algorithm: HashAlgorithm, input: HashInput, salt: &str, text: &str) -> String {
        let salt = salt.to_owned();
        TextRule::Hash {
            algorithm,
            input,
            salt,
            length: 20,
        }
        .apply(text)
    }

    #[test]
    fn digests_are_javas() {
        use HashAlgorithm::{Md5, Sha256, Sha512};
        use HashInput::{JavaObject, Text};
        for (algorithm, input, salt, text, expected) in [
            (
                Sha256,
                JavaObject,
                "CzQMA0cB5K",
                "test",
                "8e68c68edbbac316dfe2",
            ),
            (Sha512, JavaObject, "s1", "secret", "c5dd10c4d2cd10641481"),
            (Md5, Text, "s2", "abc", "6a63451ad4"),
            (Md5, Text, "s2", "", "fac989447c"),
            (Sha256, Text, "s1", "one", "9cc969dc9abdb4c8c302"),
            (Sha256, Text, "s1", "two", "02c7a4768e1c439378a5"),
        ] {
            let found = hashed(algorithm, input, salt, text);
            assert!(found.starts_with(expected), "{text}: {found}");
        }
    }

    #[test]
    fn java_objects_have_modified_utf8() {
        for (text, tail) in [
            ("a", &b"\0\x01a"[..]),
            ("\0", b"\0\x02\xc0\x80"),
            ("ä", b"\0\x02\xc3\xa4"),
            ("日", b"\0\x03\xe6\x97\xa5"),
            ("🐘", b"\0\x06\xed\xa0\xbd\xed\xb0\x98"),
        ] {
            let object = java_object(text);
            assert_eq!(
                object.strip_prefix(b"\xac\xed\0\x05\x74"),
                Some(tail),
                "{text}"
            );
        }
        let long = java_object(&"x".repeat(65_536));
        assert!(long.starts_with(b"\xac\xed\0\x05\x7c\0\0\0\0\0\x01\0\0x"));
    }

    #[test]
    fn strings_are_cut_between_characters() {
        for (text, units, expected) in [
            ("hello", 3, "hel"),
            ("hi", 3, "hi"),
            ("a🐘b", 2, "a"),
            ("a🐘b", 3, "a🐘"),
            ("äöü", 2, "äö"),
        ] {
            assert_eq!(truncated(text, units), expected);
        }
    }
}
