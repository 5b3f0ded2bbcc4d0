//! Exact decimal numbers between text, Connect's unscaled bytes and Arrow's i128.

use pgtext::{Decimal, Money, Numeric};

use super::error::ValueError;

/// More digits than any `numeric` has: 131,072 before and 16,383 after the point (PostgreSQL manual, 8.1.2).
const LONGEST: u32 = 200_000;

const EXPECTED: ValueError = ValueError::Expected("a number");

/// Digits that an amount has behind the point in the lake, if it has not more.
pub(super) const MONEY_DIGITS: u8 = 2;

/// A number, or the name of what has no digits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number<'a> {
    Digits(Digits<'a>),
    Special(&'static str),
}

impl<'a> Number<'a> {
    /// As PostgreSQL prints it.
    pub fn of_postgres(text: &'a [u8]) -> Result<Self, ValueError> {
        Ok(match Numeric::parse(text)? {
            Numeric::NaN => Self::Special("NaN"),
            Numeric::Infinity => Self::Special("Infinity"),
            Numeric::NegativeInfinity => Self::Special("-Infinity"),
            Numeric::Finite(decimal) => Self::Digits(Digits {
                decimal,
                exponent: 0,
            }),
        })
    }

    /// As it stands in an event, where Java may have written an exponent and names of its own.
    pub fn of_event(text: &'a str) -> Result<Self, ValueError> {
        match text {
            "NAN" => Ok(Self::Special("NaN")),
            "POSITIVE_INFINITY" => Ok(Self::Special("Infinity")),
            "NEGATIVE_INFINITY" => Ok(Self::Special("-Infinity")),
            _ => Self::of_postgres(text.as_bytes())
                .or_else(|_| Digits::parse(text).map(Self::Digits)),
        }
    }
}

/// A decimal number taken apart: its digits, shifted by the exponent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Digits<'a> {
    decimal: Decimal<'a>,
    exponent: i32,
}

impl<'a> Digits<'a> {
    /// `-12.50`, `1E+5`.
    pub fn parse(text: &'a str) -> Result<Self, ValueError> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse().map_err(|_| EXPECTED)?),
            None => (text, 0),
        };
        let decimal = Decimal::parse(mantissa.as_bytes()).map_err(|_| EXPECTED)?;
        Ok(Self { decimal, exponent })
    }

    /// The unscaled integer at this scale.
    pub fn unscaled(self, scale: i8, precision: u8) -> Result<i128, ValueError> {
        // The power of ten that the digits without their point have to be multiplied with.
        let fraction =
            i64::try_from(self.decimal.fraction.len()).map_err(|_| ValueError::OutOfRange)?;
        let mut shift = i64::from(self.exponent) + i64::from(scale) - fraction;
        let mut digits = self.decimal.digits();
        let mut dropped = 0;
        if shift < 0 {
            // Only zeros may be dropped: nothing is rounded.
            let count = self.decimal.digit_count();
            dropped = usize::try_from(shift.unsigned_abs())
                .unwrap_or(usize::MAX)
                .min(count);
            shift = 0;
        }
        let kept = self.decimal.digit_count() - dropped;
        let mut value: i128 = 0;
        for digit in digits.by_ref().take(kept) {
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(i128::from(digit)))
                .ok_or(ValueError::OutOfRange)?;
        }
        if digits.any(|digit| digit != 0) {
            return Err(ValueError::OutOfRange);
        }
        if value != 0 && shift > 0 {
            value = u32::try_from(shift)
                .ok()
                .and_then(|shift| 10i128.checked_pow(shift))
                .and_then(|power| value.checked_mul(power))
                .ok_or(ValueError::OutOfRange)?;
        }
        within(
            if self.decimal.negative { -value } else { value },
            precision,
        )
    }

    /// Plain text with at least this many digits after the point, or with none that is a trailing zero.
    pub fn plain(self, scale: Option<usize>) -> Result<String, ValueError> {
        if self.exponent.unsigned_abs() > LONGEST {
            return Err(ValueError::OutOfRange);
        }
        let point =
            i64::try_from(self.decimal.integer.len()).unwrap_or(0) + i64::from(self.exponent);
        let before = usize::try_from(point.min(0).unsigned_abs()).unwrap_or(0);
        let mut digits = "0".repeat(before);
        let ascii = |digit| char::from(b'0' + digit);
        digits.extend(self.decimal.digits().map(ascii));
        let point = usize::try_from(point).unwrap_or(0);
        while digits.len() < point {
            digits.push('0');
        }
        let (whole, fraction) = digits.split_at(point);
        let whole = whole.trim_start_matches('0');
        let trimmed = fraction.trim_end_matches('0');
        let zero = whole.is_empty() && trimmed.is_empty();
        let mut text = String::with_capacity(digits.len() + 3);
        if self.decimal.negative && !zero {
            text.push('-');
        }
        text.push_str(if whole.is_empty() { "0" } else { whole });
        let scale = scale.unwrap_or(0);
        if !trimmed.is_empty() || scale > 0 {
            text.push('.');
            text.push_str(trimmed);
            for _ in trimmed.len()..scale {
                text.push('0');
            }
        }
        Ok(text)
    }
}

/// Arrow does not check values against the precision of their column.
pub(super) fn within(value: i128, precision: u8) -> Result<i128, ValueError> {
    match 10u128.checked_pow(u32::from(precision)) {
        Some(limit) if value.unsigned_abs() < limit => Ok(value),
        _ => Err(ValueError::OutOfRange),
    }
}

/// Big-endian two's complement of up to 16 bytes.
pub(super) fn from_bytes(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = if negative { [0xFF; 16] } else { [0; 16] };
    let start = 16usize.checked_sub(bytes.len())?;
    wide.get_mut(start..)?.copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

/// Decimal text of big-endian two's complement, with the point `scale` digits from the right (a scale below zero adds
/// zeros).
pub(super) fn text_of_bytes(bytes: &[u8], scale: i32) -> Result<String, ValueError> {
    if scale.unsigned_abs() > LONGEST || bytes.len() > LONGEST as usize {
        return Err(ValueError::OutOfRange);
    }
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut magnitude: Vec<u8> = bytes.to_vec();
    if negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            let (value, overflow) = (!*byte).overflowing_add(u8::from(carry));
            (*byte, carry) = (value, overflow);
        }
        if carry {
            magnitude.insert(0, 1);
        }
    }
    // Division by ten to the ninth, remainders from the right.
    let mut groups = Vec::new();
    let mut rest = magnitude.as_slice();
    let mut quotient;
    while !rest.is_empty() {
        quotient = Vec::with_capacity(rest.len());
        let mut remainder = 0u64;
        for &byte in rest {
            remainder = remainder << 8 | u64::from(byte);
            let digit = u8::try_from(remainder / 1_000_000_000).map_err(|_| EXPECTED)?;
            remainder %= 1_000_000_000;
            if digit != 0 || !quotient.is_empty() {
                quotient.push(digit);
            }
        }
        groups.push(remainder);
        magnitude = quotient;
        rest = magnitude.as_slice();
    }
    let mut digits = String::new();
    for group in groups.iter().rev() {
        digits.push_str(&format!("{group:09}"));
    }
    let mut text = if negative { "-" } else { "" }.to_owned();
    let digits = digits.trim_start_matches('0');
    match usize::try_from(scale) {
        Ok(0) => text.push_str(if digits.is_empty() { "0" } else { digits }),
        Ok(scale) => {
            // A width in a format string ends at 65,535.
            let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
            text.push_str(if whole.is_empty() { "0" } else { whole });
            text.push('.');
            text.extend(std::iter::repeat_n('0', scale - fraction.len()));
            text.push_str(fraction);
        }
        Err(_) if digits.is_empty() => text.push('0'),
        Err(_) => {
            text.push_str(digits);
            for _ in 0..scale.unsigned_abs() {
                text.push('0');
            }
        }
    }
    Ok(text)
}

/// PostgreSQL's `money` as a plain number: `-$1,234.50` is `-1234.50`. `printed` is how many digits `lc_monetary` has behind
/// the point, where that is known.
pub(super) fn parse_money(text: &str, printed: Option<u8>) -> Result<String, ValueError> {
    let money = Money::parse(text.as_bytes(), printed, MONEY_DIGITS)?;
    let mut plain = if money.negative { "-" } else { "" }.to_owned();
    plain.extend(money.integer().map(char::from));
    plain.push('.');
    plain.extend(money.fraction().map(char::from));
    Digits::parse(&plain)?.plain(Some(usize::from(MONEY_DIGITS)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_exact() {
        for (text, scale, precision, unscaled) in [
            ("123.45", 2, 5, Ok(12_345)),
            ("-0.01", 2, 5, Ok(-1)),
            ("1.5", 3, 6, Ok(1_500)),
            ("1.500", 2, 6, Ok(150)),
            ("1.505", 2, 6, Err(ValueError::OutOfRange)),
            ("1000.00", 2, 5, Err(ValueError::OutOfRange)),
            ("1E+3", 0, 5, Ok(1_000)),
            ("12E-1", 1, 5, Ok(12)),
            ("1E-30", 2, 5, Err(ValueError::OutOfRange)),
            ("0E+99", 2, 5, Ok(0)),
            ("", 0, 5, Err(EXPECTED)),
            ("1,5", 0, 5, Err(EXPECTED)),
        ] {
            let digits = Digits::parse(text);
            assert_eq!(
                digits.and_then(|d| d.unscaled(scale, precision)),
                unscaled,
                "{text}"
            );
        }
        for (text, scale, plain) in [
            ("1.10", None, "1.1"),
            ("100", None, "100"),
            ("0.00", None, "0"),
            ("-0.00", Some(2), "0.00"),
            ("1E-5", None, "0.00001"),
            ("1.5E+3", None, "1500"),
            ("7", Some(3), "7.000"),
            ("00.5", None, "0.5"),
        ] {
            assert_eq!(
                Digits::parse(text).and_then(|d| d.plain(scale)).as_deref(),
                Ok(plain)
            );
        }
    }

    #[test]
    fn money_loses_its_marks() {
        for (text, plain) in [
            ("$12.34", "12.34"),
            ("-$0.01", "-0.01"),
            ("$1,234,567.80", "1234567.80"),
            ("($5.00)", "-5.00"),
            ("¥1,000", "1000.00"),
        ] {
            assert_eq!(parse_money(text, None).as_deref(), Ok(plain));
        }
        for (text, printed, plain) in [
            ("1.234,56 €", 2, "1234.56"),
            ("1.234 KD", 3, "1.234"),
            ("د.ك. 1,234.500", 3, "1234.50"),
            ("¥1,000", 0, "1000.00"),
        ] {
            assert_eq!(parse_money(text, Some(printed)).as_deref(), Ok(plain));
        }
        assert!(parse_money("$", None).is_err());
    }

    #[test]
    fn unscaled_bytes_are_read() {
        for (bytes, scale, text) in [
            (&[0x00][..], 2, "0.00"),
            (&[0xFF], 2, "-0.01"),
            (&[0x00, 0x80], 2, "1.28"),
            (&[0xFF, 0x7F], 2, "-1.29"),
            (&[0x80], 0, "-128"),
            (&[0x0B], 1, "1.1"),
            (&[0x05], -2, "500"),
            (&[0x05], 3, "0.005"),
            (&[], 0, "0"),
        ] {
            assert_eq!(
                text_of_bytes(bytes, scale).as_deref(),
                Ok(text),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn long_numbers_end_somewhere() {
        // Beyond the 65,535 that a format string can pad to.
        assert_eq!(
            text_of_bytes(&[0x05], 100_000).map(|text| text.len()),
            Ok(100_002)
        );
        assert_eq!(text_of_bytes(&[0x05], 300_000), Err(ValueError::OutOfRange));
        assert_eq!(
            text_of_bytes(&vec![1; 300_000], 0),
            Err(ValueError::OutOfRange)
        );
        let plain = |text| Digits::parse(text).and_then(|digits| digits.plain(None));
        assert_eq!(plain("1E-100000").map(|text| text.len()), Ok(100_002));
        assert_eq!(plain("1E-2147483648"), Err(ValueError::OutOfRange));
    }

    proptest! {
        #[test]
        fn bytes_and_text_agree(value in any::<i128>(), scale in 0i8..30) {
            let bytes = value.to_be_bytes();
            prop_assert_eq!(from_bytes(&bytes), Some(value));
            let text = text_of_bytes(&bytes, i32::from(scale)).expect("small scale");
            let limit = 10u128.pow(38);
            let expected = if value.unsigned_abs() < limit { Ok(value) } else { Err(ValueError::OutOfRange) };
            prop_assert_eq!(Digits::parse(&text).and_then(|d| d.unscaled(scale, 38)), expected);
        }

        #[test]
        fn any_text_is_refused_or_read(text in any::<String>()) {
            let _ = Digits::parse(&text).and_then(|d| d.unscaled(2, 38));
            let _ = parse_money(&text, None);
        }
    }
}
