//! What is read from a server's certificate beyond what webpki reads (RFC 5280).

use ring::digest::{self, digest};
use rustls::pki_types::UnixTime;
use x509_cert::{
    Certificate,
    der::{
        Decode as _, Encode as _, Tagged as _,
        asn1::{
            Ia5StringRef, ObjectIdentifier, PrintableStringRef, TeletexStringRef, Utf8StringRef,
        },
    },
    ext::pkix::{SubjectAltName, name::GeneralName},
};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The data of channel binding `tls-server-end-point` (RFC 5929): the certificate's digest by the hash function of its
/// signature, SHA-256 in place of MD5 and SHA-1. None where the signature names no hash function, as Ed25519's.
pub(crate) fn server_end_point(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(der).ok()?;
    let oid = certificate.signature_algorithm().oid.to_string();
    let algorithm = match oid.as_str() {
        // md5, sha1, sha256 with RSA; ECDSA with SHA1, SHA256
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => &digest::SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &digest::SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &digest::SHA512,
        _ => return None,
    };
    Some(digest(algorithm, der).as_ref().to_vec())
}

/// Whether `now` is within the time that the certificate is for.
pub(crate) enum Validity {
    Valid,
    NotYet,
    Over,
}

pub(crate) fn validity(der: &[u8], now: UnixTime) -> Option<Validity> {
    let certificate = Certificate::from_der(der).ok()?;
    let validity = certificate.tbs_certificate().validity();
    let seconds = now.as_secs();
    Some(
        if seconds < validity.not_before.to_unix_duration().as_secs() {
            Validity::NotYet
        } else if seconds > validity.not_after.to_unix_duration().as_secs() {
            Validity::Over
        } else {
            Validity::Valid
        },
    )
}

/// The public key, as a SubjectPublicKeyInfo.
pub(crate) fn public_key(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(der).ok()?;
    certificate
        .tbs_certificate()
        .subject_public_key_info()
        .to_der()
        .ok()
}

/// The subject's common names, where the certificate has no alternative name for a host. Libpq looks at them only then.
pub(crate) fn common_names(der: &[u8]) -> Vec<String> {
    let Ok(certificate) = Certificate::from_der(der) else {
        return Vec::new();
    };
    let body = certificate.tbs_certificate();
    let alternatives = match body.get_extension::<SubjectAltName>() {
        Ok(Some((_, names))) => names.0,
        Ok(None) => Vec::new(),
        Err(_) => return Vec::new(),
    };
    let for_a_host =
        |name: &GeneralName| matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_));
    if alternatives.iter().any(for_a_host) {
        return Vec::new();
    }
    body.subject()
        .iter()
        .filter(|attribute| attribute.oid == COMMON_NAME)
        .filter_map(|attribute| text(&attribute.value))
        .collect()
}

fn text(value: &x509_cert::der::Any) -> Option<String> {
    use x509_cert::der::Tag;
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all other tags of ASN.1 are alike here"
    )]
    let text = match value.tag() {
        Tag::Utf8String => value
            .decode_as::<Utf8StringRef<'_>>()
            .ok()?
            .as_str()
            .to_owned(),
        Tag::PrintableString => value
            .decode_as::<PrintableStringRef<'_>>()
            .ok()?
            .as_str()
            .to_owned(),
        Tag::Ia5String => value
            .decode_as::<Ia5StringRef<'_>>()
            .ok()?
            .as_str()
            .to_owned(),
        Tag::TeletexString => value
            .decode_as::<TeletexStringRef<'_>>()
            .ok()?
            .as_str()
            .to_owned(),
        _ => return None,
    };
    // A zero byte within would end the name for some readers and not for others.
    (!text.contains('\0')).then_some(text)
}

/// Whether `pattern`, perhaps `*.example.com`, is for `host`. The star stands for one label.
pub(crate) fn is_for(pattern: &str, host: &str) -> bool {
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    match (pattern.strip_prefix("*."), host.split_once('.')) {
        (Some(domain), Some((label, rest))) => {
            !label.is_empty() && domain.contains('.') && domain.eq_ignore_ascii_case(rest)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(names: &[&str], algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "db.example.com");
        params.self_signed(&key).expect("signed").der().to_vec()
    }

    #[test]
    fn the_hash_is_the_signatures() {
        for (algorithm, length) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(32)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(48)),
            (&rcgen::PKCS_ED25519, None),
        ] {
            let binding = server_end_point(&certificate(&["x"], algorithm));
            assert_eq!(binding.map(|data| data.len()), length, "{algorithm:?}");
        }
        assert_eq!(server_end_point(b"hello"), None);
    }

    #[test]
    fn the_common_name_counts_only_without_alternatives() {
        let algorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
        assert_eq!(
            common_names(&certificate(&[], algorithm)),
            ["db.example.com"]
        );
        for name in ["other.example.com", "127.0.0.1"] {
            assert_eq!(common_names(&certificate(&[name], algorithm)), [""; 0]);
        }
        assert_eq!(common_names(b"hello"), [""; 0]);
    }

    #[test]
    fn a_star_is_one_label() {
        for (pattern, host, want) in [
            ("db.example.com", "DB.example.com", true),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.com", "example.com", false),
            ("*", "db", false),
            ("d*.example.com", "db.example.com", false),
            ("127.0.0.1", "127.0.0.1", true),
        ] {
            assert_eq!(is_for(pattern, host), want, "{pattern} {host}");
        }
    }
}
