//! Agents and gateways with a certificate of a company's authority: the certificate says who they are, so that they need
//! no token; whether they may join is decided as for all others. The identity follows from the authority and the name.

use base64::Engine as _;
use prost::Message as _;
use rustls_pki_types::CertificateDer;
use tonic::{Request, Status};
use watchkeeper_wire::proto::{
    EnrolRequest, EnrolResponse, Issued, Machine, RevokedCertificate, Trusted, enrol_response::Outcome,
};
use watchkeeper_wire::{CertificateKey, PeerCertificate};

use crate::enrolment::{denied, new_record, pending, unavailable};
use crate::gateways::pending_gateway;
use crate::guard::{Kind, Name, check_machine, compare_names};
use crate::registry::AgentStatus;
use crate::session::Shared;

impl Shared {
    /// An agent or a gateway joins with such a certificate, or asks how it stands: on its own connection, or through
    /// gateways, which say what it showed them.
    pub(crate) async fn join(
        &self,
        peer: Option<PeerCertificate>,
        request: Request<EnrolRequest>,
    ) -> Result<EnrolResponse, Status> {
        let shown = &request.get_ref().certificates;
        let (joining, gateways) = if shown.is_empty() {
            (peer, Vec::new())
        } else {
            let gateways = self.enroller.gateways_of_call(peer, request.metadata()).await?;
            if gateways.is_empty() {
                return Err(Status::permission_denied("a machine shows its certificates itself, or to its gateway"));
            }
            let chain: Vec<CertificateDer<'_>> = shown.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
            (Some(self.enroller.shown(&chain).await?), gateways)
        };
        let Some((joining, name)) = joining.and_then(|one| one.foreign.clone().map(|(_, name)| (one, name))) else {
            return Err(Status::invalid_argument(
                "an enrolment has a signing request, or comes with a company's certificate",
            ));
        };
        self.guard.take(&joining.agent_id, Kind::Session).map_err(Status::resource_exhausted)?;
        let request = request.into_inner();
        let registry = &self.enroller.registry;
        let is_agent = request.gateway_names.is_empty();
        let is_new = if is_agent {
            registry.agent(&joining.agent_id).await.map_err(unavailable)?.is_none()
        } else {
            registry.gateway(&joining.agent_id).await.map_err(unavailable)?.is_none()
        };
        let answer = if is_agent {
            self.join_agent(&joining, &name, request.machine.unwrap_or_default()).await?
        } else {
            self.join_gateway(&joining, &name, &request.gateway_names).await?
        };
        if !gateways.is_empty() {
            // what it can be revoked by
            registry.shown(&joining.agent_id, &joining).await.map_err(unavailable)?;
        }
        // one that is known stays with the server or the gateway that it came through first
        if let (Some(nearest), true) = (gateways.first(), is_new) {
            registry.assign_gateway(&joining.agent_id, &nearest.gateway_id).await.map_err(unavailable)?;
        }
        Ok(answer)
    }

    /// What a gateway has to know of companies' authorities. Gateways alone ask.
    pub(crate) async fn trusted(&self, peer: &PeerCertificate, known: &str) -> Result<Trusted, Status> {
        if !self.enroller.is_gateway(&peer.agent_id).await? {
            return Err(Status::permission_denied("gateways alone ask whose certificates are taken"));
        }
        let registry = &self.enroller.registry;
        let (authorities, revoked) =
            (registry.authorities().await.map_err(unavailable)?, registry.revoked().await.map_err(unavailable)?);
        let mut trusted = Trusted {
            authorities: authorities.iter().map(|one| one.to_vec()).collect(),
            revoked: revoked
                .into_iter()
                .map(|CertificateKey { issuer, serial }| RevokedCertificate { issuer, serial })
                .collect(),
            ..Trusted::default()
        };
        // lists of large companies have tens of thousands of certificates, and gateways ask every few seconds
        let digest = ring::digest::digest(&ring::digest::SHA256, &trusted.encode_to_vec());
        trusted.version = base64::engine::general_purpose::STANDARD.encode(digest.as_ref());
        if trusted.version == known {
            return Ok(Trusted { version: trusted.version, unchanged: true, ..Trusted::default() });
        }
        Ok(trusted)
    }

    async fn join_agent(&self, peer: &PeerCertificate, name: &str, machine: Machine) -> Result<EnrolResponse, Status> {
        check_machine(&machine).map_err(Status::invalid_argument)?;
        let agent_id = &peer.agent_id;
        if compare_names(name, &machine.computer) == Name::Other {
            let reason = format!(
                "the certificate is of {name:?} and the agent calls itself {:?}; import the machine's own certificate, or \
                 correct `computer` in its configuration",
                machine.computer
            );
            self.refused(agent_id, name, "agent gives another name", &reason).await;
            return Err(Status::failed_precondition(reason));
        }
        let registry = &self.enroller.registry;
        let status = match registry.agent(agent_id).await.map_err(unavailable)? {
            Some(known) if [AgentStatus::Revoked, AgentStatus::Rejected].contains(&known.status) => {
                return Err(denied(&known));
            }
            Some(known) => known.status,
            None => {
                let status = self.enroller.standing_of_new().await?;
                let machine = Machine { computer: name.to_owned(), ..machine };
                let mut record = new_record(agent_id, &machine, status);
                record.certificate_serial = Some(peer.key.serial.clone());
                record.certificate_not_after = Some(peer.not_after);
                registry.put_agent(&record).await.map_err(unavailable)?;
                tracing::info!(agent_id, computer = name, status = status.as_str(), "agent joined with a certificate");
                status
            }
        };
        Ok(match status {
            AgentStatus::Approved => self.joined(agent_id),
            _ => pending(agent_id.clone()),
        })
    }

    async fn join_gateway(
        &self,
        peer: &PeerCertificate,
        name: &str,
        names: &[String],
    ) -> Result<EnrolResponse, Status> {
        self.enroller.check_gateway_names(names)?;
        let gateway_id = &peer.agent_id;
        if !names.iter().any(|said| said.eq_ignore_ascii_case(name)) {
            let reason = format!("the certificate is of {name:?} and the gateway's names are {}", names.join(", "));
            self.refused(gateway_id, name, "gateway gives another name", &reason).await;
            return Err(Status::failed_precondition(reason));
        }
        let registry = &self.enroller.registry;
        let record = match registry.gateway(gateway_id).await.map_err(unavailable)? {
            Some(record) => record,
            None => self.enroller.new_gateway(gateway_id, vec![name.to_owned()]).await?,
        };
        if !record.approved {
            return Ok(pending_gateway(gateway_id.clone()));
        }
        registry.gateway_issued(gateway_id, &peer.key.serial).await.map_err(unavailable)?;
        Ok(self.joined(gateway_id))
    }

    /// There is nothing to sign: the certificate is there.
    fn joined(&self, agent_id: &str) -> EnrolResponse {
        EnrolResponse {
            outcome: Some(Outcome::Issued(Issued {
                agent_id: agent_id.to_owned(),
                certificate_pem: String::new(),
                authority_pem: self.enroller.authority.certificate_pem().to_owned(),
                management_group: self.enroller.management_group.clone(),
            })),
        }
    }
}
