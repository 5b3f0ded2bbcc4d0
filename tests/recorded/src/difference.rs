use std::fmt;

use serde_json::Value;

/// One place where ours is not what was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `key`, `headers`, `records`, `value`, `text`, `task`, or a JSON pointer.
    pub path: String,
    pub theirs: String,
    pub ours: String,
}

impl Difference {
    pub fn new(path: &str, theirs: impl Into<String>, ours: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            theirs: theirs.into(),
            ours: ours.into(),
        }
    }

    /// A topic has another number of records.
    pub fn of_counts(theirs: usize, ours: usize) -> Self {
        Self::new("records", theirs.to_string(), ours.to_string())
    }

    /// Whether it is the rank of an LSN.
    pub fn is_of_position(&self) -> bool {
        ["/source/lsn", "/source/sequence"]
            .iter()
            .any(|end| self.path.ends_with(end))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n    theirs {}\n    ours   {}",
            self.path, self.theirs, self.ours
        )
    }
}

/// Where two texts of JSON differ: in their values, or else in how they are written.
pub fn text_differences(theirs: &str, ours: &str) -> Vec<Difference> {
    let mut found = Vec::new();
    if theirs == ours {
        return found;
    }
    if let (Ok(theirs), Ok(ours)) = (serde_json::from_str(theirs), serde_json::from_str(ours)) {
        tree_differences("", &theirs, &ours, &mut found);
    }
    // Equal trees can be different texts.
    if found.is_empty() && !only_doubles_differ(theirs, ours) {
        found.push(Difference::new("text", theirs, ours));
    }
    found
}

/// Where two values differ. Fields are compared one by one where both have the same names in the same order, else the
/// whole is one difference, if it is one.
pub fn tree_differences(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<Difference>) {
    match (theirs, ours) {
        (Value::Object(their_fields), Value::Object(our_fields))
            if their_fields.keys().eq(our_fields.keys()) =>
        {
            for ((name, theirs), ours) in their_fields.iter().zip(our_fields.values()) {
                tree_differences(&format!("{path}/{name}"), theirs, ours, found);
            }
        }
        (Value::Array(their_items), Value::Array(our_items))
            if their_items.len() == our_items.len() =>
        {
            for (at, (theirs, ours)) in their_items.iter().zip(our_items).enumerate() {
                tree_differences(&format!("{path}/{at}"), theirs, ours, found);
            }
        }
        _ if theirs == ours => {}
        _ => found.push(Difference::new(path, theirs.to_string(), ours.to_string())),
    }
}

/// Java 17 does not always print the shortest digits of a double; nothing else may be spelled in two ways.
fn only_doubles_differ(theirs: &str, ours: &str) -> bool {
    let parts = |text: &str| -> Vec<String> {
        text.split([',', ':', '[', ']', '{', '}'])
            .map(str::to_owned)
            .collect()
    };
    let (theirs, ours) = (parts(theirs), parts(ours));
    theirs.len() == ours.len()
        && theirs.iter().zip(&ours).all(|(theirs, ours)| {
            theirs == ours
                || (theirs.contains('E')
                    && theirs
                        .parse::<f64>()
                        .is_ok_and(|number| ours.parse::<f64>() == Ok(number)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_where_they_do_and_texts_where_values_are_equal() {
        let paths = |theirs, ours| -> Vec<String> {
            let found = text_differences(theirs, ours);
            found.into_iter().map(|it| it.path).collect()
        };
        for (theirs, ours, expected) in [
            (r#"{"a":[1,{"b":2}]}"#, r#"{"a":[1,{"b":2}]}"#, &[][..]),
            (
                r#"{"a":[1,{"b":2}],"c":3}"#,
                r#"{"a":[1,{"b":4}],"c":5}"#,
                &["/a/1/b", "/c"],
            ),
            // Other fields, another length: the whole differs.
            (r#"{"a":1,"b":2}"#, r#"{"a":1,"c":2}"#, &[""]),
            (r#"{"a":[1]}"#, r#"{"a":[1,2]}"#, &["/a"]),
            // The same values in another order, or spelled in another way.
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, &["text"]),
            (r#"{"a":1}"#, r#"{"a": 1}"#, &["text"]),
            (r#"{"a":2.0E-323}"#, r#"{"a":2.0000E-323}"#, &[]),
            (r#"{"a":1.0}"#, r#"{"a":1.00}"#, &["text"]),
            ("Struct{a=1}", "Struct{a=2}", &["text"]),
        ] {
            assert_eq!(paths(theirs, ours), expected, "{theirs} {ours}");
        }
    }
}
