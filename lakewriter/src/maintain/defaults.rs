//! What is kept and how large, where nobody says otherwise: once as it is written in settings, and what that means.

use std::time::Duration;

/// Longer than a query takes, and at a commit every two seconds 11,000 entries of the log.
pub const DEFAULT_HISTORY_SETTING: &str = "6h";
pub const DEFAULT_HISTORY: Duration = Duration::from_secs(number(DEFAULT_HISTORY_SETTING) * 3600);

/// A core reads it in about a second, and a table of a terabyte has a log that is read at once.
pub const DEFAULT_TARGET_SETTING: &str = "128MB";
pub const DEFAULT_TARGET_BYTES: u64 = number(DEFAULT_TARGET_SETTING) * 1_000_000;

/// The number before the unit.
const fn number(text: &str) -> u64 {
    let mut bytes = text.as_bytes();
    let mut number = 0;
    while let [digit @ b'0'..=b'9', rest @ ..] = bytes {
        number = number * 10 + (*digit - b'0') as u64;
        bytes = rest;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbers() {
        assert_eq!(DEFAULT_HISTORY, Duration::from_secs(21_600));
        assert_eq!(DEFAULT_TARGET_BYTES, 128_000_000);
    }
}
