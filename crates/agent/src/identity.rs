//! The agent's key, certificate and authority on disk.

use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use watchkeeper_wire::{PeerCertificate, WireError, peer_certificate, signing_request, write_private};

/// Who the agent is, as its certificate says.
#[derive(Clone)]
pub struct Identity {
    /// The key in PEM.
    pub key_pem: String,
    /// The certificate in PEM.
    pub certificate_pem: String,
    /// The management group's authority in PEM.
    pub authority_pem: String,
    /// What the certificate says. The identity of an imported one is the server's to say; empty before it has.
    pub certificate: PeerCertificate,
    /// Of a company's authority: it is not renewed by the management group.
    pub imported: bool,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Identity").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

/// The folder of an identity.
#[derive(Debug, Clone)]
pub struct IdentityFiles {
    folder: PathBuf,
}

impl IdentityFiles {
    /// In the agent's data folder.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self { folder: data.join("identity") }
    }

    /// The identity; none before enrolment.
    ///
    /// # Errors
    /// When the files are there and cannot be read or used.
    pub fn load(&self) -> Result<Option<Identity>, WireError> {
        let imported = self.read("agent-imported.pem")?;
        let is_imported = imported.is_some();
        let (key_pem, certificate_pem, authority_pem) = match imported {
            Some(text) => {
                let (chain, key) = text.split_at(text.find("-----BEGIN PRIVATE KEY").unwrap_or(text.len()));
                (key.to_owned(), chain.to_owned(), self.read("authority.pem")?.unwrap_or_default())
            }
            None => match (self.read("agent.key")?, self.read("agent.pem")?, self.read("authority.pem")?) {
                (Some(key), Some(certificate), Some(authority)) => (key, certificate, authority),
                _ => return Ok(None),
            },
        };
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|error| {
            WireError::Unusable { what: self.folder.join("agent.pem").display().to_string(), reason: error.to_string() }
        })?;
        let mut certificate = peer_certificate(&certificate)?;
        if is_imported {
            certificate.agent_id = self.joined_as(&certificate)?.unwrap_or_default();
        }
        Ok(Some(Identity { key_pem, certificate_pem, authority_pem, certificate, imported: is_imported }))
    }

    /// As whom the server took an imported certificate.
    fn joined_as(&self, certificate: &PeerCertificate) -> Result<Option<String>, WireError> {
        let text = self.read("joined")?.unwrap_or_default();
        let (fingerprint, agent_id) = text.trim().split_once(' ').unwrap_or_default();
        Ok((fingerprint == certificate.fingerprint.to_string()).then(|| agent_id.to_owned()))
    }

    /// Keeps as whom the server took an imported certificate, and the authority of its management group.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn joined(&self, identity: &Identity, agent_id: &str, authority_pem: &str) -> Result<(), WireError> {
        write_private(&self.folder.join("authority.pem"), authority_pem.as_bytes())?;
        let text = format!("{} {agent_id}\n", identity.certificate.fingerprint);
        write_private(&self.folder.join("joined"), text.as_bytes())
    }

    /// Whether another certificate is there than the one in use.
    #[must_use]
    pub fn replaced(&self, identity: &Identity) -> bool {
        let present = self.load().ok().flatten();
        present.is_some_and(|present| present.certificate.fingerprint != identity.certificate.fingerprint)
    }

    /// The signing request for the agent's key, which is made at the first call and stays the same: a pending agent
    /// asks again as the same agent.
    ///
    /// # Errors
    /// When the key cannot be read or written.
    pub fn request(&self) -> Result<Vec<u8>, WireError> {
        let present = self.read("agent.key")?;
        let (key, request) = signing_request(present.as_deref())?;
        if present.is_none() {
            write_private(&self.folder.join("agent.key"), key.as_bytes())?;
        }
        Ok(request)
    }

    /// Keeps what the server issued.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub fn store(&self, certificate_pem: &str, authority_pem: &str) -> Result<(), WireError> {
        write_private(&self.folder.join("authority.pem"), authority_pem.as_bytes())?;
        write_private(&self.folder.join("agent.pem"), certificate_pem.as_bytes())
    }

    fn read(&self, name: &str) -> Result<Option<String>, WireError> {
        let path = self.folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(WireError::File { action: "read", path, source }),
        }
    }
}
