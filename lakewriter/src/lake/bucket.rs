//! The bucket of an S3 lake: made once, before the first writer starts.

use object_store::{
    aws::{AwsAuthorizer, AwsCredential},
    client::{HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector},
};

use super::{
    certificate::untrusted,
    store::{client_options, endpoint},
};
use crate::{Error, ErrorKind, LakeConfig, error::storage_error};

/// Whether a bucket had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    Created,
    Exists,
}

/// CreateBucket of the S3 API on the lake's endpoint, path style.
///
/// # Errors
/// `Configuration` without endpoint or keys, `Permission` for wrong ones, `Storage` if the server cannot be reached or
/// answers anything else than that the bucket is there.
pub async fn create_bucket(config: &LakeConfig, name: &str) -> Result<Bucket, Error> {
    let attempted = || format!("create bucket `{name}`");
    let missing = |what: &str| {
        Error::new(ErrorKind::Configuration, attempted()).with_hint(format!("set {what}"))
    };
    let endpoint = endpoint(config)?.ok_or_else(|| missing("lake.endpoint"))?;
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let credential = match (&config.access_key, &config.secret_key) {
        (Some(access_key), Some(secret_key)) => Some(AwsCredential {
            key_id: access_key.clone(),
            secret_key: secret_key.reveal().to_owned(),
            token: None,
        }),
        (None, None) => variable("AWS_ACCESS_KEY_ID")
            .zip(variable("AWS_SECRET_ACCESS_KEY"))
            .map(|(key_id, secret_key)| AwsCredential {
                key_id,
                secret_key,
                token: variable("AWS_SESSION_TOKEN"),
            }),
        (Some(_), None) | (None, Some(_)) => None,
    };
    let credential = credential.ok_or_else(|| {
        missing(
            "lake.access_key_id and lake.secret_access_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    })?;
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.method_mut() = "PUT"
        .parse()
        .map_err(|error| Error::new(ErrorKind::Storage, attempted()).with_source(error))?;
    *request.uri_mut() = format!("{endpoint}/{name}").parse().map_err(|error| {
        Error::new(
            ErrorKind::Configuration,
            format!("use `{endpoint}` as the endpoint of the lake"),
        )
        .with_source(error)
    })?;
    let of_environment = || variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let region = config
        .region
        .clone()
        .or_else(of_environment)
        .unwrap_or_else(|| "us-east-1".to_owned());
    AwsAuthorizer::new(&credential, "s3", &region).authorize(&mut request, None);
    let client = ReqwestConnector::default()
        .connect(&client_options(config)?)
        .map_err(|error| storage_error(attempted(), error))?;
    let response = client.execute(request).await.map_err(|error| {
        let attempted = format!("create bucket `{name}` at `{endpoint}`");
        match untrusted(&error) {
            Some(problem) => problem.error(attempted),
            None => Error::new(ErrorKind::Storage, attempted).with_source(error),
        }
    })?;
    let status = response.status().as_u16();
    let body = response
        .into_body()
        .bytes()
        .await
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    match status {
        200..300 => Ok(Bucket::Created),
        409 if body.contains("BucketAlreadyOwnedByYou") => Ok(Bucket::Exists),
        401 | 403 => Err(Error::new(ErrorKind::Permission, attempted()).with_source(body)),
        _ => Err(Error::new(
            ErrorKind::Storage,
            format!("create bucket `{name}`: the server answered {status}"),
        )
        .with_source(body)),
    }
}
