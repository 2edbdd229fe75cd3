//! Who may open a session, under which name and with which queues; and what of a session's end is written down.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use tonic::{Code, Request, Status};
use watchkeeper_wire::proto::Machine;
use watchkeeper_wire::{CertificateKey, Fingerprint, PeerCertificate, fingerprint, peer_certificate};

use crate::guard::{Incident, Kind, MAX_NAME, Name, compare_names};
use crate::registry::{AgentRecord, AgentStatus, RegistryError};
use crate::session::{Shared, stopped};
use crate::sink::is_own_queue;

/// An agent that another server has revoked is out after this time.
const LONGEST_UNCHECKED: Duration = Duration::from_secs(30);

impl Shared {
    /// Who showed a certificate with a call; who may not is written down.
    pub(crate) async fn peer<T>(&self, request: &Request<T>) -> Result<Option<PeerCertificate>, Status> {
        let refused = match self.enroller.peer(request).await {
            Ok(peer) => return Ok(peer),
            Err(status) => status,
        };
        if refused.code() != Code::Unavailable {
            let shown = request.peer_certs().and_then(|chain| peer_certificate(chain.first()?).ok());
            let agent_id = shown.map(|shown| shown.fingerprint.to_string()).unwrap_or_default();
            let from = request.remote_addr().map(|address| address.ip().to_string()).unwrap_or_default();
            self.refused(&agent_id, &from, "agent shows a certificate", refused.message()).await;
        }
        Err(refused)
    }

    /// As [`Shared::peer`], where a certificate is needed.
    pub(crate) async fn client<T>(&self, request: &Request<T>) -> Result<PeerCertificate, Status> {
        self.peer(request).await?.ok_or_else(|| {
            Status::unauthenticated("the agent showed no certificate of this management group; enrol it first")
        })
    }

    /// Writes down what was refused.
    pub(crate) async fn refused(&self, agent_id: &str, computer: &str, action: &'static str, reason: &str) {
        let incident = Incident { agent_id, computer, action, result: "Refused", reason };
        self.guard.audit(&*self.sink, incident).await;
    }

    /// The record of an agent that may do something now; who may not is written down.
    pub(crate) async fn admit(&self, peer: &PeerCertificate, address: Option<IpAddr>) -> Result<AgentRecord, Status> {
        let refused = match self.guard.take(&peer.agent_id, Kind::Session) {
            Err(reason) => Status::resource_exhausted(reason),
            Ok(()) => match self.enroller.approved(&peer.agent_id).await {
                Ok(record) => return Ok(record),
                Err(status) => status,
            },
        };
        if refused.code() != Code::Unavailable {
            let from = address.map(|address| address.to_string()).unwrap_or_default();
            let (agent_id, computer, reason) = (&*peer.agent_id, &*from, refused.message());
            let incident = Incident { agent_id, computer, action: "agent connects", result: "Refused", reason };
            self.guard.audit(&*self.sink, incident).await;
        }
        Err(refused)
    }

    /// Ends the sessions of agents that may no longer be here: their certificate has expired or is revoked, its authority
    /// is trusted no more, or the agent is approved no more. Gives how many.
    pub(crate) async fn check_sessions(&self) -> Result<usize, RegistryError> {
        let (registry, began) = (&self.enroller.registry, SystemTime::now());
        let trusted: HashSet<Fingerprint> = registry.authorities().await?.iter().map(fingerprint).collect();
        let revoked: HashSet<CertificateKey> = registry.revoked().await?.into_iter().collect();
        let statuses: HashMap<String, AgentStatus> =
            registry.agents().await?.into_iter().map(|agent| (agent.agent_id, agent.status)).collect();
        let now = SystemTime::now();
        Ok(self.sessions.end_where(|session| {
            // it was checked at the door, later than what was read here
            if session.connected_at >= began {
                return None;
            }
            if now > session.certificate_ends {
                return Some(Status::unauthenticated("the agent's certificate has expired; it asks for a new one"));
            }
            let reason = if revoked.contains(&session.certificate) {
                format!("certificate {} was revoked; ask for a new one with a new key", session.certificate.serial)
            } else if session.authority.is_some_and(|authority| !trusted.contains(&authority)) {
                "the authority of the certificate is trusted no more".to_owned()
            } else {
                match statuses.get(&session.agent_id) {
                    Some(AgentStatus::Approved) => return None,
                    Some(status) => format!("agent {} is {}", session.agent_id, status.as_str()),
                    None => format!("agent {} is not known to this management group; enrol it again", session.agent_id),
                }
            };
            Some(Status::permission_denied(reason))
        }))
    }

    /// Another server of the group may have revoked agents, and certificates end while sessions last: looks once in the
    /// time of a heartbeat, and at least every [`LONGEST_UNCHECKED`].
    pub(crate) async fn keep_checking(&self) {
        let mut stop = self.stopping.clone();
        loop {
            let every = self.heartbeats.borrow().general.clamp(Duration::from_secs(1), LONGEST_UNCHECKED);
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = tokio::time::sleep(every) => {}
            }
            if let Err(error) = self.check_sessions().await {
                tracing::warn!(%error, "which agents may be here is not known now; they stay");
            }
        }
    }
}

/// What an agent did whose session ended so; none where it did nothing wrong.
pub(crate) fn misdeed(status: &Status) -> Option<&'static str> {
    match status.code() {
        Code::InvalidArgument => Some("agent breaks the protocol"),
        // of the transport: the message is larger than is read
        Code::OutOfRange => Some("agent sends an oversized message"),
        Code::ResourceExhausted => Some("agent sends too much"),
        Code::FailedPrecondition => Some("agent gives another name"),
        Code::PermissionDenied | Code::Unauthenticated => Some("agent is no longer allowed"),
        Code::AlreadyExists => Some("agent opens a second session"),
        _ => None,
    }
}

/// The name of an agent is the one that it was enrolled with, whatever it says now. With or without its domain it is the
/// same machine; any other name is a renamed computer, which has to be enrolled again.
pub(crate) async fn pin_name(shared: &Shared, enrolled: &AgentRecord, machine: &mut Machine) -> Result<(), Status> {
    let name = compare_names(&enrolled.computer, &machine.computer);
    if name == Name::Same {
        return Ok(());
    }
    if name == Name::Other {
        return Err(Status::failed_precondition(format!(
            "this agent is enrolled as {:?} and calls itself {:?}; a computer that was renamed is enrolled again with a \
             new token, after its agent's identity folder was removed",
            enrolled.computer, machine.computer
        )));
    }
    let reason = format!("the agent calls itself {:?}; its enrolled name is used", machine.computer);
    let incident = Incident {
        agent_id: &enrolled.agent_id,
        computer: &enrolled.computer,
        action: "agent gives another name",
        result: "Corrected",
        reason: &reason,
    };
    shared.guard.audit(&*shared.sink, incident).await;
    machine.computer.clone_from(&enrolled.computer);
    Ok(())
}

/// The queues of an agent are its own: two names, and none of those under which this server numbers rows.
pub(crate) fn check_queues(bulk: &str, urgent: &str) -> Result<(), String> {
    if bulk.is_empty() || bulk.len() > MAX_NAME || urgent.len() > MAX_NAME {
        return Err(format!("the hello names its queues with 1 to {MAX_NAME} characters"));
    }
    if bulk == urgent {
        return Err(format!("the hello gives both lanes the queue {bulk:?}"));
    }
    match [bulk, urgent].iter().find(|queue| is_own_queue(queue)) {
        Some(queue) => Err(format!("the queue name {queue:?} is the server's own")),
        None => Ok(()),
    }
}
