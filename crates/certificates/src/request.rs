//! A key and the request for its certificate.

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, SanType};

use crate::problem::CertificateError;

/// A PKCS #10 request with its key. The key never shows itself.
pub struct Request {
    /// The request in PEM.
    pub request_pem: String,
    /// The key in PEM.
    pub key_pem: String,
}

/// Makes a request for a machine under its full name and others, with a new key (EC P-256) or the one that is given.
///
/// # Errors
/// When a name cannot stand in a certificate, or the key cannot be used.
pub fn request(name: &str, others: &[String], key_pem: Option<&str>) -> Result<Request, CertificateError> {
    if !name.contains('.') || name.contains(char::is_whitespace) || name.starts_with('*') {
        return Err(CertificateError::Asked(format!(
            "{name:?} is not a machine's full name (for instance web01.example.com); give it with --name"
        )));
    }
    let failed = |error: rcgen::Error| CertificateError::Asked(format!("cannot make the request: {error}"));
    let key = match key_pem {
        Some(pem) => KeyPair::from_pem(pem)
            .map_err(|error| CertificateError::Asked(format!("the key cannot be used: {error}")))?,
        None => KeyPair::generate().map_err(failed)?,
    };
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    for name in std::iter::once(name).chain(others.iter().map(String::as_str)) {
        params.subject_alt_names.push(match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(
                name.try_into().map_err(|_| CertificateError::Asked(format!("{name:?} is not a DNS name")))?,
            ),
        });
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let made = params.serialize_request(&key).map_err(failed)?;
    Ok(Request { request_pem: made.pem().map_err(failed)?, key_pem: key.serialize_pem() })
}
