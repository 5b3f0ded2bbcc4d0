//! Prometheus' text format, as far as our own pages use it.

use std::collections::BTreeMap;

/// One value with its labels.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// A page of numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page(Vec<Sample>);

impl Page {
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.filter_map(sample).collect())
    }

    /// Whether any name begins so.
    pub fn has(&self, beginning: &str) -> bool {
        self.0.iter().any(|it| it.name.starts_with(beginning))
    }

    /// The sum of all values of this name whose labels are these.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self
            .0
            .iter()
            .filter(|it| it.name == name && it.is_of(labels))
            .peekable();
        found.peek()?;
        Some(found.map(|it| it.value).sum())
    }
}

impl Sample {
    fn is_of(&self, labels: &[(&str, &str)]) -> bool {
        let is =
            |(name, value): &(&str, &str)| self.labels.get(*name).is_some_and(|it| it == value);
        labels.iter().all(is)
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (name, rest) = match line.split_once('{') {
        Some((name, rest)) => (name, Some(rest)),
        None => (line.split(' ').next()?, None),
    };
    let mut labels = BTreeMap::new();
    let value = match rest {
        None => line.get(name.len()..)?,
        Some(mut rest) => loop {
            rest = rest.trim_start_matches(',');
            if let Some(value) = rest.strip_prefix('}') {
                break value;
            }
            let (label, quoted) = rest.split_once("=\"")?;
            let (text, after) = unquoted(quoted)?;
            labels.insert(label.to_owned(), text);
            rest = after;
        },
    };
    let value = value.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// A label's value, and what stands behind its closing quote.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((text, quoted.get(at + 1..)?)),
            '\\' => match letters.next()?.1 {
                'n' => text.push('\n'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_labels() {
        let page = Page::parse(
            "# HELP a What it is.\na{connector=\"s,\\\"h}op\",op=\"c\"} 3\na{connector=\"s,\\\"h}op\",op=\"u\"} 4\nb 1.5\n# EOF\n",
        );
        let shop = ("connector", "s,\"h}op");
        assert_eq!(page.sum("a", &[shop]), Some(7.0));
        assert_eq!(page.sum("a", &[shop, ("op", "u")]), Some(4.0));
        assert_eq!(page.sum("a", &[("connector", "other")]), None);
        assert_eq!(page.sum("b", &[]), Some(1.5));
        assert!(page.has("b") && !page.has("c"));
    }
}
