/// As many names as a line can hold.
const SHOWN: usize = 12;

/// What there is, as the end of a sentence that begins with "there": `are a, b and 3 more`, `is none`.
pub fn listed(names: &[impl AsRef<str>]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(SHOWN) {
        _ if names.is_empty() => "is none".to_owned(),
        0 if names.len() == 1 => format!("is {shown}"),
        0 => format!("are {shown}"),
        more => format!("are {shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_cut() {
        assert_eq!(listed(&[] as &[&str]), "is none");
        assert_eq!(listed(&["a"]), "is a");
        assert_eq!(listed(&["a", "b"]), "are a, b");
        let many: Vec<String> = (0..15).map(|n| format!("t{n}")).collect();
        assert!(listed(&many).ends_with("t10, t11 and 3 more"));
    }
}
