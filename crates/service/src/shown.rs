//! Settings in the form in which they may be printed.

use std::{borrow::Cow, collections::BTreeMap, fmt};

/// What stands in the place of a secret.
pub const HIDDEN: &str = "****";

/// URLs of the text with `****` for the password of `scheme://user:password@host`.
pub fn without_passwords(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after
            .find(['/', '?', '#', ',', ' ', '\n'])
            .unwrap_or(after.len());
        let (authority, path) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((login, host)) => {
                match login.split_once(':') {
                    Some((user, _)) => {
                        shown.push_str(user);
                        shown.push(':');
                        shown.push_str(HIDDEN);
                    }
                    None => shown.push_str(login),
                }
                shown.push('@');
                shown.push_str(host);
            }
            None => shown.push_str(authority),
        }
        rest = path;
    }
    shown.push_str(rest);
    if shown == text {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(shown)
    }
}

/// `Debug` of settings, with `****` for the values of those whose names `is_secret` admits, and for passwords in URLs.
pub struct ShownSettings<'a> {
    /// What is shown.
    pub settings: &'a BTreeMap<String, String>,
    /// Whether the value of this name is hidden.
    pub is_secret: fn(&str) -> bool,
}

impl fmt::Debug for ShownSettings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.settings.iter().map(|(name, value)| {
            let value = if (self.is_secret)(name) {
                Cow::Borrowed(HIDDEN)
            } else {
                without_passwords(value)
            };
            (name, value)
        });
        f.debug_map().entries(shown).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_urls_are_hidden() {
        for (text, want) in [
            ("plain: text @ home", "plain: text @ home"),
            ("http://r:8081/x@y:z", "http://r:8081/x@y:z"),
            ("http://u:p@r:8081/x", "http://u:****@r:8081/x"),
            ("http://u:p:q@w@r", "http://u:****@r"),
            ("http://u@r", "http://u@r"),
            (
                "https://a:b@c,http://d:e@f?g://h:i@j",
                "https://a:****@c,http://d:****@f?g://h:****@j",
            ),
            ("://", "://"),
            ("", ""),
        ] {
            assert_eq!(without_passwords(text), want);
        }
    }

    #[test]
    fn only_secrets_are_hidden() {
        let settings = [
            ("a.password", "hunter2"),
            ("b", "x"),
            ("c", "http://u:hunter2@r"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let shown = ShownSettings {
            settings: &BTreeMap::from(settings),
            is_secret: |name| name.ends_with("password"),
        };
        assert_eq!(
            format!("{shown:?}"),
            r#"{"a.password": "****", "b": "x", "c": "http://u:****@r"}"#
        );
    }
}
