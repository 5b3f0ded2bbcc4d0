//! Bytes and bits: `bytea`, hexadecimal text, `bit` and `varbit`.

use crate::ParseError;

/// Pairs of hexadecimal digits: what `bytea_output=hex` prints behind `\x` (manual, 8.4.1 bytea Hex Format), and what PostGIS
/// prints of a geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hex<'a> {
    pairs: &'a [[u8; 2]],
}

impl<'a> Hex<'a> {
    /// Reads `bytea` text: `\xdeadbeef`.
    #[inline]
    pub fn parse_bytea(text: &'a [u8]) -> Result<Self, ParseError> {
        match text.strip_prefix(b"\\x") {
            Some(digits) => Self::parse(digits).map_err(|refused| ParseError {
                at: refused.at + 2,
                ..refused
            }),
            None => Err(ParseError {
                expected: "`\\x` of a bytea in hex format",
                at: 0,
            }),
        }
    }

    /// Reads digits alone.
    #[inline]
    pub fn parse(digits: &'a [u8]) -> Result<Self, ParseError> {
        let (pairs, rest) = digits.as_chunks::<2>();
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            let at = digits.iter().position(|byte| !byte.is_ascii_hexdigit());
            return Err(ParseError {
                expected: "a hexadecimal digit",
                at: at.unwrap_or(0),
            });
        }
        if !rest.is_empty() {
            return Err(ParseError {
                expected: "a second digit of the last byte",
                at: digits.len(),
            });
        }
        Ok(Self { pairs })
    }

    /// The bytes.
    #[inline]
    pub fn bytes(self) -> impl ExactSizeIterator<Item = u8> + Clone + use<'a> {
        self.pairs
            .iter()
            .map(|&[high, low]| digit(high) << 4 | digit(low))
    }
}

/// The value of a byte that was found to be a hexadecimal digit.
#[inline]
#[expect(
    clippy::indexing_slicing,
    reason = "the table has a place for each byte"
)]
fn digit(byte: u8) -> u8 {
    DIGITS[usize::from(byte)]
}

#[expect(
    clippy::indexing_slicing,
    reason = "worked out by the compiler, which would say so"
)]
static DIGITS: [u8; 256] = {
    let mut digits = [0; 256];
    let mut digit = 0;
    while digit < 16 {
        digits[b"0123456789abcdef"[digit] as usize] = digit as u8;
        digits[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

/// The digits of a `bit` or `varbit` (manual, 8.10 Bit String Types): `101`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BitString<'a> {
    digits: &'a [u8],
}

impl<'a> BitString<'a> {
    /// Reads `101`.
    #[inline]
    pub fn parse(text: &'a [u8]) -> Result<Self, ParseError> {
        match text.iter().position(|bit| !matches!(bit, b'0' | b'1')) {
            None => Ok(Self { digits: text }),
            Some(at) => Err(ParseError {
                expected: "0 or 1 of a bit string",
                at,
            }),
        }
    }

    /// The bytes of the number that the bits are, the lowest first, without zeros behind the highest set bit.
    pub fn little_endian(self) -> impl ExactSizeIterator<Item = u8> + use<'a> {
        let first = memchr::memchr(b'1', self.digits).unwrap_or(self.digits.len());
        let set = self.digits.get(first..).unwrap_or_default();
        set.rchunks(8)
            .map(|bits| bits.iter().fold(0u8, |byte, bit| byte << 1 | (bit - b'0')))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_are_read() {
        let bytes = |text: &str| Hex::parse_bytea(text.as_bytes()).map(|hex| hex.bytes().collect());
        assert_eq!(bytes("\\x"), Ok(vec![]));
        assert_eq!(bytes("\\xdeadBEEF"), Ok(vec![0xde, 0xad, 0xbe, 0xef]));
        for (text, at) in [
            ("", 0),
            ("deadbeef", 0),
            ("\\xabc", 5),
            ("\\xzz", 2),
            ("\\xa:", 3),
            ("\\000", 0),
        ] {
            let refused = bytes(text).expect_err(text);
            assert_eq!(refused.at, at, "{text}: {refused}");
        }
    }

    #[test]
    fn bits_are_little_endian_and_trimmed() {
        for (text, expected) in [
            ("11", &[3][..]),
            ("101", &[5]),
            ("0000", &[]),
            ("", &[]),
            ("000000110000001000000001", &[1, 2, 3]),
            ("11110000111100001", &[0xe1, 0xe1, 0x01]),
        ] {
            let bits = BitString::parse(text.as_bytes()).expect(text);
            assert_eq!(bits.little_endian().collect::<Vec<_>>(), expected, "{text}");
        }
        let refused = BitString::parse(b"102").expect_err("a two");
        assert_eq!(refused.at, 2);
    }

    proptest! {
        #[test]
        fn printed_bytes_are_read_back(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let text = format!("\\x{digits}");
            let found = Hex::parse_bytea(text.as_bytes()).map(|hex| hex.bytes().collect());
            prop_assert_eq!(found, Ok(bytes));
        }

        #[test]
        fn printed_bits_are_read_back(number in any::<u128>()) {
            let text = format!("{number:b}");
            let bits = BitString::parse(text.as_bytes()).expect("bits");
            let found = bits.little_endian().enumerate().fold(0u128, |sum, (place, byte)| {
                sum | u128::from(byte) << (place * 8)
            });
            prop_assert_eq!(found, number);
        }
    }
}
