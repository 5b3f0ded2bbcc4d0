//! Private keys in files: PEM or DER, in the clear or encrypted, as Java's clients and OpenSSL write them.

use std::path::Path;

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::{PrivateKeyDer, pem, pem::PemObject as _};

use super::{TlsFileError, is_pem, read};
use crate::Secret;

/// The private key in a file: PEM (PKCS#8, PKCS#1, SEC1, or encrypted PKCS#8), or the same in DER, as Java's clients
/// have it.
///
/// # Errors
/// The file cannot be read, holds no key, or one that is encrypted in a way that cannot be undone with `password`.
pub fn private_key(
    path: &Path,
    password: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    let bytes = read(path)?;
    let refused = |reason: String| TlsFileError::Key {
        path: path.to_owned(),
        reason,
    };
    let is_pkcs12 = path
        .extension()
        .is_some_and(|extension| extension == "p12" || extension == "pfx");
    if is_pkcs12 {
        return Err(refused(
            "PKCS#12 is not supported: `openssl pkcs12 -in FILE -nodes -out client.pem` makes PEM of it, for the key and for the certificate".to_owned(),
        ));
    }
    let encrypted = if is_pem(&bytes) {
        match encrypted_section(&bytes) {
            Some(der) => der,
            None => return plain_pem(&bytes).map_err(refused),
        }
    } else {
        if let Ok(key) = PrivateKeyDer::try_from(bytes.as_slice()) {
            return Ok(key.clone_key());
        }
        bytes
    };
    decrypt(&encrypted, password).map_err(refused)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other errors of the library are alike here"
)]
fn plain_pem(bytes: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if memchr::memmem::find(bytes, b"Proc-Type: 4,ENCRYPTED").is_some() {
        return Err(format!("its encryption is OpenSSL's old one: {CONVERT}"));
    }
    PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => "there is none in it".to_owned(),
        other => other.to_string(),
    })
}

const CONVERT: &str = "convert it with `openssl pkcs8 -topk8 -v2 aes256 -in FILE -out client.key`";

/// The content of `ENCRYPTED PRIVATE KEY`.
fn encrypted_section(bytes: &[u8]) -> Option<Vec<u8>> {
    const LABEL: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    let start = memchr::memmem::find(bytes, LABEL.as_bytes())?;
    let (_, document) = pkcs8::der::Document::from_pem(end_of(bytes.get(start..)?)?).ok()?;
    Some(document.as_bytes().to_vec())
}

/// Up to the section's end, the line break left out.
fn end_of(section: &[u8]) -> Option<&str> {
    const END: &str = "-----END ENCRYPTED PRIVATE KEY-----";
    let end = memchr::memmem::find(section, END.as_bytes())? + END.len();
    std::str::from_utf8(section.get(..end)?).ok()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all other errors of the library are alike here"
)]
fn decrypt(der: &[u8], password: Option<&Secret>) -> Result<PrivateKeyDer<'static>, String> {
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der)
        .map_err(|_| "it is neither a private key nor PEM".to_owned())?;
    let Some(password) = password else {
        return Err("it is encrypted: set the key's password".to_owned());
    };
    if encrypted.encryption_algorithm.pbes2().is_none() {
        return Err(format!(
            "its encryption is not PBES2 (perhaps PBE-MD5-DES): {CONVERT}"
        ));
    }
    let plain = encrypted
        .decrypt(password.reveal())
        .map_err(|error| match error {
            pkcs8::Error::EncryptedPrivateKey(error) => {
                format!("it cannot be decrypted, the password may be wrong ({error})")
            }
            other => other.to_string(),
        })?;
    PrivateKeyDer::try_from(plain.as_bytes())
        .map(|key| key.clone_key())
        .map_err(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pkcs8::{PrivateKeyInfoRef, pkcs5::pbes2};
    use rcgen::KeyPair;

    use super::*;

    /// A file of `content`, and what is read from it.
    fn read_back(
        name: &str,
        content: &[u8],
        password: Option<&str>,
    ) -> Result<PrivateKeyDer<'static>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        fs::write(&path, content).expect("written");
        private_key(&path, password.map(Secret::new).as_ref()).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_come_as_pem_as_der_and_encrypted() {
        let key = KeyPair::generate().expect("a key");
        let plain = key.serialize_der();
        let parameters =
            pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(2048, b"saltsalt", [7; 16])
                .expect("parameters");
        let encrypted = PrivateKeyInfoRef::try_from(plain.as_slice())
            .expect("PKCS#8")
            .encrypt_with_params(parameters, "open sesame")
            .expect("encrypted");
        let encrypted_pem = encrypted
            .to_pem("ENCRYPTED PRIVATE KEY", pkcs8::LineEnding::LF)
            .expect("PEM");
        let password = Some("open sesame");
        for (name, content, password) in [
            ("client.key", key.serialize_pem().as_bytes(), None),
            ("client.pk8", &plain, None),
            ("client.pk8", &plain, password),
            ("client.pk8", encrypted.as_bytes(), password),
            ("client.key", encrypted_pem.as_bytes(), password),
        ] {
            let read = read_back(name, content, password).expect("a key");
            assert_eq!(read.secret_der(), plain, "{name}");
        }
        for (content, password, said) in [
            (encrypted.as_bytes(), None, "set the key's password"),
            (encrypted_pem.as_bytes(), None, "set the key's password"),
            (
                encrypted.as_bytes(),
                Some("guess"),
                "the password may be wrong",
            ),
            (
                b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
                password,
                "there is none in it",
            ),
            (b"hello", password, "neither a private key nor PEM"),
            (
                b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
                password,
                "openssl pkcs8 -topk8",
            ),
        ] {
            let error = read_back("client.key", content, password).expect_err("no key");
            assert!(
                error.contains(said) && error.contains("client.key"),
                "{error}"
            );
            assert!(
                !error.contains("sesame") && !error.contains("guess"),
                "{error}"
            );
        }
    }

    #[test]
    fn pkcs12_is_refused_with_the_remedy() {
        let error = read_back("client.p12", b"\x30\x03", None).expect_err("no key");
        assert!(error.contains("openssl pkcs12"), "{error}");
    }
}
