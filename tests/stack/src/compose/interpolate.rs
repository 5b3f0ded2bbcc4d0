use anyhow::{Result, bail};

/// Puts values in place of `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME-default}`, as compose files use them;
/// `$$` is a dollar sign. What is not set counts as empty.
pub fn interpolate(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            result.push('$');
            rest = after;
        } else if let Some(braced) = after.strip_prefix('{') {
            let Some((expression, after)) = braced.split_once('}') else {
                bail!("`${{` without `}}` in `{text}`");
            };
            result.push_str(&expand(expression, value)?);
            rest = after;
        } else {
            let end = after
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            if name.is_empty() {
                bail!("a single `$` in `{text}`; write `$$` for a dollar sign");
            }
            result.push_str(&value(name).unwrap_or_default());
            rest = after;
        }
    }
    result.push_str(rest);
    Ok(result)
}

fn expand(expression: &str, value: &dyn Fn(&str) -> Option<String>) -> Result<String> {
    let end = expression
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(expression.len());
    let (name, operator) = expression.split_at(end);
    let found = value(name);
    if operator.is_empty() {
        Ok(found.unwrap_or_default())
    } else if let Some(default) = operator.strip_prefix(":-") {
        Ok(found
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| default.to_owned()))
    } else if let Some(default) = operator.strip_prefix('-') {
        Ok(found.unwrap_or_else(|| default.to_owned()))
    } else {
        bail!("`${{{expression}}}`: only `:-` and `-` are known here")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_defaults() {
        let value = |name: &str| match name {
            "SET" => Some("x".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (text, expected) in [
            ("a ${SET} b", "a x b"),
            ("$SET/${NONE}", "x/"),
            ("${NONE:-d:e}-${EMPTY:-d}-${EMPTY-d}-${SET:-d}", "d:e-d--x"),
            ("$$SET ${NONE-}", "$SET "),
        ] {
            assert_eq!(interpolate(text, &value).expect(text), expected);
        }
        for text in ["${SET", "1 $ 2", "${SET:?no}"] {
            assert!(interpolate(text, &value).is_err(), "{text}");
        }
    }
}
