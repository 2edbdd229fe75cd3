//! What can go wrong with certificates, files and messages.

use std::path::PathBuf;

/// An error of identities or of the protocol. Never contains key material.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A file of an identity cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: read, write, create.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make {what}: {source}")]
    Certificate {
        /// Which one.
        what: &'static str,
        /// What the certificate library said.
        source: rcgen::Error,
    },
    /// A signing request is broken or not signed by its own key.
    #[error("the signing request is not valid: {0}")]
    SigningRequest(String),
    /// A certificate or key cannot be understood.
    #[error("cannot use {what}: {reason}")]
    Unusable {
        /// Which one, with its file where there is one.
        what: String,
        /// Why.
        reason: String,
    },
    /// TLS settings that cannot work together.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A fingerprint is not 64 hexadecimal digits.
    #[error("{0:?} is not a fingerprint: expected 64 hexadecimal digits (SHA-256), colons allowed")]
    Fingerprint(String),
    /// A batch cannot be decoded.
    #[error("the batch cannot be read: {0}")]
    Batch(String),
}
