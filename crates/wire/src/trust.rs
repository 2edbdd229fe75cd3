//! Whose certificates are taken: those of the management group's own authority, under which the identity is the common
//! name; and those of authorities that an administrator trusts, under which the identity follows from the authority and
//! the machine's name. A certificate that was revoked is refused at the handshake.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use uuid::Uuid;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::authority::hex;
use crate::tls::{PeerCertificate, fingerprint, peer_certificate};
use crate::{Fingerprint, WireError};

/// The name space of identities under foreign authorities: the same name under the same authority is the same machine.
const FOREIGN_NAMESPACE: Uuid = Uuid::from_u128(0x51e6_0f3d_8f0a_4b6e_a1f5_3d0c_94b2_7c48);

/// What a certificate is known by to its authority.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct CertificateKey {
    /// SHA-256 over the issuer's name, in hexadecimal digits.
    pub issuer: String,
    /// Serial number in hexadecimal digits.
    pub serial: String,
}

impl CertificateKey {
    /// From the issuer's name in DER and the serial number's bytes.
    #[must_use]
    pub fn of(issuer: &[u8], serial: &[u8]) -> Self {
        Self { issuer: hex(ring::digest::digest(&ring::digest::SHA256, issuer).as_ref()), serial: hex(serial) }
    }
}

/// The identity of a machine under a foreign authority.
#[must_use]
pub fn foreign_id(authority: &Fingerprint, name: &str) -> String {
    let text = format!("{authority}\n{}", name.to_ascii_lowercase());
    Uuid::new_v5(&FOREIGN_NAMESPACE, text.as_bytes()).to_string()
}

/// The authorities that are trusted and the certificates that are revoked; both change while connections come.
pub struct ClientTrust {
    own: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
    present: RwLock<Arc<Present>>,
}

struct Present {
    verifier: Arc<dyn ClientCertVerifier>,
    foreign: Vec<(Fingerprint, CertificateDer<'static>)>,
    revoked: HashSet<CertificateKey>,
}

impl fmt::Debug for ClientTrust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = self.present();
        formatter
            .debug_struct("ClientTrust")
            .field("foreign", &present.foreign.len())
            .field("revoked", &present.revoked.len())
            .finish_non_exhaustive()
    }
}

impl ClientTrust {
    /// Trusts the management group's own authority and no other.
    ///
    /// # Errors
    /// When its certificate cannot be a root.
    pub fn new(own: CertificateDer<'static>) -> Result<Self, WireError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let present = Present::new(&own, Vec::new(), HashSet::new(), &provider)?;
        Ok(Self { own, provider, present: RwLock::new(Arc::new(present)) })
    }

    /// From now on these foreign authorities are trusted, and these certificates are not.
    ///
    /// # Errors
    /// When an authority's certificate cannot be a root; what held before holds then.
    pub fn replace(
        &self,
        foreign: impl IntoIterator<Item = CertificateDer<'static>>,
        revoked: impl IntoIterator<Item = CertificateKey>,
    ) -> Result<(), WireError> {
        let foreign = foreign.into_iter().map(|one| (fingerprint(&one), one)).collect();
        let next = Present::new(&self.own, foreign, revoked.into_iter().collect(), &self.provider)?;
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    fn present(&self) -> Arc<Present> {
        Arc::clone(&self.present.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who showed these certificates, the own one first. TLS has checked that the key is there; the chain is looked at
    /// again, because what was trusted at the handshake may not be now.
    ///
    /// # Errors
    /// When no trusted authority stands behind them, they are revoked, or name no machine.
    pub fn peer(&self, chain: &[CertificateDer<'_>]) -> Result<PeerCertificate, WireError> {
        let unusable = |reason: String| WireError::Unusable { what: "the agent's certificate".to_owned(), reason };
        let (first, between) = chain.split_first().ok_or_else(|| unusable("there is none".to_owned()))?;
        let present = self.present();
        if let Some(key) = present.revoked_of(chain) {
            return Err(unusable(format!("certificate {} was revoked; ask for a new one with a new key", key.serial)));
        }
        let mut peer = peer_certificate(first)?;
        if leads_to(first, between, &self.own) {
            return Ok(peer);
        }
        let found = present.foreign.iter().find(|(_, root)| leads_to(first, between, root));
        let (authority, _) = found.ok_or_else(|| {
            unusable(
                "none of the authorities that are trusted stands behind it (`watchkeeper cert authorities`)".to_owned(),
            )
        })?;
        let name = machine_name(first).ok_or_else(|| {
            unusable("its common name is not among its DNS names, so that it names no machine".to_owned())
        })?;
        peer.agent_id = foreign_id(authority, &name);
        peer.foreign = Some((*authority, name));
        Ok(peer)
    }
}

impl Present {
    fn new(
        own: &CertificateDer<'static>,
        foreign: Vec<(Fingerprint, CertificateDer<'static>)>,
        revoked: HashSet<CertificateKey>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, WireError> {
        let mut roots = RootCertStore::empty();
        roots.add(own.clone())?;
        for (_, certificate) in &foreign {
            roots.add(certificate.clone())?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .allow_unauthenticated()
            .build()
            .map_err(|error| WireError::Unusable { what: "the authority".to_owned(), reason: error.to_string() })?;
        Ok(Self { verifier, foreign, revoked })
    }

    fn revoked_of(&self, chain: &[CertificateDer<'_>]) -> Option<CertificateKey> {
        if self.revoked.is_empty() {
            return None;
        }
        chain.iter().filter_map(certificate_key).find(|key| self.revoked.contains(key))
    }
}

/// What a certificate is known by.
#[must_use]
pub fn certificate_key(certificate: &CertificateDer<'_>) -> Option<CertificateKey> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(CertificateKey::of(parsed.issuer().as_raw(), parsed.raw_serial()))
}

/// The machine's name: the common name, when it is among the DNS names.
fn machine_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let common = parsed.subject().iter_common_name().next()?.as_str().ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let is_named = names.value.general_names.iter().any(
        |name| matches!(name, x509_parser::extensions::GeneralName::DNSName(name) if name.eq_ignore_ascii_case(common)),
    );
    (is_named && !common.contains('*')).then(|| common.to_ascii_lowercase())
}

fn leads_to(first: &CertificateDer<'_>, between: &[CertificateDer<'_>], root: &CertificateDer<'static>) -> bool {
    let (Ok(end), Ok(anchor)) = (EndEntityCert::try_from(first), anchor_from_trusted_cert(root)) else { return false };
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
    let anchors = [anchor];
    end.verify_for_usage(algorithms, &anchors, between, UnixTime::now(), KeyUsage::client_auth(), None, None).is_ok()
}

impl ClientCertVerifier for ClientTrust {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: a client that looks for one that it may use would find lists of authorities, which change.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let present = self.present();
        let verified = present.verifier.verify_client_cert(end_entity, intermediates, now)?;
        let chain: Vec<CertificateDer<'_>> = std::iter::once(end_entity).chain(intermediates).cloned().collect();
        if let Some(key) = present.revoked_of(&chain) {
            tracing::warn!(serial = key.serial, issuer = key.issuer, "a revoked certificate was refused");
            return Err(Error::InvalidCertificate(CertificateError::Revoked));
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.present().verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.present().verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    };

    use super::*;
    use crate::Authority;

    struct Company {
        issuer: Issuer<'static, KeyPair>,
        root: CertificateDer<'static>,
    }

    fn company(name: &str) -> Company {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = params.self_signed(&key).unwrap().der().clone();
        Company { issuer: Issuer::from_ca_cert_der(&root, key).unwrap(), root }
    }

    impl Company {
        fn machine(&self, common: &str, dns: &str) -> CertificateDer<'static> {
            let mut params = CertificateParams::new(vec![dns.to_owned()]).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, common);
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
        }
    }

    fn trust() -> (tempfile::TempDir, Authority, ClientTrust) {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(folder.path(), "MG1").unwrap();
        let trust = ClientTrust::new(authority.certificate().clone()).unwrap();
        (folder, authority, trust)
    }

    #[test]
    fn a_foreign_certificate_is_a_machine_under_its_authority_and_no_agent_of_ours() {
        let (_folder, _, trust) = trust();
        let (one, two) = (company("Company"), company("Company"));
        let certificate = one.machine("Web1.example", "web1.example");
        assert!(trust.peer(std::slice::from_ref(&certificate)).is_err(), "nobody trusts it yet");
        trust.replace([one.root.clone()], []).unwrap();
        let peer = trust.peer(std::slice::from_ref(&certificate)).unwrap();
        assert_eq!(peer.foreign.as_ref().unwrap().1, "web1.example");
        assert_eq!(peer.agent_id, foreign_id(&fingerprint(&one.root), "WEB1.example"));
        // an authority with the same name is another one
        assert!(trust.peer(&[two.machine("web1.example", "web1.example")]).is_err());
        trust.replace([one.root.clone(), two.root.clone()], []).unwrap();
        let double = trust.peer(&[two.machine("web1.example", "web1.example")]).unwrap();
        assert_ne!(double.agent_id, peer.agent_id);
        // whoever writes an agent's identity into a certificate is not that agent
        let sly = one.machine("6a0f9d52-7f0c-4f7c-9b1e-51a064c73d10", "web1.example");
        assert!(trust.peer(&[sly]).unwrap_err().to_string().contains("names no machine"));
    }

    #[test]
    fn a_revoked_certificate_is_refused_and_others_are_not() {
        let (_folder, _, trust) = trust();
        let company = company("Company");
        let (good, bad) = (company.machine("a.example", "a.example"), company.machine("b.example", "b.example"));
        trust.replace([company.root.clone()], certificate_key(&bad)).unwrap();
        let verify = |one: &CertificateDer<'static>| trust.verify_client_cert(one, &[], UnixTime::now());
        assert!(verify(&good).is_ok());
        assert_eq!(verify(&bad).unwrap_err(), Error::InvalidCertificate(CertificateError::Revoked));
        assert!(trust.peer(&[bad]).unwrap_err().to_string().contains("was revoked"));
    }
}
