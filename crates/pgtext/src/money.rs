//! `money` text, which depends on the server's `lc_monetary`: symbols, separators and how many digits stand behind the
//! point. The server prints all of those always, so nothing but their number has to be known.

use crate::ParseError;

/// An amount of money (manual, 8.2 Monetary Types): `$1,234.50`, `-$0.01`, `($1.00)`, `1.234,56 €`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money<'a> {
    /// Has a minus, or the brackets of accountants.
    pub negative: bool,
    /// What stands before the decimal separator, symbols and grouping included.
    integer: &'a [u8],
    /// What stands behind it.
    fraction: &'a [u8],
}

impl<'a> Money<'a> {
    /// `printed`: the digits behind the point that `lc_monetary` has, which is the scale of `0::money::numeric`. Where that
    /// is not known, the separator is guessed for a currency of `likely` digits.
    pub fn parse(text: &'a [u8], printed: Option<u8>, likely: u8) -> Result<Self, ParseError> {
        if !text.iter().any(u8::is_ascii_digit) {
            return Err(ParseError {
                expected: "the digits of an amount",
                at: text.len(),
            });
        }
        // The text of a default may be a human's, who leaves digits out.
        let point = match printed.and_then(|printed| separator_before(text, printed)) {
            Some(point) => point,
            None => decimal_separator(text, likely),
        };
        let (integer, fraction) = match point.and_then(|point| text.split_at_checked(point)) {
            Some((integer, rest)) => (integer, rest.get(1..).unwrap_or_default()),
            None => (text, &[][..]),
        };
        Ok(Self {
            negative: text.iter().any(|byte| matches!(byte, b'-' | b'(')),
            integer,
            fraction,
        })
    }

    /// ASCII digits before the decimal separator.
    pub fn integer(self) -> impl Iterator<Item = u8> + use<'a> {
        digits(self.integer)
    }

    /// ASCII digits behind the decimal separator.
    pub fn fraction(self) -> impl Iterator<Item = u8> + use<'a> {
        digits(self.fraction)
    }

    /// Whether a decimal separator was found.
    pub fn has_point(self) -> bool {
        !self.fraction.is_empty()
    }
}

fn digits(text: &[u8]) -> impl Iterator<Item = u8> + use<'_> {
    text.iter().copied().filter(u8::is_ascii_digit)
}

/// What stands before the last so many digits; `Some(None)` where all digits are whole, None where the text is not one
/// that the server printed.
fn separator_before(text: &[u8], digits: u8) -> Option<Option<usize>> {
    let Some(from_last) = usize::from(digits).checked_sub(1) else {
        return Some(None);
    };
    let places = text.iter().enumerate().rev();
    let mut digits = places.filter(|(_, byte)| byte.is_ascii_digit());
    let (first, _) = digits.nth(from_last)?;
    let separator = first.checked_sub(1)?;
    // At least one digit stands before it, and not at it.
    let (whole, _) = digits.next()?;
    (whole < separator).then_some(Some(separator))
}

/// Where the fraction starts. Locales differ and say nothing: of two kinds of separators between digits the last is
/// the decimal one, one that comes twice groups, and so does one before three digits unless the currency has three.
fn decimal_separator(text: &[u8], likely: u8) -> Option<usize> {
    let mut separators = text
        .windows(3)
        .enumerate()
        .filter_map(|(at, around)| match around {
            [before, separator @ (b'.' | b','), after]
                if before.is_ascii_digit() && after.is_ascii_digit() =>
            {
                Some((at + 1, *separator))
            }
            _ => None,
        });
    let (first, kind) = separators.next()?;
    let (last, last_kind) = separators.next_back().unwrap_or((first, kind));
    let digits = text
        .iter()
        .skip(last + 1)
        .filter(|b| b.is_ascii_digit())
        .count();
    let decimal = kind != last_kind || (first == last && (digits != 3 || likely == 3));
    decimal.then_some(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plain(text: &str, printed: Option<u8>, likely: u8) -> Result<String, ParseError> {
        let money = Money::parse(text.as_bytes(), printed, likely)?;
        let sign = if money.negative { "-" } else { "" };
        let point = if money.has_point() { "." } else { "" };
        let integer: String = money.integer().map(char::from).collect();
        let fraction: String = money.fraction().map(char::from).collect();
        Ok(format!("{sign}{integer}{point}{fraction}"))
    }

    #[test]
    fn the_separator_is_guessed() {
        for (text, likely, expected) in [
            ("$12.34", 2, "12.34"),
            ("-$0.01", 2, "-0.01"),
            ("$1,234.56", 2, "1234.56"),
            ("($1.00)", 2, "-1.00"),
            ("1.234,56 €", 2, "1234.56"),
            ("$1,234", 2, "1234"),
            ("¥1,234", 0, "1234"),
            ("1.234 KD", 3, "1.234"),
            ("Rs. 5.50", 2, "5.50"),
            ("$1,234,567.89", 2, "1234567.89"),
            ("kr 1 234,50", 2, "1234.50"),
        ] {
            assert_eq!(plain(text, None, likely).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn digits_that_are_known_need_no_guess() {
        for (text, printed, expected) in [
            ("د.ك. 1.500", 3, "1.500"),
            ("د.ك.\u{200f} 999.999", 3, "999.999"),
            ("د.ك. 1,234.500", 3, "1234.500"),
            ("د.ك. 0.250-", 3, "-0.250"),
            ("(KD 0,250)", 3, "-0.250"),
            ("KD 1\u{66b}500", 3, "1.500"),
            ("$1,234.56", 2, "1234.56"),
            ("1.234,56 \u{20ac}", 2, "1234.56"),
            ("\u{ffe5}1,234", 0, "1234"),
            ("\u{ffe5}1,234,567", 0, "1234567"),
            ("UF 1.2345", 4, "1.2345"),
            ("5", 2, "5"),
            ("$500", 2, "500"),
            ("1.5", 3, "1.5"),
        ] {
            assert_eq!(
                plain(text, Some(printed), 2).as_deref(),
                Ok(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_has_no_digits_is_refused_at_its_end() {
        for text in ["", "$", "-", "د.ك."] {
            let refused = plain(text, Some(2), 2).expect_err(text);
            assert_eq!(refused.at, text.len());
        }
    }

    proptest! {
        #[test]
        fn printed_amounts_are_read_back(
            cents in any::<i64>(), symbol in "[$€£]|kr |Rs[.] ", separators in prop::sample::select(vec![(",", '.'), (".", ','), ("\u{a0}", ',')])
        ) {
            let (grouping, point) = separators;
            let units = (cents.unsigned_abs() / 100).to_string();
            let groups: Vec<&str> = units
                .as_bytes()
                .rchunks(3)
                .rev()
                .map(|group| std::str::from_utf8(group).expect("digits"))
                .collect();
            let below = cents.unsigned_abs() % 100;
            let sign = if cents < 0 { "-" } else { "" };
            let text = format!("{sign}{symbol}{}{point}{below:02}", groups.join(grouping));
            prop_assert_eq!(plain(&text, Some(2), 2), Ok(format!("{sign}{units}.{below:02}")));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), printed in prop::option::of(0u8..5)) {
            let _ = plain(&text, printed, 2);
        }
    }
}
