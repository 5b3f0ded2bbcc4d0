//! `org.apache.kafka.connect.transforms.RegexRouter`: Java's regex and replacement syntax over this regex library.

use regex::Regex;

use crate::TopicRoute;

/// The transform's class name.
pub const REGEX_ROUTER: &str = "org.apache.kafka.connect.transforms.RegexRouter";

/// Why a router cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RouterError {
    #[error("`{0}` is not a regular expression that can be used here")]
    Regex(String, #[source] regex::Error),
    #[error("replacement `{0}`: `$` must be followed by a group's number or {{name}}")]
    Dollar(String),
    #[error("replacement `{0}`: the regex has no group `{1}`")]
    Group(String, String),
    #[error("replacement `{0}` ends in a single backslash")]
    Backslash(String),
}

/// A router that replaces the names which `regex` matches as a whole by `replacement` (Java's `$1`, `${name}`, `\$`).
///
/// # Errors
/// The regex uses what a linear-time engine does not have (look-around, back-references), or the replacement is wrong.
pub fn regex_router(regex: &str, replacement: &str) -> Result<TopicRoute, RouterError> {
    let compiled = Regex::new(&format!("^(?:{regex})$"))
        .map_err(|error| RouterError::Regex(regex.to_owned(), error))?;
    let replacement = rust_replacement(&compiled, replacement)?;
    Ok(TopicRoute {
        regex: compiled,
        replacement,
    })
}

/// The topic a record goes to after all routers, in order.
pub fn routed_topic(routes: &[TopicRoute], topic: String) -> String {
    routes.iter().fold(topic, |topic, route| {
        let Some(captures) = route.regex.captures(&topic) else {
            return topic;
        };
        let mut routed = String::new();
        captures.expand(&route.replacement, &mut routed);
        routed
    })
}

/// Java takes as many digits after `$` as still name a group, and a backslash makes the next character itself.
fn rust_replacement(regex: &Regex, java: &str) -> Result<String, RouterError> {
    let mut rust = String::with_capacity(java.len() + 8);
    let mut chars = java.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('$') => rust.push_str("$$"),
                Some(literal) => rust.push(literal),
                None => return Err(RouterError::Backslash(java.to_owned())),
            },
            '$' => {
                if chars.next_if_eq(&'{').is_some() {
                    let mut name = String::new();
                    loop {
                        match chars.next() {
                            Some('}') => break,
                            Some(letter) => name.push(letter),
                            None => return Err(RouterError::Dollar(java.to_owned())),
                        }
                    }
                    if !regex.capture_names().flatten().any(|known| known == name) {
                        return Err(RouterError::Group(java.to_owned(), name));
                    }
                    rust.push_str(&format!("${{{name}}}"));
                    continue;
                }
                let Some(mut group) = chars.next().and_then(|digit| digit.to_digit(10)) else {
                    return Err(RouterError::Dollar(java.to_owned()));
                };
                let groups = regex.captures_len();
                if group as usize >= groups {
                    return Err(RouterError::Group(java.to_owned(), group.to_string()));
                }
                while let Some(digit) = chars.peek().and_then(|next| next.to_digit(10)) {
                    let longer = group.saturating_mul(10).saturating_add(digit);
                    if longer as usize >= groups {
                        break;
                    }
                    group = longer;
                    chars.next();
                }
                rust.push_str(&format!("${{{group}}}"));
            }
            literal => rust.push(literal),
        }
    }
    Ok(rust)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renames_what_matches_as_a_whole() {
        for (regex, replacement, topic, want) in [
            (
                r"([^.]+)\.([^.]+)\.([^.]+)",
                "$3",
                "p.public.tweets",
                "tweets",
            ),
            (
                r"(.*)\.public\.(.*)",
                "twitter.$2",
                "p.public.users",
                "twitter.users",
            ),
            ("public", "x", "p.public.users", "p.public.users"),
            ("(a)(b)", "$2$1", "ab", "ba"),
            // $12 is group 1 and a literal 2 where there is no group 12.
            ("(a).*", "$12", "ab", "a2"),
            ("(?<word>a+)b", "${word}-$0", "aab", "aa-aab"),
            ("a", r"\$1\\", "a", r"$1\"),
            ("a", "_", "a", "_"),
            // No letter that follows is taken for a part of the group's name.
            ("(a)", "$1x", "a", "ax"),
        ] {
            let route = regex_router(regex, replacement).unwrap();
            assert_eq!(
                routed_topic(&[route], topic.to_owned()),
                want,
                "{regex} {replacement}"
            );
        }
    }

    #[test]
    fn routers_apply_in_order() {
        let routes = [
            regex_router("a(.*)", "b$1").unwrap(),
            regex_router("b(.*)", "c$1").unwrap(),
        ];
        assert_eq!(routed_topic(&routes, "a1".to_owned()), "c1");
    }

    #[test]
    fn refuses_what_java_refuses_and_what_is_not_linear() {
        for (regex, replacement) in [
            ("(a", "x"),
            ("(?=a)a", "x"),
            (r"(a)\1", "x"),
            ("a", "$1"),
            ("a", "$"),
            ("a", "$x"),
            ("a", "${no}"),
            ("a", "${no"),
            ("a", r"x\"),
        ] {
            assert!(
                regex_router(regex, replacement).is_err(),
                "{regex} {replacement}"
            );
        }
    }
}
