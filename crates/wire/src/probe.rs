//! A TLS client that only looks: it notes what a server's certificate is worth and goes on, so that a probe can tell
//! the end of a certificate that is no longer good. Whoever uses it looks at the verdict before sending anything.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::WireError;

/// What was found out about a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// End of validity.
    pub not_after: SystemTime,
    /// Why it is not good; empty: it is.
    pub problem: String,
}

/// Judges the certificate of one connection.
pub struct CertificateJudge {
    verifier: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<rustls::crypto::CryptoProvider>,
    verdict: Mutex<Option<Verdict>>,
}

impl fmt::Debug for CertificateJudge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CertificateJudge").finish_non_exhaustive()
    }
}

impl CertificateJudge {
    /// With the authorities that are trusted, in DER; those that cannot be read are left out.
    #[must_use]
    pub fn new(authorities: impl IntoIterator<Item = CertificateDer<'static>>) -> Arc<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().ok();
        Arc::new(Self { verifier, provider, verdict: Mutex::new(None) })
    }

    /// What was found out; nothing before a server showed a certificate.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The settings of a client that asks this judge.
    ///
    /// # Errors
    /// When the cryptography has no protocol version in common.
    pub fn client(self: &Arc<Self>) -> Result<ClientConfig, WireError> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| WireError::Batch(format!("TLS: {error}")))?;
        let judge: Arc<dyn ServerCertVerifier> = Arc::<Self>::clone(self);
        Ok(builder.dangerous().with_custom_certificate_verifier(judge).with_no_client_auth())
    }
}

impl ServerCertVerifier for CertificateJudge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let not_after = x509_parser::parse_x509_certificate(end_entity)
            .ok()
            .and_then(|(_, parsed)| u64::try_from(parsed.validity().not_after.timestamp()).ok())
            .map_or(SystemTime::UNIX_EPOCH, |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let problem = match &self.verifier {
            None => "no authorities are known on this machine to check it with".to_owned(),
            Some(verifier) => verifier
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .err()
                .map_or_else(String::new, |error| error.to_string()),
        };
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(Verdict { not_after, problem });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
