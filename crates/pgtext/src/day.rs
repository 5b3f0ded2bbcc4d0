//! Days of the proleptic Gregorian calendar, and `date` text.

use crate::{Bounded, ParseError, cursor::Cursor};

/// A day of the proleptic Gregorian calendar, which PostgreSQL counts by throughout (manual, B.6 History of Units).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// Astronomical: 0 is 1 BC.
    pub year: i64,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
}

/// Where a year counts before Christ, behind everything else.
const BEFORE_CHRIST: &[u8] = b" BC";

impl Day {
    /// Reads `date` text: `2024-05-01`, `0044-03-15 BC`, `infinity` (manual, 8.5.2 Date/Time Output). The signed years of
    /// ISO 8601, which PostgreSQL does not print, are read too: `-0043-03-15`.
    #[inline]
    pub fn parse(text: &[u8]) -> Result<Bounded<Self>, ParseError> {
        if let Some(infinity) = Bounded::infinity(text) {
            return Ok(infinity);
        }
        let mut cursor = Cursor::new(text);
        let day = Self::read(&mut cursor)?.in_era(&mut cursor)?;
        cursor.end()?;
        Ok(Bounded::Finite(day))
    }

    /// `YYYY-MM-DD`, the era not yet applied.
    #[inline]
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<UnknownEra, ParseError> {
        let negative = cursor.accept(b"-");
        let signed = negative || cursor.accept(b"+");
        let (year, _) = cursor.number(4, 9, "a year of four digits or more")?;
        let year = if negative {
            -i64::from(year)
        } else {
            i64::from(year)
        };
        cursor.expect(b'-', "`-` behind the year")?;
        let month = cursor.two_digits(1..=12, "a month from 01 to 12")?;
        cursor.expect(b'-', "`-` behind the month")?;
        let day = cursor.two_digits(1..=31, "a day from 01 to 31")?;
        Ok(UnknownEra {
            day: Self { year, month, day },
            signed,
            end: cursor.at(),
        })
    }

    /// How many days the month of this year has.
    #[inline]
    fn days_of_month(self) -> u8 {
        match self.month {
            2 if self.is_leap_year() => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }

    #[inline]
    fn is_leap_year(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }

    /// Days since 1970-01-01.
    #[inline]
    pub fn since_epoch(self) -> i64 {
        // Years start in March here, so that the leap day is the last of its year.
        let year = if self.month <= 2 {
            self.year - 1
        } else {
            self.year
        };
        let month = i64::from(self.month);
        let shifted = if month > 2 { month - 3 } else { month + 9 };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * shifted + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The day that is so many days after 1970-01-01.
    #[inline]
    pub fn from_epoch(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        // Both are within a month's and a year's range by construction.
        Self {
            year,
            month: month as u8,
            day: day as u8,
        }
    }
}

/// A day as it stands in front of what tells the era of its year.
pub(crate) struct UnknownEra {
    day: Day,
    /// The year has a sign, and so no era behind it.
    signed: bool,
    /// Where the day's text ends.
    end: usize,
}

impl UnknownEra {
    /// The day, after ` BC` was looked for. Only then is it known whether the year is a leap year.
    #[inline]
    pub(crate) fn in_era(self, cursor: &mut Cursor<'_>) -> Result<Day, ParseError> {
        let mut day = self.day;
        if !self.signed && day.year > 0 && cursor.accept(BEFORE_CHRIST) {
            day.year = 1 - day.year;
        }
        if day.day > 28 && day.day > day.days_of_month() {
            return Err(ParseError {
                expected: "a day that the month has",
                at: self.end - 2,
            });
        }
        Ok(day)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_are_read() {
        for (text, days) in [
            ("1970-01-01", 0),
            ("2024-05-01", 19_844),
            ("1969-12-31", -1),
            ("0001-01-01", -719_162),
            ("0044-03-15 BC", -735_160),
            ("-0043-03-15", -735_160),
            ("+10000-01-01", 2_932_897),
            ("0001-02-29 BC", -719_469),
            ("4714-11-24 BC", -2_440_588),
            ("5874897-12-31", 2_145_042_905),
        ] {
            let day = Day::parse(text.as_bytes());
            let Ok(Bounded::Finite(day)) = day else {
                panic!("{text}: {day:?}");
            };
            assert_eq!(day.since_epoch(), days, "{text}");
        }
        assert_eq!(Day::parse(b"infinity"), Ok(Bounded::Infinity));
        assert_eq!(Day::parse(b"-infinity"), Ok(Bounded::NegativeInfinity));
    }

    #[test]
    fn what_is_no_day_is_refused_where_it_is_none() {
        for (text, at) in [
            ("", 0),
            ("2024", 4),
            ("2024-13-01", 5),
            ("2024-5-1", 5),
            ("2024-01-00", 8),
            ("2024-02-30", 8),
            ("2023-02-29", 8),
            ("0004-02-29 BC", 8),
            ("2024-01-01x", 10),
            ("0000-01-01 BC", 10),
            ("-0043-03-15 BC", 11),
            ("24-1-1", 0),
            ("99999999999-01-01", 9),
            ("--0043-03-15", 1),
            ("Infinity", 0),
        ] {
            let refused = Day::parse(text.as_bytes()).expect_err(text);
            assert_eq!(refused.at, at, "{text}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn every_day_has_its_number(days in -10_000_000i64..10_000_000) {
            prop_assert_eq!(Day::from_epoch(days).since_epoch(), days);
        }

        #[test]
        fn the_next_number_is_the_next_day(days in -10_000_000i64..10_000_000) {
            let (today, tomorrow) = (Day::from_epoch(days), Day::from_epoch(days + 1));
            let same_month = (today.year, today.month) == (tomorrow.year, tomorrow.month);
            let follows = if same_month {
                tomorrow.day == today.day + 1
            } else {
                tomorrow.day == 1 && today.day >= 28
            };
            prop_assert!(follows);
        }

        #[test]
        fn a_printed_day_is_read_back(days in -2_440_588i64..2_145_042_906) {
            let day = Day::from_epoch(days);
            let (year, era) = if day.year > 0 { (day.year, "") } else { (1 - day.year, " BC") };
            let text = format!("{year:04}-{:02}-{:02}{era}", day.month, day.day);
            prop_assert_eq!(Day::parse(text.as_bytes()), Ok(Bounded::Finite(day)));
        }
    }
}
