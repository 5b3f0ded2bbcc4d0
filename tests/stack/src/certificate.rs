use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// A certificate authority of a test.
#[derive(Debug)]
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM; the key is PKCS#8.
#[derive(Debug, Clone)]
pub struct Identity {
    pub certificate: String,
    pub key: String,
    /// The key in DER, as Java's clients of PostgreSQL have it.
    pub key_der: Vec<u8>,
}

impl Authority {
    /// A root certificate with this common name.
    pub fn new(name: &str) -> Result<Self> {
        let key = KeyPair::generate().context("make a root's key")?;
        let mut params = parameters(&[], name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let certificate = params.self_signed(&key).context("sign a root")?;
        Ok(Self {
            certificate,
            issuer: Issuer::new(params, key),
        })
    }

    /// The root certificate in PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A server's certificate for these host names and addresses.
    pub fn server(&self, hosts: &[&str]) -> Result<Identity> {
        let mut params = parameters(hosts, "a server")?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// A server's certificate that was good until 2021.
    pub fn expired_server(&self, hosts: &[&str]) -> Result<Identity> {
        let mut params = parameters(hosts, "an old server")?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(params)
    }

    /// A client's certificate with this common name.
    pub fn client(&self, common_name: &str) -> Result<Identity> {
        let mut params = parameters(&[], common_name)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Result<Identity> {
        let key = KeyPair::generate().context("make a key")?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .context("sign a certificate")?;
        Ok(Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            key_der: key.serialize_der(),
        })
    }
}

impl Identity {
    /// `<name>.crt` and `<name>.key` in a folder.
    pub fn write(&self, folder: &Path, name: &str) -> Result<(PathBuf, PathBuf)> {
        let certificate = folder.join(format!("{name}.crt"));
        let key = folder.join(format!("{name}.key"));
        std::fs::write(&certificate, &self.certificate).context("write a certificate")?;
        std::fs::write(&key, &self.key).context("write a key")?;
        Ok((certificate, key))
    }
}

fn parameters(hosts: &[&str], common_name: &str) -> Result<CertificateParams> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).context("name the hosts of a certificate")?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    Ok(params)
}
