//! `numeric` text.

use crate::{ParseError, cursor::Cursor};

/// A number of any size (manual, 8.1.2 Arbitrary Precision Numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numeric<'a> {
    /// `NaN`.
    NaN,
    /// `-Infinity`.
    NegativeInfinity,
    /// An ordinary number.
    Finite(Decimal<'a>),
    /// `Infinity`.
    Infinity,
}

impl<'a> Numeric<'a> {
    /// Reads `-123.45`, `NaN`, `Infinity`. PostgreSQL never prints an exponent.
    #[inline]
    pub fn parse(text: &'a [u8]) -> Result<Self, ParseError> {
        match text {
            b"NaN" => Ok(Self::NaN),
            b"Infinity" => Ok(Self::Infinity),
            b"-Infinity" => Ok(Self::NegativeInfinity),
            _ => Decimal::parse(text).map(Self::Finite),
        }
    }
}

/// The digits of a number, borrowed from its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal<'a> {
    /// Has a minus. PostgreSQL prints none before zero.
    pub negative: bool,
    /// ASCII digits before the point, leading zeros included; none where the text begins with its point.
    pub integer: &'a [u8],
    /// ASCII digits behind the point, trailing zeros included.
    pub fraction: &'a [u8],
}

impl<'a> Decimal<'a> {
    /// Reads `-123.45`.
    #[inline]
    pub fn parse(text: &'a [u8]) -> Result<Self, ParseError> {
        let (negative, digits) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            _ => (false, text),
        };
        let (integer, rest) = split_digits(digits);
        let fraction = match rest.split_first() {
            None => rest,
            Some((b'.', fraction)) if fraction.iter().all(u8::is_ascii_digit) => fraction,
            Some(_) => return Err(not_a_number(text)),
        };
        if integer.is_empty() && fraction.is_empty() {
            return Err(not_a_number(text));
        }
        Ok(Self {
            negative,
            integer,
            fraction,
        })
    }

    /// The same number without zeros at the end of its fraction.
    #[inline]
    pub fn stripped(self) -> Self {
        let mut fraction = self.fraction;
        while let Some((b'0', rest)) = fraction.split_last() {
            fraction = rest;
        }
        Self { fraction, ..self }
    }

    /// How many digits there are.
    #[inline]
    pub fn digit_count(self) -> usize {
        self.integer.len() + self.fraction.len()
    }

    /// The digits as numbers from 0 to 9, the point left out.
    #[inline]
    pub fn digits(self) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let digits = self.integer.iter().chain(self.fraction);
        digits.map(|digit| digit - b'0')
    }
}

#[inline]
fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, &[]))
}

/// Where it is none is looked for only now.
#[cold]
fn not_a_number(text: &[u8]) -> ParseError {
    let mut cursor = Cursor::new(text);
    cursor.accept(b"-");
    let mut has_digits = false;
    for part in [true, false] {
        let (digits, _) = split_digits(cursor.rest());
        has_digits |= !digits.is_empty();
        cursor.skip(digits.len());
        if part && !cursor.accept(b".") {
            break;
        }
    }
    ParseError {
        expected: if has_digits {
            "the end of a number"
        } else {
            "the digits of a number"
        },
        at: cursor.at(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal<'a>(negative: bool, integer: &'a str, fraction: &'a str) -> Numeric<'a> {
        Numeric::Finite(Decimal {
            negative,
            integer: integer.as_bytes(),
            fraction: fraction.as_bytes(),
        })
    }

    #[test]
    fn numbers_are_read() {
        for (text, expected) in [
            ("0", decimal(false, "0", "")),
            ("-123.450", decimal(true, "123", "450")),
            ("0.00", decimal(false, "0", "00")),
            (".5", decimal(false, "", "5")),
            ("5.", decimal(false, "5", "")),
            ("NaN", Numeric::NaN),
            ("Infinity", Numeric::Infinity),
            ("-Infinity", Numeric::NegativeInfinity),
        ] {
            assert_eq!(Numeric::parse(text.as_bytes()), Ok(expected), "{text}");
        }
        let stripped = Decimal::parse(b"-12.340").map(Decimal::stripped);
        assert_eq!(stripped.map(Numeric::Finite), Ok(decimal(true, "12", "34")));
        let digits = Decimal::parse(b"-12.340").expect("a number");
        assert_eq!(digits.digit_count(), 5);
        assert_eq!(digits.digits().collect::<Vec<_>>(), [1, 2, 3, 4, 0]);
    }

    #[test]
    fn what_is_no_number_is_refused_where_it_is_none() {
        for (text, at) in [
            ("", 0),
            ("-", 1),
            (".", 1),
            ("-.", 2),
            ("1.2.3", 3),
            ("1e5", 1),
            ("1,5", 1),
            ("--1", 1),
            ("+1", 0),
            ("1.5 ", 3),
            ("nan", 0),
        ] {
            let refused = Numeric::parse(text.as_bytes()).expect_err(text);
            assert_eq!(refused.at, at, "{text}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn a_printed_number_is_read_back(negative: bool, integer in "[0-9]{1,40}", fraction in "[0-9]{0,40}") {
            let sign = if negative { "-" } else { "" };
            let point = if fraction.is_empty() { "" } else { "." };
            let text = format!("{sign}{integer}{point}{fraction}");
            prop_assert_eq!(Numeric::parse(text.as_bytes()), Ok(decimal(negative, &integer, &fraction)));
        }

        #[test]
        fn any_text_is_read_or_refused_within_it(text in "[0-9.eE+-]{0,9}") {
            if let Err(refused) = Numeric::parse(text.as_bytes()) {
                prop_assert!(refused.at <= text.len());
            }
        }
    }
}
