//! Gateways: they enrol with a token, wait for an administrator always, and then speak for the agents that were assigned
//! to them, and for no others. An agent that enrols through a gateway is assigned to it. A gateway that enrols through
//! another is assigned to that one, and its agents come through both.

use std::time::{Duration, SystemTime};

use tonic::Status;
use tonic::metadata::MetadataMap;
use uuid::Uuid;
use watchkeeper_wire::proto::{EnrolRequest, EnrolResponse, GatewayQueue, Issued, Pending, enrol_response::Outcome};
use watchkeeper_wire::{Authority, PeerCertificate, SPEAKS_FOR, is_plain_id, through};

use crate::enrolment::{Enroller, bad_request, unavailable};

const GATEWAY_NAMESPACE: Uuid = Uuid::from_u128(0x0d1b_7a62_3c0e_4c59_a5ad_9f27_51cc_60b4);
const PENDING_RETRY: Duration = Duration::from_secs(5);
const MAX_NAMES: usize = 16;
/// Queues of one report.
const MAX_QUEUES: usize = 1000;
/// Gateways behind each other.
const MAX_CHAIN: usize = 16;

/// A gateway, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRecord {
    /// The identity in its certificate.
    pub gateway_id: String,
    /// The name of its machine.
    pub name: String,
    /// What its certificate is good for as a server.
    pub names: Vec<String>,
    /// Whether an administrator has let it in.
    pub approved: bool,
    /// Serial number of the last certificate; empty before the first.
    pub certificate_serial: String,
    /// When it asked to be enrolled.
    pub enrolled_at: SystemTime,
    /// When it last spoke for an agent.
    pub last_seen: Option<SystemTime>,
}

/// A gateway waits for approval.
pub(crate) fn pending_gateway(agent_id: String) -> EnrolResponse {
    let retry_after_seconds = u32::try_from(PENDING_RETRY.as_secs()).unwrap_or(5);
    EnrolResponse { outcome: Some(Outcome::Pending(Pending { agent_id, retry_after_seconds })) }
}

impl Enroller {
    /// A gateway asks for a certificate, itself or through another one.
    pub(crate) async fn enrol_gateway(
        &self,
        request: EnrolRequest,
        parent: Option<&GatewayRecord>,
    ) -> Result<EnrolResponse, Status> {
        let key = Authority::request_key(&request.signing_request).map_err(bad_request)?;
        let gateway_id = Uuid::new_v5(&GATEWAY_NAMESPACE, key.as_bytes()).to_string();
        let names = request.gateway_names;
        self.check_gateway_names(&names)?;
        let record = match self.registry.gateway(&gateway_id).await.map_err(unavailable)? {
            Some(record) => record,
            None => {
                self.redeem(&request.token).await?;
                let record = self.new_gateway(&gateway_id, names).await?;
                if let Some(parent) = parent {
                    self.registry.assign_gateway(&gateway_id, &parent.gateway_id).await.map_err(unavailable)?;
                }
                record
            }
        };
        if !record.approved {
            return Ok(pending_gateway(gateway_id));
        }
        self.issue_gateway(record, &request.signing_request).await
    }

    /// Keeps a gateway that waits for an administrator.
    pub(crate) async fn new_gateway(&self, gateway_id: &str, names: Vec<String>) -> Result<GatewayRecord, Status> {
        tracing::info!(gateway_id, ?names, "a gateway waits for approval");
        let record = GatewayRecord {
            gateway_id: gateway_id.to_owned(),
            name: names[0].clone(),
            names,
            approved: false,
            certificate_serial: String::new(),
            enrolled_at: SystemTime::now(),
            last_seen: None,
        };
        self.registry.put_gateway(&record).await.map_err(unavailable)?;
        Ok(record)
    }

    pub(crate) fn check_gateway_names(&self, names: &[String]) -> Result<(), Status> {
        if names.len() > MAX_NAMES || names.iter().any(|name| name.is_empty() || name.contains(char::is_whitespace)) {
            return Err(Status::invalid_argument(format!("a gateway has 1 to {MAX_NAMES} names without spaces")));
        }
        if let Some(name) = names.iter().find(|name| self.own_names.iter().any(|own| own.eq_ignore_ascii_case(name))) {
            return Err(Status::permission_denied(format!(
                "{name:?} is a name of the management server; a gateway cannot have it: change `names` of the gateway"
            )));
        }
        Ok(())
    }

    /// Signs with the names that were approved, whatever is asked for now.
    async fn issue_gateway(&self, record: GatewayRecord, request: &[u8]) -> Result<EnrolResponse, Status> {
        let signed = self
            .authority
            .sign_gateway(request, &record.gateway_id, &record.names, self.certificate_validity)
            .map_err(bad_request)?;
        let agent_id = record.gateway_id;
        self.registry.gateway_issued(&agent_id, &signed.serial).await.map_err(unavailable)?;
        Ok(EnrolResponse {
            outcome: Some(Outcome::Issued(Issued {
                agent_id,
                certificate_pem: signed.pem,
                authority_pem: self.authority.certificate_pem().to_owned(),
                management_group: self.management_group.clone(),
            })),
        })
    }

    /// The next certificate of a gateway with the same key.
    pub(crate) async fn renew_gateway(&self, gateway_id: &str, request: &[u8]) -> Result<EnrolResponse, Status> {
        let record = self.approved_gateway(gateway_id).await?;
        let key = Authority::request_key(request).map_err(bad_request)?;
        if Uuid::new_v5(&GATEWAY_NAMESPACE, key.as_bytes()).to_string() != gateway_id {
            return Err(Status::permission_denied("a gateway renews the certificate of its own key; enrol a new one"));
        }
        self.issue_gateway(record, request).await
    }

    /// What waits in a gateway and in those behind it. Of others it says nothing: what it says of them is not kept.
    pub(crate) async fn gateway_queues(&self, gateway_id: &str, queues: Vec<GatewayQueue>) -> Result<(), Status> {
        for mut queue in queues.into_iter().take(MAX_QUEUES) {
            if queue.gateway_id.is_empty() {
                gateway_id.clone_into(&mut queue.gateway_id);
            }
            if self.is_behind(&queue.gateway_id, gateway_id).await? {
                self.registry.gateway_queue(&queue).await.map_err(unavailable)?;
            }
        }
        Ok(())
    }

    /// Whether a gateway is another one or comes through it.
    async fn is_behind(&self, gateway_id: &str, other: &str) -> Result<bool, Status> {
        let mut at = gateway_id.to_owned();
        for _ in 0..MAX_CHAIN {
            if at == other {
                return self.is_gateway(gateway_id).await;
            }
            match self.registry.gateway_of(&at).await.map_err(unavailable)? {
                Some(above) => at = above,
                None => return Ok(false),
            }
        }
        Ok(false)
    }

    /// Whether this is a gateway's identity.
    pub(crate) async fn is_gateway(&self, id: &str) -> Result<bool, Status> {
        Ok(self.registry.gateway(id).await.map_err(unavailable)?.is_some())
    }

    async fn approved_gateway(&self, gateway_id: &str) -> Result<GatewayRecord, Status> {
        match self.registry.gateway(gateway_id).await.map_err(unavailable)? {
            Some(record) if record.approved => Ok(record),
            Some(_) => Err(Status::permission_denied(format!("gateway {gateway_id} is not approved"))),
            None => Err(Status::permission_denied(format!(
                "{gateway_id} is not a gateway of this management group and speaks for itself alone"
            ))),
        }
    }

    /// The gateways that a call comes through, the nearest to the agent first; none when it comes from the agent itself.
    /// Each must be approved and assigned to the next one.
    pub(crate) async fn gateways_of_call(
        &self,
        peer: Option<PeerCertificate>,
        metadata: &MetadataMap,
    ) -> Result<Vec<GatewayRecord>, Status> {
        match peer {
            Some(peer) => self.chain(&peer.agent_id, metadata).await,
            None => Ok(Vec::new()),
        }
    }

    async fn chain(&self, peer: &str, metadata: &MetadataMap) -> Result<Vec<GatewayRecord>, Status> {
        let mut chain: Vec<GatewayRecord> = Vec::new();
        for gateway_id in through(metadata)?.iter().map(String::as_str).chain([peer]) {
            let gateway = self.approved_gateway(gateway_id).await?;
            if let Some(before) = chain.last() {
                self.assigned("gateway", &before.gateway_id, &gateway).await?;
            }
            chain.push(gateway);
        }
        Ok(chain)
    }

    async fn assigned(&self, what: &str, id: &str, gateway: &GatewayRecord) -> Result<(), Status> {
        if self.registry.gateway_of(id).await.map_err(unavailable)?.as_deref() == Some(&gateway.gateway_id) {
            return Ok(());
        }
        tracing::warn!(gateway_id = gateway.gateway_id, id, "a gateway spoke for a {what} not its own");
        Err(Status::permission_denied(format!(
            "{what} {id} is not assigned to gateway {}; an administrator does that with `watchkeeper gateways assign`",
            gateway.name
        )))
    }

    /// Who a call is of: whoever showed the certificate, or the agent that a gateway speaks for (then true).
    pub(crate) async fn caller(
        &self,
        mut peer: PeerCertificate,
        metadata: &MetadataMap,
    ) -> Result<(PeerCertificate, bool), Status> {
        let Some(agent) = metadata.get(SPEAKS_FOR) else {
            return match self.registry.gateway_of(&peer.agent_id).await.map_err(unavailable)? {
                // batches that its gateway still has would come after those that it sends itself
                Some(gateway) => Err(Status::permission_denied(format!(
                    "agent {} is assigned to gateway {gateway} and comes through it only; an administrator lets it go \
                     with `watchkeeper gateways release`",
                    peer.agent_id
                ))),
                None => Ok((peer, false)),
            };
        };
        let agent = agent.to_str().ok().filter(|agent| is_plain_id(agent));
        let agent = agent.ok_or_else(|| Status::invalid_argument("the identity of the agent is not one"))?;
        let chain = self.chain(&peer.agent_id, metadata).await?;
        if let Some(nearest) = chain.first() {
            self.assigned("agent", agent, nearest).await?;
        }
        for gateway in &chain {
            self.registry.gateway_seen(&gateway.gateway_id, SystemTime::now()).await.map_err(unavailable)?;
        }
        self.registry.shown(&peer.agent_id, &peer).await.map_err(unavailable)?;
        peer.agent_id = agent.to_owned();
        Ok((peer, true))
    }
}
