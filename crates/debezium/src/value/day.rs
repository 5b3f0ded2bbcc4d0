//! Days of the proleptic Gregorian calendar.

/// A calendar day; the year is astronomical: 0 is 1 BC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    pub year: i64,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
}

impl Day {
    /// Days since 1970-01-01 in the proleptic Gregorian calendar.
    pub(crate) fn since_epoch(self) -> i64 {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
    }
}
