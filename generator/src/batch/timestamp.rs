use chrono::DateTime;

use crate::world::UnixMicros;

const DAY: i64 = 86_400_000_000;

/// Writes timestamps as PostgreSQL reads them, `2026-11-21 08:15:30.000123+00`. It keeps the text of the last day,
/// since neighbouring rows have the same.
#[derive(Debug, Default)]
pub struct TimestampText {
    day: Option<i64>,
    date: String,
    text: Vec<u8>,
}

impl TimestampText {
    pub fn text(&mut self, at: UnixMicros) -> &[u8] {
        let (day, of_day) = (at.div_euclid(DAY), at.rem_euclid(DAY));
        if self.day != Some(day) {
            // Years that chrono cannot show cannot come from a clock.
            self.date = DateTime::from_timestamp_micros(day * DAY).map_or_else(
                || "1970-01-01".to_owned(),
                |date| date.format("%Y-%m-%d").to_string(),
            );
            self.day = Some(day);
        }
        self.text.clear();
        self.text.extend_from_slice(self.date.as_bytes());
        let (seconds, micros) = (of_day / 1_000_000, of_day % 1_000_000);
        let digits = |value: i64, divisor: i64| b'0' + (value / divisor % 10) as u8;
        for (mark, value) in [
            (b' ', seconds / 3600),
            (b':', seconds / 60 % 60),
            (b':', seconds % 60),
        ] {
            self.text
                .extend_from_slice(&[mark, digits(value, 10), digits(value, 1)]);
        }
        self.text.push(b'.');
        for divisor in [100_000, 10_000, 1_000, 100, 10, 1] {
            self.text.push(digits(micros, divisor));
        }
        self.text.extend_from_slice(b"+00");
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_calendar() {
        let mut timestamp = TimestampText::default();
        for (at, want) in [
            (0, "1970-01-01 00:00:00.000000+00"),
            (-1, "1969-12-31 23:59:59.999999+00"),
            (1_709_210_096_123_456, "2024-02-29 12:34:56.123456+00"),
            (1_735_689_599_999_999, "2024-12-31 23:59:59.999999+00"),
            (1_735_689_600_000_000, "2025-01-01 00:00:00.000000+00"),
        ] {
            assert_eq!(str::from_utf8(timestamp.text(at)).unwrap(), want);
        }
    }
}
