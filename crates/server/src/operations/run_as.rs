//! The Run As accounts in an agent's configuration: those that its workflows need, with their secrets only where the
//! agent is in the account's distribution.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use watchkeeper_state::{RunAsAccount, RunAsCredential, State, StateError};

/// The accounts of one agent. No `Debug`: it holds secrets.
pub struct AgentAccounts {
    given: Vec<RunAsCredential>,
    withheld: Vec<RunAsAccount>,
}

impl AgentAccounts {
    /// Reads those that are needed.
    pub async fn read(state: &State, agent_id: &str, needed: &BTreeSet<String>) -> Result<Self, StateError> {
        Self::divide(state, state.run_as_credentials(agent_id).await?, needed).await
    }

    /// Reads those that a management server needs: what it may have itself, and what the pools that it is in may.
    pub async fn of_server(state: &State, server_id: &str, needed: &BTreeSet<String>) -> Result<Self, StateError> {
        let mut given = state.run_as_credentials(server_id).await?;
        for pool in state.pools().await?.iter().filter(|pool| pool.members.iter().any(|member| member == server_id)) {
            for one in state.run_as_credentials(&pool.pool_id).await? {
                if given.iter().all(|known| known.account.account_id != one.account.account_id) {
                    given.push(one);
                }
            }
        }
        Self::divide(state, given, needed).await
    }

    async fn divide(
        state: &State,
        mut given: Vec<RunAsCredential>,
        needed: &BTreeSet<String>,
    ) -> Result<Self, StateError> {
        given.retain(|one| needed.contains(&one.account.account_id));
        let mut withheld = state.run_as_accounts().await?;
        withheld.retain(|one| needed.contains(&one.account_id));
        withheld.retain(|one| given.iter().all(|given| given.account.account_id != one.account_id));
        Ok(Self { given, withheld })
    }

    /// As the agent gets them.
    pub fn with_secrets(&self) -> Value {
        self.document(|given| json!(given.secret))
    }

    /// For the version of the configuration: another secret has another time of change.
    pub fn without_secrets(&self) -> Value {
        self.document(|given| json!(given.account.modified_at))
    }

    fn document(&self, secret: impl Fn(&RunAsCredential) -> Value) -> Value {
        let mut all = Map::new();
        for one in &self.given {
            let account = &one.account;
            let (domain, user) = account.user_name.split_once('\\').unwrap_or(("", &account.user_name));
            all.insert(
                account.account_id.clone(),
                json!({
                    "name": account.name, "kind": account.kind, "user": user, "domain": domain,
                    "password": secret(one),
                }),
            );
        }
        for account in &self.withheld {
            all.insert(account.account_id.clone(), json!({"name": account.name, "withheld": true}));
        }
        Value::Object(all)
    }
}
