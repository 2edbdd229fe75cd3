//! What is looked at before a connection is made and before each import: the application and what it may, the site, its
//! service connection point, and the agent on it.

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;
use watchkeeper_authorization::{Action, Readable, Scope};
use watchkeeper_configmgr::{Check, Collection, Hierarchy, LEAST_BUILD_TO_WRITE, Part, Problem};
use watchkeeper_kql::typed::TableSource;
use watchkeeper_state::{SecretCheck, StateError};

use super::{ConfigurationManagers, Form, ImportError, KnownSite, Secrets};
use crate::authorization::access_of;
use crate::queries::{Asked, Functions, Limits, Origin, ticks_now};

/// A person waits: two tries.
const TRIES: u32 = 2;
/// The resource group that the workspace is said to be in.
const RESOURCE_GROUP: &str = "watchkeeper";
const DEADLINE: Duration = Duration::from_secs(30);
/// An agent that reported within this time reports.
const HEARTBEATS_BACK: &str = "1d";

/// Where groups go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    pub subscription: String,
    pub resource_group: String,
    pub workspace: String,
}

/// What was found out about a form.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Every rule, in the order in which they are looked at. After the first that is broken the way may end.
    pub checks: Vec<Check>,
    pub site: KnownSite,
    /// Filled in where the application may write to the workspace.
    pub place: Place,
}

impl Verified {
    /// The first thing that is wrong.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        self.checks.iter().find_map(|check| check.outcome.as_ref().err())
    }
}

impl ConfigurationManagers {
    /// Looks at everything that a form needs. `known` is the code of the site that the connection leads to, empty for a new
    /// one.
    ///
    /// # Errors
    /// When the store of this server fails; what is wrong with the form is among the checks.
    pub async fn verify(&self, form: &Form, secrets: &Secrets, known: &str) -> Result<Verified, StateError> {
        let mut checks = vec![self.application(form, secrets).await?];
        let (place, workspace) = self.place(form).await?;
        let mut site = KnownSite::default();
        if checks[0].outcome.is_ok() {
            checks.push(workspace);
            match self.hierarchy(form, secrets, TRIES).await {
                Ok(hierarchy) => {
                    site = known_site(&hierarchy);
                    checks.extend(hierarchy.checks(known));
                    if !form.targets.is_empty() {
                        let outcome = can_be_written(&site);
                        checks.push(Check { part: Part::Version, outcome });
                    }
                    checks.push(self.agent(form, &site).await);
                }
                Err(problem) => checks.push(Check { part: problem.part, outcome: Err(problem) }),
            }
        }
        Ok(Verified { checks, site, place })
    }

    /// The device collections of the site of a form.
    ///
    /// # Errors
    /// What is wrong with the form.
    pub async fn collections(&self, form: &Form, secrets: &Secrets) -> Result<Vec<Collection>, Problem> {
        let client = form.client(secrets, &self.clouds, self.timeout(), TRIES, self.options.page_rows.max(1))?;
        client.sign_in().await?;
        client.collections().await
    }

    /// What every import looks at first: that nothing has changed for the worse.
    pub(super) async fn look(&self, form: &Form, secrets: &Secrets, known: &str) -> Result<KnownSite, ImportError> {
        let (_, workspace) = self.place(form).await?;
        workspace.outcome?;
        let hierarchy = self.hierarchy(form, secrets, self.options.tries.max(1)).await?;
        for check in hierarchy.checks(known) {
            check.outcome?;
        }
        let site = known_site(&hierarchy);
        self.agent(form, &site).await.outcome?;
        Ok(site)
    }

    async fn hierarchy(&self, form: &Form, secrets: &Secrets, tries: u32) -> Result<Hierarchy, Problem> {
        form.client(secrets, &self.clouds, self.timeout(), tries, self.options.page_rows.max(1))?.hierarchy().await
    }

    /// Whether the application can sign in where it is registered.
    async fn application(&self, form: &Form, secrets: &Secrets) -> Result<Check, StateError> {
        let outcome = match form.is_own() {
            true => self.own_application(form, secrets).await?,
            false => {
                watchkeeper_configmgr::sign_in(&form.application(secrets, &self.clouds), &form.trusted, self.timeout())
                    .await
            }
        };
        let outcome = outcome.map(|()| "Successfully verified!".to_owned());
        Ok(Check { part: outcome.as_ref().err().map_or(Part::Application, |problem| problem.part), outcome })
    }

    async fn own_application(&self, form: &Form, secrets: &Secrets) -> Result<Result<(), Problem>, StateError> {
        let wrong = |part, message: String, advice: &str| Ok(Err(Problem::new(part, message, advice)));
        if !form.tenant_id.eq_ignore_ascii_case(&self.tenant_id) {
            let message = format!("the tenant {:?} is not this server's", form.tenant_id);
            return wrong(Part::Tenant, message, "enter the tenant id of connection.json, or choose the environment");
        }
        let id = &form.client_id;
        match self.state.check_principal_secret(id, &secrets.secret).await? {
            SecretCheck::Valid(_) => Ok(Ok(())),
            SecretCheck::UnknownClient => wrong(
                Part::Application,
                format!("there is no application with the client ID {id:?}"),
                "make one (`watchkeeper workspace principals create NAME --role Contributor`) and enter its client ID",
            ),
            SecretCheck::WrongSecret => wrong(
                Part::Secret,
                format!("the secret key is not one of the application {id:?}"),
                "give the value of the client secret (`watchkeeper configmgr renew NAME --secret-file FILE`)",
            ),
            SecretCheck::Expired => wrong(
                Part::SecretExpired,
                format!("the secret key of the application {id:?} has expired"),
                "make a new one and give it to the connection (`watchkeeper configmgr renew NAME --secret-file FILE`)",
            ),
        }
    }

    /// Subscription, resource group and workspace, where the application has the role Contributor there.
    async fn place(&self, form: &Form) -> Result<(Place, Check), StateError> {
        let access = access_of(&self.state, &form.client_id.to_lowercase()).await?;
        let may_write = access.allows(Action::ChangeTables, &Scope::workspace(&self.workspace_id));
        let workspace = self.state.workspace(&self.workspace_id).await?;
        let name = workspace.map_or_else(|| self.workspace_id.clone(), |workspace| workspace.name);
        if !may_write {
            // "You must specify permissions in the Log Analytics workspace for Configuration Manager"
            let message = format!(
                "the application {:?} does not have the rights required in the workspace {name}, so subscription, resource \
                 group and workspace stay empty",
                form.client_id
            );
            let advice = "give it the role Contributor in the workspace (`watchkeeper configmgr grant CLIENT-ID`)";
            let outcome = Err(Problem::new(Part::Workspace, message, advice));
            return Ok((Place::default(), Check { part: Part::Workspace, outcome }));
        }
        let found = format!("the application may write to the workspace {name}");
        let place =
            Place { subscription: self.tenant_id.clone(), resource_group: RESOURCE_GROUP.to_owned(), workspace: name };
        Ok((place, Check { part: Part::Workspace, outcome: Ok(found) }))
    }

    /// Whether an agent on the server of the service connection point reports to this workspace.
    async fn agent(&self, form: &Form, site: &KnownSite) -> Check {
        let server = site.connection_point.as_str();
        let outcome = if server.is_empty() || form.without_agent {
            Ok("the agent on the service connection point is not asked for".to_owned())
        } else {
            self.reports(server).await
        };
        Check { part: Part::Agent, outcome }
    }

    async fn reports(&self, server: &str) -> Result<String, Problem> {
        let short = server.split('.').next().unwrap_or(server);
        let text = format!(
            "Heartbeat | where TimeGenerated > ago({HEARTBEATS_BACK}) | where Computer in~ ({}, {}) | take 1",
            kql_text(server),
            kql_text(short)
        );
        let asked = Asked {
            text,
            timespan: None,
            parameters: BTreeMap::new(),
            now: ticks_now(),
            deadline: DEADLINE,
            limits: Limits { rows: 1, bytes: 1 << 20 },
            functions: Functions::new(),
            readable: Readable::All,
            small: false,
            plan: false,
            origin: Origin {
                request_id: "configuration-manager".to_owned(),
                activity_id: Uuid::new_v4(),
                user: "Watchkeeper".to_owned(),
                application: "configuration-manager".to_owned(),
                ..Origin::default()
            },
        };
        let is_there = self.queries.tables().schema(&TableSource::Local, "Heartbeat").is_some();
        let rows: usize = match is_there {
            false => 0,
            true => {
                let answer = self.queries.run(asked).await.map_err(|error| {
                    let message = format!("the heartbeats of {server} cannot be read ({error})");
                    Problem::new(Part::Busy, message, "it is tried again")
                })?;
                answer.tables.iter().flat_map(|table| &table.batches).map(|batch| batch.num_rows()).sum()
            }
        };
        match rows {
            0 => Err(Problem::new(
                Part::Agent,
                format!("no agent on the service connection point {server} has reported to this workspace for a day"),
                "install the agent there and connect it to this workspace, or import without it \
                 (`watchkeeper configmgr set NAME --without-agent true`)",
            )),
            _ => Ok(format!("the agent on {server} reports to this workspace")),
        }
    }
}

/// Whether collections of a site can be written.
pub(super) fn can_be_written(site: &KnownSite) -> Result<String, Problem> {
    let build: Option<u32> = site.version.split('.').nth(2).and_then(|build| build.parse().ok());
    match build.is_some_and(|build| build >= LEAST_BUILD_TO_WRITE) {
        true => Ok(format!("the site {} takes membership rules", site.code)),
        false => Err(Problem::new(
            Part::Version,
            format!(
                "the site {} has version {}; its administration service takes no membership rules",
                site.code, site.version
            ),
            "update it to 2111 (5.00.9068) or later, or write no groups to it",
        )),
    }
}

fn known_site(hierarchy: &Hierarchy) -> KnownSite {
    let point = hierarchy.connection_point();
    let site = hierarchy.site();
    KnownSite {
        code: hierarchy.this.clone(),
        name: site.map_or_else(String::new, |site| site.name.clone()),
        server: site.map_or_else(String::new, |site| site.server.clone()),
        version: site.map_or_else(String::new, |site| site.version.clone()),
        connection_point: point.map_or_else(String::new, |point| point.server.clone()),
    }
}

fn kql_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
