//! Where an answer differs from the recorded one, after mapping what cannot be equal.

use recorded::Difference;
use serde_json::Value;

/// All differences between a recorded answer and ours. Their paths are names and indices from the root, `/` before each. A
/// list's entry that we have beyond the recorded ones is `+name`, one that we lack `-name`.
pub fn differences(call: &str, theirs: &Value, ours: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(call, "", theirs, ours, &mut found);
    found
}

/// What is another in each installation or at each time.
fn is_mapped(path: &str, theirs: &Value, ours: &Value) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name {
        // Of the cluster and the build.
        "kafka_cluster_id" | "commit" => ours.is_string(),
        // Positions and times in PostgreSQL.
        "lsn" | "txId" | "ts_usec" | "last_modified" => theirs.is_number() && ours.is_number(),
        // Debezium's texts are its own.
        "documentation" => ours.as_str().is_some_and(|text| !text.is_empty()),
        // A stack trace: ours says the same as the exception's message.
        "trace" => {
            let said = theirs.as_str().and_then(|trace| trace.lines().next());
            let said = said.and_then(|line| line.split_once(": "));
            said.zip(ours.as_str())
                .is_some_and(|((_, message), ours)| ours.contains(message))
        }
        "message" => theirs.as_str().map(comparable) == ours.as_str().map(comparable),
        _ => false,
    }
}

/// Without where a Java class was loaded from, and where in a text its JSON parser stood.
fn comparable(message: &str) -> String {
    let message = message.split("\n at [Source").next().unwrap_or_default();
    match message.split_once("location='") {
        Some((before, _)) => before.to_owned(),
        None => message.to_owned(),
    }
}

/// The name under which entries of a list are compared, where their place is not what matters.
fn entry_name(entry: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let (Value::String(class), Value::String(kind)) = (&entry["class"], &entry["type"]) {
        return Some(format!("{class} {kind}"));
    }
    text(&entry["definition"]["name"])
        .or_else(|| text(entry.get("display_name").and(entry.get("name"))?))
}

fn compare(call: &str, path: &str, theirs: &Value, ours: &Value, found: &mut Vec<Difference>) {
    if is_mapped(path, theirs, ours) {
        return;
    }
    match (theirs, ours) {
        (Value::Object(left), Value::Object(right)) => {
            for (name, theirs) in left {
                let ours = right.get(name).unwrap_or(&Value::Null);
                compare(call, &format!("{path}/{name}"), theirs, ours, found);
            }
            for (name, value) in right {
                // What we add to a stored position; Debezium ignores it.
                if !left.contains_key(name) && !name.starts_with("tributary_") {
                    compare(call, &format!("{path}/{name}"), &Value::Null, value, found);
                }
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            let names =
                |list: &[Value]| -> Option<Vec<String>> { list.iter().map(entry_name).collect() };
            match (names(left), names(right)) {
                (Some(left_names), Some(right_names)) if !left.is_empty() => {
                    compare_named(
                        call,
                        path,
                        (left, &left_names),
                        (right, &right_names),
                        found,
                    );
                }
                _ => {
                    for i in 0..left.len().max(right.len()) {
                        let at = |list: &[Value]| list.get(i).cloned().unwrap_or_default();
                        compare(call, &format!("{path}/{i}"), &at(left), &at(right), found);
                    }
                }
            }
        }
        _ if theirs == ours => {}
        _ => found.push(Difference::new(path, theirs.to_string(), ours.to_string())),
    }
}

/// Entries with names: each with its own, in the recorded order.
fn compare_named(
    call: &str,
    path: &str,
    (left, left_names): (&[Value], &[String]),
    (right, right_names): (&[Value], &[String]),
    found: &mut Vec<Difference>,
) {
    let mut last = None;
    for (theirs, name) in left.iter().zip(left_names) {
        match right_names.iter().position(|other| other == name) {
            Some(i) => {
                if last.is_some_and(|last| i < last) {
                    let path = format!("{path}/{name}");
                    found.push(Difference::new(
                        &path,
                        "in another place",
                        format!("at {i}"),
                    ));
                }
                last = Some(i);
                let ours = right.get(i).unwrap_or(&Value::Null);
                compare(call, &format!("{path}/{name}"), theirs, ours, found);
            }
            None => {
                let path = format!("{path}/-{name}");
                found.push(Difference::new(&path, theirs.to_string(), "nothing"));
            }
        }
    }
    for (ours, name) in right.iter().zip(right_names) {
        if !left_names.contains(name) {
            let path = format!("{path}/+{name}");
            found.push(Difference::new(&path, "nothing", ours.to_string()));
        }
    }
}
