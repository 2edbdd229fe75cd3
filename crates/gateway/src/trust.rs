//! Whose certificates this gateway takes: those of the management group, and those of companies' authorities that the
//! server trusts. The server is asked in turns; what it said last lies on the disk, for a start while it is away.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Status;
use watchkeeper_wire::proto::agent_client::AgentClient;
use watchkeeper_wire::proto::{TrustRequest, Trusted};
use watchkeeper_wire::{CertificateKey, ClientTrust, WireError, write_private};

use crate::link::{CALL_DEADLINE, Link, reasons};

/// What an administrator of the server trusts or revokes holds here after this time.
const EVERY: Duration = Duration::from_secs(15);

/// The trust of a gateway, which follows its server's.
pub struct Trust {
    clients: Arc<ClientTrust>,
    file: PathBuf,
    said: watch::Sender<Trusted>,
}

impl Trust {
    /// With what the server said before, if it did.
    ///
    /// # Errors
    /// When a certificate cannot be used or the file cannot be read.
    pub fn open(own: CertificateDer<'static>, folder: &Path) -> Result<Self, WireError> {
        let trust = Self {
            clients: Arc::new(ClientTrust::new(own)?),
            file: folder.join("trusted"),
            said: watch::Sender::new(Trusted::default()),
        };
        match std::fs::read(&trust.file) {
            Ok(bytes) => {
                let said = Trusted::decode(bytes.as_slice()).map_err(|error| WireError::Unusable {
                    what: trust.file.display().to_string(),
                    reason: format!("{error}; remove it, the server says it again"),
                })?;
                trust.apply(&said)?;
                trust.said.send_replace(said);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(WireError::File { action: "read", path: trust.file, source }),
        }
        Ok(trust)
    }

    /// For TLS, and to tell who showed a certificate.
    pub fn clients(&self) -> &Arc<ClientTrust> {
        &self.clients
    }

    /// What the server said last.
    pub fn said(&self) -> Trusted {
        self.said.borrow().clone()
    }

    fn apply(&self, said: &Trusted) -> Result<(), WireError> {
        let authorities = said.authorities.iter().map(|der| CertificateDer::from(der.clone()));
        let revoked =
            said.revoked.iter().map(|one| CertificateKey { issuer: one.issuer.clone(), serial: one.serial.clone() });
        self.clients.replace(authorities, revoked)
    }

    /// Returns when these certificates are taken no more.
    pub async fn refuses(&self, shown: &[CertificateDer<'_>]) -> Status {
        let mut said = self.said.subscribe();
        loop {
            if let Err(error) = self.clients.peer(shown) {
                return Status::permission_denied(error.to_string());
            }
            if said.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Asks the server in turns.
    pub async fn follow(self: Arc<Self>, link: Arc<Link>) {
        loop {
            if let Err(reason) = self.ask(&link).await {
                tracing::debug!(
                    reason,
                    "the server does not say whose certificates are taken; what it said last holds"
                );
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn ask(&self, link: &Link) -> Result<(), String> {
        let mut client = AgentClient::new(link.channel());
        let asked = timeout(CALL_DEADLINE, client.trust(TrustRequest {})).await;
        let said = asked.map_err(|_| "no answer in time".to_owned())?.map_err(|status| reasons(&status))?.into_inner();
        if *self.said.borrow() == said {
            return Ok(());
        }
        self.apply(&said).map_err(|error| error.to_string())?;
        write_private(&self.file, &said.encode_to_vec()).map_err(|error| error.to_string())?;
        tracing::info!(
            authorities = said.authorities.len(),
            revoked = said.revoked.len(),
            "the server's trust in companies' certificates has changed"
        );
        self.said.send_replace(said);
        Ok(())
    }
}
