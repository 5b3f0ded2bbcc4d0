//! A lake's URL -> the object store it names.

use std::{
    path::{Path as FilePath, PathBuf},
    sync::Arc,
    time::Duration,
};

use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use object_store::{
    ObjectStore, ObjectStoreScheme, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    path::Path,
    prefix::PrefixStore,
};
use url::Url;

use super::{
    activity::CommitActivity, client_options::client_options, durable_disk::DurableDisk, probe,
};
use crate::{Error, ErrorKind, LakeConfig};

/// How long one request may be retried below us. The commit protocol above retries by what it reads back from the
/// table, so this stays short of a human's patience.
const REQUEST_RETRY_TIMEOUT: Duration = Duration::from_secs(30);

/// The root of a lake on an object store that is known to refuse overwriting (`If-None-Match: *`).
#[derive(Debug, Clone)]
pub struct Lake {
    store: Arc<dyn ObjectStore>,
    /// The store's own root, without the lake's folder.
    origin: Url,
    root: Path,
    /// Commits that were made through this value and its clones.
    activity: Arc<CommitActivity>,
}

impl Lake {
    /// Open the lake and prove that its store keeps two writers apart. Local folders are made.
    ///
    /// # Errors
    /// `Configuration` for a URL that names no store, `UnsafeStore` if the store overwrites where it must not,
    /// `Permission` and `Storage` as the store answers.
    pub async fn open(config: &LakeConfig) -> Result<Self, Error> {
        super::certificate::check(config).await?;
        if let Some(folder) = local_folder(config)? {
            std::fs::create_dir_all(&folder)
                .map_err(|error| unusable(config).with_source(error))?;
        }
        Self::prove(Self::connect(config)?).await
    }

    /// Prove that the lake's store keeps two writers apart.
    ///
    /// # Errors
    /// `UnsafeStore` if it overwrites where it must not, `Permission` and `Storage` as it answers.
    pub async fn prove(lake: Self) -> Result<Self, Error> {
        let key = lake.path(&probe::fresh_key());
        probe::conditional_put(lake.store().as_ref(), &key).await?;
        Ok(lake)
    }

    /// The same without a request: for readers, which need no proof. They make nothing: a local folder must be there.
    ///
    /// # Errors
    /// `Configuration` for a URL that names no store, or a folder that does not exist.
    pub fn connect(config: &LakeConfig) -> Result<Self, Error> {
        let (store, origin, root) = match (local_folder(config)?, Url::parse(&config.url)) {
            (Some(folder), _) => local(config, &folder)?,
            (None, Ok(url)) if url.scheme() == "s3" || url.scheme() == "s3a" => s3(config, &url)?,
            (None, Ok(url)) => any(config, &url)?,
            (None, Err(error)) => return Err(unusable(config).with_source(error)),
        };
        Ok(Self {
            store,
            origin,
            root,
            activity: Arc::default(),
        })
    }

    /// A lake on a store that the caller made: `origin` is the URL of the store's root.
    pub fn on_store(store: Arc<dyn ObjectStore>, origin: Url, root: Path) -> Self {
        Self {
            store,
            origin,
            root,
            activity: Arc::default(),
        }
    }

    pub(crate) fn activity(&self) -> &Arc<CommitActivity> {
        &self.activity
    }

    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The lake's folder within its store.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The URL of the store's root: where a reader registers [`Self::store`].
    pub fn origin(&self) -> &Url {
        &self.origin
    }

    /// A path within the store, from one relative to the lake's root.
    pub fn path(&self, relative: &str) -> Path {
        relative
            .split('/')
            .filter(|part| !part.is_empty())
            .fold(self.root.clone(), |path, part| path.join(part))
    }

    /// The URL of a table by its folder below the root, with a slash at the end.
    ///
    /// # Errors
    /// `Configuration`: the folder cannot stand in a URL.
    pub fn table_url(&self, relative: &str) -> Result<Url, Error> {
        let mut url = self.origin.clone();
        url.set_path(&format!("/{}/", self.path(relative)));
        Ok(url)
    }

    /// The Delta log of the table in this folder. The commit is a conditional PUT of the store itself.
    ///
    /// # Errors
    /// As [`Self::table_url`].
    pub fn log_store(&self, relative: &str) -> Result<LogStoreRef, Error> {
        let prefixed = PrefixStore::new(Arc::clone(&self.store), self.path(relative));
        Ok(default_logstore(
            Arc::new(prefixed),
            Arc::clone(&self.store),
            &self.table_url(relative)?,
            &StorageConfig::default(),
        ))
    }
}

/// The S3 server that is not Amazon's, without a slash at the end.
///
/// # Errors
/// `Configuration`: it is no URL of a server. The object store's library does not look before its first request, and
/// panics then.
pub(super) fn endpoint(config: &LakeConfig) -> Result<Option<&str>, Error> {
    let Some(endpoint) = config.endpoint.as_deref() else {
        return Ok(None);
    };
    let wrong = || {
        Error::new(
            ErrorKind::Configuration,
            format!("use `{endpoint}` as the endpoint of the lake (lake.endpoint)"),
        )
        .with_hint(
            "write it with its scheme, as `http://127.0.0.1:9000` or `https://minio.example.com`",
        )
    };
    let url = Url::parse(endpoint).map_err(|error| wrong().with_source(error))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong());
    }
    Ok(Some(endpoint.trim_end_matches('/')))
}

/// Whether `url` can be that of a lake, as far as this is known without a look at the store.
///
/// # Errors
/// `Configuration`: it names no store, or one that is not built in.
pub fn check_url(url: &str) -> Result<(), Error> {
    let config = LakeConfig::new(url);
    if local_folder(&config)?.is_some() {
        return Ok(());
    }
    let url = Url::parse(url).map_err(|error| unusable(&config).with_source(error))?;
    match url.scheme() {
        "s3" | "s3a" => bucket(&config, &url).map(drop),
        _ => any(&config, &url).map(drop),
    }
}

/// Whether `endpoint` can be that of an S3 server.
///
/// # Errors
/// `Configuration`: it is no URL of a server.
pub fn check_endpoint(text: &str) -> Result<(), Error> {
    let mut config = LakeConfig::new("");
    config.endpoint = Some(text.to_owned());
    endpoint(&config).map(drop)
}

type Opened = (Arc<dyn ObjectStore>, Url, Path);

fn unusable(config: &LakeConfig) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("open the lake at `{}`", config.url),
    )
    .with_hint("name it as `s3://bucket/prefix`, `file:///folder` or a local folder")
}

fn origin(config: &LakeConfig, text: &str) -> Result<Url, Error> {
    Url::parse(text).map_err(|error| unusable(config).with_source(error))
}

/// The folder of the local disk that the URL names; None if it names another store.
pub(super) fn local_folder(config: &LakeConfig) -> Result<Option<PathBuf>, Error> {
    match Url::parse(&config.url) {
        Ok(url) if url.scheme() == "file" => {
            url.to_file_path().map(Some).map_err(|()| unusable(config))
        }
        Err(url::ParseError::RelativeUrlWithoutBase) => Ok(Some(PathBuf::from(&config.url))),
        Ok(_) => Ok(None),
        Err(error) => Err(unusable(config).with_source(error)),
    }
}

fn local(config: &LakeConfig, folder: &FilePath) -> Result<Opened, Error> {
    let folder = folder.canonicalize().map_err(|error| {
        let attempted = unusable(config);
        if error.kind() == std::io::ErrorKind::NotFound {
            attempted.with_hint("there is no such folder: check the spelling of the lake's URL")
        } else {
            attempted
        }
        .with_source(error)
    })?;
    let root =
        Path::from_absolute_path(&folder).map_err(|error| unusable(config).with_source(error))?;
    Ok((
        Arc::new(DurableDisk::new()),
        origin(config, "file:///")?,
        root,
    ))
}

fn bucket<'a>(config: &LakeConfig, url: &'a Url) -> Result<&'a str, Error> {
    url.host_str()
        .filter(|bucket| !bucket.is_empty())
        .ok_or_else(|| unusable(config).with_hint("name the bucket: `s3://bucket/prefix`"))
}

/// A client of a bucket, with keys or a place to ask for them.
///
/// # Errors
/// `Configuration`: a setting is wrong, or keys are missing.
pub(super) fn s3_client(config: &LakeConfig, bucket: &str) -> Result<AmazonS3Builder, Error> {
    // Payload signatures cost three times the CPU of the upload; the transport and the ETag protect the bytes.
    let mut builder = super::credentials::begin(config, std::env::vars_os())
        .with_bucket_name(bucket)
        .with_virtual_hosted_style_request(config.virtual_hosted_style)
        .with_unsigned_payload(true)
        .with_retry(RetryConfig {
            retry_timeout: REQUEST_RETRY_TIMEOUT,
            ..RetryConfig::default()
        })
        .with_client_options(client_options(config)?);
    // Without the setting AWS_REGION and AWS_DEFAULT_REGION count, which stand in the builder by now, then us-east-1.
    if let Some(region) = &config.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = endpoint(config)? {
        builder = builder.with_endpoint(endpoint);
    }
    for (name, value) in &config.options {
        let parsed = name.to_ascii_lowercase().parse();
        let key: AmazonS3ConfigKey = parsed.map_err(|error: object_store::Error| {
            Error::new(
                ErrorKind::Configuration,
                format!("lake option `{name}`: object_store knows no such S3 setting"),
            )
            .with_source(error)
        })?;
        builder = builder.with_config(key, value);
    }
    super::credentials::check(config, &builder)?;
    Ok(builder)
}

fn s3(config: &LakeConfig, url: &Url) -> Result<Opened, Error> {
    let bucket = bucket(config, url)?;
    let store = s3_client(config, bucket)?
        .build()
        .map_err(|error| unusable(config).with_source(error))?;
    let root =
        Path::from_url_path(url.path()).map_err(|error| unusable(config).with_source(error))?;
    Ok((
        Arc::new(store),
        origin(config, &format!("s3://{bucket}/"))?,
        root,
    ))
}

fn any(config: &LakeConfig, url: &Url) -> Result<Opened, Error> {
    ObjectStoreScheme::parse(url).map_err(|error| unusable(config).with_source(error))?;
    let (store, root) = object_store::parse_url_opts(url, &config.options)
        .map_err(|error| unusable(config).with_source(error))?;
    let mut origin = url.clone();
    origin.set_path("/");
    Ok((Arc::from(store), origin, root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_stores() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("my lake");
        let config = LakeConfig::new(path.display().to_string());
        let error = Lake::connect(&config).expect_err("no folder yet");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.hint().contains("spelling"), "{}", error.hint());
        assert!(!path.exists(), "a reader made a folder");
        std::fs::create_dir(&path).expect("make the folder");
        let lake = Lake::connect(&config).expect("a folder");
        let url = lake.table_url("app/public.t/changes").expect("a url");
        assert_eq!(
            url.to_file_path().ok(),
            Some(
                path.canonicalize()
                    .expect("made")
                    .join("app/public.t/changes")
            )
        );

        let mut config = LakeConfig::new("s3://bucket/some/prefix");
        config.endpoint = Some("http://127.0.0.1:9000/".to_owned());
        config.allow_http = true;
        config.access_key = Some("key".to_owned());
        config.secret_key = Some(service::Secret::new("secret"));
        let lake = Lake::connect(&config).expect("s3");
        assert_eq!(lake.root().as_ref(), "some/prefix");
        assert_eq!(
            lake.table_url("a/b.c/changes").expect("a url").as_str(),
            "s3://bucket/some/prefix/a/b.c/changes/"
        );
    }

    #[test]
    fn a_url_is_judged_without_a_look_at_the_store() {
        for url in [
            "data/lake",
            "/data/lake",
            "file:///data",
            "s3://b/p",
            "s3a://b",
            "memory:///",
        ] {
            assert!(check_url(url).is_ok(), "{url}");
        }
        for url in [
            "gopher://x",
            "s3://",
            "s3:bucket",
            "hdfs://lake",
            "http://[",
        ] {
            let error = check_url(url).expect_err(url);
            assert_eq!(error.kind(), ErrorKind::Configuration, "{url}");
            assert!(error.hint().contains("s3://"), "{url}: {}", error.hint());
        }
        assert!(check_endpoint("http://minio:9000").is_ok());
        assert!(check_endpoint("minio:9000").is_err());
    }

    #[test]
    fn wrong_settings_are_named() {
        let error = Lake::connect(&LakeConfig::new("nonsense://x")).expect_err("no such store");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        for endpoint in [
            "127.0.0.1:9000",
            "minio:9000",
            "minio",
            "",
            "ftp://minio:9000",
            "http://",
        ] {
            let mut config = LakeConfig::new("s3://bucket");
            config.endpoint = Some(endpoint.to_owned());
            let error = Lake::connect(&config).expect_err("no endpoint");
            assert_eq!(error.kind(), ErrorKind::Configuration, "{endpoint}");
            assert!(error.hint().contains("http://"), "{}", error.hint());
        }
        let mut config = LakeConfig::new("s3://bucket");
        config.options.insert("colour".to_owned(), "red".to_owned());
        let error = Lake::connect(&config).expect_err("no such option");
        assert!(error.to_string().contains("colour"), "{error}");
    }
}
