//! Money as a plain decimal.

use pgtext::Money;

use super::{Unconvertible, float};

/// The `money` text as a plain decimal of at most `fraction_digits` digits, rounded half up: currency, grouping and
/// the brackets of negative amounts removed. `printed` is the number of digits behind the point, where it is known.
pub(crate) fn plain_money(
    text: &[u8],
    printed: Option<u8>,
    fraction_digits: u8,
) -> Result<Vec<u8>, Unconvertible> {
    let money = Money::parse(text, printed, fraction_digits)?;
    let wanted = usize::from(fraction_digits);
    let mut plain = Vec::with_capacity(text.len() + 2);
    plain.extend(money.integer());
    if money.has_point() && wanted > 0 {
        plain.push(b'.');
    }
    let mut fraction = money.fraction();
    plain.extend(fraction.by_ref().take(wanted));
    if fraction.next().is_some_and(|digit| digit >= b'5') {
        round_up(&mut plain);
    }
    if money.negative {
        plain.insert(0, b'-');
    }
    Ok(plain)
}

/// The `money` text as a plain decimal with all its digits. As a double it is spelled as Java does, where that is still
/// the same number.
pub(crate) fn money_text(
    text: &[u8],
    printed: Option<u8>,
    double: bool,
) -> Result<Vec<u8>, Unconvertible> {
    /// So many digits a double always keeps.
    const EXACT_DIGITS: usize = 15;
    let plain = plain_money(text, printed, u8::MAX)?;
    if !double || plain.iter().filter(|b| b.is_ascii_digit()).count() > EXACT_DIGITS {
        return Ok(plain);
    }
    let mut spelled = Vec::new();
    float::write_double(&plain, false, &mut spelled)?;
    Ok(spelled)
}

/// Adds one to the last digit.
fn round_up(plain: &mut Vec<u8>) {
    for byte in plain.iter_mut().rev() {
        match byte {
            b'9' => *byte = b'0',
            b'0'..=b'8' => {
                *byte += 1;
                return;
            }
            _ => {}
        }
    }
    plain.insert(0, b'1');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_not_rounded() {
        for (text, plain, double) in [
            ("$5.00", "5.00", "5.0"),
            ("-$1,234.50", "-1234.50", "-1234.5"),
            ("$0.00", "0.00", "0.0"),
            ("$10,000,000.25", "10000000.25", "1.000000025E7"),
            (
                "$92,233,720,368,547,758.07",
                "92233720368547758.07",
                "92233720368547758.07",
            ),
        ] {
            let found = [false, true].map(|double| money_text(text.as_bytes(), None, double));
            let wanted = [plain, double].map(|text| Ok(text.as_bytes().to_vec()));
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn money_of_several_locales() {
        for (text, digits, plain) in [
            ("$12.34", 2, "12.34"),
            ("-$0.01", 2, "-0.01"),
            ("$1,234.56", 2, "1234.56"),
            ("($1.00)", 2, "-1.00"),
            ("1.234,56 €", 2, "1234.56"),
            ("$1,234", 2, "1234"),
            ("¥1,234", 0, "1234"),
            ("$12.34", 0, "12"),
            ("$9.99", 1, "10.0"),
            ("$9.99", 0, "10"),
            ("1.234 KD", 3, "1.234"),
            ("Rs. 5.50", 2, "5.50"),
            ("$1,234,567.89", 2, "1234567.89"),
            ("kr 1 234,50", 2, "1234.50"),
        ] {
            let found = plain_money(text.as_bytes(), None, digits).expect("money");
            assert_eq!(String::from_utf8_lossy(&found), plain, "{text}");
        }
        assert!(plain_money(b"$", None, 2).is_err());
    }

    #[test]
    fn digits_that_are_known_need_no_guess() {
        for (text, printed, wanted, plain, string) in [
            ("د.ك. 1.500", 3, 3, "1.500", "1.500"),
            ("د.ك.\u{200f} 999.999", 3, 2, "1000.00", "999.999"),
            ("د.ك. 1,234.500", 3, 2, "1234.50", "1234.500"),
            ("د.ك. 0.250-", 3, 3, "-0.250", "-0.250"),
            ("(KD 0,250)", 3, 2, "-0.25", "-0.250"),
            ("KD 1\u{66b}500", 3, 3, "1.500", "1.500"),
            ("$1,234.56", 2, 2, "1234.56", "1234.56"),
            ("1.234,56 \u{20ac}", 2, 3, "1234.56", "1234.56"),
            ("\u{ffe5}1,234", 0, 2, "1234", "1234"),
            ("\u{ffe5}1,234,567", 0, 0, "1234567", "1234567"),
            ("UF 1.2345", 4, 4, "1.2345", "1.2345"),
            ("$0.00", 2, 2, "0.00", "0.00"),
        ] {
            let found = plain_money(text.as_bytes(), Some(printed), wanted);
            assert_eq!(found, Ok(plain.as_bytes().to_vec()), "{text}");
            let found = money_text(text.as_bytes(), Some(printed), false);
            assert_eq!(found, Ok(string.as_bytes().to_vec()), "{text}");
        }
        for (text, printed, plain) in [("5", 2, "5"), ("$500", 2, "500"), ("1.5", 3, "1.5")] {
            let found = plain_money(text.as_bytes(), Some(printed), 3);
            assert_eq!(found, Ok(plain.as_bytes().to_vec()), "{text}");
        }
        for (text, printed) in [("$", 2), ("", 0)] {
            assert!(
                plain_money(text.as_bytes(), Some(printed), 2).is_err(),
                "{text}"
            );
        }
    }
}
