//! The bucket of an S3 lake: made once, before the first writer starts.

use object_store::{
    aws::AwsAuthorizer,
    client::{HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector},
};

use super::{
    certificate::untrusted,
    client_options::client_options,
    credentials::signer,
    store::{endpoint, s3_client},
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
    let endpoint = endpoint(config)?.ok_or_else(|| {
        Error::new(ErrorKind::Configuration, attempted()).with_hint("set lake.endpoint")
    })?;
    let signer = signer(s3_client(config, name)?, attempted).await?;
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
    if let Some((credential, region)) = &signer {
        AwsAuthorizer::new(credential, "s3", region).authorize(&mut request, None);
    }
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        sync::mpsc,
    };

    use super::*;

    /// Answers each connection with keys, as a container's service does, and passes on what was asked.
    async fn server() -> (String, mpsc::Receiver<String>) {
        const KEYS: &str = r#"{"AccessKeyId":"KEY","SecretAccessKey":"SECRET","Token":"TOKEN","Expiration":"2999-01-01T00:00:00Z"}"#;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (asked, requests) = mpsc::channel(8);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(stream.read_u8().await.expect("a request"));
                }
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{KEYS}",
                    KEYS.len()
                );
                stream.write_all(answer.as_bytes()).await.expect("answered");
                let text = String::from_utf8_lossy(&request).into_owned();
                asked.send(text).await.expect("passed on");
            }
        });
        (format!("http://{address}"), requests)
    }

    #[tokio::test]
    async fn whoever_can_open_a_lake_can_make_its_bucket() {
        let (server, mut requests) = server().await;
        let mut config = LakeConfig::new("s3://lake");
        config.endpoint = Some(server.clone());
        config.allow_http = true;
        config.access_key = Some("half a pair".to_owned());
        let error = create_bucket(&config, "lake").await.expect_err("half");
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(
            error
                .to_string()
                .contains("lake.secret_access_key is not set"),
            "{error}"
        );

        config.access_key = None;
        config.region = Some("eu-test-1".to_owned());
        config.options.insert(
            "aws_container_credentials_full_uri".to_owned(),
            format!("{server}/keys"),
        );
        let token = tempfile::NamedTempFile::new().expect("a file");
        config.options.insert(
            "aws_container_authorization_token_file".to_owned(),
            token.path().display().to_string(),
        );
        let made = create_bucket(&config, "lake").await.expect("made");
        assert_eq!(made, Bucket::Created);
        let keys = requests.recv().await.expect("asked for keys");
        assert!(keys.starts_with("GET /keys "), "{keys}");
        let put = requests.recv().await.expect("asked for the bucket");
        assert!(
            put.starts_with("PUT /lake ")
                && put.contains("Credential=KEY/")
                && put.contains("/eu-test-1/s3/")
                && put.contains("TOKEN"),
            "{put}"
        );
    }
}
