//! What ends: secrets of service principals and connections, certificates. Somebody is warned of each in time
//! (`watchkeeper_management::expiry` says when); no value is read here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use watchkeeper_certificates::{Facts, Identity, Role};
use watchkeeper_management::clock;
use watchkeeper_management::expiry::Expiring;
use watchkeeper_state::State;

use crate::operations::Operations;

const SECOND: i64 = 1_000_000;
/// How soon a server looks whether the group's items have become its work.
const LOOK: Duration = Duration::from_secs(2);
/// The piece of work that one server of the group does for all.
const WORK: &str = "expiry";
/// Items that every server of the group sees.
const GROUP: &str = "group/";

/// Everything with an end that this server knows of.
pub struct Expiry {
    pub state: State,
    pub operations: Arc<Operations>,
    pub data_dir: PathBuf,
    /// The certificate of APIs and console, as it was at the start.
    pub served: CertificateDer<'static>,
    /// That certificate is of the management group's authority, which signs another at each start.
    pub is_own: bool,
    /// The certificate of the management group's authority.
    pub authority: CertificateDer<'static>,
}

impl Expiry {
    /// Everything, what ends first before the others.
    ///
    /// # Errors
    /// When the store or a certificate cannot be read.
    pub async fn items(&self) -> anyhow::Result<Vec<Expiring>> {
        let mut items = self.of_group().await?;
        items.extend(self.of_server()?);
        items.sort_by(|a, b| (a.expires_at, &a.item).cmp(&(b.expires_at, &b.item)));
        Ok(items)
    }

    /// Items of this server alone begin so.
    fn own(&self) -> String {
        format!("server/{}/", self.operations.server_id())
    }

    /// What lies on this server's machine.
    fn of_server(&self) -> anyhow::Result<Vec<Expiring>> {
        let computer = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let own = self.own();
        let served = Facts::of(&self.served).context("the certificate of APIs and console cannot be read")?;
        let advice = match self.is_own {
            true => "The server makes another one when it is started again.",
            false => "Put the next one into the files of tls.certificate and tls.key, and start the server again.",
        };
        let shown =
            |facts: &Facts| facts.names.first().or(facts.common_name.as_ref()).unwrap_or(&facts.subject).clone();
        let mut items = vec![Expiring {
            item: format!("{own}certificate"),
            kind: "certificate of APIs and console",
            name: shown(&served),
            expires_at: micros(served.not_after),
            renews_itself: false,
            advice: advice.to_owned(),
            computer: computer.clone(),
        }];
        let imported = Identity::new(&self.data_dir.join("certificates"), Role::Server).imported()?;
        if let Some((chain, _)) = imported {
            let leaf = CertificateDer::from_pem_slice(chain.as_bytes()).context("the imported certificate")?;
            let facts = Facts::of(&leaf)?;
            items.push(Expiring {
                item: format!("{own}company-certificate"),
                kind: "certificate of the server for agents",
                name: shown(&facts),
                expires_at: micros(facts.not_after),
                renews_itself: false,
                advice: "`watchkeeper cert renew --for server` makes the request for the next one.".to_owned(),
                computer,
            });
        }
        Ok(items)
    }

    /// What is in the store, for all servers of the group.
    async fn of_group(&self) -> anyhow::Result<Vec<Expiring>> {
        let mut items = self.secrets_of_principals().await?;
        items.extend(self.secrets_of_connections().await?);
        items.extend(self.certificates_of_group().await?);
        for item in &mut items {
            item.item.insert_str(0, GROUP);
        }
        Ok(items)
    }

    async fn secrets_of_principals(&self) -> anyhow::Result<Vec<Expiring>> {
        let mut items = Vec::new();
        for principal in self.state.principals().await? {
            for secret in self.state.principal_secrets(&principal.client_id).await? {
                items.push(Expiring {
                    item: format!("principal-secret/{}", secret.id),
                    kind: "secret of the service principal",
                    name: match secret.name.as_str() {
                        "" => format!("{} ({}…)", principal.name, secret.hint),
                        name => format!("{} ({name})", principal.name),
                    },
                    expires_at: secret.expires_at.saturating_mul(SECOND),
                    renews_itself: false,
                    advice: format!(
                        "`watchkeeper workspace principals secret {}` makes another one; whatever signs in with this one \
                         needs it, and then this one can be removed.",
                        principal.client_id
                    ),
                    computer: String::new(),
                });
            }
            for certificate in self.state.principal_certificates(&principal.client_id).await? {
                items.push(Expiring {
                    item: format!("principal-certificate/{}/{}", principal.client_id, certificate.thumbprint),
                    kind: "certificate of the service principal",
                    name: format!("{} ({})", principal.name, certificate.subject),
                    expires_at: certificate.expires_at.saturating_mul(SECOND),
                    renews_itself: false,
                    advice: format!(
                        "`watchkeeper workspace principals add-certificate {}` adds the next one; then this one can be \
                         removed.",
                        principal.client_id
                    ),
                    computer: String::new(),
                });
            }
        }
        Ok(items)
    }

    async fn secrets_of_connections(&self) -> anyhow::Result<Vec<Expiring>> {
        let item = |kind: &'static str, id: &str, name: &str, expires_at: i64, advice: String| Expiring {
            item: format!("connection/{id}"),
            kind,
            name: name.to_owned(),
            expires_at,
            renews_itself: false,
            advice,
            computer: String::new(),
        };
        let mut items = Vec::new();
        for one in self.state.configuration_managers().await? {
            let Some(at) = stated_day(&one.settings) else { continue };
            let advice = format!(
                "Make another one for the application, and give it to the connection with `watchkeeper configmgr renew {}`.",
                one.name
            );
            items.push(item(
                "secret of the Configuration Manager connection",
                &one.connection_id,
                &one.name,
                at,
                advice,
            ));
        }
        for one in self.state.itsm_connections().await? {
            let Some(at) = stated_day(&one.settings) else { continue };
            let advice =
                "Make another one in the product, and write it into the connection with the day on which it ends.";
            let advice = advice.to_owned();
            items.push(item("secret of the service desk connection", &one.connection_id, &one.name, at, advice));
        }
        for one in self.state.map_connections().await? {
            if one.settings.secret_expires > 0 {
                let advice = "Make another one for the application, and write it into the connection with its end.";
                let (at, advice) = (one.settings.secret_expires, advice.to_owned());
                items.push(item("secret of the Service Map connection", &one.connection_id, &one.name, at, advice));
            }
        }
        Ok(items)
    }

    async fn certificates_of_group(&self) -> anyhow::Result<Vec<Expiring>> {
        let authority = Facts::of(&self.authority).context("the management group's authority cannot be read")?;
        let mut items = vec![Expiring {
            item: "authority".to_owned(),
            kind: "authority of the management group",
            name: authority.common_name.unwrap_or(authority.subject),
            expires_at: micros(authority.not_after),
            renews_itself: false,
            advice: "Agents that trust it alone need one of your company's authorities, or to be enrolled again."
                .to_owned(),
            computer: String::new(),
        }];
        for one in self.state.authorities().await? {
            items.push(Expiring {
                item: format!("trusted/{}", one.fingerprint),
                kind: "trusted authority",
                name: one.subject,
                expires_at: one.not_after.saturating_mul(SECOND),
                renews_itself: false,
                advice: "`watchkeeper cert trust` takes the one that follows it; `cert distrust` removes this one."
                    .to_owned(),
                computer: String::new(),
            });
        }
        let (agents, gateways) = (self.state.agents().await?, self.state.gateways().await?);
        for shown in self.state.shown_certificates().await? {
            let agent = agents.iter().find(|agent| agent.agent_id == shown.agent_id);
            let gateway = gateways.iter().find(|gateway| gateway.gateway_id == shown.agent_id);
            let (kind, name) = match (agent, gateway) {
                (Some(agent), _) => ("certificate of the agent", agent.computer.clone()),
                (None, Some(gateway)) => ("certificate of the gateway", gateway.name.clone()),
                (None, None) => continue,
            };
            if self.state.is_certificate_revoked(&shown.issuer, &shown.serial).await? {
                continue;
            }
            let renews_itself = shown.authority.is_empty();
            let advice = match renews_itself {
                true => "It should have been renewed by itself: is the machine on, and does it reach the server?",
                false => {
                    "`watchkeeper-agent cert renew` (gateways: `watchkeeper cert renew --for gateway`) on that machine \
                          makes the request for the next one."
                }
            };
            items.push(Expiring {
                item: format!("certificate/{}", shown.agent_id),
                kind,
                computer: name.clone(),
                name,
                expires_at: shown.not_after.saturating_mul(SECOND),
                renews_itself,
                advice: advice.to_owned(),
            });
        }
        Ok(items)
    }

    /// Warns of what ends, again and again: of this server's own items, and of the group's where that is its work.
    pub async fn watch(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let (mut own, mut group) = (tokio::time::Instant::now(), tokio::time::Instant::now());
        loop {
            let now = tokio::time::Instant::now();
            if own <= now {
                own = now + every;
                if let Err(error) = self.warn_of_own().await {
                    tracing::error!(error = format!("{error:#}"), "what ends on this server cannot be told");
                }
            }
            if group <= now && self.operations.alert_work(WORK).is_some() {
                group = now + every;
                if let Err(error) = self.warn_of_group().await {
                    tracing::error!(error = format!("{error:#}"), "what ends in the group cannot be told");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn warn_of_own(&self) -> anyhow::Result<()> {
        self.operations.operational.warn_of_expiry(&self.own(), &self.of_server()?, clock::now()).await?;
        Ok(())
    }

    async fn warn_of_group(&self) -> anyhow::Result<()> {
        self.operations.operational.warn_of_expiry(GROUP, &self.of_group().await?, clock::now()).await?;
        Ok(())
    }
}

fn micros(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The beginning of the day on which the secret of a form ends, where somebody has said it.
fn stated_day(settings: &str) -> Option<i64> {
    let settings: Value = serde_json::from_str(settings).ok()?;
    let day = chrono::NaiveDate::parse_from_str(settings["secretExpiry"].as_str()?, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_in_a_form_is_its_beginning() {
        assert_eq!(stated_day(r#"{"secretExpiry": "2027-01-02"}"#), Some(1_798_848_000_000_000));
        assert_eq!(stated_day(r#"{"secretExpiry": ""}"#), None);
        assert_eq!(stated_day("{}"), None);
    }
}
