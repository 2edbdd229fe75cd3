//! The one connection to the management server, and the gateway's own identity.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::sync::{Notify, watch};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity as TlsIdentity};
use watchkeeper_wire::proto::agent_client::AgentClient;
use watchkeeper_wire::proto::enrol_response::Outcome;
use watchkeeper_wire::proto::enrolment_client::EnrolmentClient;
use watchkeeper_wire::proto::{EnrolRequest, EnrolResponse, Machine, RenewRequest};
use watchkeeper_wire::{
    Credentials, PeerCertificate, PinnedAuthority, WireError, peer_certificate, signing_request, with_port,
    write_private,
};

use crate::carry::locked;
use crate::config::Config;
use crate::server::GatewayError;

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
pub const CALL_DEADLINE: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(10);
const CONNECTION_WINDOW: u32 = 16 << 20;
/// Attempts on a server before the next in the order is tried (specification 1.5).
const ATTEMPTS: u32 = 3;
const NEXT_ATTEMPT: Duration = Duration::from_secs(2);
/// How often a gateway that is with another server looks whether its primary is back.
const PRIMARY_CHECK: Duration = Duration::from_secs(15);
/// The primary has to answer so often in a row.
const PRIMARY_ANSWERS: u32 = 2;

/// Key, certificate and authority of this gateway.
#[derive(Clone)]
pub struct Identity {
    pub key_pem: String,
    pub certificate_pem: String,
    pub authority_pem: String,
    pub certificate: PeerCertificate,
    /// Of a company's authority.
    pub imported: bool,
}

impl Identity {
    /// What agents see: the chain has the authority, so that they can know it by its fingerprint.
    pub fn credentials(&self) -> Credentials {
        if self.imported {
            return Credentials { chain_pem: self.certificate_pem.clone(), key_pem: self.key_pem.clone() };
        }
        Credentials {
            chain_pem: format!("{}\n{}", self.certificate_pem.trim_end(), self.authority_pem),
            key_pem: self.key_pem.clone(),
        }
    }
}

/// The one connection, which gets a new certificate or another server while it is used.
pub struct Link {
    config: Config,
    servers: Vec<String>,
    present: Mutex<Present>,
    /// Changes when the gateway goes to another server.
    moved: watch::Sender<u64>,
    trouble: Notify,
}

struct Present {
    identity: Identity,
    at: usize,
    channel: Channel,
}

impl Link {
    /// To the primary.
    pub fn new(config: &Config, identity: Identity) -> Result<Self, GatewayError> {
        let servers = config.servers();
        let channel = channel(config, &servers[0], Some(&identity))?;
        let present = Mutex::new(Present { identity, at: 0, channel });
        Ok(Self { config: config.clone(), servers, present, moved: watch::channel(0).0, trouble: Notify::new() })
    }

    pub fn channel(&self) -> Channel {
        locked(&self.present).channel.clone()
    }

    /// The channel, and what changes when it is not the one to use any more.
    pub fn present(&self) -> (Channel, watch::Receiver<u64>) {
        let present = locked(&self.present);
        let mut moved = self.moved.subscribe();
        moved.mark_unchanged();
        (present.channel.clone(), moved)
    }

    /// A new certificate, for connections from now on.
    pub fn set_identity(&self, identity: Identity) -> Result<(), GatewayError> {
        let mut present = locked(&self.present);
        present.channel = channel(&self.config, &self.servers[present.at], Some(&identity))?;
        present.identity = identity;
        Ok(())
    }

    /// There was no way to the server: it is looked at.
    pub fn failed(&self) {
        self.trouble.notify_one();
    }

    fn go_to(&self, at: usize) -> Result<(), GatewayError> {
        let mut present = locked(&self.present);
        present.channel = channel(&self.config, &self.servers[at], Some(&present.identity))?;
        present.at = at;
        drop(present);
        self.moved.send_modify(|generation| *generation += 1);
        Ok(())
    }

    /// Whether a server answers with a certificate of the management group.
    async fn answers(&self, at: usize) -> bool {
        let identity = locked(&self.present).identity.clone();
        match endpoint(&self.config, &self.servers[at], Some(&identity)) {
            Ok(endpoint) => endpoint.connect().await.is_ok(),
            Err(_) => false,
        }
    }

    /// Leaves a server that does not answer for the next in the order, and goes back to the primary when that answers
    /// again. A gateway with one server stays with it.
    pub async fn choose_server(self: Arc<Self>) {
        if self.servers.len() < 2 {
            return;
        }
        let mut answers = 0;
        loop {
            let at = locked(&self.present).at;
            tokio::select! {
                () = self.trouble.notified() => {}
                () = tokio::time::sleep(PRIMARY_CHECK), if at != 0 => {
                    answers = if self.answers(0).await { answers + 1 } else { 0 };
                    if answers >= PRIMARY_ANSWERS {
                        tracing::info!(left = self.servers[at], server = self.servers[0], "the primary server is back");
                        self.move_to(0);
                        answers = 0;
                    }
                    continue;
                }
            }
            let mut attempts = 1;
            while !self.answers(at).await {
                if attempts == ATTEMPTS {
                    let next = (at + 1) % self.servers.len();
                    tracing::warn!(left = self.servers[at], server = self.servers[next], "the server does not answer");
                    self.move_to(next);
                    break;
                }
                attempts += 1;
                tokio::time::sleep(NEXT_ATTEMPT).await;
            }
        }
    }

    fn move_to(&self, at: usize) {
        if let Err(error) = self.go_to(at) {
            tracing::error!(server = self.servers[at], %error, "the gateway stays with its server");
        }
    }
}

/// The folder of the identity.
pub struct Files(pub PathBuf);

impl Files {
    /// The identity; none before approval, or when the certificate has ended.
    pub fn load(&self) -> Result<Option<Identity>, GatewayError> {
        let imported = self.read("gateway-imported.pem")?;
        let is_imported = imported.is_some();
        let (key_pem, certificate_pem, authority_pem) = match imported {
            Some(text) => {
                let (chain, key) = text.split_at(text.find("-----BEGIN PRIVATE KEY").unwrap_or(text.len()));
                (key.to_owned(), chain.to_owned(), self.read("authority.pem")?.unwrap_or_default())
            }
            None => match (self.read("gateway.key")?, self.read("gateway.pem")?, self.read("authority.pem")?) {
                (Some(key), Some(certificate), Some(authority)) => (key, certificate, authority),
                _ => return Ok(None),
            },
        };
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|error| {
            WireError::Unusable { what: self.0.join("gateway.pem").display().to_string(), reason: error.to_string() }
        })?;
        let certificate = peer_certificate(&certificate)?;
        if certificate.not_after <= std::time::SystemTime::now() {
            if is_imported {
                let reason = "the imported certificate has expired; `watchkeeper cert renew --for gateway` makes the \
                              request for the next one";
                return Err(GatewayError::Refused(reason.to_owned()));
            }
            return Ok(None);
        }
        Ok(Some(Identity { key_pem, certificate_pem, authority_pem, certificate, imported: is_imported }))
    }

    fn read(&self, name: &str) -> Result<Option<String>, GatewayError> {
        let path = self.0.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(WireError::File { action: "read", path, source }.into()),
        }
    }

    /// The request for the key, which is made at the first call.
    pub fn request(&self) -> Result<Vec<u8>, GatewayError> {
        let present = self.read("gateway.key")?;
        let (key, request) = signing_request(present.as_deref())?;
        if present.is_none() {
            write_private(&self.0.join("gateway.key"), key.as_bytes())?;
        }
        Ok(request)
    }

    /// Keeps an answer; gives the time to wait when it is none yet.
    pub fn keep(&self, response: EnrolResponse) -> Result<Option<Duration>, GatewayError> {
        match response.outcome {
            Some(Outcome::Issued(issued)) => {
                write_private(&self.0.join("authority.pem"), issued.authority_pem.as_bytes())?;
                write_private(&self.0.join("gateway.pem"), issued.certificate_pem.as_bytes())?;
                Ok(None)
            }
            Some(Outcome::Pending(pending)) => {
                tracing::info!(gateway_id = pending.agent_id, "waits for approval: watchkeeper gateways approve");
                Ok(Some(Duration::from_secs(u64::from(pending.retry_after_seconds.max(1)))))
            }
            None => Err(GatewayError::Refused("an answer that this gateway does not know; update it".to_owned())),
        }
    }
}

/// A channel to the server. It connects when it is used, again after every failure, and holds one connection.
pub fn channel(config: &Config, server: &str, identity: Option<&Identity>) -> Result<Channel, GatewayError> {
    Ok(endpoint(config, server, identity)?.connect_lazy())
}

fn endpoint(config: &Config, server: &str, identity: Option<&Identity>) -> Result<Endpoint, GatewayError> {
    let authority_pem = match identity {
        Some(identity) if !identity.authority_pem.is_empty() => identity.authority_pem.clone(),
        _ => std::fs::read_to_string(&config.ca_file).map_err(|source| WireError::File {
            action: "read",
            path: config.ca_file.clone(),
            source,
        })?,
    };
    let mut tls = ClientTlsConfig::new();
    if let Some(identity) = identity {
        tls = tls.identity(TlsIdentity::from_pem(&identity.certificate_pem, &identity.key_pem));
    }
    let failed = |error: tonic::transport::Error| GatewayError::Refused(format!("server {server:?}: {error}"));
    Endpoint::from_shared(format!("https://{}", with_port(server)))
        .map_err(failed)?
        .connect_timeout(CONNECT_DEADLINE)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .tls_config_with_verifier(tls, Arc::new(PinnedAuthority::from_pem(&authority_pem)?))
        .map_err(failed)
}

/// Asks for a certificate until it is there.
pub async fn enrol(config: &Config, files: &Files) -> Result<Identity, GatewayError> {
    let mut delay = Duration::from_secs(1);
    let servers = config.servers();
    let mut at = 0;
    loop {
        let server = &servers[at % servers.len()];
        let known = files.load()?;
        let (token, signing_request) = match known {
            Some(identity) if !identity.imported => return Ok(identity),
            // the certificate says who the gateway is
            Some(_) => (String::new(), Vec::new()),
            None => {
                let token = std::fs::read_to_string(&config.token_file).map_err(|source| WireError::File {
                    action: "read",
                    path: config.token_file.clone(),
                    source,
                })?;
                (token.trim().to_owned(), files.request()?)
            }
        };
        let request = EnrolRequest {
            token,
            signing_request,
            machine: Some(Machine { computer: config.names[0].clone(), ..Machine::default() }),
            gateway_names: config.names.clone(),
            ..EnrolRequest::default()
        };
        let wait = match EnrolmentClient::new(channel(config, server, known.as_ref())?).enrol(request).await {
            Ok(response) => match (response.into_inner(), known) {
                (EnrolResponse { outcome: Some(Outcome::Issued(issued)) }, Some(mut identity)) => {
                    write_private(&files.0.join("authority.pem"), issued.authority_pem.as_bytes())?;
                    identity.authority_pem = issued.authority_pem;
                    identity.certificate.agent_id = issued.agent_id;
                    return Ok(identity);
                }
                (response, _) => files.keep(response)?,
            },
            Err(status) if status.code() == tonic::Code::Unavailable => {
                tracing::warn!(server, reason = reasons(&status), "the management server is away");
                at += 1;
                if at % servers.len() == 0 {
                    delay = (delay * 2).min(Duration::from_secs(30));
                }
                Some(delay)
            }
            Err(status) => return Err(GatewayError::Refused(status.message().to_owned())),
        };
        if let Some(wait) = wait {
            tokio::time::sleep(wait).await;
        }
    }
}

/// Asks for the next certificate with the same key; one that has ended is asked for like the first.
pub async fn renew(config: &Config, files: &Files, link: &Link) -> Result<Identity, GatewayError> {
    let request = RenewRequest { signing_request: files.request()? };
    let asked = tokio::time::timeout(CALL_DEADLINE, AgentClient::new(link.channel()).renew(request)).await;
    let response = asked
        .map_err(|_| GatewayError::Refused("no answer in time".to_owned()))?
        .map_err(|status| GatewayError::Refused(reasons(&status)))?;
    files.keep(response.into_inner())?;
    enrol(config, files).await
}

/// A status with what led to it.
pub fn reasons(error: &tonic::Status) -> String {
    let mut text = error.message().to_owned();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}
