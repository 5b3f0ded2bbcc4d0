//! `float4` and `float8` text, and numbers that are emitted as doubles.

use pgtext::Point;

use super::{
    Unconvertible, base64,
    java_digits::{Binary, JavaDigits},
};

/// Longest text whose digits can be taken over: every decimal of so few digits is the shortest of its number.
const EXACT_DOUBLE_DIGITS: usize = 15;
const EXACT_FLOAT_DIGITS: usize = 6;

/// Digits (as text) and decimal exponent of a number: `0.d1d2d3... * 10^exponent`; no zeros at either end.
struct Digits {
    negative: bool,
    digits: [u8; 24],
    count: usize,
    exponent: i32,
}

impl Digits {
    /// Takes apart `-12.5e-7`; none if that is no such number or has more digits than any double needs.
    fn parse(text: &[u8]) -> Option<Self> {
        let (negative, text) = match text.split_first() {
            Some((b'-', rest)) => (true, rest),
            _ => (false, text),
        };
        let mut parsed = Self {
            negative,
            digits: [b'0'; 24],
            count: 0,
            exponent: 0,
        };
        let mut zeros = 0;
        let (mut seen_point, mut seen_digit) = (false, false);
        let mut bytes = text.iter();
        while let Some(&byte) = bytes.next() {
            match byte {
                b'0'..=b'9' => {
                    seen_digit = true;
                    if byte == b'0' {
                        if parsed.count > 0 {
                            zeros += 1;
                        } else if seen_point {
                            parsed.exponent -= 1;
                        }
                        if parsed.count > 0 && !seen_point {
                            parsed.exponent += 1;
                        }
                    } else {
                        let at = parsed.count + zeros;
                        *parsed.digits.get_mut(at)? = byte;
                        parsed.count = at + 1;
                        zeros = 0;
                        if !seen_point {
                            parsed.exponent += 1;
                        }
                    }
                }
                b'.' if !seen_point => seen_point = true,
                b'e' | b'E' if seen_digit => {
                    let exponent = std::str::from_utf8(bytes.as_slice()).ok()?;
                    let exponent: i32 = exponent.parse().ok()?;
                    parsed.exponent = parsed.exponent.checked_add(exponent)?;
                    return Some(parsed);
                }
                _ => return None,
            }
        }
        seen_digit.then_some(parsed)
    }

    /// More digits than any double has are not there.
    fn of_java(negative: bool, java: &JavaDigits) -> Self {
        let mut of_java = Self {
            negative,
            digits: [b'0'; 24],
            count: 0,
            exponent: java.exponent,
        };
        for (place, digit) in of_java.digits.iter_mut().zip(&java.digits) {
            *place = b'0' + digit;
            of_java.count += 1;
        }
        of_java
    }

    /// Appends the number in the format of Java's `Double.toString`.
    fn write_java(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        let digits = self.digits.get(..self.count).unwrap_or(&self.digits);
        let zeros = |count: usize| std::iter::repeat_n(b'0', count);
        match self.exponent {
            _ if digits.is_empty() => out.extend_from_slice(b"0.0"),
            exponent @ 1..=7 => {
                let integer = exponent.unsigned_abs() as usize;
                let (integer, fraction) = match digits.split_at_checked(integer) {
                    Some(split) => split,
                    None => (digits, &b""[..]),
                };
                out.extend_from_slice(integer);
                out.extend(zeros(
                    (exponent.unsigned_abs() as usize).saturating_sub(digits.len()),
                ));
                out.push(b'.');
                out.extend_from_slice(if fraction.is_empty() { b"0" } else { fraction });
            }
            exponent @ -2..=0 => {
                out.extend_from_slice(b"0.");
                out.extend(zeros(exponent.unsigned_abs() as usize));
                out.extend_from_slice(digits);
            }
            exponent => {
                let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, b""));
                out.extend_from_slice(first);
                out.push(b'.');
                out.extend_from_slice(if rest.is_empty() { b"0" } else { rest });
                out.push(b'E');
                out.extend_from_slice(itoa::Buffer::new().format(exponent - 1).as_bytes());
            }
        }
    }
}

/// The number itself; `NaN` and the infinities read as Rust spells them too.
pub(crate) fn parse<T: std::str::FromStr>(text: &[u8]) -> Result<T, Unconvertible> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Unconvertible)
}

fn special(text: &[u8]) -> Option<&'static [u8]> {
    match text {
        b"NaN" => Some(b"NaN"),
        b"Infinity" => Some(b"Infinity"),
        b"-Infinity" => Some(b"-Infinity"),
        _ => None,
    }
}

/// Appends `float8` or `numeric` text as a JSON number (`NaN` and infinities as strings if `quoted`).
pub(crate) fn write_double(
    text: &[u8],
    quoted: bool,
    out: &mut Vec<u8>,
) -> Result<(), Unconvertible> {
    write_number(
        text,
        quoted,
        EXACT_DOUBLE_DIGITS,
        -30..16,
        out,
        |text, out| {
            write_java_double(parse(text)?, out);
            Ok(())
        },
    )
}

/// Appends `float4` text as a JSON number (`NaN` and infinities as strings if `quoted`).
pub(crate) fn write_float(
    text: &[u8],
    quoted: bool,
    out: &mut Vec<u8>,
) -> Result<(), Unconvertible> {
    write_number(
        text,
        quoted,
        EXACT_FLOAT_DIGITS,
        -20..8,
        out,
        |text, out| {
            write_java_float(parse(text)?, out);
            Ok(())
        },
    )
}

fn write_number(
    text: &[u8],
    quoted: bool,
    exact_digits: usize,
    exact_exponents: std::ops::Range<i32>,
    out: &mut Vec<u8>,
    write_rounded: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<(), Unconvertible>,
) -> Result<(), Unconvertible> {
    match special(text) {
        Some(name) if quoted => {
            out.push(b'"');
            out.extend_from_slice(name);
            out.push(b'"');
            return Ok(());
        }
        Some(name) => {
            out.extend_from_slice(name);
            return Ok(());
        }
        None => {}
    }
    // What is no plain number here may still be one that has too many digits: `parse` decides.
    match Digits::parse(text) {
        Some(digits)
            if digits.count <= exact_digits && exact_exponents.contains(&digits.exponent) =>
        {
            digits.write_java(out);
            Ok(())
        }
        _ => write_rounded(text, out),
    }
}

/// Appends a double in the format and with the digits of Java's `Double.toString` before Java 19.
pub(crate) fn write_java_double(value: f64, out: &mut Vec<u8>) {
    /// Below it, every whole number is a double.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if !value.is_finite() {
        return write_not_finite(value.is_nan(), value > 0.0, out);
    }
    let magnitude = value.abs();
    let is_power_of_two = value.to_bits().trailing_zeros() >= 52;
    if magnitude > 0.0 && (is_power_of_two || !(1e-30..WHOLE).contains(&magnitude)) {
        let digits = Binary::of_double(magnitude).digits();
        return Digits::of_java(value < 0.0, &digits).write_java(out);
    }
    let mut buffer = zmij::Buffer::new();
    if let Some(shortest) = Digits::parse(buffer.format_finite(value).as_bytes()) {
        shortest.write_java(out);
    }
}

fn write_java_float(value: f32, out: &mut Vec<u8>) {
    /// Below it, every whole number is a float.
    const WHOLE: f32 = 16_777_216.0;
    if !value.is_finite() {
        return write_not_finite(value.is_nan(), value > 0.0, out);
    }
    let magnitude = value.abs();
    let is_power_of_two = value.to_bits().trailing_zeros() >= 23;
    if magnitude > 0.0 && (is_power_of_two || !(1e-20..WHOLE).contains(&magnitude)) {
        let digits = Binary::of_float(magnitude).digits();
        return Digits::of_java(value < 0.0, &digits).write_java(out);
    }
    let mut buffer = zmij::Buffer::new();
    if let Some(shortest) = Digits::parse(buffer.format_finite(value).as_bytes()) {
        shortest.write_java(out);
    }
}

fn write_not_finite(is_nan: bool, is_positive: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(match (is_nan, is_positive) {
        (true, _) => &b"\"NaN\""[..],
        (false, true) => b"\"Infinity\"",
        (false, false) => b"\"-Infinity\"",
    });
}

/// The well-known binary of a point: byte order little-endian, geometry type 1.
pub(crate) fn point_wkb(x: f64, y: f64) -> impl Iterator<Item = u8> {
    [1, 1, 0, 0, 0]
        .into_iter()
        .chain(x.to_le_bytes())
        .chain(y.to_le_bytes())
}

/// Appends `point` text as Debezium's struct with its WKB.
pub(crate) fn write_point(text: &[u8], out: &mut Vec<u8>) -> Result<(), Unconvertible> {
    let Point { x, y } = Point::parse(text)?;
    out.extend_from_slice(b"{\"x\":");
    write_java_double(x, out);
    out.extend_from_slice(b",\"y\":");
    write_java_double(y, out);
    out.extend_from_slice(b",\"wkb\":\"");
    base64::write(out, point_wkb(x, y), base64::STANDARD);
    out.extend_from_slice(b"\",\"srid\":null}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn double(text: &str) -> Option<String> {
        let mut out = Vec::new();
        write_double(text.as_bytes(), true, &mut out).ok()?;
        String::from_utf8(out).ok()
    }

    #[test]
    fn doubles_print_as_javas() {
        for (text, json) in [
            ("0", "0.0"),
            ("-0", "-0.0"),
            ("1", "1.0"),
            ("52.52", "52.52"),
            ("13.405", "13.405"),
            ("100", "100.0"),
            ("1e10", "1.0E10"),
            ("10000000", "1.0E7"),
            ("9999999", "9999999.0"),
            ("0.001", "0.001"),
            ("0.0001", "1.0E-4"),
            ("1e+300", "1.0E300"),
            ("1.7976931348623157e+308", "1.7976931348623157E308"),
            ("8.41e+21", "8.409999999999999E21"),
            ("9.999e22", "9.999E22"),
            ("2.828793848061590e17", "2.82879384806159008E17"),
            ("1e-323", "1.0E-323"),
            ("1e22", "1.0E22"),
            ("5e-324", "4.9E-324"),
            ("2e-323", "2.0E-323"),
            ("NaN", "\"NaN\""),
            ("-Infinity", "\"-Infinity\""),
            ("-0.1", "-0.1"),
            ("123456.789", "123456.789"),
            ("1e23", "9.999999999999999E22"),
            ("0.012", "0.012"),
            ("12345678901234567890", "1.2345678901234567E19"),
            ("1234567.5", "1234567.5"),
            ("20.0", "20.0"),
        ] {
            assert_eq!(double(text).as_deref(), Some(json), "{text}");
        }
        for bad in ["", "x", "1e", "--1", ".", "1.2.3"] {
            assert_eq!(double(bad), None, "{bad}");
        }
    }

    #[test]
    fn floats_print_as_javas() {
        for (text, json) in [
            ("3.4e+38", "3.4E38"),
            ("1e-45", "1.4E-45"),
            ("0.1", "0.1"),
            ("1.1e+10", "1.10000005E10"),
            ("1.1754944e-38", "1.17549435E-38"),
            ("16777216", "1.6777216E7"),
            ("3.1415927", "3.1415927"),
        ] {
            let mut out = Vec::new();
            write_float(text.as_bytes(), true, &mut out).expect("a number");
            assert_eq!(String::from_utf8_lossy(&out), json);
        }
    }

    #[test]
    fn points_have_wkb() {
        let mut out = Vec::new();
        write_point(b"(1,1)", &mut out).expect("a point");
        assert_eq!(
            String::from_utf8_lossy(&out),
            r#"{"x":1.0,"y":1.0,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAPA/","srid":null}"#
        );
        for bad in [&b"(1)"[..], b"1,1", b"(,)", b"(1,x)"] {
            assert!(write_point(bad, &mut Vec::new()).is_err());
        }
    }

    proptest! {
        #[test]
        fn every_double_reads_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let printed = double(&format!("{value:e}")).expect("a number");
            prop_assert_eq!(printed.parse::<f64>().expect("a number").to_bits(), bits);
            let mut direct = Vec::new();
            write_java_double(value, &mut direct);
            prop_assert_eq!(printed.as_bytes(), &direct);
        }

        #[test]
        fn short_decimals_need_no_parsing(text in "-?[0-9]{1,8}\\.[0-9]{1,6}") {
            let printed = double(&text).expect("a number");
            let mut direct = Vec::new();
            write_java_double(text.parse().expect("a number"), &mut direct);
            prop_assert_eq!(printed.as_bytes(), &direct);
        }
    }
}
