//! Enrolment: a token and a signing request become a certificate or a place in pending management; and the renewal of
//! certificates.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use rustls_pki_types::CertificateDer;
use tonic::{Request, Response, Status};
use uuid::Uuid;
use watchkeeper_wire::proto::{
    EnrolRequest, EnrolResponse, Issued, Machine, Pending, enrol_response::Outcome, enrolment_server::Enrolment,
};
use watchkeeper_wire::{Authority, ClientTrust, PeerCertificate, SignedCertificate, WireError};

use crate::guard::check_machine;
use crate::registry::{AgentRecord, AgentStatus, Redemption, Registry, RegistryError};
use crate::session::Shared;

/// The name space of agent identities: the same key is the same agent, however often it asks.
const AGENT_NAMESPACE: Uuid = Uuid::from_u128(0x6a0f_9d52_7f0c_4f7c_9b1e_51a0_64c7_3d10);
/// How soon a pending agent asks again.
const PENDING_RETRY: Duration = Duration::from_secs(30);

/// What happens to a new agent with a valid token (management group specification 1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// It joins at once.
    Auto,
    /// It waits for an operator.
    Pending,
    /// It is denied and not kept.
    Reject,
}

/// A new enrolment token. Only its [`token_hash`] is kept.
#[must_use]
pub fn new_token() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    format!("wke_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of a token. Tokens have 256 random bits, so that a plain hash is enough.
#[must_use]
pub fn token_hash(token: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.trim().as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

pub(crate) struct Enroller {
    pub authority: Arc<Authority>,
    /// Whose certificates are taken.
    pub trust: Arc<ClientTrust>,
    pub registry: Arc<dyn Registry>,
    pub approval: Approval,
    pub management_group: String,
    pub certificate_validity: Duration,
    /// Names of this server, which no gateway gets.
    pub own_names: Vec<String>,
}

impl Enroller {
    /// Who showed a certificate with a call; none where there was none.
    pub(crate) async fn peer<T>(&self, request: &Request<T>) -> Result<Option<PeerCertificate>, Status> {
        let certificates = request.peer_certs().unwrap_or_default();
        if certificates.is_empty() {
            return Ok(None);
        }
        self.shown(&certificates).await.map(Some)
    }

    /// Who showed these certificates, here or to a gateway.
    pub(crate) async fn shown(&self, chain: &[CertificateDer<'_>]) -> Result<PeerCertificate, Status> {
        let peer = self.trust.peer(chain).map_err(|error| Status::unauthenticated(error.to_string()))?;
        self.not_revoked(&peer).await?;
        Ok(peer)
    }

    /// The list in the store holds at once, also where another server of the group was told.
    pub(crate) async fn not_revoked(&self, peer: &PeerCertificate) -> Result<(), Status> {
        if self.registry.is_revoked(&peer.key).await.map_err(unavailable)? {
            return Err(Status::permission_denied(format!(
                "certificate {} of {} was revoked; ask for a new one with a new key",
                peer.key.serial, peer.subject
            )));
        }
        Ok(())
    }

    /// What becomes of a new agent; an error when new ones are rejected.
    pub(crate) async fn standing_of_new(&self) -> Result<AgentStatus, Status> {
        let set = self.registry.approval().await.map_err(unavailable)?;
        match set.unwrap_or(self.approval) {
            Approval::Auto => Ok(AgentStatus::Approved),
            Approval::Pending => Ok(AgentStatus::Pending),
            Approval::Reject => Err(Status::permission_denied(
                "this management group rejects new agents; an administrator can change that with `watchkeeper agents \
                 approval pending`, or auto",
            )),
        }
    }

    async fn enrol(&self, request: EnrolRequest) -> Result<EnrolResponse, Status> {
        let agent_id = agent_of(&request.signing_request)?;
        let machine = request.machine.unwrap_or_default();
        check_machine(&machine).map_err(Status::invalid_argument)?;
        if let Some(known) = self.registry.agent(&agent_id).await.map_err(unavailable)? {
            return match known.status {
                AgentStatus::Revoked | AgentStatus::Rejected => Err(denied(&known)),
                AgentStatus::Pending => Ok(pending(agent_id)),
                AgentStatus::Approved if known.certificate_serial.is_none() => {
                    self.issue(known, &request.signing_request).await
                }
                AgentStatus::Approved => {
                    // the token stands for an administrator: the name may be another than before
                    self.redeem(&request.token).await?;
                    let known = AgentRecord { computer: machine.computer.clone(), ..known };
                    self.issue(known, &request.signing_request).await
                }
            };
        }
        self.redeem(&request.token).await?;
        let status = self.standing_of_new().await?;
        let record = new_record(&agent_id, &machine, status);
        tracing::info!(agent_id, computer = machine.computer, status = status.as_str(), "agent enrolled");
        match status {
            AgentStatus::Approved => self.issue(record, &request.signing_request).await,
            _ => {
                self.registry.put_agent(&record).await.map_err(unavailable)?;
                Ok(pending(agent_id))
            }
        }
    }

    pub(crate) async fn redeem(&self, token: &str) -> Result<(), Status> {
        let now = SystemTime::now();
        match self.registry.redeem_token(&token_hash(token), now).await.map_err(unavailable)? {
            Redemption::Accepted => Ok(()),
            Redemption::Unknown => Err(Status::permission_denied(
                "the enrolment token is not known to this management group; check that it was copied whole, or make a \
                 new one",
            )),
            Redemption::Expired(at) => {
                let minutes = now.duration_since(at).unwrap_or_default().as_secs() / 60;
                Err(Status::permission_denied(format!(
                    "the enrolment token expired {minutes} minutes ago; make a new one"
                )))
            }
            Redemption::UsedUp => {
                Err(Status::permission_denied("the enrolment token has been used as often as it may; make a new one"))
            }
        }
    }

    /// Signs and keeps the new serial number.
    async fn issue(&self, mut record: AgentRecord, signing_request: &[u8]) -> Result<EnrolResponse, Status> {
        let SignedCertificate { pem, serial, not_after } = self
            .authority
            .sign_agent(signing_request, &record.agent_id, self.certificate_validity)
            .map_err(bad_request)?;
        record.certificate_serial = Some(serial);
        record.certificate_not_after = Some(not_after);
        self.registry.put_agent(&record).await.map_err(unavailable)?;
        Ok(EnrolResponse {
            outcome: Some(Outcome::Issued(Issued {
                agent_id: record.agent_id,
                certificate_pem: pem,
                authority_pem: self.authority.certificate_pem().to_owned(),
                management_group: self.management_group.clone(),
            })),
        })
    }

    /// The next certificate of an agent, for the key that it is known by: whoever speaks for it has another one.
    pub(crate) async fn renew(&self, record: AgentRecord, signing_request: &[u8]) -> Result<EnrolResponse, Status> {
        let agent_id = &record.agent_id;
        if agent_of(signing_request)? != *agent_id {
            tracing::warn!(agent_id, "a certificate was asked for with a key that is not the agent's");
            return Err(Status::permission_denied(format!(
                "the signing request is not of the key of agent {agent_id}; an agent with a new key enrols again"
            )));
        }
        self.issue(record, signing_request).await
    }

    /// The agent's record, when it may connect.
    pub(crate) async fn approved(&self, agent_id: &str) -> Result<AgentRecord, Status> {
        match self.registry.agent(agent_id).await.map_err(unavailable)? {
            Some(record) if record.status == AgentStatus::Approved => Ok(record),
            Some(record) => Err(denied(&record)),
            None => Err(Status::permission_denied(format!(
                "agent {agent_id} is not known to this management group; enrol it again"
            ))),
        }
    }
}

/// The enrolment service.
pub(crate) struct EnrolmentService(pub Arc<Shared>);

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let enroller = &self.0.enroller;
        let peer = self.0.peer(&request).await?;
        if request.get_ref().signing_request.is_empty() {
            return self.0.join(peer, request).await.map(Response::new);
        }
        let gateways = enroller.gateways_of_call(peer, request.metadata()).await?;
        let nearest = gateways.first();
        let request = request.into_inner();
        if !request.gateway_names.is_empty() {
            return enroller.enrol_gateway(request, nearest).await.map(Response::new);
        }
        let agent_id = agent_of(&request.signing_request)?;
        let known = enroller.registry.agent(&agent_id).await.map_err(unavailable)?;
        let response = enroller.enrol(request).await?;
        // whoever has seen the request of an enrolled agent does not get the agent by it
        if let (Some(gateway), None) = (nearest, known.and_then(|known| known.certificate_serial)) {
            enroller.registry.assign_gateway(&agent_id, &gateway.gateway_id).await.map_err(unavailable)?;
        }
        Ok(Response::new(response))
    }
}

/// The agent of a signing request: that of its key.
fn agent_of(signing_request: &[u8]) -> Result<String, Status> {
    let key = Authority::request_key(signing_request).map_err(bad_request)?;
    Ok(Uuid::new_v5(&AGENT_NAMESPACE, key.as_bytes()).to_string())
}

pub(crate) fn new_record(agent_id: &str, machine: &Machine, status: AgentStatus) -> AgentRecord {
    AgentRecord {
        agent_id: agent_id.to_owned(),
        computer: machine.computer.clone(),
        status,
        os_name: machine.os_name.clone(),
        agent_version: machine.agent_version.clone(),
        certificate_serial: None,
        certificate_not_after: None,
        enrolled_at: SystemTime::now(),
        last_seen: None,
    }
}

pub(crate) fn pending(agent_id: String) -> EnrolResponse {
    let retry_after_seconds = u32::try_from(PENDING_RETRY.as_secs()).unwrap_or(30);
    EnrolResponse { outcome: Some(Outcome::Pending(Pending { agent_id, retry_after_seconds })) }
}

pub(crate) fn denied(record: &AgentRecord) -> Status {
    Status::permission_denied(format!(
        "agent {} ({}) is {}; an administrator can approve it again",
        record.agent_id,
        record.computer,
        record.status.as_str()
    ))
}

pub(crate) fn bad_request(error: WireError) -> Status {
    Status::invalid_argument(error.to_string())
}

pub(crate) fn unavailable(error: RegistryError) -> Status {
    tracing::error!(%error, "registry of agents");
    Status::unavailable(error.to_string())
}
