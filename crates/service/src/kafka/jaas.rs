/// User and password of a `sasl.jaas.config` line: `<login module> required username="..." password="...";`.
///
/// # Errors
/// The rule that it breaks; never its text, which holds the password.
pub(super) fn login(line: &str) -> Result<(String, String), String> {
    let module = line.split_whitespace().next().unwrap_or_default();
    let name = module.rsplit('.').next().unwrap_or_default();
    if !matches!(name, "PlainLoginModule" | "ScramLoginModule") {
        return Err(format!(
            "the login module `{name}` is not supported: PlainLoginModule and ScramLoginModule are"
        ));
    }
    let options = line.trim_start().get(module.len()..).unwrap_or_default();
    let option = |wanted: &str| {
        value(options, wanted).ok_or_else(|| {
            format!("it has no {wanted}: want <login module> required username=\"...\" password=\"...\";")
        })
    };
    Ok((option("username")?, option("password")?))
}

/// The value of an option, quoted or not; within quotes a backslash escapes.
fn value(mut text: &str, wanted: &str) -> Option<String> {
    loop {
        text = text.trim_start();
        let end = text.find(|c: char| c == '=' || c == ';' || c.is_whitespace())?;
        let (name, rest) = (text.get(..end)?, text.get(end..)?.trim_start());
        let Some(rest) = rest.strip_prefix('=') else {
            // `required` and other flags.
            text = rest.strip_prefix(';').unwrap_or(rest);
            if text.is_empty() {
                return None;
            }
            continue;
        };
        let (value, after) = one_value(rest.trim_start());
        if name == wanted {
            return Some(value);
        }
        text = after;
    }
}

fn one_value(text: &str) -> (String, &str) {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quote.is_some()));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' if quote.is_some() => value.extend(characters.next().map(|(_, c)| c)),
            c if Some(c) == quote => return (value, text.get(at + 1..).unwrap_or_default()),
            c if quote.is_none() && (c == ';' || c.is_whitespace()) => {
                return (value, text.get(at..).unwrap_or_default());
            }
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_read_as_java_reads_it() {
        const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
        const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
        for (line, user, password) in [
            (
                format!(r#"{PLAIN} required username="u" password="p=w;x y";"#),
                "u",
                "p=w;x y",
            ),
            (
                format!("{SCRAM} required\n  username='u'\n  password = 'it''s';"),
                "u",
                "it",
            ),
            (
                format!(r#"{SCRAM} required password="a\"b\\c" username=u;"#),
                "u",
                r#"a"b\c"#,
            ),
            (
                format!(r#"  {PLAIN} required serviceName="username=x" username="u" password="p""#),
                "u",
                "p",
            ),
        ] {
            assert_eq!(
                login(&line),
                Ok((user.to_owned(), password.to_owned())),
                "{line}"
            );
        }
        for (line, said) in [
            (format!("{PLAIN} required username=\"u\";"), "no password"),
            (format!("{PLAIN} required;"), "no username"),
            (String::new(), "not supported"),
            (
                "com.sun.security.auth.module.Krb5LoginModule required password=\"geheim\";"
                    .to_owned(),
                "`Krb5LoginModule`",
            ),
        ] {
            let rule = login(&line).expect_err("no login");
            assert!(rule.contains(said) && !rule.contains("geheim"), "{rule}");
        }
    }
}
