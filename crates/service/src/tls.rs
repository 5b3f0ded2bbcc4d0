//! What every TLS client here shares: the cryptography, root certificates, and a client's own certificate.

mod private_key;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject as _},
};

pub use private_key::private_key;

/// Why TLS could not be set up. The message names the file and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the message of each says what it is, and of which file"
)]
pub enum TlsFileError {
    #[error("read `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("read certificates from `{}`: it is not PEM that ends every section it begins", path.display())]
    Pem {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error(
        "read certificates from `{}`: there is none; it must hold `-----BEGIN CERTIFICATE-----`, or be one certificate in DER",
        path.display()
    )]
    NoCertificate { path: PathBuf },
    #[error("use the certificates of `{}` as roots", path.display())]
    Root {
        path: PathBuf,
        #[source]
        source: rustls::Error,
    },
    #[error(
        "use the system's root certificates: {reason}; name a file of root certificates instead"
    )]
    System { reason: String },
    #[error("read the private key `{}`: {reason}", path.display())]
    Key { path: PathBuf, reason: String },
}

/// The cryptography of all TLS here. Named in each configuration, because with two in the program there is no default.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificates of a file: PEM with any number of them, or one in DER.
///
/// # Errors
/// The file cannot be read or holds none.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let bytes = read(path)?;
    if !is_pem(&bytes) {
        // DER begins with a SEQUENCE; whether it is a certificate shows when it is used.
        return match bytes.first() {
            Some(0x30) => Ok(vec![CertificateDer::from(bytes)]),
            _ => Err(TlsFileError::NoCertificate {
                path: path.to_owned(),
            }),
        };
    }
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsFileError::Pem {
            path: path.to_owned(),
            source,
        })?;
    if found.is_empty() {
        return Err(TlsFileError::NoCertificate {
            path: path.to_owned(),
        });
    }
    Ok(found)
}

/// The roots in a PEM or DER file, such as `sslrootcert` of PostgreSQL or `ssl.ca.location` of Kafka.
///
/// # Errors
/// The file cannot be read, holds no certificate, or one that cannot be a root.
pub fn root_store(path: &Path) -> Result<RootCertStore, TlsFileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|source| TlsFileError::Root {
                path: path.to_owned(),
                source,
            })?;
    }
    Ok(roots)
}

/// The roots that the operating system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
///
/// # Errors
/// There are none.
pub fn system_root_store() -> Result<RootCertStore, TlsFileError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = match found.errors.first() {
            Some(error) => error.to_string(),
            None => "none are installed".to_owned(),
        };
        return Err(TlsFileError::System { reason });
    }
    Ok(roots)
}

/// A client's certificate, the intermediate ones after it, and its key.
#[derive(Debug)]
pub struct ClientCertificate {
    /// The client's own first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Of the first certificate of the chain.
    pub key: PrivateKeyDer<'static>,
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFileError> {
    crate::read_settings_file(path).map_err(|source| TlsFileError::Read {
        path: path.to_owned(),
        source,
    })
}

fn is_pem(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"-----BEGIN ").is_some()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_no_certificate_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("missing.pem");
        let text = root_store(&missing).expect_err("no file").to_string();
        assert!(text.contains("missing.pem"), "{text}");
        for (content, said) in [
            (&b"hello"[..], "there is none"),
            (b"", "there is none"),
            (
                b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n",
                "there is none",
            ),
            (b"-----BEGIN CERTIFICATE-----\nMAA=\n", "ends every section"),
            (
                b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
                "as roots",
            ),
        ] {
            let path = folder.path().join("roots.pem");
            fs::write(&path, content).expect("written");
            let text = root_store(&path).expect_err("no roots").to_string();
            assert!(text.contains(said) && text.contains("roots.pem"), "{text}");
        }
    }

    /// Waiting for a pipe blocks a thread of the runtime; a device has no end.
    #[test]
    fn a_pipe_and_a_huge_file_are_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let (pipe, huge) = (folder.path().join("pipe"), folder.path().join("huge"));
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .expect("a pipe");
        let file = fs::File::create(&huge).expect("a file");
        file.set_len((1 << 20) + 1).expect("grown");
        for path in [pipe.as_path(), &huge, folder.path()] {
            let (send, answer) = std::sync::mpsc::channel();
            let path = path.to_owned();
            std::thread::spawn(move || send.send(certificates(&path)));
            let answer = answer.recv_timeout(std::time::Duration::from_secs(10));
            let error = answer.expect("an answer").expect_err("refused");
            assert!(matches!(error, TlsFileError::Read { .. }), "{error}");
        }
    }

    #[test]
    fn roots_come_as_pem_and_as_der() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = |name: &str| {
            let key = rcgen::KeyPair::generate().expect("a key");
            let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
            params
                .distinguished_name
                .push(rcgen::DnType::CommonName, name);
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params.self_signed(&key).expect("a certificate")
        };
        let (one, two) = (root("one"), root("two"));
        let pem = folder.path().join("roots.pem");
        let text = format!("# two of them\n{}\n{}", one.pem(), two.pem());
        fs::write(&pem, text).expect("written");
        assert_eq!(root_store(&pem).expect("roots").len(), 2);
        let der = folder.path().join("root.der");
        fs::write(&der, one.der()).expect("written");
        assert_eq!(root_store(&der).expect("a root").len(), 1);
    }
}
