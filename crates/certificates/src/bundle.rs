//! Files with certificates and keys: PEM, DER and PFX (PKCS #12).

use std::path::Path;

use p12_keystore::Pkcs12Archive;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::problem::CertificateError;

/// What a file holds. Its key never shows itself.
#[derive(Default)]
pub struct Bundle {
    /// In the file's order.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The private key, where there is one.
    pub key: Option<PrivateKeyDer<'static>>,
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Bundle")
            .field("certificates", &self.certificates.len())
            .field("key", &self.key.is_some())
            .finish()
    }
}

impl Bundle {
    /// Reads a file in whichever of the forms it is. The password is for PFX files.
    ///
    /// # Errors
    /// When it cannot be read, or is none of them.
    pub fn read(path: &Path, password: &str) -> Result<Self, CertificateError> {
        let bytes = std::fs::read(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source })?;
        Self::parse(&bytes, password).map_err(|reason| CertificateError::Contents { path: path.to_owned(), reason })
    }

    fn parse(bytes: &[u8], password: &str) -> Result<Self, String> {
        let is_pem = bytes.windows(11).any(|window| window == b"-----BEGIN ");
        if is_pem {
            return Self::parse_pem(bytes);
        }
        if x509_parser::parse_x509_certificate(bytes).is_ok() {
            return Ok(Self { certificates: vec![CertificateDer::from(bytes.to_vec())], key: None });
        }
        Self::parse_pfx(bytes, password)
    }

    fn parse_pem(bytes: &[u8]) -> Result<Self, String> {
        let has = |label: &str| String::from_utf8_lossy(bytes).contains(&format!("-----BEGIN {label}-----"));
        if has("ENCRYPTED PRIVATE KEY") || String::from_utf8_lossy(bytes).contains("Proc-Type: 4,ENCRYPTED") {
            return Err("the private key is encrypted; write it without a password first (openssl pkey -in FILE -out \
                        KEY), or give a PFX file with --password-file"
                .to_owned());
        }
        let certificates = CertificateDer::pem_slice_iter(bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("a certificate in it is damaged: {error}"))?;
        let key = match PrivateKeyDer::from_pem_slice(bytes) {
            Ok(key) => Some(key),
            Err(rustls_pki_types::pem::Error::NoItemsFound) => None,
            Err(error) => return Err(format!("the private key in it is damaged: {error}")),
        };
        Ok(Self { certificates, key })
    }

    fn parse_pfx(bytes: &[u8], password: &str) -> Result<Self, String> {
        let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|error| {
            format!(
                "it is neither PEM nor a certificate, and not a PFX file that this password opens ({error}); give its \
                 password with --password-file"
            )
        })?;
        let mut keys = archive.keys.iter();
        let key = keys.next().map(|bag| PrivateKeyDer::from(PrivatePkcs8KeyDer::from(bag.key.as_der().to_vec())));
        if keys.next().is_some() {
            return Err("there are several private keys in it; export the one certificate with its key".to_owned());
        }
        let certificates = archive.certs.iter().map(|bag| CertificateDer::from(bag.cert.as_der().to_vec())).collect();
        Ok(Self { certificates, key })
    }
}

/// The certificates of authorities in PEM files.
///
/// # Errors
/// When one cannot be read or holds none.
pub fn read_authorities<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let mut all = Vec::new();
    for path in paths {
        let bundle = Bundle::read(path, "")?;
        if bundle.certificates.is_empty() {
            let reason = "there is no certificate in it; name the file with the authority's certificate".to_owned();
            return Err(CertificateError::Contents { path: path.to_owned(), reason });
        }
        all.extend(bundle.certificates);
    }
    Ok(all)
}
