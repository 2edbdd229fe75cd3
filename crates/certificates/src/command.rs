//! The arguments of `cert request` and `cert import`, which server and agent share.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

use crate::bundle::{Bundle, read_authorities};
use crate::check::Requirements;
use crate::identity::{Identity, Imported, Role};
use crate::problem::CertificateError;

/// The authorities that the system trusts, where distributions keep them.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Whose certificate, and where it is kept.
#[derive(Debug, Args)]
pub struct Place {
    /// Whose certificate it is.
    #[arg(long = "for", value_enum, default_value = "agent")]
    pub role: Role,
    /// The folder that it is kept in [default: that of the installed agent, gateway or server].
    #[arg(long)]
    pub folder: Option<PathBuf>,
}

impl Place {
    /// The identity that is meant.
    #[must_use]
    pub fn identity(&self, default: impl FnOnce(Role) -> PathBuf) -> Identity {
        let folder = self.folder.clone().unwrap_or_else(|| default(self.role));
        Identity::new(&folder, self.role)
    }
}

/// What is asked for.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// The machine's full name [default: what the system says].
    #[arg(long)]
    pub name: Option<String>,
    /// A further name or address in the certificate.
    #[arg(long = "also", value_name = "NAME")]
    pub others: Vec<String>,
    /// Use this key (PEM) instead of a new one: for authorities that want RSA.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Also write the request here.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl RequestArgs {
    /// Makes the request and gives it in PEM.
    ///
    /// # Errors
    /// As [`Identity::request`].
    pub fn run(&self, identity: &Identity) -> Result<String, CertificateError> {
        let name = self.name.clone().unwrap_or_else(default_name);
        let pem = identity.request(&name, &self.others, self.key.as_deref())?;
        if let Some(out) = &self.out {
            std::fs::write(out, &pem).map_err(|source| watchkeeper_wire::WireError::File {
                action: "write",
                path: out.clone(),
                source,
            })?;
        }
        Ok(pem)
    }
}

/// What is imported.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The certificate with its chain: PEM (with or without the key) or PFX.
    pub file: PathBuf,
    /// The file with the key, where it is neither in the file nor made by `cert request`.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The file with the password of a PFX file.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// The machine's full name [default: what the system says].
    #[arg(long)]
    pub name: Option<String>,
    /// A file with the certificate of the authority that is trusted [default: those that the system trusts].
    #[arg(long = "authority", value_name = "FILE")]
    pub authorities: Vec<PathBuf>,
    /// A file with the authority's list of revoked certificates.
    #[arg(long = "crl", value_name = "FILE")]
    pub lists: Vec<PathBuf>,
}

impl ImportArgs {
    /// Checks and imports.
    ///
    /// # Errors
    /// All that is wrong with the certificate.
    pub fn run(&self, identity: &Identity) -> Result<Imported, CertificateError> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|source| CertificateError::Read { path: path.clone(), source })
        };
        let password = match &self.password_file {
            Some(path) => String::from_utf8_lossy(&read(path)?).trim_end_matches(['\r', '\n']).to_owned(),
            None => String::new(),
        };
        let mut bundle = Bundle::read(&self.file, &password)?;
        if let Some(path) = &self.key {
            bundle.key = Bundle::read(path, &password)?.key;
            if bundle.key.is_none() {
                let reason = "there is no private key in it".to_owned();
                return Err(CertificateError::Contents { path: path.clone(), reason });
            }
        }
        let trusted = match self.authorities.as_slice() {
            [] => system_authorities(),
            named => read_authorities(named.iter().map(PathBuf::as_path))?,
        };
        let mut revoked = Vec::new();
        for path in &self.lists {
            revoked.push(revocation_list(&read(path)?).ok_or_else(|| CertificateError::Contents {
                path: path.clone(),
                reason: "it is not a list of revoked certificates (CRL), neither PEM nor DER".to_owned(),
            })?);
        }
        let name = self.name.clone().unwrap_or_else(default_name);
        let requirements = Requirements { name: &name, trusted: &trusted, revoked: &revoked, now: SystemTime::now() };
        identity.import(&bundle, &requirements)
    }
}

/// A CRL in DER, from PEM or DER.
fn revocation_list(bytes: &[u8]) -> Option<Vec<u8>> {
    use x509_parser::prelude::FromDer;
    let der = CertificateRevocationListDer::from_pem_slice(bytes).map_or_else(|_| bytes.to_vec(), |der| der.to_vec());
    let readable = x509_parser::revocation_list::CertificateRevocationList::from_der(&der).is_ok();
    readable.then_some(der)
}

/// The authorities that the system trusts.
#[must_use]
pub fn system_authorities() -> Vec<CertificateDer<'static>> {
    let found = SYSTEM_ROOTS.iter().find_map(|path| std::fs::read(Path::new(path)).ok());
    let bytes = found.unwrap_or_default();
    CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).collect()
}

/// The machine's name, with its domain where the system knows it.
#[must_use]
pub fn default_name() -> String {
    let output = std::process::Command::new("hostname").arg("--fqdn").output();
    let named = output.ok().filter(|output| output.status.success());
    let text = named.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if text.is_empty() {
        std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
    } else {
        text
    }
}
