//! JSON text as Jackson writes it inside Connect's `JsonConverter`.

const RUN: usize = 32;

/// Whether the byte cannot be copied as it is: quotes, backslashes, control characters, and the first byte of a
/// character beyond the BMP.
#[inline(always)]
const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\' || byte >= 0xF0
}

const fn repeated(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// How many of eight bytes stand before the first special one.
#[inline(always)]
const fn plain_in_word(bytes: [u8; 8]) -> u32 {
    const HIGH: u64 = repeated(0x80);
    const fn zero_bytes(word: u64) -> u64 {
        word.wrapping_sub(repeated(1)) & !word & HIGH
    }
    let word = u64::from_le_bytes(bytes);
    let control = word.wrapping_sub(repeated(0x20)) & !word & HIGH;
    let quote = zero_bytes(word ^ repeated(b'"'));
    let backslash = zero_bytes(word ^ repeated(b'\\'));
    let beyond_bmp = word & (word << 1) & (word << 2) & (word << 3) & HIGH;
    // A byte behind a special one may be taken for special as well, never one before it.
    (control | quote | backslash | beyond_bmp).trailing_zeros() / 8
}

/// How many bytes at the start of `text` can be copied. Whole runs are tested without branches, which the compiler
/// turns into vector code; the place within a run is found by words.
#[inline]
fn plain_prefix(text: &[u8]) -> usize {
    let mut length = 0;
    let mut rest = text;
    while let Some((run, after)) = rest.split_first_chunk::<RUN>() {
        let special = run
            .iter()
            .fold(0u8, |found, &byte| found | u8::from(is_special(byte)));
        if special != 0 {
            break;
        }
        length += RUN;
        rest = after;
    }
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let plain = plain_in_word(*word);
        if plain < 8 {
            return length + plain as usize;
        }
        length += 8;
        rest = after;
    }
    rest.iter()
        .position(|&byte| is_special(byte))
        .map_or(text.len(), |at| length + at)
}

/// Appends `text` as a JSON string: characters beyond the BMP become two escapes, control characters their short or
/// `\u00XX` escape, all others stay. Bytes that are not UTF-8, which only a database in `SQL_ASCII` can send, become
/// replacement characters, as in Java.
#[inline]
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    match std::str::from_utf8(text) {
        Ok(_) => write_escaped(out, text),
        Err(_) => write_escaped(out, String::from_utf8_lossy(text).as_bytes()),
    }
    out.push(b'"');
}

/// Appends `text`, which is UTF-8, escaped, without the quotes around it.
#[inline]
pub fn write_escaped(out: &mut Vec<u8>, mut text: &[u8]) {
    loop {
        let (plain, rest) = text.split_at(plain_prefix(text).min(text.len()));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = rest.split_first() else {
            return;
        };
        text = after;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            0xF0.. => text = write_surrogates(out, byte, after),
            _ => write_unicode_escape(out, u16::from(byte)),
        }
    }
}

/// The four-byte character that starts with `first`, as two escapes; returns what follows it. Bytes that are no
/// character become one replacement character each.
#[cold]
fn write_surrogates<'a>(out: &mut Vec<u8>, first: u8, after: &'a [u8]) -> &'a [u8] {
    let character = after
        .split_first_chunk::<3>()
        .and_then(|(&[b, c, d], rest)| {
            let [text] = [[first, b, c, d]];
            let character = std::str::from_utf8(&text).ok()?.chars().next()?;
            Some((character, rest))
        });
    let Some((character, rest)) = character else {
        out.extend_from_slice("\u{FFFD}".as_bytes());
        return after;
    };
    for unit in character.encode_utf16(&mut [0; 2]) {
        write_unicode_escape(out, *unit);
    }
    rest
}

#[expect(clippy::indexing_slicing, reason = "a digit is below sixteen")]
fn write_unicode_escape(out: &mut Vec<u8>, unit: u16) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(DIGITS[usize::from((unit >> shift) & 0xF)]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        write_string(&mut out, text.as_bytes());
        String::from_utf8(out).expect("escaped text is UTF-8")
    }

    #[test]
    fn escapes_are_jacksons() {
        for (text, json) in [
            ("", r#""""#),
            ("a\"b\\c/", r#""a\"b\\c/""#),
            (
                "\n\r\t\u{8}\u{c}\0\u{1f}\u{7f}",
                "\"\\n\\r\\t\\b\\f\\u0000\\u001F\u{7f}\"",
            ),
            ("🐘", r#""\uD83D\uDC18""#),
            ("ä日\u{2028}\u{85}\u{FFFD}", "\"ä日\u{2028}\u{85}\u{FFFD}\""),
        ] {
            assert_eq!(string(text), json);
        }
    }

    #[test]
    fn bytes_that_are_no_character_do_not_break_the_text() {
        let mut out = Vec::new();
        write_string(&mut out, b"a\xF0\x9F\x90\xFF\xC3");
        assert_eq!(
            String::from_utf8_lossy(&out),
            "\"a\u{FFFD}\u{FFFD}\u{FFFD}\""
        );
    }

    proptest! {
        #[test]
        fn words_find_the_first_special_byte(bytes in any::<[u8; 8]>()) {
            let expected = bytes.iter().position(|&byte| is_special(byte)).unwrap_or(8);
            prop_assert_eq!(plain_in_word(bytes) as usize, expected);
        }

        #[test]
        fn any_text_reads_back(text in any::<String>(), padding in 0usize..70) {
            let text = format!("{}{text}{}", "x".repeat(padding), "y".repeat(padding));
            let read: String = serde_json::from_str(&string(&text)).expect("valid JSON");
            prop_assert_eq!(read, text);
        }
    }
}
