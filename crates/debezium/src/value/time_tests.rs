use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Utc};
use proptest::prelude::*;

use super::*;

fn zoned(text: &str, precision: u8) -> Option<String> {
    let mut out = Vec::new();
    write_zoned_timestamp(text.as_bytes(), precision, &mut out).ok()?;
    String::from_utf8(out).ok()
}

#[test]
fn days_of_every_kind() {
    for (text, days) in [
        ("1970-01-01", 0),
        ("2024-05-01", 19_844),
        ("1969-12-31", -1),
        ("0001-01-01", -719_162),
        ("0044-03-15 BC", -735_160),
        ("9999-12-31", 2_932_896),
        ("infinity", -2_147_472_692),
        ("-infinity", -2_147_472_691),
        ("5874897-12-31", 2_145_042_905),
    ] {
        assert_eq!(date(text.as_bytes()), Ok(days), "{text}");
    }
    for bad in [
        "",
        "2024",
        "2024-13-01",
        "2024-01-00",
        "2024-01-01x",
        "24-1-1",
        "99999999999-01-01",
    ] {
        assert_eq!(date(bad.as_bytes()), Err(Unconvertible), "{bad}");
    }
}

#[test]
fn times_and_timestamps() {
    for (text, micros) in [
        ("13:51:30.123789", 49_890_123_789),
        ("24:00:00", 86_400_000_000),
        ("00:00:00", 0),
        ("10:15:00.5", 36_900_500_000),
    ] {
        assert_eq!(time(text.as_bytes()), Ok(micros));
    }
    for (text, micros) in [
        ("2024-05-01 13:51:30.123789", 1_714_571_490_123_789),
        ("1969-12-31 23:59:59.999999", -1),
        ("0044-03-15 12:00:00 BC", -63_517_780_800_000_000),
        ("infinity", 9_223_372_036_825_200_000),
        ("-infinity", -9_223_372_036_832_400_000),
        ("0001-01-01 00:00:00", -62_135_596_800_000_000),
    ] {
        assert_eq!(timestamp(text.as_bytes()), Ok(micros), "{text}");
    }
    // PostgreSQL counts from 2000, so the last 29 years of its range do not fit.
    assert!(timestamp(b"294246-12-31 23:59:59.999999").is_ok());
    assert!(timestamp(b"294276-12-31 23:59:59.999999").is_err());
    assert!(timestamp(b"999999999-12-31 00:00:00").is_err());
}

#[test]
fn zoned_timestamps_are_utc_with_the_columns_digits() {
    for (text, precision, expected) in [
        (
            "2024-05-01 13:51:30.123789+02",
            6,
            "2024-05-01T11:51:30.123789Z",
        ),
        ("2024-05-01 12:00:00+00", 6, "2024-05-01T12:00:00.000000Z"),
        ("2024-05-01 12:00:00+00", 0, "2024-05-01T12:00:00Z"),
        ("2024-05-01 12:00:00.5+05:30", 3, "2024-05-01T06:30:00.500Z"),
        (
            "12345-01-01 00:00:00+00",
            6,
            "+12345-01-01T00:00:00.000000Z",
        ),
        (
            "4714-12-31 23:59:59.999999+00 BC",
            6,
            "-4713-12-31T23:59:59.999999Z",
        ),
        (
            "0001-01-01 00:00:00+00 BC",
            6,
            "0000-01-01T00:00:00.000000Z",
        ),
        ("infinity", 6, "infinity"),
        ("-infinity", 6, "-infinity"),
    ] {
        assert_eq!(zoned(text, precision).as_deref(), Some(expected));
    }
    assert_eq!(zoned("2024-05-01 12:00:00", 6), None);
}

#[test]
fn zoned_times_wrap() {
    for (text, expected) in [
        ("13:51:30.123789+02", "11:51:30.123789Z"),
        ("00:00:00-12", "12:00:00Z"),
        ("10:15:00.5+00", "10:15:00.5Z"),
        ("01:00:00+02", "23:00:00Z"),
    ] {
        let mut out = Vec::new();
        write_zoned_time(text.as_bytes(), false, &mut out).expect("a time");
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}

proptest! {
    #[test]
    fn dates_equal_chronos(days in -700_000i32..2_900_000) {
        let day = NaiveDate::from_ymd_opt(1970, 1, 1).expect("epoch") + chrono::TimeDelta::days(i64::from(days));
        let text = if day.year() > 0 {
            day.format("%Y-%m-%d").to_string()
        } else {
            format!("{:04}-{:02}-{:02} BC", 1 - day.year(), day.month(), day.day())
        };
        prop_assert_eq!(date(text.as_bytes()), Ok(days));
        prop_assert_eq!(Day::from_epoch(i64::from(days)).since_epoch(), i64::from(days));
    }

    #[test]
    fn timestamps_equal_chronos(micros in -60_000_000_000_000_000i64..250_000_000_000_000_000) {
        let at: NaiveDateTime = DateTime::<Utc>::from_timestamp_micros(micros).expect("in range").naive_utc();
        let text = at.format("%Y-%m-%d %H:%M:%S%.6f").to_string();
        prop_assert_eq!(timestamp(text.as_bytes()), Ok(micros));
        let expected = at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        prop_assert_eq!(zoned(&format!("{text}+00"), 6), Some(expected.clone()));
        let shifted = (at + chrono::TimeDelta::minutes(330)).format("%Y-%m-%d %H:%M:%S%.6f+05:30").to_string();
        prop_assert_eq!(zoned(&shifted, 6), Some(expected));
    }
}
