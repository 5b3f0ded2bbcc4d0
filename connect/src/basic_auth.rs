//! HTTP basic authentication of the REST face, as Kafka Connect's BasicAuthSecurityRestExtension does it.

use std::{collections::BTreeMap, hint::black_box, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use service::Secret;

use connector::parse_properties;

/// Who may use the REST face.
#[derive(Debug, Clone)]
pub struct BasicAuth(BTreeMap<String, Secret>);

impl BasicAuth {
    /// One user.
    pub fn of(user: &str, password: &str) -> Self {
        Self(BTreeMap::from([(user.to_owned(), Secret::new(password))]))
    }

    /// Users and passwords from a `.properties` file, as Kafka Connect's PropertyFileLoginModule reads it.
    ///
    /// # Errors
    /// The file cannot be read, or names nobody.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let bytes = service::read_settings_file(path).map_err(|error| error.to_string())?;
        let users = parse_properties(&bytes).map_err(|error| error.to_string())?;
        if users.is_empty() {
            return Err("it names no user: want lines of `user: password`".to_owned());
        }
        let users = users.into_iter();
        Ok(Self(
            users
                .map(|(user, password)| (user, Secret::new(password)))
                .collect(),
        ))
    }

    /// Whether an `Authorization` header is of one of the users.
    pub fn admits(&self, header: Option<&[u8]>) -> bool {
        let Some((user, password)) = header.and_then(login) else {
            return false;
        };
        self.0
            .get(&user)
            .is_some_and(|known| equal(known.reveal().as_bytes(), password.as_bytes()))
    }
}

/// User and password of `Basic <base64>`.
fn login(header: &[u8]) -> Option<(String, String)> {
    let (scheme, token) = std::str::from_utf8(header).ok()?.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = STANDARD.decode(token.trim()).ok()?;
    let plain = String::from_utf8(plain).ok()?;
    let (user, password) = plain.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// In a time that does not tell how much of the password is right.
fn equal(known: &[u8], given: &[u8]) -> bool {
    let different = known
        .iter()
        .zip(given)
        .fold(known.len() ^ given.len(), |different, (a, b)| {
            black_box(different | usize::from(a ^ b))
        });
    different == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::fs;

    use super::*;

    #[test]
    fn only_the_named_users_are_admitted() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        fs::write(&file, "admin: s3cret:x\nother=o\n").unwrap();
        let auth = BasicAuth::from_file(&file).unwrap();
        let header = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (header, want) in [
            (header("admin:s3cret:x"), true),
            (header("other:o"), true),
            (header("admin:o"), false),
            (header("admin:s3cret:xy"), false),
            (header("admin:"), false),
            (header("nobody:o"), false),
            (header("other:o").replace("Basic", "Bearer"), false),
            ("Basic !!".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(auth.admits(Some(header.as_bytes())), want, "{header}");
        }
        assert!(!auth.admits(None));
        fs::write(&file, "# nobody\n").unwrap();
        assert!(BasicAuth::from_file(&file).is_err());
        assert!(!format!("{auth:?}").contains("s3cret"));
    }

    proptest! {
        #[test]
        fn arbitrary_headers_are_no_panic(header in prop::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(!BasicAuth::of("a", "b").admits(Some(&header)));
        }
    }
}
