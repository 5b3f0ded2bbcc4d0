//! Base64 of a stream of bytes, so that hexadecimal text needs no buffer in between.

pub(crate) const STANDARD: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
pub(crate) const URL_SAFE: &[u8; 64] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Appends `bytes` in `alphabet`, padded.
#[expect(
    clippy::indexing_slicing,
    reason = "six bits are below the alphabet's length"
)]
pub(crate) fn write(out: &mut Vec<u8>, mut bytes: impl Iterator<Item = u8>, alphabet: &[u8; 64]) {
    let symbol = |bits: u32| alphabet[(bits & 63) as usize];
    while let Some(first) = bytes.next() {
        let second = bytes.next();
        let third = second.and_then(|_| bytes.next());
        let bits = u32::from(first) << 16
            | u32::from(second.unwrap_or(0)) << 8
            | u32::from(third.unwrap_or(0));
        out.extend_from_slice(&[
            symbol(bits >> 18),
            symbol(bits >> 12),
            if second.is_some() {
                symbol(bits >> 6)
            } else {
                b'='
            },
            if third.is_some() { symbol(bits) } else { b'=' },
        ]);
    }
}

/// How many bytes padded base64 text stands for.
pub(crate) fn decoded_length(text: &[u8]) -> usize {
    let padding = text.iter().rev().take_while(|&&b| b == b'=').count();
    (text.len() / 4 * 3).saturating_sub(padding)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_the_library(bytes in any::<Vec<u8>>()) {
            for (alphabet, engine) in [
                (STANDARD, &general_purpose::STANDARD), (URL_SAFE, &general_purpose::URL_SAFE),
            ] {
                let mut out = Vec::new();
                write(&mut out, bytes.iter().copied(), alphabet);
                prop_assert_eq!(String::from_utf8(out).expect("ASCII"), engine.encode(&bytes));
            }
        }
    }
}
