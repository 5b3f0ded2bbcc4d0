//! Whose keys open an S3 lake. Without any, object_store asks the metadata service of an EC2 instance, which takes half
//! a minute of silence wherever there is none: it is asked only where somebody names it.

use std::{ffi::OsString, sync::Arc};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key, AwsCredential};

use crate::{Error, ErrorKind, LakeConfig};

/// Sources of keys that object_store knows, besides the instance's.
const SOURCES: [Key; 5] = [
    Key::AccessKeyId,
    Key::WebIdentityTokenFile,
    Key::ContainerCredentialsRelativeUri,
    Key::ContainerCredentialsFullUri,
    Key::MetadataEndpoint,
];

/// A builder with the `AWS_*` variables that object_store knows, and over them the keys of the settings. A session's token
/// belongs to the keys it was given out with: beside other keys every request would be refused.
pub(super) fn begin(
    config: &LakeConfig,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> AmazonS3Builder {
    let pair = config.access_key.as_ref().zip(config.secret_key.as_ref());
    let mut builder = AmazonS3Builder::new();
    for (name, value) in environment {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
            continue;
        };
        let known = name.starts_with("AWS_").then(|| name.to_ascii_lowercase());
        match known.and_then(|name| name.parse().ok()) {
            None => {}
            Some(Key::Token) if pair.is_some() => {}
            Some(key) => builder = builder.with_config(key, value),
        }
    }
    match pair {
        None => builder,
        Some((access_key, secret_key)) => builder
            .with_access_key_id(access_key)
            .with_secret_access_key(secret_key.reveal()),
    }
}

/// Whether there are keys, or a place to ask for them.
///
/// # Errors
/// `Configuration`, with the settings that are missing.
pub(super) fn check(config: &LakeConfig, builder: &AmazonS3Builder) -> Result<(), Error> {
    let missing = |what: &str| {
        Error::new(
            ErrorKind::Configuration,
            format!("open the lake at {}: {what}", config.place()),
        )
        .with_hint(
            "set lake.access_key_id and lake.secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; on an EC2 instance with a role set AWS_METADATA_ENDPOINT=http://169.254.169.254",
        )
    };
    match (&config.access_key, &config.secret_key) {
        (Some(_), None) => return Err(missing("lake.secret_access_key is not set")),
        (None, Some(_)) => return Err(missing("lake.access_key_id is not set")),
        (Some(_), Some(_)) | (None, None) => {}
    }
    if is_unsigned(builder)
        || SOURCES.iter().any(|key| {
            builder
                .get_config_value(key)
                .is_some_and(|value| !value.is_empty())
        })
    {
        return Ok(());
    }
    Err(missing("there are no keys for it"))
}

/// Whether requests go without keys (AWS_SKIP_SIGNATURE).
fn is_unsigned(builder: &AmazonS3Builder) -> bool {
    let unsigned = builder.get_config_value(&Key::SkipSignature);
    unsigned.as_deref() == Some("true")
}

/// What signs a request that object_store does not make itself: a pair of keys, and the region they are used in. None
/// where requests go unsigned.
///
/// # Errors
/// `Permission`: whoever is asked for keys gives none.
pub(super) async fn signer(
    builder: AmazonS3Builder,
    attempted: impl Fn() -> String,
) -> Result<Option<(Arc<AwsCredential>, String)>, Error> {
    if is_unsigned(&builder) {
        return Ok(None);
    }
    let region = builder.get_config_value(&Key::Region);
    let region = region.unwrap_or_else(|| "us-east-1".to_owned());
    let refused = |error| Error::new(ErrorKind::Permission, attempted()).with_source(error);
    let store = builder.build().map_err(refused)?;
    let provider = store.credentials();
    let credential = provider.get_credential().await.map_err(refused)?;
    Ok(Some((credential, region)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(config: &LakeConfig, settings: &[(Key, &str)]) -> Option<String> {
        let builder = settings
            .iter()
            .fold(AmazonS3Builder::new(), |builder, (key, value)| {
                builder.with_config(*key, *value)
            });
        let error = check(config, &builder).err()?;
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(
            error.hint().contains("lake.secret_access_key"),
            "{}",
            error.hint()
        );
        Some(error.to_string())
    }

    #[test]
    fn a_sessions_token_stays_with_its_keys() {
        let environment = || {
            [
                ("AWS_ACCESS_KEY_ID", "theirs"),
                ("AWS_SECRET_ACCESS_KEY", "theirs"),
                ("AWS_SESSION_TOKEN", "theirs"),
                ("AWS_REGION", "eu-test-1"),
                ("AWS_NO_SUCH_THING", "x"),
                ("PATH", "x"),
            ]
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .into_iter()
        };
        let has = |config: &LakeConfig, key: Key| {
            begin(config, environment())
                .get_config_value(&key)
                .unwrap_or_default()
        };
        let mut config = LakeConfig::new("s3://lake");
        assert_eq!(has(&config, Key::AccessKeyId), "theirs");
        assert_eq!(has(&config, Key::Token), "theirs");
        assert_eq!(has(&config, Key::Region), "eu-test-1");
        config.access_key = Some("mine".to_owned());
        config.secret_key = Some(service::Secret::new("mine"));
        assert_eq!(has(&config, Key::AccessKeyId), "mine");
        assert_eq!(has(&config, Key::SecretAccessKey), "mine");
        assert_eq!(has(&config, Key::Token), "");
        assert_eq!(has(&config, Key::Region), "eu-test-1");
    }

    #[test]
    fn an_instance_is_asked_only_where_it_is_named() {
        let mut config = LakeConfig::new("s3://lake/x");
        config.endpoint = Some("http://127.0.0.1:9000".to_owned());
        let told = checked(&config, &[]).expect("no keys");
        assert!(
            told.contains("s3://lake/x") && told.contains("127.0.0.1:9000"),
            "{told}"
        );
        for source in SOURCES {
            assert_eq!(checked(&config, &[(source, "x")]), None, "{source:?}");
        }
        assert_eq!(checked(&config, &[(Key::SkipSignature, "true")]), None);
        config.access_key = Some("k".to_owned());
        let told = checked(&config, &[(Key::AccessKeyId, "k")]).expect("half a pair");
        assert!(told.contains("lake.secret_access_key is not set"), "{told}");
    }
}
