//! `watchkeeper pools`: resource pools of management servers, and which server does what of their work.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::operate::Output;
use super::query::Format;
use super::rows::segment;

/// List resource pools, their members, and which server runs the workflows of which object.
#[derive(Args)]
#[command(visible_alias = "pool")]
pub struct Pools {
    #[command(subcommand)]
    what: Option<PoolCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum PoolCommand {
    /// List all.
    List,
    /// List the servers of a pool, or give it others.
    Members {
        /// The pool, by name or identity.
        pool: String,
        /// From now on these and no others, by name or identity.
        #[arg(long, num_args = 1.., value_name = "SERVER")]
        set: Vec<String>,
        /// With --set: servers that vote and do no work.
        #[arg(long, num_args = 1.., value_name = "SERVER", requires = "set")]
        observers: Vec<String>,
    },
    /// List the objects without an agent whose workflows a pool runs, and which server runs them now.
    Objects {
        /// The pool, by name or identity.
        #[arg(default_value = "All Management Servers Resource Pool")]
        pool: String,
    },
    /// Make a pool of some of the servers. Discoveries give it objects by relationships.
    Create {
        name: String,
        /// Servers, by name or identity.
        #[arg(long, required = true, num_args = 1.., value_name = "SERVER")]
        members: Vec<String>,
        /// Servers that vote and do no work.
        #[arg(long, num_args = 1.., value_name = "SERVER")]
        observers: Vec<String>,
        /// The operational store has no vote.
        #[arg(long)]
        no_default_observer: bool,
    },
    /// Remove a pool: all servers do its work from now on.
    Remove { pool: String },
}

impl Pools {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        let member = ["name", "role", "alive", "aliveUntil", "shares", "id"];
        match &self.what {
            None | Some(PoolCommand::List) => {
                let mut answer = output.ask(Method::GET, "/api/pools", None)?;
                if output.format() != Format::Json {
                    name_members(&mut answer);
                }
                let columns = ["name", "members", "observers", "hasQuorum", "objects", "automatic", "id"];
                output.show(&answer, &columns)
            }
            Some(PoolCommand::Members { pool, set, observers }) => {
                let path = format!("/api/pools/{}/members", segment(pool));
                match set.is_empty() {
                    true => output.run(Method::GET, &path, None, &member),
                    false => {
                        let body = json!({"members": set, "observers": observers});
                        output.run(Method::PUT, &path, Some(body), &member)
                    }
                }
            }
            Some(PoolCommand::Objects { pool }) => {
                let path = format!("/api/pools/{}/objects", segment(pool));
                output.run(Method::GET, &path, None, &["name", "path", "classes", "health", "server", "serverId", "id"])
            }
            Some(PoolCommand::Create { name, members, observers, no_default_observer }) => {
                let body = json!({
                    "name": name, "members": members, "observers": observers,
                    "defaultObserver": !no_default_observer,
                });
                let mut answer = output.ask(Method::POST, "/api/pools", Some(body))?;
                if output.format() != Format::Json {
                    name_members(&mut answer);
                }
                output.show(&answer, &["name", "members", "observers", "id"])
            }
            Some(PoolCommand::Remove { pool }) => {
                output.run(Method::DELETE, &format!("/api/pools/{}", segment(pool)), None, &[])
            }
        }
    }
}

/// Servers by their names alone, with a word on those that are down.
fn name_members(answer: &mut Value) {
    let name = |server: &Value| {
        let name = server["name"].as_str().or(server["id"].as_str()).unwrap_or_default();
        let down = if server["alive"].as_bool() == Some(true) { "" } else { " (down)" };
        Value::String(format!("{name}{down}"))
    };
    let pools: &mut [Value] = match answer {
        Value::Array(pools) => pools,
        one => std::slice::from_mut(one),
    };
    for pool in pools {
        for list in ["members", "observers"] {
            let named: Vec<Value> = pool[list].as_array().into_iter().flatten().map(name).collect();
            pool[list] = Value::Array(named);
        }
    }
}
