//! What is kept about agents and enrolment tokens, and the operations that the management server needs on it.

use std::time::SystemTime;

use async_trait::async_trait;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use watchkeeper_wire::proto::GatewayQueue;
use watchkeeper_wire::{CertificateKey, PeerCertificate};

use crate::enrolment::Approval;
use crate::gateways::GatewayRecord;

/// Where an agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AgentStatus {
    /// Waits in pending management for an operator.
    Pending,
    /// May connect.
    Approved,
    /// Was refused by an operator.
    Rejected,
    /// Was allowed once and is no more.
    Revoked,
}

impl AgentStatus {
    /// The word that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Revoked => "revoked",
        }
    }
}

/// An agent, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRecord {
    /// The identity in its certificate.
    pub agent_id: String,
    /// The computer's name.
    pub computer: String,
    /// Where it stands.
    pub status: AgentStatus,
    /// The operating system's full name.
    pub os_name: String,
    /// Version of the agent.
    pub agent_version: String,
    /// Serial number of the last certificate given to it; none before the first.
    pub certificate_serial: Option<String>,
    /// When that certificate ends.
    pub certificate_not_after: Option<SystemTime>,
    /// When it asked to be enrolled.
    pub enrolled_at: SystemTime,
    /// When it was last connected.
    pub last_seen: Option<SystemTime>,
}

/// What became of a token that an agent showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redemption {
    /// It is valid and one use of it is taken.
    Accepted,
    /// Nobody made such a token, or it was removed.
    Unknown,
    /// It ended.
    Expired(SystemTime),
    /// It has been used as often as it may.
    UsedUp,
}

/// The servers of an agent, as `host:port`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentServers {
    /// Empty: the first of the agent's own file.
    pub primary: String,
    /// In their order.
    pub failover: Vec<String>,
}

/// The registry cannot be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the registry of agents cannot be used: {0}")]
pub struct RegistryError(pub String);

/// Keeps agents and enrolment tokens.
#[async_trait]
pub trait Registry: Send + Sync + 'static {
    /// Checks a token by its hash ([`crate::token_hash`]) and takes one use of it, in one step.
    async fn redeem_token(&self, hash: &str, now: SystemTime) -> Result<Redemption, RegistryError>;
    /// Keeps a token: its hash, what it is for, when it ends, how often it may be used.
    async fn put_token(
        &self,
        hash: &str,
        description: &str,
        expires_at: Option<SystemTime>,
        uses: Option<u32>,
    ) -> Result<(), RegistryError>;
    /// One agent.
    async fn agent(&self, agent_id: &str) -> Result<Option<AgentRecord>, RegistryError>;
    /// All agents.
    async fn agents(&self) -> Result<Vec<AgentRecord>, RegistryError>;
    /// Keeps an agent, new or changed.
    async fn put_agent(&self, record: &AgentRecord) -> Result<(), RegistryError>;
    /// Changes the status of an agent; false when there is no such agent.
    async fn set_status(&self, agent_id: &str, status: AgentStatus) -> Result<bool, RegistryError>;
    /// What an administrator has set for new agents; `None`: what the server was started with holds.
    async fn approval(&self) -> Result<Option<Approval>, RegistryError> {
        Ok(None)
    }
    /// Which servers an agent is to use; none where there is nothing to choose.
    async fn servers(&self, agent_id: &str) -> Result<AgentServers, RegistryError> {
        let _ = agent_id;
        Ok(AgentServers::default())
    }
    /// One gateway.
    async fn gateway(&self, gateway_id: &str) -> Result<Option<GatewayRecord>, RegistryError> {
        let _ = gateway_id;
        Ok(None)
    }
    /// Keeps a new gateway.
    async fn put_gateway(&self, record: &GatewayRecord) -> Result<(), RegistryError> {
        Err(RegistryError(format!("gateway {} cannot be kept in this registry", record.gateway_id)))
    }
    /// A gateway has a new certificate. One that was removed meanwhile does not come back by it.
    async fn gateway_issued(&self, gateway_id: &str, serial: &str) -> Result<(), RegistryError> {
        Err(RegistryError(format!("certificate {serial} of gateway {gateway_id} cannot be kept in this registry")))
    }
    /// A gateway spoke for an agent.
    async fn gateway_seen(&self, gateway_id: &str, at: SystemTime) -> Result<(), RegistryError> {
        let _ = (gateway_id, at);
        Ok(())
    }
    /// What waits on the disk of a gateway, as it says itself.
    async fn gateway_queue(&self, queue: &GatewayQueue) -> Result<(), RegistryError> {
        let _ = queue;
        Ok(())
    }
    /// The gateway that may speak for an agent, or for another gateway.
    async fn gateway_of(&self, agent_id: &str) -> Result<Option<String>, RegistryError> {
        let _ = agent_id;
        Ok(None)
    }
    /// From now on this gateway may speak for an agent, and no other.
    async fn assign_gateway(&self, agent_id: &str, gateway_id: &str) -> Result<(), RegistryError> {
        Err(RegistryError(format!("agent {agent_id} cannot be assigned to gateway {gateway_id} in this registry")))
    }
    /// Authorities of others whose certificates are taken.
    async fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, RegistryError> {
        Ok(Vec::new())
    }
    /// Certificates that are refused.
    async fn revoked(&self) -> Result<Vec<CertificateKey>, RegistryError> {
        Ok(Vec::new())
    }
    /// Whether one is refused.
    async fn is_revoked(&self, key: &CertificateKey) -> Result<bool, RegistryError> {
        Ok(self.revoked().await?.contains(key))
    }
    /// An agent or a gateway came with this certificate.
    async fn shown(&self, agent_id: &str, certificate: &PeerCertificate) -> Result<(), RegistryError> {
        let _ = (agent_id, certificate);
        Ok(())
    }
    /// Removes an agent for good; false when there is no such agent.
    async fn remove(&self, agent_id: &str) -> Result<bool, RegistryError> {
        Err(RegistryError(format!("agent {agent_id} cannot be removed from this registry; revoke it instead")))
    }
    /// Notes that an agent is connected, and what it says of itself.
    async fn seen(
        &self,
        agent_id: &str,
        computer: &str,
        os_name: &str,
        agent_version: &str,
        at: SystemTime,
    ) -> Result<(), RegistryError>;
}
