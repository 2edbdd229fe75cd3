//! The management server's registry of agents, kept in the operational store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use watchkeeper_management::group::AgentMachine;
use watchkeeper_management::{
    AgentRecord, AgentServers, AgentStatus, Approval, GatewayRecord, Redemption, Registry, RegistryError,
    approval_setting,
};
use watchkeeper_state::{
    Agent, AgentSeen, Gateway, GatewayQueue, ShownCertificate, State, StateError, TokenUse, TrustedAuthority,
};
use watchkeeper_wire::{CertificateKey, PeerCertificate, proto};

use crate::failover::servers_of;
use crate::operations::Operations;
use crate::together::Together;

/// When gateways were last seen is kept so exactly: one speaks for 2,000 agents and more.
const GATEWAY_SEEN_EVERY: Duration = Duration::from_secs(10);
/// A certificate that comes again is kept anew after this time.
const SHOWN_EVERY: Duration = Duration::from_secs(3600);

/// The registry over a [`State`]; the management group follows what becomes of agents.
pub struct AgentRegistry {
    state: State,
    operations: Arc<Operations>,
    gateways_seen: Recent<()>,
    shown: Recent<CertificateKey>,
    /// All agents come back at one time after a restart.
    connecting: Together<AgentSeen, RegistryError>,
    showing: Together<ShownCertificate, RegistryError>,
}

impl AgentRegistry {
    pub fn new(state: State, operations: Arc<Operations>) -> Self {
        Self {
            state,
            operations,
            gateways_seen: Recent::default(),
            shown: Recent::default(),
            connecting: Together::default(),
            showing: Together::default(),
        }
    }
}

/// What was written down of each a short time ago and need not be again.
struct Recent<V>(Mutex<HashMap<String, (V, Instant)>>);

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<V: PartialEq> Recent<V> {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (V, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, id: &str, value: &V, within: Duration) -> bool {
        self.lock().get(id).is_some_and(|(kept, at)| kept == value && at.elapsed() < within)
    }

    fn note(&self, id: &str, value: V) {
        self.lock().insert(id.to_owned(), (value, Instant::now()));
    }

    fn forget(&self, id: &str) {
        self.lock().remove(id);
    }
}

#[async_trait]
impl Registry for AgentRegistry {
    async fn redeem_token(&self, hash: &str, now: SystemTime) -> Result<Redemption, RegistryError> {
        Ok(match self.state.use_enrolment_token(hash, to_seconds(now)).await.map_err(failed)? {
            TokenUse::Accepted => Redemption::Accepted,
            TokenUse::Unknown => Redemption::Unknown,
            TokenUse::Expired(end) => Redemption::Expired(from_seconds(end)),
            TokenUse::UsedUp => Redemption::UsedUp,
        })
    }

    async fn put_token(
        &self,
        hash: &str,
        description: &str,
        expires_at: Option<SystemTime>,
        uses: Option<u32>,
    ) -> Result<(), RegistryError> {
        let expires_at = expires_at.map_or(0, to_seconds);
        self.state.put_enrolment_token(hash, description, expires_at, uses).await.map_err(failed)
    }

    async fn agent(&self, agent_id: &str) -> Result<Option<AgentRecord>, RegistryError> {
        self.state.agent(agent_id).await.map_err(failed)?.map(to_record).transpose()
    }

    async fn agents(&self) -> Result<Vec<AgentRecord>, RegistryError> {
        self.state.agents().await.map_err(failed)?.into_iter().map(to_record).collect()
    }

    async fn put_agent(&self, record: &AgentRecord) -> Result<(), RegistryError> {
        let agent = Agent {
            agent_id: record.agent_id.clone(),
            computer: record.computer.clone(),
            status: record.status.as_str().to_owned(),
            os_name: record.os_name.clone(),
            agent_version: record.agent_version.clone(),
            certificate_serial: record.certificate_serial.clone().unwrap_or_default(),
            certificate_not_after: record.certificate_not_after.map_or(0, to_seconds),
            enrolled_at: to_seconds(record.enrolled_at),
            last_seen: record.last_seen.map_or(0, to_seconds),
        };
        self.state.put_agent(&agent).await.map_err(failed)
    }

    async fn set_status(&self, agent_id: &str, status: AgentStatus) -> Result<bool, RegistryError> {
        self.state.set_agent_status(agent_id, status.as_str()).await.map_err(failed)
    }

    async fn approval(&self) -> Result<Option<Approval>, RegistryError> {
        approval_setting(&self.state).await.map_err(failed)
    }

    async fn servers(&self, agent_id: &str) -> Result<AgentServers, RegistryError> {
        servers_of(&self.state, agent_id).await.map_err(failed)
    }

    async fn gateway(&self, gateway_id: &str) -> Result<Option<GatewayRecord>, RegistryError> {
        let gateway = self.state.gateway(gateway_id).await.map_err(failed)?;
        Ok(gateway.map(|gateway| GatewayRecord {
            gateway_id: gateway.gateway_id,
            name: gateway.name,
            names: gateway.names,
            approved: gateway.approved,
            certificate_serial: gateway.certificate_serial,
            enrolled_at: from_seconds(gateway.enrolled_at),
            last_seen: Some(gateway.last_seen).filter(|at| *at != 0).map(from_seconds),
        }))
    }

    async fn put_gateway(&self, record: &GatewayRecord) -> Result<(), RegistryError> {
        let gateway = Gateway {
            gateway_id: record.gateway_id.clone(),
            name: record.name.clone(),
            names: record.names.clone(),
            approved: record.approved,
            certificate_serial: record.certificate_serial.clone(),
            enrolled_at: to_seconds(record.enrolled_at),
            last_seen: record.last_seen.map_or(0, to_seconds),
        };
        self.state.put_gateway(&gateway).await.map_err(failed)
    }

    async fn gateway_issued(&self, gateway_id: &str, serial: &str) -> Result<(), RegistryError> {
        self.state.gateway_issued(gateway_id, serial).await.map_err(failed)
    }

    async fn gateway_seen(&self, gateway_id: &str, at: SystemTime) -> Result<(), RegistryError> {
        if self.gateways_seen.is(gateway_id, &(), GATEWAY_SEEN_EVERY) {
            return Ok(());
        }
        self.state.gateway_seen(gateway_id, to_seconds(at)).await.map_err(failed)?;
        self.gateways_seen.note(gateway_id, ());
        Ok(())
    }

    async fn gateway_queue(&self, queue: &proto::GatewayQueue) -> Result<(), RegistryError> {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let queue = GatewayQueue {
            gateway_id: queue.gateway_id.clone(),
            batches: whole(queue.batches),
            rows: whole(queue.rows),
            bytes: whole(queue.bytes),
            limit_bytes: whole(queue.limit_bytes),
            oldest: queue.oldest,
            connected: i64::from(queue.connected),
            looked_at: queue.looked_at,
            reported_at: watchkeeper_management::clock::now(),
        };
        self.state.put_gateway_queue(&queue).await.map_err(failed)
    }

    async fn gateway_of(&self, agent_id: &str) -> Result<Option<String>, RegistryError> {
        self.state.gateway_of(agent_id).await.map_err(failed)
    }

    async fn assign_gateway(&self, agent_id: &str, gateway_id: &str) -> Result<(), RegistryError> {
        self.state.assign_gateway(agent_id, gateway_id).await.map_err(failed)
    }

    async fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, RegistryError> {
        let kept = self.state.authorities().await.map_err(failed)?;
        let read = |authority: TrustedAuthority| {
            CertificateDer::from_pem_slice(authority.pem.as_bytes())
                .map_err(|error| RegistryError(format!("the trusted authority {}: {error}", authority.subject)))
        };
        kept.into_iter().map(read).collect()
    }

    async fn revoked(&self) -> Result<Vec<CertificateKey>, RegistryError> {
        let kept = self.state.revoked_certificates().await.map_err(failed)?;
        let mut keys: Vec<_> =
            kept.into_iter().map(|one| CertificateKey { issuer: one.issuer, serial: one.serial }).collect();
        for list in self.state.revocation_lists().await.map_err(failed)? {
            let key = |serial: String| CertificateKey { issuer: list.issuer.clone(), serial };
            keys.extend(list.revoked.into_iter().map(|one| key(one.serial)));
        }
        Ok(keys)
    }

    async fn is_revoked(&self, key: &CertificateKey) -> Result<bool, RegistryError> {
        self.state.is_certificate_revoked(&key.issuer, &key.serial).await.map_err(failed)
    }

    async fn shown(&self, agent_id: &str, certificate: &PeerCertificate) -> Result<(), RegistryError> {
        if self.shown.is(agent_id, &certificate.key, SHOWN_EVERY) {
            return Ok(());
        }
        let shown = ShownCertificate {
            agent_id: agent_id.to_owned(),
            subject: certificate.subject.clone(),
            issuer_name: certificate.issuer.clone(),
            issuer: certificate.key.issuer.clone(),
            serial: certificate.key.serial.clone(),
            fingerprint: certificate.fingerprint.to_string(),
            authority: certificate.foreign.as_ref().map(|(authority, _)| authority.to_string()).unwrap_or_default(),
            not_before: to_seconds(certificate.not_before),
            not_after: to_seconds(certificate.not_after),
            seen_at: to_seconds(SystemTime::now()),
        };
        let write = |shown: Vec<ShownCertificate>| async move {
            self.state.put_shown_certificates(&shown).await.map_err(failed)
        };
        self.showing.write(shown, write, given_up).await?;
        self.shown.note(agent_id, certificate.key.clone());
        Ok(())
    }

    async fn remove(&self, agent_id: &str) -> Result<bool, RegistryError> {
        self.state.release_from_gateway(agent_id).await.map_err(failed)?;
        self.state.delete_shown_certificate(agent_id).await.map_err(failed)?;
        self.shown.forget(agent_id);
        self.state.delete_heartbeat_setting(agent_id).await.map_err(failed)?;
        let was_there = self.state.delete_agent(agent_id).await.map_err(failed)?;
        self.operations.agent_removed(agent_id).await.map_err(failed)?;
        Ok(was_there)
    }

    async fn seen(
        &self,
        agent_id: &str,
        computer: &str,
        os_name: &str,
        agent_version: &str,
        at: SystemTime,
    ) -> Result<(), RegistryError> {
        let seen = AgentSeen {
            agent_id: agent_id.to_owned(),
            computer: computer.to_owned(),
            os_name: os_name.to_owned(),
            agent_version: agent_version.to_owned(),
            at: to_seconds(at),
        };
        let write = |seen: Vec<AgentSeen>| async move { self.state.agents_connected(&seen).await.map_err(failed) };
        self.connecting.write(seen, write, given_up).await?;
        let machine = AgentMachine {
            computer: computer.to_owned(),
            os_name: os_name.to_owned(),
            agent_version: agent_version.to_owned(),
        };
        self.operations.agent_seen(agent_id, &machine).await.map_err(failed)
    }
}

fn to_record(agent: Agent) -> Result<AgentRecord, RegistryError> {
    let statuses = [AgentStatus::Pending, AgentStatus::Approved, AgentStatus::Rejected, AgentStatus::Revoked];
    let status = statuses.into_iter().find(|status| status.as_str() == agent.status).ok_or_else(|| {
        RegistryError(format!(
            "agent {:?} has the status {:?}, which this version does not know",
            agent.agent_id, agent.status
        ))
    })?;
    Ok(AgentRecord {
        status,
        certificate_serial: Some(agent.certificate_serial).filter(|serial| !serial.is_empty()),
        certificate_not_after: Some(agent.certificate_not_after).filter(|at| *at != 0).map(from_seconds),
        enrolled_at: from_seconds(agent.enrolled_at),
        last_seen: Some(agent.last_seen).filter(|at| *at != 0).map(from_seconds),
        agent_id: agent.agent_id,
        computer: agent.computer,
        os_name: agent.os_name,
        agent_version: agent.agent_version,
    })
}

fn given_up() -> RegistryError {
    RegistryError("what was to be written was given up half way; it comes again".to_owned())
}

fn failed(error: StateError) -> RegistryError {
    RegistryError(error.to_string())
}

fn to_seconds(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |elapsed| i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX))
}

fn from_seconds(seconds: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}
