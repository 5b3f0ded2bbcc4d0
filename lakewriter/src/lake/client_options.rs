use object_store::{Certificate, ClientOptions};

use crate::{Error, ErrorKind, LakeConfig};

/// How the S3 API is spoken to.
///
/// # Errors
/// `Configuration`: `lake.ca_file` cannot be used.
pub(super) fn client_options(config: &LakeConfig) -> Result<ClientOptions, Error> {
    let mut options = ClientOptions::new().with_allow_http(config.allow_http);
    let Some(path) = &config.ca_file else {
        return Ok(options);
    };
    let attempted = || {
        Error::new(
            ErrorKind::Configuration,
            format!(
                "trust the root certificates of `{}` (lake.ca_file)",
                path.display()
            ),
        )
    };
    // Read once by the reader that names what is wrong with a file, then handed over as it is.
    service::tls::root_store(path).map_err(|error| attempted().with_source(error))?;
    let pem = service::read_settings_file(path).map_err(|error| attempted().with_source(error))?;
    let certificates =
        Certificate::from_pem_bundle(&pem).map_err(|error| attempted().with_source(error))?;
    for certificate in certificates {
        options = options.with_root_certificate(certificate);
    }
    Ok(options)
}
