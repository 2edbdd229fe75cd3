//! What a certificate says of itself.

use std::time::{Duration, SystemTime};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey;

use crate::problem::CertificateError;

/// What is read from one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The whole subject.
    pub subject: String,
    /// Its common name.
    pub common_name: Option<String>,
    /// DNS names of the subject's alternative names, then addresses.
    pub names: Vec<String>,
    /// The whole issuer.
    pub issuer: String,
    /// Serial number in hexadecimal digits, as certificates are shown.
    pub serial: String,
    /// SHA-1 of the certificate, by which Windows names certificates.
    pub thumbprint: String,
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// Start of validity.
    pub not_before: SystemTime,
    /// End of validity.
    pub not_after: SystemTime,
    /// Kind and size of the key, for instance `RSA 2048`.
    pub key: String,
    /// The algorithm of the signature, by its name, else its number.
    pub signature: String,
}

impl Facts {
    /// Reads a certificate.
    ///
    /// # Errors
    /// When it is none.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, CertificateError> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
            .map_err(|error| CertificateError::Asked(format!("this is not an X.509 certificate: {error}")))?;
        Ok(Self::of_parsed(certificate, &parsed))
    }

    pub(crate) fn of_parsed(certificate: &CertificateDer<'_>, parsed: &X509Certificate<'_>) -> Self {
        let time =
            |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        Self {
            subject: parsed.subject().to_string(),
            common_name: common_name(parsed),
            names: names(parsed),
            issuer: parsed.issuer().to_string(),
            serial: hex(parsed.raw_serial()),
            thumbprint: hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref()),
            fingerprint: hex(digest(&SHA256, certificate).as_ref()),
            not_before: time(parsed.validity().not_before.timestamp()),
            not_after: time(parsed.validity().not_after.timestamp()),
            key: key(parsed),
            signature: signature(parsed).0,
        }
    }

    /// Whole days until the end; negative after it.
    #[must_use]
    pub fn days_left(&self, now: SystemTime) -> i64 {
        let days = |duration: Duration| i64::try_from(duration.as_secs() / 86_400).unwrap_or(i64::MAX);
        match self.not_after.duration_since(now) {
            Ok(left) => days(left),
            Err(since) => -days(since.duration()) - 1,
        }
    }
}

/// The serial number in the reversed order of bytes in which `MOMCertImport` keeps it.
#[must_use]
pub fn reversed_serial(serial: &str) -> String {
    let bytes: Vec<&str> = (0..serial.len() / 2).rev().filter_map(|at| serial.get(at * 2..at * 2 + 2)).collect();
    bytes.concat()
}

fn common_name(parsed: &X509Certificate<'_>) -> Option<String> {
    parsed.subject().iter_common_name().next()?.as_str().ok().map(str::to_owned)
}

fn names(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternative)) = parsed.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(std::net::IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from))
            .ok()
            .map(|address| address.to_string()),
        _ => None,
    };
    alternative.value.general_names.iter().filter_map(text).collect()
}

fn key(parsed: &X509Certificate<'_>) -> String {
    match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", bits(rsa.modulus)),
        Ok(PublicKey::EC(_)) => {
            let curve = parsed.public_key().algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
            match curve.map(|oid| oid.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7") => "EC P-256".to_owned(),
                Some("1.3.132.0.34") => "EC P-384".to_owned(),
                Some("1.3.132.0.35") => "EC P-521".to_owned(),
                other => format!("EC curve {}", other.unwrap_or("without a name")),
            }
        }
        _ if parsed.public_key().algorithm.algorithm.to_id_string() == "1.3.101.112" => "Ed25519".to_owned(),
        _ => format!("a key of algorithm {}", parsed.public_key().algorithm.algorithm),
    }
}

/// Bits of a big-endian number.
pub(crate) fn bits(number: &[u8]) -> usize {
    let digits: &[u8] = &number[number.iter().take_while(|byte| **byte == 0).count()..];
    digits.first().map_or(0, |first| digits.len() * 8 - first.leading_zeros() as usize)
}

/// The signature's algorithm, and whether it still proves anything.
pub(crate) fn signature(parsed: &X509Certificate<'_>) -> (String, bool) {
    let oid = parsed.signature_algorithm.algorithm.to_id_string();
    let (name, sound) = match oid.as_str() {
        "1.2.840.113549.1.1.2" => ("MD2 with RSA", false),
        "1.2.840.113549.1.1.4" => ("MD5 with RSA", false),
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => ("SHA-1 with RSA", false),
        "1.2.840.10045.4.1" => ("SHA-1 with ECDSA", false),
        "1.2.840.10040.4.3" => ("SHA-1 with DSA", false),
        "1.2.840.113549.1.1.10" => ("RSA-PSS", true),
        "1.2.840.113549.1.1.11" => ("SHA-256 with RSA", true),
        "1.2.840.113549.1.1.12" => ("SHA-384 with RSA", true),
        "1.2.840.113549.1.1.13" => ("SHA-512 with RSA", true),
        "1.2.840.10045.4.3.2" => ("SHA-256 with ECDSA", true),
        "1.2.840.10045.4.3.3" => ("SHA-384 with ECDSA", true),
        "1.2.840.10045.4.3.4" => ("SHA-512 with ECDSA", true),
        "1.3.101.112" => ("Ed25519", true),
        other => (other, true),
    };
    (name.to_owned(), sound)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_is_reversed_by_bytes() {
        assert_eq!(reversed_serial("1a2b3c"), "3c2b1a");
        assert_eq!(reversed_serial(""), "");
    }

    #[test]
    fn bits_are_counted_without_leading_zeros() {
        assert_eq!((bits(&[0, 0x80, 0]), bits(&[1]), bits(&[0]), bits(&[0x7f; 256])), (16, 1, 0, 2047));
    }
}
