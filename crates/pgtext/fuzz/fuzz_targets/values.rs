//! Every parser on the same bytes: none may panic, what it refuses it refuses within the text, and iterators end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgtext::{
    Array, BitString, Day, Decimal, Hex, Hstore, Interval, Money, Numeric, ParseError, Point, Time,
    TimeTz, Timestamp, UtcTimestamp,
};

fn within<T>(result: Result<T, ParseError>, text: &[u8]) -> Option<T> {
    if let Err(refused) = &result {
        assert!(refused.at <= text.len(), "{refused}");
    }
    result.ok()
}

fn times(text: &[u8]) {
    within(Day::parse(text), text);
    within(Time::parse(text), text);
    within(TimeTz::parse(text), text);
    within(Timestamp::parse(text), text);
    within(Interval::parse(text), text);
    if let Some(common) = UtcTimestamp::of(text) {
        assert!(common.fraction.iter().all(u8::is_ascii_digit));
    }
}

fn numbers(text: &[u8]) {
    within(Numeric::parse(text), text);
    if let Some(decimal) = within(Decimal::parse(text), text) {
        assert_eq!(decimal.digits().count(), decimal.digit_count());
        assert!(decimal.digits().all(|digit| digit <= 9));
    }
    for printed in [None, Some(0), Some(2), Some(3)] {
        if let Some(money) = within(Money::parse(text, printed, 2), text) {
            let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
            assert_eq!(money.integer().count() + money.fraction().count(), digits);
        }
    }
    within(Point::parse(text), text);
}

fn bytes(text: &[u8]) {
    if let Some(hex) = within(Hex::parse_bytea(text), text) {
        assert_eq!(hex.bytes().count() * 2 + 2, text.len());
    }
    within(Hex::parse(text), text);
    if let Some(bits) = within(BitString::parse(text), text) {
        assert_ne!(bits.little_endian().last(), Some(0));
    }
}

fn nested(text: &[u8]) {
    let mut buffer = Vec::new();
    for delimiter in [b',', b';'] {
        if let Some(array) = within(Array::parse(text, delimiter), text) {
            for element in array.elements() {
                if let Some(Some(element)) = within(element, text) {
                    assert_eq!(element.text(), element.text_in(&mut buffer));
                }
            }
        }
    }
    for pair in Hstore::new(text) {
        if let Some((key, value)) = within(pair, text) {
            assert_eq!(key.text(), key.text_in(&mut buffer));
            if let Some(value) = value {
                assert_eq!(value.text(), value.text_in(&mut buffer));
            }
        }
    }
}

fuzz_target!(|text: &[u8]| {
    times(text);
    numbers(text);
    bytes(text);
    nested(text);
});
