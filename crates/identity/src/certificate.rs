//! Certificates that applications sign with in the place of a secret: only the public half comes here.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::public_key::PublicKey;

/// The least of an RSA key.
const LEAST_RSA_BITS: usize = 2048;

/// A certificate whose key can sign assertions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-1 and SHA-256 of the certificate, as upper-case hexadecimal digits.
    pub thumbprint: String,
    pub thumbprint_sha256: String,
    pub subject: String,
    /// Seconds since the Unix epoch.
    pub not_before: i64,
    pub not_after: i64,
    key: Key,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
}

/// Why a file cannot be registered as a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateProblem {
    #[error(
        "the text holds a private key, which stays with the application: send the certificate alone, and take another \
         key if others could have seen this one"
    )]
    PrivateKey,
    #[error("the text holds no certificate; it starts with -----BEGIN CERTIFICATE-----")]
    None,
    #[error("the certificate cannot be read: {0}")]
    Damaged(String),
    #[error("the certificate's key is {0}; applications sign with RSA of 2048 bits or more, or EC P-256")]
    Key(String),
}

impl Certificate {
    /// The first certificate of a PEM text.
    pub fn from_pem(pem: &str) -> Result<Certificate, CertificateProblem> {
        if pem.contains("PRIVATE KEY-----") {
            return Err(CertificateProblem::PrivateKey);
        }
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(CertificateProblem::None);
        }
        let damaged = |error: &dyn std::fmt::Display| CertificateProblem::Damaged(error.to_string());
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| damaged(&error))?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).map_err(|error| damaged(&error))?;
        let key = match parsed.public_key().parsed().map_err(|error| damaged(&error))? {
            PublicKey::RSA(key) => {
                // the bits that count: the encoding has a zero before a number that would look negative
                let bare = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
                let (modulus, exponent) = (bare(key.modulus), bare(key.exponent));
                if modulus.len() * 8 < LEAST_RSA_BITS {
                    return Err(CertificateProblem::Key(format!("RSA of {} bits", modulus.len() * 8)));
                }
                Key::Rsa { modulus, exponent }
            }
            PublicKey::EC(point) if point.key_size() == 256 && point.data().first() == Some(&4) => {
                Key::P256(point.data().to_vec())
            }
            PublicKey::EC(point) => return Err(CertificateProblem::Key(format!("EC of {} bits", point.key_size()))),
            _ => return Err(CertificateProblem::Key("of another kind".to_owned())),
        };
        Ok(Certificate {
            thumbprint: hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &der).as_ref()),
            thumbprint_sha256: hex(digest(&SHA256, &der).as_ref()),
            subject: parsed.subject().to_string(),
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            key,
        })
    }

    /// Whether `signature` is this key's over `message` under a JWS algorithm; an algorithm that does not fit the key
    /// is not.
    pub(crate) fn signed(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        match (&self.key, algorithm) {
            (Key::Rsa { modulus: n, exponent: e }, "RS256") => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
            (Key::Rsa { modulus: n, exponent: e }, "PS256") => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, message, signature).is_ok()
            }
            (Key::P256(point), "ES256") => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

/// Upper-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};

    use super::*;

    pub(crate) fn made() -> (KeyPair, String) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = CertificateParams::new(vec!["app".to_owned()]).unwrap().self_signed(&key).unwrap();
        (key, certificate.pem())
    }

    #[test]
    fn a_certificate_is_read_and_a_private_key_is_not_taken() {
        let (key, pem) = made();
        let read = Certificate::from_pem(&pem).unwrap();
        assert_eq!((read.thumbprint.len(), read.thumbprint_sha256.len()), (40, 64));
        assert!(read.not_before < read.not_after, "{read:?}");
        let both = format!("{pem}{}", key.serialize_pem());
        assert_eq!(Certificate::from_pem(&both), Err(CertificateProblem::PrivateKey));
        assert_eq!(Certificate::from_pem("hello"), Err(CertificateProblem::None));
        let cut = pem.replace("MII", "AII");
        assert!(matches!(Certificate::from_pem(&cut), Err(CertificateProblem::Damaged(_))));
    }

    #[test]
    fn a_key_that_cannot_sign_assertions_is_refused() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let certificate = CertificateParams::new(vec!["app".to_owned()]).unwrap().self_signed(&key).unwrap();
        assert!(matches!(Certificate::from_pem(&certificate.pem()), Err(CertificateProblem::Key(_))));
    }
}
