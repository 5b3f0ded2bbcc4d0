use recorded::{Difference, text_differences};

use crate::sink::Record;

/// What is not equal. The envelope's `ts_ms`, `ts_us` and `ts_ns` are the time of writing: only their presence counts.
pub fn differences(theirs: &Record, ours: &Record) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut add = |path: &str, theirs: String, ours: String| {
        if theirs != ours {
            found.push(Difference::new(path, theirs, ours));
        }
    };
    add(
        "key",
        format!("{:?}", theirs.key),
        format!("{:?}", ours.key),
    );
    let headers = |record: &Record| format!("{:?}", record.headers);
    add("headers", headers(theirs), headers(ours));
    match (&theirs.value, &ours.value) {
        (Some(theirs), Some(ours)) => {
            found.extend(text_differences(&without_time(theirs), &without_time(ours)));
        }
        (theirs, ours) => add("value", format!("{theirs:?}"), format!("{ours:?}")),
    }
    found
}

/// The text of an event or message with zeros for the times behind `op`: JSON, or Java's text of a struct.
fn without_time(text: &str) -> String {
    let Some(at) = text.rfind("\"op\":").or_else(|| text.rfind(",op=")) else {
        return text.to_owned();
    };
    let (head, tail) = text.split_at(at);
    let mut begun = false;
    let mut ended = false;
    let fields = tail.split(',').map(|field| {
        let is_time = field.trim_start_matches('"').starts_with("ts_");
        ended |= begun && !is_time;
        begun |= is_time;
        match field.split_once([':', '=']) {
            Some((name, value)) if is_time && !ended => {
                let end = value.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{name}:0{end}")
            }
            _ => field.to_owned(),
        }
    });
    format!("{head}{}", fields.collect::<Vec<_>>().join(","))
}
