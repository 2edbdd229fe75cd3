//! Who a call is of and which gateways it came through. A gateway adds the one that called it, as TLS says, and leaves
//! the judgement to the management server, which knows who may speak for whom.

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Status};
use watchkeeper_wire::proto::EnrolRequest;
use watchkeeper_wire::{ClientTrust, SPEAKS_FOR, THROUGH, is_plain_id, through};

/// The way of a call up to this gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The agent, or the gateway, that it is of.
    pub agent_id: String,
    /// Gateways that it came through, the nearest to the agent first.
    pub via: Vec<String>,
}

impl Route {
    /// Of an enrolled agent or gateway.
    pub fn of<T>(request: &Request<T>, trust: &ClientTrust) -> Result<Self, Status> {
        let peer = peer(request, trust)?.ok_or_else(|| {
            Status::unauthenticated("the agent showed no certificate of this management group; enrol it first")
        })?;
        let Some(agent) = request.metadata().get(SPEAKS_FOR) else {
            return Ok(Self { agent_id: peer, via: Vec::new() });
        };
        let agent_id = agent.to_str().unwrap_or_default().to_owned();
        if !is_plain_id(&agent_id) {
            return Err(Status::invalid_argument("the identity of the agent is not one"));
        }
        let mut via = through(request.metadata())?;
        via.push(peer);
        Ok(Self { agent_id, via })
    }

    /// The gateways that a request for enrolment came through. A machine that joins with a company's certificate is no
    /// gateway: what it showed is written into the request.
    pub fn of_enrolment(request: &mut Request<EnrolRequest>, trust: &ClientTrust) -> Result<Vec<String>, Status> {
        let Some(peer) = peer(request, trust)? else { return Ok(Vec::new()) };
        let asked = request.get_ref();
        if asked.signing_request.is_empty() && asked.certificates.is_empty() {
            let shown = request.peer_certs().unwrap_or_default();
            request.get_mut().certificates = shown.iter().map(|one| one.to_vec()).collect();
            return Ok(Vec::new());
        }
        let mut via = through(request.metadata())?;
        via.push(peer);
        Ok(via)
    }

    /// Says it to the next one.
    pub fn write(&self, metadata: &mut MetadataMap) -> Result<(), Status> {
        metadata.insert(SPEAKS_FOR, value(&self.agent_id)?);
        write_via(&self.via, metadata)
    }
}

/// Says through which gateways a call came.
pub fn write_via(via: &[String], metadata: &mut MetadataMap) -> Result<(), Status> {
    if !via.is_empty() {
        metadata.insert(THROUGH, value(&via.join(","))?);
    }
    Ok(())
}

fn value(text: &str) -> Result<MetadataValue<tonic::metadata::Ascii>, Status> {
    MetadataValue::try_from(text).map_err(|_| Status::invalid_argument(format!("{text:?} cannot stand in a header")))
}

fn peer<T>(request: &Request<T>, trust: &ClientTrust) -> Result<Option<String>, Status> {
    let certificates = request.peer_certs().unwrap_or_default();
    if certificates.is_empty() {
        return Ok(None);
    }
    let peer = trust.peer(&certificates).map_err(|error| Status::unauthenticated(error.to_string()))?;
    if !is_plain_id(&peer.agent_id) {
        return Err(Status::unauthenticated("the certificate names no agent"));
    }
    Ok(Some(peer.agent_id))
}
