//! Whose certificates this gateway takes: those of the management group, and those of companies' authorities that the
//! server trusts. The server is asked in turns; what it said last lies on the disk, for a start while it is away. The
//! question says what waits here and in the gateways behind.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prost::Message;
use rustls_pki_types::CertificateDer;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tonic::Status;
use watchkeeper_wire::proto::agent_client::AgentClient;
use watchkeeper_wire::proto::{GatewayQueue, TrustRequest, Trusted};
use watchkeeper_wire::{CertificateKey, ClientTrust, MAX_MESSAGE_BYTES, WireError, write_private};

use crate::carry::locked;
use crate::link::{CALL_DEADLINE, Link, reasons};
use crate::zone::Zone;

/// What an administrator of the server trusts or revokes holds here after this time.
const EVERY: Duration = Duration::from_secs(15);

/// Gateways behind that have not said what waits there for so long are not spoken of.
const FORGOTTEN: Duration = Duration::from_secs(120);
/// Of one report: gateways behind it.
const MOST_BEHIND: usize = 1000;

/// The trust of a gateway, which follows its server's.
pub struct Trust {
    clients: Arc<ClientTrust>,
    file: PathBuf,
    said: watch::Sender<Trusted>,
    /// What gateways that are connected here said of their queues and of those behind them.
    behind: Mutex<HashMap<String, (Instant, Vec<GatewayQueue>)>>,
    /// A gateway is new here: it is spoken of at once.
    heard_of: Notify,
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
            behind: Mutex::default(),
            heard_of: Notify::new(),
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

    /// A gateway behind this one said what waits there. Its own queue is known by its certificate.
    pub fn heard(&self, gateway_id: &str, mut queues: Vec<GatewayQueue>) {
        queues.truncate(MOST_BEHIND);
        for queue in queues.iter_mut().filter(|queue| queue.gateway_id.is_empty()) {
            gateway_id.clone_into(&mut queue.gateway_id);
        }
        let known = locked(&self.behind).insert(gateway_id.to_owned(), (Instant::now(), queues));
        if known.is_none() {
            self.heard_of.notify_one();
        }
    }

    /// Its own queue first.
    async fn queues(&self, zone: &Arc<Zone>) -> Vec<GatewayQueue> {
        let zone = Arc::clone(zone);
        // a queue may be busy with its disk
        let mut queues: Vec<GatewayQueue> =
            tokio::task::spawn_blocking(move || zone.report()).await.into_iter().collect();
        let mut behind = locked(&self.behind);
        behind.retain(|_, (at, _)| at.elapsed() < FORGOTTEN);
        queues.extend(behind.values().flat_map(|(_, queues)| queues.iter().cloned()));
        queues.truncate(MOST_BEHIND);
        queues
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
    pub async fn follow(self: Arc<Self>, link: Arc<Link>, zone: Arc<Zone>) {
        loop {
            let queues = self.queues(&zone).await;
            if let Err(reason) = self.ask(&link, queues).await {
                tracing::debug!(
                    reason,
                    "the server does not say whose certificates are taken; what it said last holds"
                );
            }
            let _ = timeout(EVERY, self.heard_of.notified()).await;
        }
    }

    async fn ask(&self, link: &Link, queues: Vec<GatewayQueue>) -> Result<(), String> {
        let mut client = AgentClient::new(link.channel()).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let known = self.said.borrow().version.clone();
        let asked = timeout(CALL_DEADLINE, client.trust(TrustRequest { queues, known })).await;
        let said = asked.map_err(|_| "no answer in time".to_owned())?.map_err(|status| reasons(&status))?.into_inner();
        if said.unchanged || *self.said.borrow() == said {
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
