//! What somebody may have meant.

/// The name that differs least from a misspelt one; None where none is near. A misspelling changes a character in four at
/// most, and one anyway.
pub fn nearest<'a>(misspelt: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = 1 + misspelt.chars().count() / 4;
    names
        .map(|name| (strsim::levenshtein(misspelt, name), name))
        .min()
        .filter(|(distance, _)| *distance <= near)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_was_meant() {
        let names = ["slot.name", "topic.prefix", "x"];
        for (misspelt, meant) in [
            ("slot.nmae", Some("slot.name")),
            ("topicprefix", Some("topic.prefix")),
            ("y", Some("x")),
            ("zzz", None),
            ("", Some("x")),
        ] {
            assert_eq!(nearest(misspelt, names.into_iter()), meant, "{misspelt}");
        }
    }
}
