//! The one connection to the management server, and the gateway's own identity.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity as TlsIdentity};
use watchkeeper_wire::proto::agent_client::AgentClient;
use watchkeeper_wire::proto::enrol_response::Outcome;
use watchkeeper_wire::proto::enrolment_client::EnrolmentClient;
use watchkeeper_wire::proto::{EnrolRequest, EnrolResponse, Machine, RenewRequest};
use watchkeeper_wire::{
    Credentials, PeerCertificate, PinnedAuthority, WireError, peer_certificate, signing_request, with_port,
    write_private,
};

use crate::config::Config;
use crate::server::GatewayError;

const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
pub const CALL_DEADLINE: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(10);
const CONNECTION_WINDOW: u32 = 16 << 20;

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

/// The one connection, which gets a new certificate while it is used.
pub struct Link(RwLock<Channel>);

impl Link {
    pub fn new(channel: Channel) -> Self {
        Self(RwLock::new(channel))
    }

    pub fn channel(&self) -> Channel {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn replace(&self, channel: Channel) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = channel;
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
pub fn channel(config: &Config, identity: Option<&Identity>) -> Result<Channel, GatewayError> {
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
    let failed = |error: tonic::transport::Error| GatewayError::Refused(format!("server {:?}: {error}", config.server));
    Ok(Endpoint::from_shared(format!("https://{}", with_port(&config.server)))
        .map_err(failed)?
        .connect_timeout(CONNECT_DEADLINE)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .tls_config_with_verifier(tls, Arc::new(PinnedAuthority::from_pem(&authority_pem)?))
        .map_err(failed)?
        .connect_lazy())
}

/// Asks for a certificate until it is there.
pub async fn enrol(config: &Config, files: &Files) -> Result<Identity, GatewayError> {
    let mut delay = Duration::from_secs(1);
    loop {
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
        };
        let wait = match EnrolmentClient::new(channel(config, known.as_ref())?).enrol(request).await {
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
                tracing::warn!(server = config.server, reason = reasons(&status), "the management server is away");
                delay = (delay * 2).min(Duration::from_secs(30));
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
