//! Agents and gateways with a certificate of a company's authority: the certificate says who they are, so that they need
//! no token; whether they may join is decided as for all others. The identity follows from the authority and the name.

use tonic::Status;
use watchkeeper_wire::PeerCertificate;
use watchkeeper_wire::proto::{EnrolRequest, EnrolResponse, Issued, Machine, enrol_response::Outcome};

use crate::enrolment::{denied, new_record, pending, unavailable};
use crate::gateways::pending_gateway;
use crate::guard::{Kind, Name, check_machine, compare_names};
use crate::registry::AgentStatus;
use crate::session::Shared;

impl Shared {
    /// An agent or a gateway joins with such a certificate, or asks how it stands.
    pub(crate) async fn join(&self, peer: PeerCertificate, request: EnrolRequest) -> Result<EnrolResponse, Status> {
        let (_, name) = peer.foreign.as_ref().ok_or_else(|| Status::internal("a certificate of our own"))?;
        self.guard.take(&peer.agent_id, Kind::Session).map_err(Status::resource_exhausted)?;
        if request.gateway_names.is_empty() {
            self.join_agent(&peer, name, request.machine.unwrap_or_default()).await
        } else {
            self.join_gateway(&peer, name, &request.gateway_names).await
        }
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
