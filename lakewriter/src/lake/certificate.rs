//! Whether the object store's certificate is trusted. Asked once at the start, because every request that fails for it
//! is tried again for half a minute.

use std::error::Error as StdError;

use object_store::client::{HttpConnector, HttpRequest, HttpRequestBody, ReqwestConnector};

use super::client_options::client_options;
use crate::{Error, ErrorKind, LakeConfig, error::storage_error};

/// What is wrong with a certificate, in rustls' words.
#[derive(Debug)]
pub(super) struct Untrusted(String);

/// How rustls begins its verdict on a server's certificate.
const VERDICT: &str = "invalid peer certificate: ";

/// The verdict in an error's chain.
pub(super) fn untrusted(error: &(dyn StdError + 'static)) -> Option<Untrusted> {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if let Some((_, verdict)) = text.split_once(VERDICT) {
            return Some(Untrusted(verdict.to_owned()));
        }
        next = error.source();
    }
    None
}

impl Untrusted {
    pub(super) fn error(self, attempted: impl Into<String>) -> Error {
        let hint = if self.0.starts_with("UnknownIssuer") {
            "name the root certificate that signed the endpoint's in lake.ca_file (or AWS_CA_BUNDLE)"
        } else if self.0.starts_with("expired") || self.0.starts_with("certificate expired") {
            "renew the endpoint's certificate (and check this machine's clock)"
        } else {
            "give the endpoint a certificate of X.509 version 3 for the name in lake.endpoint, that is no authority itself"
        };
        Error::new(ErrorKind::Configuration, attempted)
            .with_source(format!(
                "the endpoint's certificate is not trusted: {}",
                self.0
            ))
            .with_hint(hint)
    }
}

/// Send one request without credentials to an endpoint with TLS. Whatever it answers, it was trusted.
///
/// # Errors
/// `Configuration`: its certificate is not trusted.
pub async fn check(config: &LakeConfig) -> Result<(), Error> {
    let Some(endpoint) = config
        .endpoint
        .as_deref()
        .filter(|it| it.starts_with("https://"))
    else {
        return Ok(());
    };
    let attempted = || format!("reach the object store at `{endpoint}`");
    let client = ReqwestConnector::default()
        .connect(&client_options(config)?)
        .map_err(|error| storage_error(attempted(), error))?;
    let mut request = HttpRequest::new(HttpRequestBody::empty());
    *request.uri_mut() = endpoint.parse().map_err(|error| {
        Error::new(
            ErrorKind::Configuration,
            format!("use `{endpoint}` as the endpoint of the lake"),
        )
        .with_source(error)
    })?;
    match client.execute(request).await {
        Err(error) => untrusted(&error).map_or(Ok(()), |problem| Err(problem.error(attempted()))),
        Ok(_) => Ok(()),
    }
}
