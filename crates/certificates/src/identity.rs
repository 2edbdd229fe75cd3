//! The folder in which a server, a gateway or an agent keeps its certificate: what waits for the authority's answer, what
//! was imported, and how an import takes its place.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use watchkeeper_wire::write_private;

use crate::bundle::Bundle;
use crate::check::{Checked, Requirements, check, public_key};
use crate::facts::Facts;
use crate::problem::{CertificateError, Problem};
use crate::request::request;

/// Whose certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// An agent.
    Agent,
    /// A gateway.
    Gateway,
    /// A management server.
    Server,
}

impl Role {
    /// The first part of the names of its files.
    #[must_use]
    pub fn stem(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Gateway => "gateway",
            Self::Server => "server",
        }
    }
}

/// The folder of one identity.
#[derive(Debug, Clone)]
pub struct Identity {
    folder: PathBuf,
    role: Role,
}

/// What was imported.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The certificate.
    pub facts: Facts,
    /// The root that it leads to.
    pub root: Facts,
}

impl Identity {
    /// In this folder.
    #[must_use]
    pub fn new(folder: &Path, role: Role) -> Self {
        Self { folder: folder.to_owned(), role }
    }

    fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{ending}", self.role.stem()))
    }

    /// Where the request is kept.
    #[must_use]
    pub fn request_path(&self) -> PathBuf {
        self.path("-request.csr")
    }

    /// Makes a request; the key stays here, beside the one that is in use. A second request with the first one's key is
    /// made unless a new key is asked for by removing the first.
    ///
    /// # Errors
    /// When a name or the given key cannot be used, or a file not written.
    pub fn request(&self, name: &str, others: &[String], key_file: Option<&Path>) -> Result<String, CertificateError> {
        let given = key_file.map(read_text).transpose()?;
        let made = request(name, others, given.as_deref())?;
        write_private(&self.path("-request.key"), made.key_pem.as_bytes())?;
        write_private(&self.request_path(), made.request_pem.as_bytes())?;
        Ok(made.request_pem)
    }

    /// A request for the certificate that follows the present one: the same names and a new key.
    ///
    /// # Errors
    /// As [`Identity::request`], and when there is no imported certificate.
    pub fn renew(&self) -> Result<(Facts, String), CertificateError> {
        let Some(present) = self.present()?.filter(|_| self.is_imported()) else {
            return Err(CertificateError::Asked(format!(
                "no certificate was imported in {}; those of the management group's own authority renew by themselves",
                self.folder.display()
            )));
        };
        let name = present.common_name.clone().unwrap_or_default();
        let others: Vec<String> =
            present.names.iter().filter(|other| !other.eq_ignore_ascii_case(&name)).cloned().collect();
        let pem = self.request(&name, &others, None)?;
        Ok((present, pem))
    }

    /// Checks a certificate and, when nothing is wrong with it, takes it into use at the next start or connection.
    ///
    /// # Errors
    /// All that is wrong with it; nothing has changed then.
    pub fn import(&self, bundle: &Bundle, requirements: &Requirements<'_>) -> Result<Imported, CertificateError> {
        let waiting = self.read_key("-request.key")?;
        let present = self.read_key(".key")?;
        let keys = [bundle.key.as_ref(), waiting.as_ref(), present.as_ref()];
        let (leaf, key) = pair(&bundle.certificates, &keys[..if bundle.key.is_some() { 1 } else { 3 }])?;
        let others: Vec<CertificateDer<'static>> =
            bundle.certificates.iter().filter(|other| **other != leaf).cloned().collect();
        let Checked { facts, between, root } =
            check(&leaf, key.as_ref(), &others, requirements).map_err(CertificateError::Refused)?;
        let root = Facts::of(&root)?;
        let key = key.as_ref().map(key_pem).transpose()?.unwrap_or_default();
        let chain: String = std::iter::once(&leaf).chain(&between).map(|one| pem("CERTIFICATE", one)).collect();
        // key and certificate have to change as one: a reader that finds only one of them new finds the other in this
        write_private(&self.path("-imported.pem"), format!("{chain}{key}").as_bytes())?;
        write_private(&self.path(".key"), key.as_bytes())?;
        write_private(&self.path(".pem"), chain.as_bytes())?;
        for done in ["-request.key", "-request.csr"] {
            let _ = std::fs::remove_file(self.path(done));
        }
        Ok(Imported { facts, root })
    }

    /// Whether the certificate in use was imported.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.path("-imported.pem").exists()
    }

    /// Chain and key of the imported certificate, in PEM.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn imported(&self) -> Result<Option<(String, String)>, CertificateError> {
        let path = self.path("-imported.pem");
        if !path.exists() {
            return Ok(None);
        }
        let text = read_text(&path)?;
        let at = text.find("-----BEGIN PRIVATE KEY").unwrap_or(text.len());
        let (chain, key) = text.split_at(at);
        Ok(Some((chain.to_owned(), key.to_owned())))
    }

    /// The certificate in use; none before enrolment or import.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn present(&self) -> Result<Option<Facts>, CertificateError> {
        let path = self.path(".pem");
        if !path.exists() {
            return Ok(None);
        }
        let text = read_text(&path)?;
        let certificate = CertificateDer::from_pem_slice(text.as_bytes())
            .map_err(|error| CertificateError::Contents { path, reason: format!("it is damaged: {error}") })?;
        Facts::of(&certificate).map(Some)
    }

    fn read_key(&self, ending: &str) -> Result<Option<PrivateKeyDer<'static>>, CertificateError> {
        let path = self.path(ending);
        if !path.exists() {
            return Ok(None);
        }
        let key = PrivateKeyDer::from_pem_slice(read_text(&path)?.as_bytes())
            .map_err(|error| CertificateError::Contents { path, reason: format!("it is not a key: {error}") })?;
        Ok(Some(key))
    }
}

/// The machine's certificate among those of a file, with its key: the one that a key belongs to, else the first that is
/// not an authority's.
fn pair(
    certificates: &[CertificateDer<'static>],
    keys: &[Option<&PrivateKeyDer<'static>>],
) -> Result<(CertificateDer<'static>, Option<PrivateKeyDer<'static>>), CertificateError> {
    let refused = |problem| CertificateError::Refused(vec![problem]);
    for key in keys.iter().flatten() {
        let Some(public) = public_key(key) else { continue };
        for certificate in certificates {
            let matches = x509_parser::parse_x509_certificate(certificate)
                .is_ok_and(|(_, parsed)| parsed.public_key().raw == public);
            if matches {
                return Ok((certificate.clone(), Some(key.clone_key())));
            }
        }
    }
    let is_machine = |one: &&CertificateDer<'static>| {
        x509_parser::parse_x509_certificate(one).is_ok_and(|(_, parsed)| !parsed.is_ca())
    };
    let leaf = certificates.iter().find(is_machine).or_else(|| certificates.first()).ok_or_else(|| {
        refused(Problem::new("there is no certificate in the file", "give the file that the authority sent"))
    })?;
    Ok((leaf.clone(), keys.iter().flatten().next().map(|key| key.clone_key())))
}

/// PKCS #8 in PEM, whatever form it had.
fn key_pem(key: &PrivateKeyDer<'static>) -> Result<String, CertificateError> {
    let pair = rcgen::KeyPair::try_from(key)
        .map_err(|error| CertificateError::Asked(format!("the key cannot be used: {error}")))?;
    Ok(pair.serialize_pem())
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).filter_map(|at| text.get(at..text.len().min(at + 64))).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn read_text(path: &Path) -> Result<String, CertificateError> {
    std::fs::read_to_string(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source })
}

impl Identity {
    /// What `show` prints, as names and values in their order.
    ///
    /// # Errors
    /// When there is no certificate, or it cannot be read.
    pub fn show(&self, now: SystemTime) -> Result<Vec<(&'static str, String)>, CertificateError> {
        let Some(facts) = self.present()? else {
            return Err(CertificateError::Asked(format!(
                "there is no certificate in {}; `cert request` asks for one, or enrol with a token",
                self.folder.display()
            )));
        };
        let text = |at: SystemTime| {
            let seconds = at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
            let time = x509_parser::time::ASN1Time::from_timestamp(i64::try_from(seconds).unwrap_or(0));
            time.map_or_else(|_| String::new(), |time| time.to_string())
        };
        Ok(vec![
            ("subject", facts.subject.clone()),
            ("names", facts.names.join(", ")),
            ("issuer", facts.issuer.clone()),
            ("origin", if self.is_imported() { "imported" } else { "management group" }.to_owned()),
            ("serial", facts.serial.clone()),
            ("reversedSerial", crate::reversed_serial(&facts.serial)),
            ("thumbprint", facts.thumbprint.clone()),
            ("fingerprint", facts.fingerprint.clone()),
            ("key", facts.key.clone()),
            ("signature", facts.signature.clone()),
            ("notBefore", text(facts.not_before)),
            ("notAfter", text(facts.not_after)),
            ("daysLeft", facts.days_left(now).to_string()),
        ])
    }
}
