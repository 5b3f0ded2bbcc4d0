//! Verifies a server's certificate as libpq's OpenSSL does.
//!
//! webpki's rules hold, and beyond them a self-signed certificate that is trusted itself, and the subject's common
//! name where there is no alternative name.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
        verify_tls13_signature_with_raw_key,
    },
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::ParsedCertificate,
};

use crate::certificate::{Validity, common_names, is_for, public_key, validity};

/// What a server's certificate must be.
#[derive(Debug)]
pub(crate) enum Trust {
    /// Anything: `require` without root certificates.
    Anyone,
    /// Signed by one of these: `verify-ca`.
    Roots(Trusted),
    /// And for the host: `verify-full`.
    RootsAndHost(Trusted),
}

#[derive(Debug)]
pub(crate) struct Trusted {
    pub roots: RootCertStore,
    /// The same as they stand in the file. A server may show one of them itself: a certificate that signed itself, as
    /// the PostgreSQL manual makes them, is trusted by naming it.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// Verifies as libpq's OpenSSL does: webpki's rules, but also self-signed certificates that are trusted themselves, and
/// the subject's common name where there is no alternative name.
#[derive(Debug)]
pub(crate) struct ServerVerifier {
    trust: Trust,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerVerifier {
    pub(crate) fn new(trust: Trust, provider: &CryptoProvider) -> Arc<Self> {
        Arc::new(Self {
            trust,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    fn verify_chain(
        &self,
        trusted: &Trusted,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        if trusted.certificates.contains(certificate) {
            return match validity(certificate, now) {
                Some(Validity::Valid) => Ok(()),
                Some(Validity::NotYet) => Err(CertificateError::NotValidYet.into()),
                Some(Validity::Over) => Err(CertificateError::Expired.into()),
                None => Err(CertificateError::BadEncoding.into()),
            };
        }
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(certificate)?,
            &trusted.roots,
            intermediates,
            now,
            self.algorithms.all,
        )
    }
}

fn verify_host(certificate: &CertificateDer<'_>, host: &ServerName<'_>) -> Result<(), Error> {
    // A certificate that webpki cannot read (version 1) has no alternative names.
    let by_alternative_name = ParsedCertificate::try_from(certificate)
        .and_then(|parsed| verify_server_name(&parsed, host));
    let Err(error) = by_alternative_name else {
        return Ok(());
    };
    let names = common_names(certificate);
    if names.iter().any(|name| is_for(name, &host.to_str())) {
        return Ok(());
    }
    if names.is_empty() {
        return Err(error);
    }
    Err(CertificateError::NotValidForNameContext {
        expected: host.to_owned(),
        presented: names,
    }
    .into())
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.trust {
            Trust::Anyone => {}
            Trust::Roots(trusted) => {
                self.verify_chain(trusted, end_entity, intermediates, now)?;
            }
            Trust::RootsAndHost(trusted) => {
                self.verify_chain(trusted, end_entity, intermediates, now)?;
                verify_host(end_entity, server_name)?;
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    /// That the server has the certificate's key is verified even where the certificate itself is not: channel binding
    /// rests on it.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if ParsedCertificate::try_from(certificate).is_ok() {
            return verify_tls13_signature(message, certificate, signature, &self.algorithms);
        }
        // X.509 version 1, as `openssl x509 -req` makes without extensions: webpki does not read it.
        let key = public_key(certificate).ok_or(CertificateError::BadEncoding)?;
        verify_tls13_signature_with_raw_key(
            message,
            &SubjectPublicKeyInfoDer::from(key),
            signature,
            &self.algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer,
        KeyPair, date_time_ymd,
    };
    use service::tls::crypto_provider;

    use super::*;

    struct Authority {
        certificate: Certificate,
        issuer: Issuer<'static, KeyPair>,
    }

    fn authority() -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = date_time_ymd(2100, 1, 1);
        params.distinguished_name.push(DnType::CommonName, "a root");
        let certificate = params.self_signed(&key).expect("signed");
        Authority {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    fn server(authority: &Authority, names: &[&str], common_name: &str) -> CertificateDer<'static> {
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let signed = params.signed_by(&key, &authority.issuer).expect("signed");
        signed.der().clone()
    }

    fn trusted(certificate: &CertificateDer<'_>) -> Trusted {
        let certificate = certificate.clone().into_owned();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).expect("a root");
        Trusted {
            roots,
            certificates: vec![certificate],
        }
    }

    fn verify(
        trust: Trust,
        certificate: &CertificateDer<'_>,
        host: &str,
        year: u64,
    ) -> Result<(), Error> {
        let seconds = (year - 1970) * 31_557_600 + 86_400;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        ServerVerifier::new(trust, &crypto_provider())
            .verify_server_cert(certificate, &[], &name, &[], now)
            .map(|_| ())
    }

    #[test]
    fn each_mode_verifies_what_it_says() {
        let (known, unknown) = (authority(), authority());
        let certificate = server(&known, &["db.example.com", "127.0.0.1"], "ignored.example");
        let root = known.certificate.der();
        let unknown_root = unknown.certificate.der();
        for (trust, host, year, verified) in [
            (Trust::Anyone, "other", 2050, true),
            (Trust::Roots(trusted(root)), "other", 2025, true),
            (Trust::Roots(trusted(root)), "other", 2031, false),
            (Trust::Roots(trusted(root)), "other", 2019, false),
            (Trust::Roots(trusted(unknown_root)), "other", 2025, false),
            (
                Trust::RootsAndHost(trusted(root)),
                "db.example.com",
                2025,
                true,
            ),
            (Trust::RootsAndHost(trusted(root)), "127.0.0.1", 2025, true),
            (Trust::RootsAndHost(trusted(root)), "127.0.0.2", 2025, false),
            (Trust::RootsAndHost(trusted(root)), "other", 2025, false),
            (
                Trust::RootsAndHost(trusted(root)),
                "ignored.example",
                2025,
                false,
            ),
            (
                Trust::RootsAndHost(trusted(root)),
                "db.example.com",
                2031,
                false,
            ),
            (
                Trust::RootsAndHost(trusted(unknown_root)),
                "db.example.com",
                2025,
                false,
            ),
        ] {
            let label = format!("{host} {year}");
            let outcome = verify(trust, &certificate, host, year);
            assert_eq!(outcome.is_ok(), verified, "{label}: {outcome:?}");
        }
    }

    #[test]
    fn the_common_name_is_a_host_without_alternatives() {
        let known = authority();
        let certificate = server(&known, &[], "db.example.com");
        for (host, verified) in [("db.example.com", true), ("other.example.com", false)] {
            let trust = Trust::RootsAndHost(trusted(known.certificate.der()));
            let outcome = verify(trust, &certificate, host, 2025);
            assert_eq!(outcome.is_ok(), verified, "{host}: {outcome:?}");
        }
    }

    #[test]
    fn a_certificate_that_signed_itself_is_its_own_root() {
        let own = authority();
        let der = own.certificate.der();
        assert_eq!(verify(Trust::Roots(trusted(der)), der, "x", 2025), Ok(()));
        let stranger = authority();
        let outcome = verify(
            Trust::Roots(trusted(der)),
            stranger.certificate.der(),
            "x",
            2025,
        );
        assert!(outcome.is_err(), "{outcome:?}");
        let late = verify(Trust::Roots(trusted(der)), der, "x", 2101);
        assert_eq!(late, Err(CertificateError::Expired.into()));
    }
}
