//! TLS settings of both sides. The cryptography is ring's, passed explicitly; no process-wide provider is installed.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::authority::hex;
use crate::trust::{CertificateKey, ClientTrust, certificate_key};
use crate::{Credentials, WireError};

/// SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Fingerprint {
    type Err = WireError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || WireError::Fingerprint(text.to_owned());
        let stripped = text.strip_prefix("sha256:").unwrap_or(text);
        let digits: Vec<u8> = stripped
            .chars()
            .filter(|character| *character != ':')
            .map(|character| character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or_else(bad))
            .collect::<Result<_, _>>()?;
        if digits.len() != 64 {
            return Err(bad());
        }
        let mut bytes = [0_u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Ok(Self(bytes))
    }
}

/// The fingerprint of a certificate.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    let mut bytes = [0_u8; 32];
    bytes.copy_from_slice(digest.as_ref());
    Fingerprint(bytes)
}

/// What a checked client certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The agent, as the server named it at enrolment; under a foreign authority, what follows from it and the name.
    pub agent_id: String,
    /// The foreign authority and the machine's name, where the certificate is not of the group's own authority.
    pub foreign: Option<(Fingerprint, String)>,
    /// What the certificate is known by to its authority.
    pub key: CertificateKey,
    /// The subject's whole name.
    pub subject: String,
    /// The issuer's whole name.
    pub issuer: String,
    /// SHA-256 of the certificate.
    pub fingerprint: Fingerprint,
    /// Start of validity.
    pub not_before: SystemTime,
    /// End of validity.
    pub not_after: SystemTime,
}

impl PeerCertificate {
    /// When to ask for the next certificate: at two thirds of the validity.
    #[must_use]
    pub fn renew_at(&self) -> SystemTime {
        let validity = self.not_after.duration_since(self.not_before).unwrap_or_default();
        self.not_before + validity.mul_f64(2.0 / 3.0)
    }
}

/// Reads identity and validity from a certificate that TLS has already checked, or that lies in a file of ours.
///
/// # Errors
/// When it is not an X.509 certificate with a common name.
pub fn peer_certificate(certificate: &CertificateDer<'_>) -> Result<PeerCertificate, WireError> {
    let unusable = |reason: String| WireError::Unusable { what: "the agent's certificate".to_owned(), reason };
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| unusable(error.to_string()))?;
    let agent_id = parsed
        .subject()
        .iter_common_name()
        .next()
        .and_then(|name| name.as_str().ok())
        .ok_or_else(|| unusable("it has no common name".to_owned()))?
        .to_owned();
    let time = |seconds: i64| SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    Ok(PeerCertificate {
        agent_id,
        foreign: None,
        key: certificate_key(certificate).unwrap_or_default(),
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        fingerprint: fingerprint(certificate),
        not_before: time(parsed.validity().not_before.timestamp()),
        not_after: time(parsed.validity().not_after.timestamp()),
    })
}

/// The server's certificate, which can be replaced while the server runs; and one of a company's authority beside it,
/// for clients that say that they trust this authority (RFC 8446, 4.2.4).
#[derive(Debug)]
pub struct ServerCertificate {
    current: RwLock<Arc<CertifiedKey>>,
    company: RwLock<Option<Company>>,
}

#[derive(Debug)]
struct Company {
    key: Arc<CertifiedKey>,
    /// Names of the issuers in its chain, in DER.
    issuers: Vec<Vec<u8>>,
}

impl ServerCertificate {
    /// From PEM.
    ///
    /// # Errors
    /// When chain and key cannot be read or do not belong together.
    pub fn new(credentials: &Credentials) -> Result<Self, WireError> {
        Ok(Self { current: RwLock::new(certified_key(credentials)?), company: RwLock::default() })
    }

    /// Replaces the certificate for connections from now on.
    ///
    /// # Errors
    /// As [`ServerCertificate::new`]; the old one stays then.
    pub fn replace(&self, credentials: &Credentials) -> Result<(), WireError> {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = certified_key(credentials)?;
        Ok(())
    }

    /// Sets the company's certificate for connections from now on.
    ///
    /// # Errors
    /// As [`ServerCertificate::new`]; what was set before stays then.
    pub fn set_company(&self, credentials: Option<&Credentials>) -> Result<(), WireError> {
        let next = match credentials {
            None => None,
            Some(credentials) => {
                let key = certified_key(credentials)?;
                let issuer = |one: &CertificateDer<'_>| {
                    let (_, parsed) = x509_parser::parse_x509_certificate(one).ok()?;
                    Some(parsed.issuer().as_raw().to_vec())
                };
                Some(Company { issuers: key.cert.iter().filter_map(issuer).collect(), key })
            }
        };
        *self.company.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let company = self.company.read().unwrap_or_else(PoisonError::into_inner);
        if let (Some(company), Some(wanted)) = (&*company, hello.certificate_authorities()) {
            let own = self.current.read().unwrap_or_else(PoisonError::into_inner);
            let is_wanted = |name: &[u8]| wanted.iter().any(|wanted| wanted.as_ref() == name);
            let own_is_wanted = own.cert.iter().any(|one| {
                x509_parser::parse_x509_certificate(one).is_ok_and(|(_, parsed)| is_wanted(parsed.issuer().as_raw()))
            });
            if !own_is_wanted && company.issuers.iter().any(|name| is_wanted(name)) {
                return Some(Arc::clone(&company.key));
            }
        }
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn certified_key(credentials: &Credentials) -> Result<Arc<CertifiedKey>, WireError> {
    let unusable = |what: &str, reason: String| WireError::Unusable { what: what.to_owned(), reason };
    let chain = CertificateDer::pem_slice_iter(credentials.chain_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable("the server's certificate chain", error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(credentials.key_pem.as_bytes())
        .map_err(|error| unusable("the server's key", error.to_string()))?;
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &provider())?))
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// TLS for the agents' port: HTTP/2; a client certificate is checked when there is one. Enrolment comes without;
/// everything else asks for it. No session is taken up again: a certificate is looked at with every connection.
///
/// # Errors
/// When the protocol versions do not fit.
pub fn server_config(
    trust: Arc<ClientTrust>,
    certificate: Arc<ServerCertificate>,
) -> Result<Arc<ServerConfig>, WireError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(trust)
        .with_cert_resolver(certificate);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// Checks a server against the management group's authority and nothing else: known whole, or by its fingerprint (then
/// the server sends it along and it is checked to be the one).
#[derive(Debug)]
pub struct PinnedAuthority {
    trust: Trust,
    /// Names of the trusted authorities, which the server is told.
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Trust {
    Known(Arc<WebPkiServerVerifier>),
    Fingerprint(Fingerprint),
}

impl PinnedAuthority {
    /// Trusts the certificates in a PEM text.
    ///
    /// # Errors
    /// When there is no certificate in it.
    pub fn from_pem(pem: &str) -> Result<Self, WireError> {
        let unusable =
            |reason: String| WireError::Unusable { what: "the authority's certificate (ca_file)".to_owned(), reason };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(|error| unusable(error.to_string()))?)?;
        }
        if roots.is_empty() {
            return Err(unusable("there is no certificate in it".to_owned()));
        }
        let provider = Arc::new(provider());
        let hints = roots.subjects();
        let verifier = verifier(roots, &provider).map_err(|error| unusable(error.to_string()))?;
        Ok(Self { trust: Trust::Known(verifier), hints, provider })
    }

    /// Trusts the one authority with this fingerprint.
    #[must_use]
    pub fn from_fingerprint(fingerprint: Fingerprint) -> Self {
        Self { trust: Trust::Fingerprint(fingerprint), hints: Vec::new(), provider: Arc::new(provider()) }
    }
}

fn verifier(roots: RootCertStore, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verifier = match &self.trust {
            Trust::Known(verifier) => verifier.clone(),
            Trust::Fingerprint(pinned) => {
                let authority =
                    intermediates.iter().find(|candidate| fingerprint(candidate) == *pinned).ok_or_else(|| {
                        rustls::Error::General(format!(
                            "the server does not belong to the authority with the fingerprint {pinned}; check the \
                             fingerprint, or that nobody stands between agent and server"
                        ))
                    })?;
                let mut roots = RootCertStore::empty();
                roots.add(authority.clone().into_owned())?;
                verifier(roots, &self.provider)?
            }
        };
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        (!self.hints.is_empty()).then_some(self.hints.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_people_write_them() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        let expected: Fingerprint = plain.parse().unwrap();
        for text in [format!("sha256:{plain}"), colons] {
            assert_eq!(text.parse::<Fingerprint>().unwrap(), expected);
        }
        for text in ["", "ab", "zz", &"a".repeat(63)] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
