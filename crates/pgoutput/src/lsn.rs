use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A position in the write-ahead log: a byte offset since the cluster was created.
///
/// Written as PostgreSQL writes `pg_lsn`: the high and the low 32 bits in upper-case hexadecimal, as in
/// `16/B374D848`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// `0/0`, which no WAL record has: PostgreSQL's `InvalidXLogRecPtr`.
    pub const INVALID: Lsn = Lsn(0);

    /// Whether this is a position at all, that is, not [`Lsn::INVALID`].
    pub fn is_valid(self) -> bool {
        self != Self::INVALID
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

impl fmt::Debug for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lsn({self})")
    }
}

/// The text is not a `pg_lsn`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "parse log sequence number `{0}`: expected 1 to 8 hexadecimal digits, a slash, and the same again, as in `16/B374D848`"
)]
pub struct ParseLsnError(String);

impl FromStr for Lsn {
    type Err = ParseLsnError;

    /// Reads what PostgreSQL's `pg_lsn` reads: either case, with or without leading zeros.
    fn from_str(text: &str) -> Result<Self, ParseLsnError> {
        let parsed = text.split_once('/').and_then(|(high, low)| {
            let high = half(high)?;
            let low = half(low)?;
            Some(Lsn(u64::from(high) << 32 | u64::from(low)))
        });
        parsed.ok_or_else(|| ParseLsnError(text.to_owned()))
    }
}

fn half(digits: &str) -> Option<u32> {
    // `from_str_radix` alone would take a leading plus sign and any number of zeros.
    let plain = matches!(digits.len(), 1..=8) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    plain
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_that_of_pg_lsn() {
        for (lsn, text) in [
            (Lsn::INVALID, "0/0"),
            (Lsn(0x16_B374_D848), "16/B374D848"),
            (Lsn(0x1_0000_0001), "1/1"),
            (Lsn(u64::MAX), "FFFFFFFF/FFFFFFFF"),
        ] {
            assert_eq!(lsn.to_string(), text);
            assert_eq!(text.parse(), Ok(lsn));
        }
        assert_eq!("16/b374d848".parse(), Ok(Lsn(0x16_B374_D848)));
        assert_eq!("00000001/00000001".parse(), Ok(Lsn(0x1_0000_0001)));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "/",
            "0",
            "0/",
            "/0",
            "+1/0",
            "0/-1",
            "0/0/0",
            "000000001/0",
            "0/123456789",
            " 0/0",
            "0/G",
            "0x1/0",
        ] {
            assert_eq!(
                text.parse::<Lsn>(),
                Err(ParseLsnError(text.to_owned())),
                "{text:?}"
            );
        }
    }

    #[test]
    fn order_is_that_of_the_log() {
        assert!(Lsn(0xFFFF_FFFF) < Lsn(0x1_0000_0000));
        assert!(!Lsn::INVALID.is_valid());
        assert!(Lsn(1).is_valid());
    }
}
