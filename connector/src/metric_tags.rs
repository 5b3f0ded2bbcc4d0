//! `custom.metric.tags`: further labels of a connector's metrics.

use service::metrics::list::labels_of_connectors;

/// Names and values of `name=value,name=value`. What Prometheus does not allow in a name becomes `_`.
///
/// # Errors
/// The rule that the text breaks.
pub fn metric_tags(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut tags: Vec<(String, String)> = Vec::new();
    for entry in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
        let Some((name, value)) = entry.split_once('=') else {
            return Err(format!("`{entry}` is not name=value"));
        };
        let mut label: String = name
            .trim()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        if label.is_empty() || label.starts_with(|c: char| c.is_ascii_digit()) {
            label.insert(0, '_');
        }
        if labels_of_connectors().any(|own| own == label)
            || tags.iter().any(|(known, _)| *known == label)
        {
            return Err(format!("there is another label `{label}`"));
        }
        tags.push((label, value.trim().to_owned()));
    }
    Ok(tags)
}

#[test]
fn tags_become_labels() {
    for (text, expected) in [
        ("", Ok(vec![])),
        (
            "env=prod, data-center = eu=1 ,",
            Ok(vec![("env", "prod"), ("data_center", "eu=1")]),
        ),
        ("1st=x", Ok(vec![("_1st", "x")])),
        ("env", Err("`env` is not name=value")),
        ("a-b=1,a_b=2", Err("there is another label `a_b`")),
        ("connector=x", Err("there is another label `connector`")),
        // Prometheus refuses a whole page that has a label twice.
        ("table=x", Err("there is another label `table`")),
    ] {
        let found = metric_tags(text);
        let found = found.as_ref().map(|tags| {
            let pairs = tags.iter();
            pairs
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect::<Vec<_>>()
        });
        let expected = expected.map_err(str::to_owned);
        assert_eq!(found.map_err(Clone::clone), expected, "{text}");
    }
}
