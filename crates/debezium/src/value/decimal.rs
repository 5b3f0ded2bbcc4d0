//! Numbers as Connect's `Decimal`, as Debezium's `VariableScaleDecimal` and as text.

use std::borrow::Cow;

use pgtext::Decimal;

use super::{Unconvertible, base64};

/// A decimal whose digits are those of its unscaled integer.
#[derive(Clone, Copy)]
struct Scaled<'a> {
    decimal: Decimal<'a>,
    kept: usize,
    /// Zeros to append.
    appended: usize,
}

impl<'a> Scaled<'a> {
    /// The point moved to `scale`: negative scales drop zeros of the integer. A number that does not fit the scale without
    /// rounding is not convertible.
    #[inline]
    fn new(decimal: Decimal<'a>, scale: i32) -> Result<Self, Unconvertible> {
        let length = i32::try_from(decimal.fraction.len()).map_err(|_| Unconvertible)?;
        let appended = scale.checked_sub(length).ok_or(Unconvertible)?;
        let dropped =
            usize::try_from(appended.saturating_neg().max(0)).map_err(|_| Unconvertible)?;
        let appended = usize::try_from(appended.max(0)).map_err(|_| Unconvertible)?;
        let kept = decimal.digit_count().saturating_sub(dropped);
        if decimal.digits().skip(kept).any(|digit| digit != 0) {
            return Err(Unconvertible);
        }
        Ok(Self {
            decimal,
            kept,
            appended,
        })
    }

    fn digits(self) -> impl Iterator<Item = u8> {
        self.decimal
            .digits()
            .take(self.kept)
            .chain(std::iter::repeat_n(0, self.appended))
    }

    /// Hands over the minimal big-endian two's complement of the unscaled integer.
    #[inline]
    fn with_bytes<R>(self, write: impl FnOnce(&[u8]) -> R) -> R {
        // 18 digits always fit i64, 38 fit i128.
        if self.kept + self.appended <= 18 {
            let magnitude = self
                .digits()
                .fold(0i64, |n, digit| n * 10 + i64::from(digit));
            let value = if self.decimal.negative {
                -magnitude
            } else {
                magnitude
            };
            let sign_bits = if value < 0 {
                value.leading_ones()
            } else {
                value.leading_zeros()
            };
            let bytes = value.to_be_bytes();
            write(without(&bytes, sign_bits))
        } else if self.kept + self.appended <= 38 {
            let magnitude = self
                .digits()
                .fold(0i128, |n, digit| n * 10 + i128::from(digit));
            let value = if self.decimal.negative {
                -magnitude
            } else {
                magnitude
            };
            let sign_bits = if value < 0 {
                value.leading_ones()
            } else {
                value.leading_zeros()
            };
            let bytes = value.to_be_bytes();
            write(without(&bytes, sign_bits))
        } else {
            write(&self.long_bytes())
        }
    }

    /// Appends those bytes as base64.
    fn write_base64(self, out: &mut Vec<u8>) {
        self.with_bytes(|bytes| base64::write(out, bytes.iter().copied(), base64::STANDARD));
    }

    fn long_bytes(self) -> Vec<u8> {
        let mut limbs: Vec<u32> = Vec::new();
        let mut multiply_add = |factor: u32, digits: u32| {
            let mut carry = u64::from(digits);
            for limb in &mut limbs {
                let product = u64::from(*limb) * u64::from(factor) + carry;
                *limb = product as u32;
                carry = product >> 32;
            }
            if carry > 0 {
                limbs.push(carry as u32);
            }
        };
        let (mut chunk, mut factor) = (0, 1);
        for digit in self.digits() {
            chunk = chunk * 10 + u32::from(digit);
            factor *= 10;
            if factor == 1_000_000_000 {
                multiply_add(factor, chunk);
                (chunk, factor) = (0, 1);
            }
        }
        multiply_add(factor, chunk);
        let magnitude = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes());
        let mut bytes: Vec<u8> = std::iter::once(0).chain(magnitude).collect();
        if self.decimal.negative {
            let mut carry = true;
            for byte in bytes.iter_mut().rev() {
                let (sum, overflow) = (!*byte).overflowing_add(u8::from(carry));
                (*byte, carry) = (sum, overflow);
            }
        }
        let redundant = bytes
            .windows(2)
            .take_while(|pair| match pair {
                [0, next] => *next < 0x80,
                [0xFF, next] => *next >= 0x80,
                _ => false,
            })
            .count();
        bytes.drain(..redundant);
        bytes
    }

    fn is_zero(self) -> bool {
        self.digits().all(|digit| digit == 0)
    }

    /// Appends Java's `BigDecimal.toString` of unscaled integer and scale.
    fn write_java(self, scale: i32, out: &mut Vec<u8>) {
        let zero = self.is_zero();
        if self.decimal.negative && !zero {
            out.push(b'-');
        }
        let digits: Vec<u8> = self
            .digits()
            .skip_while(|&d| d == 0)
            .map(|d| d + b'0')
            .collect();
        let digits: &[u8] = if digits.is_empty() { b"0" } else { &digits };
        let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
        let exponent = count.saturating_sub(1).saturating_sub(scale);
        if scale >= 0 && exponent >= -6 {
            let scale = usize::try_from(scale).unwrap_or(0);
            match digits
                .len()
                .checked_sub(scale)
                .filter(|&integer| integer > 0)
            {
                Some(integer) => {
                    let (integer, fraction) = digits.split_at(integer);
                    out.extend_from_slice(integer);
                    if !fraction.is_empty() {
                        out.push(b'.');
                        out.extend_from_slice(fraction);
                    }
                }
                None => {
                    out.extend_from_slice(b"0.");
                    out.extend(std::iter::repeat_n(
                        b'0',
                        scale.saturating_sub(digits.len()),
                    ));
                    out.extend_from_slice(digits);
                }
            }
        } else {
            let (first, rest) = digits.split_at(1);
            out.extend_from_slice(first);
            if !rest.is_empty() {
                out.push(b'.');
                out.extend_from_slice(rest);
            }
            if exponent != 0 {
                out.push(b'E');
                if exponent > 0 {
                    out.push(b'+');
                }
                out.extend_from_slice(itoa::Buffer::new().format(exponent).as_bytes());
            }
        }
    }
}

/// The text of a number with zeros behind the point, up to `scale` digits there.
pub(crate) fn padded<'a>(text: &'a [u8], decimal: Decimal<'_>, scale: i32) -> Cow<'a, [u8]> {
    let fraction = decimal.fraction.len();
    let missing = usize::try_from(scale).unwrap_or(0).saturating_sub(fraction);
    if missing == 0 {
        return Cow::Borrowed(text);
    }
    let mut padded = text.to_vec();
    if fraction == 0 && !text.ends_with(b".") {
        padded.push(b'.');
    }
    padded.extend(std::iter::repeat_n(b'0', missing));
    Cow::Owned(padded)
}

/// The bytes of a number that begins with so many bits like its sign, without those that say nothing: the sign bit of
/// the first byte kept says what the bytes dropped said.
fn without(bytes: &[u8], sign_bits: u32) -> &[u8] {
    let redundant = (sign_bits.saturating_sub(1) / 8) as usize;
    bytes
        .get(redundant.min(bytes.len().saturating_sub(1))..)
        .unwrap_or(bytes)
}

/// Hands over the unscaled bytes of a Connect `Decimal` of `scale`.
#[inline]
pub(crate) fn with_unscaled<R>(
    text: &[u8],
    scale: i32,
    write: impl FnOnce(&[u8]) -> R,
) -> Result<R, Unconvertible> {
    Ok(Scaled::new(Decimal::parse(text)?, scale)?.with_bytes(write))
}

/// Hands over the scale and the unscaled bytes of a `VariableScaleDecimal`: trailing zeros stripped, the scale never
/// negative.
pub(crate) fn with_variable_scale<R>(
    text: &[u8],
    write: impl FnOnce(i32, &[u8]) -> R,
) -> Result<R, Unconvertible> {
    let decimal = Decimal::parse(text)?.stripped();
    let scale = i32::try_from(decimal.fraction.len()).map_err(|_| Unconvertible)?;
    Ok(Scaled::new(decimal, scale)?.with_bytes(|bytes| write(scale, bytes)))
}

/// Appends the base64 text of a Connect `Decimal` of `scale`, with its quotes.
#[inline]
pub(crate) fn write_unscaled(
    text: &[u8],
    scale: i32,
    out: &mut Vec<u8>,
) -> Result<(), Unconvertible> {
    let scaled = Scaled::new(Decimal::parse(text)?, scale)?;
    out.push(b'"');
    scaled.write_base64(out);
    out.push(b'"');
    Ok(())
}

/// Appends a Connect `Decimal` of `scale` as Java prints a BigDecimal.
pub(crate) fn write_number(
    text: &[u8],
    scale: i32,
    out: &mut Vec<u8>,
) -> Result<(), Unconvertible> {
    Scaled::new(Decimal::parse(text)?, scale)?.write_java(scale, out);
    Ok(())
}

/// Appends a `VariableScaleDecimal` as a JSON object.
pub(crate) fn write_variable_scale(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    with_variable_scale(text, |scale, bytes| {
        out.extend_from_slice(b"{\"scale\":");
        out.extend_from_slice(itoa::Buffer::new().format(scale).as_bytes());
        out.extend_from_slice(b",\"value\":\"");
        base64::write(out, bytes.iter().copied(), base64::STANDARD);
        out.extend_from_slice(b"\"}");
    })
}

/// Whether two `numeric` texts are the same number for a key: `1.50` and `1.5` are.
pub(crate) fn same_number(a: &[u8], b: &[u8]) -> bool {
    match (Decimal::parse(a), Decimal::parse(b)) {
        (Ok(a), Ok(b)) => a.stripped() == b.stripped(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use ::base64::Engine as _;
    use proptest::prelude::*;

    use super::*;

    fn unscaled(text: &str, scale: i32) -> Option<String> {
        let mut out = Vec::new();
        write_unscaled(text.as_bytes(), scale, &mut out).ok()?;
        Some(
            String::from_utf8(out)
                .expect("base64")
                .trim_matches('"')
                .to_owned(),
        )
    }

    fn number(text: &str, scale: i32) -> Option<String> {
        let mut out = Vec::new();
        write_number(text.as_bytes(), scale, &mut out).ok()?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn unscaled_bytes_are_minimal_twos_complement() {
        for (text, base64) in [
            ("0.00", "AA=="),
            ("0.01", "AQ=="),
            ("1.00", "ZA=="),
            ("1.27", "fw=="),
            ("1.28", "AIA="),
            ("4.50", "AcI="),
            ("99999999.99", "AlQL4/8="),
            ("-0.01", "/w=="),
            ("-1.28", "gA=="),
            ("-1.29", "/38="),
            ("-123.45", "z8c="),
            ("12.34", "BNI="),
            ("123.45", "MDk="),
            ("-0.00", "AA=="),
            ("12345678901234567890.12", "Qu0SOwvYIDoU"),
            ("4.5", "AcI="),
            ("4.500", "AcI="),
            ("5", "AfQ="),
        ] {
            assert_eq!(unscaled(text, 2).as_deref(), Some(base64), "{text}");
        }
        assert_eq!(unscaled("12300", -2).as_deref(), Some("ew=="));
        for bad in ["NaN", "Infinity", "", "-", ".", "1.2.3", "4.501", "1e5"] {
            assert_eq!(unscaled(bad, 2), None, "{bad}");
        }
    }

    #[test]
    fn numbers_print_as_javas() {
        for (text, scale, printed) in [
            ("4.50", 2, "4.50"),
            ("0.00", 2, "0.00"),
            ("-0.01", 2, "-0.01"),
            ("1", 0, "1"),
            ("0.0000001", 7, "1E-7"),
            ("0.00000012", 8, "1.2E-7"),
            ("0.000001", 6, "0.000001"),
            ("12300", -2, "1.23E+4"),
            ("0", 7, "0E-7"),
        ] {
            assert_eq!(number(text, scale).as_deref(), Some(printed), "{text}");
        }
    }

    #[test]
    fn variable_scale_strips_zeros() {
        for (text, json) in [
            ("1.10", r#"{"scale":1,"value":"Cw=="}"#),
            ("100", r#"{"scale":0,"value":"ZA=="}"#),
            ("0.000", r#"{"scale":0,"value":"AA=="}"#),
            ("2.25", r#"{"scale":2,"value":"AOE="}"#),
        ] {
            let mut out = Vec::new();
            write_variable_scale(text.as_bytes(), &mut out).expect("a number");
            assert_eq!(String::from_utf8_lossy(&out), json);
        }
    }

    /// Independent check: the decimal digits of a big-endian two's complement, by repeated division by ten.
    fn digits_of(bytes: &[u8]) -> String {
        let negative = bytes.first().is_some_and(|b| *b >= 0x80);
        let mut magnitude: Vec<u8> = bytes.to_vec();
        if negative {
            let mut carry = 1u16;
            for byte in magnitude.iter_mut().rev() {
                let sum = u16::from(!*byte) + carry;
                *byte = sum as u8;
                carry = sum >> 8;
            }
        }
        let mut digits = String::new();
        while magnitude.iter().any(|b| *b != 0) {
            let mut rest = 0u16;
            for byte in &mut magnitude {
                let value = rest * 256 + u16::from(*byte);
                *byte = (value / 10) as u8;
                rest = value % 10;
            }
            digits.insert(0, char::from(b'0' + rest as u8));
        }
        if digits.is_empty() {
            digits.push('0');
        }
        if negative {
            format!("-{digits}")
        } else {
            digits
        }
    }

    proptest! {
        #[test]
        fn any_integer_survives(text in "-?(0|[1-9][0-9]{0,90})") {
            let text = if text == "-0" { "0".to_owned() } else { text };
            let encoded = unscaled(&text, 0).expect("an integer");
            let bytes = ::base64::engine::general_purpose::STANDARD.decode(encoded).expect("base64");
            prop_assert_eq!(digits_of(&bytes), text);
            // Minimal: dropping the first byte would change the number.
            if let [first, second, ..] = bytes[..] {
                prop_assert!(!(first == 0 && second < 0x80 || first == 0xFF && second >= 0x80));
            }
        }

        #[test]
        fn any_number_prints_back(text in "-?[0-9]{1,12}\\.[0-9]{1,5}") {
            let scale = i32::try_from(text.split_once('.').map_or(0, |(_, f)| f.len())).expect("small");
            let printed = number(&text, scale).expect("a number");
            prop_assert_eq!(printed.parse::<f64>().expect("number"), text.parse::<f64>().expect("number"));
        }
    }
}
