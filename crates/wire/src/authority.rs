//! The management group's own certificate authority, and what it signs.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use crate::files::{read_text, write_private};
use crate::{Fingerprint, WireError, fingerprint};

const AUTHORITY_VALIDITY: Duration = Duration::from_secs(3650 * 86_400);
const SERVER_VALIDITY: Duration = Duration::from_secs(365 * 86_400);
/// Clocks of machines differ; a certificate is valid from a little before it was made.
const CLOCK_SKEW: Duration = Duration::from_secs(3600);

/// Signs the certificates of servers and agents. Its key stays in one file with mode 0600.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    certificate: CertificateDer<'static>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Authority").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

/// A certificate chain with its key, in PEM.
#[derive(Clone)]
pub struct Credentials {
    /// The certificate, then the authority's.
    pub chain_pem: String,
    /// The private key.
    pub key_pem: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credentials(…)")
    }
}

/// A certificate that the authority gave to an agent.
#[derive(Debug, Clone)]
pub struct SignedCertificate {
    /// The certificate in PEM.
    pub pem: String,
    /// Its serial number in hexadecimal digits.
    pub serial: String,
    /// The end of its validity.
    pub not_after: SystemTime,
}

impl Authority {
    /// Opens the authority in a folder (`authority.pem`, `authority.key`), or makes one there.
    ///
    /// # Errors
    /// When one of the two files is missing, unreadable or damaged: an authority is never replaced silently, because
    /// every agent would be locked out.
    pub fn open_or_create(folder: &Path, management_group: &str) -> Result<Self, WireError> {
        let certificate_path = folder.join("authority.pem");
        let key_path = folder.join("authority.key");
        if certificate_path.exists() || key_path.exists() {
            return Self::from_pem(&read_text(&certificate_path)?, &read_text(&key_path)?);
        }
        let key =
            KeyPair::generate().map_err(|source| WireError::Certificate { what: "the authority's key", source })?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name(&format!("Watchkeeper management group {management_group}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, AUTHORITY_VALIDITY);
        params.serial_number = Some(serial()?);
        let certificate = params
            .self_signed(&key)
            .map_err(|source| WireError::Certificate { what: "the authority's certificate", source })?;
        // the key first: a certificate without its key would be of no use to anybody
        write_private(&key_path, key.serialize_pem().as_bytes())?;
        write_private(&certificate_path, certificate.pem().as_bytes())?;
        Self::from_pem(&certificate.pem(), &key.serialize_pem())
    }

    fn from_pem(certificate_pem: &str, key_pem: &str) -> Result<Self, WireError> {
        let unusable = |what: &str, reason: String| WireError::Unusable { what: what.to_owned(), reason };
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|error| unusable("the authority's certificate", error.to_string()))?;
        let key = KeyPair::from_pem(key_pem).map_err(|error| unusable("the authority's key", error.to_string()))?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&certificate)
            .map_err(|error| unusable("the authority's certificate", error.to_string()))?;
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(unusable("the authority's key", "it does not belong to the certificate beside it".to_owned()));
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| unusable("the authority's certificate", error.to_string()))?;
        Ok(Self { issuer, certificate_pem: certificate_pem.to_owned(), certificate })
    }

    /// The authority's certificate in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The authority's certificate in DER.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the authority's certificate, which a person gives to an agent.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint(&self.certificate)
    }

    /// A certificate for a server under its names and addresses, with a new key.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate.
    pub fn server_credentials(&self, names: &[String]) -> Result<Credentials, WireError> {
        let failed = |source| WireError::Certificate { what: "the server's certificate", source };
        let key = KeyPair::generate().map_err(failed)?;
        let mut params = CertificateParams::default();
        for entry in names {
            params.subject_alt_names.push(subject_name(entry)?);
        }
        params.distinguished_name = name(names.first().map_or("watchkeeper", String::as_str));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, SERVER_VALIDITY);
        params.serial_number = Some(serial()?);
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(Credentials {
            chain_pem: format!("{}{}", certificate.pem(), self.certificate_pem),
            key_pem: key.serialize_pem(),
        })
    }

    /// Signs an agent's request. The subject becomes the agent's identity whatever the request says, and the
    /// certificate is good for being a client and for nothing else.
    ///
    /// # Errors
    /// When the request is broken, or not signed by its own key.
    pub fn sign_agent(
        &self,
        signing_request: &[u8],
        agent_id: &str,
        validity: Duration,
    ) -> Result<SignedCertificate, WireError> {
        self.sign(signing_request, agent_id, &[], validity)
    }

    /// Signs a gateway's request: it is a client of its server, and a server under these names for its agents.
    ///
    /// # Errors
    /// As [`Authority::sign_agent`], and when a name cannot stand in a certificate.
    pub fn sign_gateway(
        &self,
        signing_request: &[u8],
        gateway_id: &str,
        names: &[String],
        validity: Duration,
    ) -> Result<SignedCertificate, WireError> {
        self.sign(signing_request, gateway_id, names, validity)
    }

    fn sign(
        &self,
        signing_request: &[u8],
        agent_id: &str,
        names: &[String],
        validity: Duration,
    ) -> Result<SignedCertificate, WireError> {
        let mut request = parse_request(signing_request)?;
        let mut params = CertificateParams::default();
        for entry in names {
            params.subject_alt_names.push(subject_name(entry)?);
        }
        params.distinguished_name = name(agent_id);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if !names.is_empty() {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        params.use_authority_key_identifier_extension = true;
        let not_after = set_validity(&mut params, validity);
        let serial = serial()?;
        let serial_text = hex(&serial.to_bytes());
        params.serial_number = Some(serial);
        request.params = params;
        let certificate = request
            .signed_by(&self.issuer)
            .map_err(|source| WireError::Certificate { what: "the agent's certificate", source })?;
        Ok(SignedCertificate { pem: certificate.pem(), serial: serial_text, not_after })
    }

    /// SHA-256 over the public key of a signing request: the same key is the same agent.
    ///
    /// # Errors
    /// When the request is broken, or not signed by its own key.
    pub fn request_key(signing_request: &[u8]) -> Result<String, WireError> {
        let request = parse_request(signing_request)?;
        let digest = ring::digest::digest(&ring::digest::SHA256, &request.public_key.subject_public_key_info());
        Ok(hex(digest.as_ref()))
    }
}

fn subject_name(entry: &str) -> Result<SanType, WireError> {
    Ok(match entry.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(
            entry.try_into().map_err(|source| WireError::Certificate { what: "the certificate's names", source })?,
        ),
    })
}

fn parse_request(signing_request: &[u8]) -> Result<CertificateSigningRequestParams, WireError> {
    CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(signing_request))
        .map_err(|error| WireError::SigningRequest(error.to_string()))
}

/// An agent's new key (PEM) and the signing request (DER) for it.
///
/// # Errors
/// When the system gives no randomness.
pub fn signing_request(key_pem: Option<&str>) -> Result<(String, Vec<u8>), WireError> {
    let failed = |source| WireError::Certificate { what: "the signing request", source };
    let key = match key_pem {
        Some(pem) => KeyPair::from_pem(pem)
            .map_err(|error| WireError::Unusable { what: "the agent's key".to_owned(), reason: error.to_string() })?,
        None => KeyPair::generate().map_err(failed)?,
    };
    let mut params = CertificateParams::default();
    params.distinguished_name = name("watchkeeper-agent");
    let request = params.serialize_request(&key).map_err(failed)?;
    Ok((key.serialize_pem(), request.der().to_vec()))
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn set_validity(params: &mut CertificateParams, validity: Duration) -> SystemTime {
    let now = SystemTime::now();
    params.not_before = (now - CLOCK_SKEW).into();
    params.not_after = (now + validity).into();
    now + validity
}

fn serial() -> Result<SerialNumber, WireError> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| WireError::Unusable {
        what: "the system's randomness".to_owned(),
        reason: "it gave none".to_owned(),
    })?;
    bytes[0] &= 0x7f;
    Ok(SerialNumber::from_slice(&bytes))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::peer_certificate;

    #[test]
    fn an_authority_is_the_same_after_it_is_opened_again_and_its_key_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = Authority::open_or_create(folder.path(), "MG1").unwrap();
        let again = Authority::open_or_create(folder.path(), "MG1").unwrap();
        assert_eq!(first.fingerprint(), again.fingerprint());
        let mode = std::fs::metadata(folder.path().join("authority.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_authority_without_its_key_is_an_error_and_not_a_new_authority() {
        let folder = tempfile::tempdir().unwrap();
        Authority::open_or_create(folder.path(), "MG1").unwrap();
        std::fs::remove_file(folder.path().join("authority.key")).unwrap();
        let error = Authority::open_or_create(folder.path(), "MG1").unwrap_err().to_string();
        assert!(error.contains("authority.key"), "{error}");
    }

    #[test]
    fn an_agents_certificate_carries_the_identity_that_the_server_chose() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::open_or_create(folder.path(), "MG1").unwrap();
        let (_, request) = signing_request(None).unwrap();
        let signed = authority.sign_agent(&request, "agent-7", Duration::from_secs(3600)).unwrap();
        let certificate = CertificateDer::from_pem_slice(signed.pem.as_bytes()).unwrap();
        let peer = peer_certificate(&certificate).unwrap();
        assert_eq!(peer.agent_id, "agent-7");
        assert_eq!(peer.key.serial, signed.serial);
    }

    #[test]
    fn a_request_that_was_tampered_with_is_refused() {
        let (_, mut request) = signing_request(None).unwrap();
        let last = request.len() - 1;
        request[last] ^= 1;
        assert!(matches!(Authority::request_key(&request), Err(WireError::SigningRequest(_))));
    }
}
