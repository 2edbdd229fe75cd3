//! Enrolment and renewal: a signing request becomes a certificate.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity as TlsIdentity};
use watchkeeper_wire::proto::enrol_response::Outcome;
use watchkeeper_wire::proto::enrolment_client::EnrolmentClient;
use watchkeeper_wire::proto::{EnrolRequest, EnrolResponse, Issued, Machine, RenewRequest, agent_client::AgentClient};
use watchkeeper_wire::{Fingerprint, PinnedAuthority, WireError, with_port};

use crate::config::Config;
use crate::identity::{Identity, IdentityFiles};

/// A server that does not answer at all: three attempts and a change of servers fit in a minute.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const CALL_DEADLINE: Duration = Duration::from_secs(30);
/// A server that has gone without a word is noticed after the sum of both.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(10);

/// The agent cannot reach or join its management group.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The configuration lacks something.
    #[error("{0}")]
    Configuration(String),
    /// Certificates and their files.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server cannot be reached, or is not the right one.
    #[error("cannot connect to the management server {server}: {reason}")]
    Connect {
        /// Which server.
        server: String,
        /// All reasons, the outer first.
        reason: String,
    },
    /// The server said no.
    #[error("the management server {server} refused: {reason}")]
    Refused {
        /// Which server.
        server: String,
        /// What it said.
        reason: String,
        /// Whether asking again with the same identity is of no use.
        final_answer: bool,
    },
}

/// Where enrolment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolled {
    /// The certificate is there.
    Issued,
    /// An administrator has to approve the agent.
    Pending {
        /// The identity under which it waits.
        agent_id: String,
        /// When to ask again.
        retry_after: Duration,
    },
}

/// Asks a server to enrol this agent.
///
/// # Errors
/// When the server cannot be reached, is not the right one, or says no.
pub async fn enrol(
    config: &Config,
    files: &IdentityFiles,
    server: &str,
    machine: Machine,
) -> Result<Enrolled, JoinError> {
    let token = config
        .enrolment_token()
        .map_err(|error| JoinError::Configuration(error.to_string()))?
        .ok_or_else(|| JoinError::Configuration("not enrolled, and there is no token or token_file".to_owned()))?;
    let authority = configured_authority(config)?;
    let signing_request = files.request()?;
    let channel = connect(config, server, authority, None).await?;
    let request = EnrolRequest { token, signing_request, machine: Some(machine), ..EnrolRequest::default() };
    let response = tokio::time::timeout(CALL_DEADLINE, EnrolmentClient::new(channel).enrol(request))
        .await
        .map_err(|_| JoinError::Connect { server: server.to_owned(), reason: "no answer in time".to_owned() })?
        .map_err(|status| refused(server, &status))?;
    keep(files, server, response.into_inner())
}

/// The authority of the configuration, by which a server is known before the first answer.
fn configured_authority(config: &Config) -> Result<PinnedAuthority, JoinError> {
    match (&config.ca_file, &config.ca_fingerprint) {
        (Some(path), _) => Ok(PinnedAuthority::from_pem(&read(path)?)?),
        (None, Some(fingerprint)) => Ok(PinnedAuthority::from_fingerprint(fingerprint.parse::<Fingerprint>()?)),
        (None, None) => Err(JoinError::Configuration(
            "there is no ca_file or ca_fingerprint: the agent would not know its server".to_owned(),
        )),
    }
}

fn read(path: &Path) -> Result<String, WireError> {
    std::fs::read_to_string(path).map_err(|source| WireError::File { action: "read", path: path.to_owned(), source })
}

/// Joins with an imported certificate, which says who the agent is; there is nothing to sign.
///
/// # Errors
/// As [`enrol`].
pub async fn join(
    config: &Config,
    files: &IdentityFiles,
    server: &str,
    identity: &Identity,
    machine: Machine,
) -> Result<Enrolled, JoinError> {
    let channel = connect(config, server, configured_authority(config)?, Some(identity)).await?;
    let request = EnrolRequest { machine: Some(machine), ..EnrolRequest::default() };
    let response = tokio::time::timeout(CALL_DEADLINE, EnrolmentClient::new(channel).enrol(request))
        .await
        .map_err(|_| JoinError::Connect { server: server.to_owned(), reason: "no answer in time".to_owned() })?
        .map_err(|status| refused(server, &status))?
        .into_inner();
    match response.outcome {
        Some(Outcome::Issued(Issued { agent_id, authority_pem, .. })) => {
            files.joined(identity, &agent_id, &authority_pem)?;
            Ok(Enrolled::Issued)
        }
        _ => keep(files, server, response),
    }
}

/// Asks for the next certificate of the same key.
///
/// # Errors
/// As [`enrol`].
pub async fn renew(channel: Channel, files: &IdentityFiles, server: &str) -> Result<Enrolled, JoinError> {
    let signing_request = files.request()?;
    let response = AgentClient::new(channel)
        .renew(RenewRequest { signing_request })
        .await
        .map_err(|status| refused(server, &status))?;
    keep(files, server, response.into_inner())
}

fn keep(files: &IdentityFiles, server: &str, response: EnrolResponse) -> Result<Enrolled, JoinError> {
    match response.outcome {
        Some(Outcome::Issued(Issued { certificate_pem, authority_pem, .. })) => {
            files.store(&certificate_pem, &authority_pem)?;
            Ok(Enrolled::Issued)
        }
        Some(Outcome::Pending(pending)) => Ok(Enrolled::Pending {
            agent_id: pending.agent_id,
            retry_after: Duration::from_secs(u64::from(pending.retry_after_seconds.max(1))),
        }),
        None => Err(JoinError::Refused {
            server: server.to_owned(),
            reason: "an answer that this agent does not know; update the agent".to_owned(),
            final_answer: false,
        }),
    }
}

/// Connects with the agent's certificate.
///
/// # Errors
/// When the server cannot be reached or is not the right one.
pub async fn connect_enrolled(config: &Config, server: &str, identity: &Identity) -> Result<Channel, JoinError> {
    // the file may name a company's authority beside the group's own: that of the servers' certificates
    let named = match &config.ca_file {
        Some(path) => std::fs::read_to_string(path).unwrap_or_default(),
        None => String::new(),
    };
    let authority = PinnedAuthority::from_pem(&format!("{}\n{named}", identity.authority_pem))?;
    connect(config, server, authority, Some(identity)).await
}

async fn connect(
    config: &Config,
    server: &str,
    authority: PinnedAuthority,
    identity: Option<&Identity>,
) -> Result<Channel, JoinError> {
    let failed =
        |error: &dyn std::error::Error| JoinError::Connect { server: server.to_owned(), reason: reasons(error) };
    let mut tls = ClientTlsConfig::new();
    if let Some(name) = &config.server_name {
        tls = tls.domain_name(name);
    }
    if let Some(identity) = identity {
        tls = tls.identity(TlsIdentity::from_pem(&identity.certificate_pem, &identity.key_pem));
    }
    let endpoint = Endpoint::from_shared(format!("https://{}", with_port(server)))
        .map_err(|error| failed(&error))?
        .connect_timeout(CONNECT_DEADLINE)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_ANSWER)
        .keep_alive_while_idle(true)
        .tls_config_with_verifier(tls, Arc::new(authority))
        .map_err(|error| failed(&error))?;
    endpoint.connect().await.map_err(|error| failed(&error))
}

/// A refusal, or a failing connection.
pub(crate) fn refused(server: &str, status: &tonic::Status) -> JoinError {
    match status.code() {
        tonic::Code::PermissionDenied
        | tonic::Code::Unauthenticated
        | tonic::Code::InvalidArgument
        | tonic::Code::FailedPrecondition => {
            JoinError::Refused { server: server.to_owned(), reason: status.message().to_owned(), final_answer: true }
        }
        _ => JoinError::Connect { server: server.to_owned(), reason: reasons(status) },
    }
}

fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
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
