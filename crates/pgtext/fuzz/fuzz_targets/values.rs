//! Every parser on the same bytes: none may panic, and what it refuses it refuses within the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgtext::{Day, ParseError, Time, TimeTz, Timestamp, UtcTimestamp};

fn within<T>(result: Result<T, ParseError>, text: &[u8]) -> Option<T> {
    if let Err(refused) = &result {
        assert!(refused.at <= text.len(), "{refused}");
    }
    result.ok()
}

fuzz_target!(|text: &[u8]| {
    within(Day::parse(text), text);
    within(Time::parse(text), text);
    within(TimeTz::parse(text), text);
    within(Timestamp::parse(text), text);
    if let Some(common) = UtcTimestamp::of(text) {
        assert!(common.fraction.iter().all(u8::is_ascii_digit));
    }
});
