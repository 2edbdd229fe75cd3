//! `watchkeeper run-as`: accounts, profiles, and which account a profile uses. A secret comes from a file or standard
//! input, never from the command line.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::operate::Output;
use super::rows::segment;

/// Manage the accounts that workflows run as and what they are used for.
#[derive(Args)]
pub struct RunAs {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum What {
    /// Accounts: list, add, change, distribute, remove.
    #[command(subcommand)]
    Accounts(Accounts),
    /// List the profiles of the imported packs.
    Profiles,
    /// Which account a profile uses: list, set, remove.
    #[command(subcommand)]
    Associations(Associations),
}

#[derive(Subcommand)]
enum Accounts {
    /// List all, with the agents that may have them.
    List,
    /// Add one. Its secret is read from standard input, or from a file.
    Add {
        name: String,
        /// ActionAccount (a user of the computer, whom programs run as), Basic, SnmpCommunity, SnmpV3, Certificate.
        #[arg(long)]
        kind: String,
        /// The user name; DOMAIN\\USER for one of a domain.
        #[arg(long, default_value = "")]
        user: String,
        /// The file with the secret; - for standard input.
        #[arg(long, default_value = "-", conflicts_with = "no_secret")]
        secret_file: PathBuf,
        /// It has none: programs that run as a user of the computer need none.
        #[arg(long)]
        no_secret: bool,
        /// An agent that may have it, by computer or identity; more than once for more.
        #[arg(long = "agent")]
        agents: Vec<String>,
        /// Every agent may have it, which is less secure.
        #[arg(long)]
        all_agents: bool,
    },
    /// Give one another secret, from standard input or a file.
    Secret {
        account: String,
        /// The file with the secret; - for standard input.
        #[arg(long, default_value = "-")]
        secret_file: PathBuf,
    },
    /// Let agents have one, or no longer; for objects without an agent, management servers or resource pools.
    Distribute {
        account: String,
        /// By computer, name of the server or pool, or identity.
        agents: Vec<String>,
        /// They may no longer have it.
        #[arg(long)]
        remove: bool,
        /// Every agent (true), or only those that are listed (false).
        #[arg(long)]
        all_agents: Option<bool>,
    },
    /// Remove one that no profile uses.
    Remove { account: String },
}

#[derive(Subcommand)]
enum Associations {
    /// List all.
    List,
    /// Have a profile, Pack!Profile, use an account: for all objects, a class or group, or an object.
    Set {
        profile: String,
        account: String,
        /// For all objects of a class, or the members of a group: Pack!Class.
        #[arg(long, default_value = "")]
        class: String,
        /// For one object.
        #[arg(long, default_value = "", conflicts_with = "class")]
        object: String,
    },
    /// End that.
    Remove {
        profile: String,
        #[arg(long, default_value = "")]
        class: String,
        #[arg(long, default_value = "", conflicts_with = "class")]
        object: String,
    },
}

const ACCOUNT: [&str; 7] = ["name", "kind", "userName", "distribution", "agents", "profiles", "id"];

impl RunAs {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match &self.what {
            What::Accounts(accounts) => accounts.run(output),
            What::Profiles => {
                output.run(Method::GET, "/api/run-as/profiles", None, &["profile", "name", "associations"])
            }
            What::Associations(associations) => associations.run(output),
        }
    }
}

impl Accounts {
    fn run(&self, output: &Output) -> anyhow::Result<()> {
        let path = |account: &str| format!("/api/run-as/accounts/{}", segment(account));
        match self {
            Accounts::List => output.run(Method::GET, "/api/run-as/accounts", None, &ACCOUNT),
            Accounts::Add { name, kind, user, secret_file, no_secret, agents, all_agents } => {
                let secret = if *no_secret { String::new() } else { read_secret(secret_file)? };
                let body = json!({
                    "name": name, "kind": kind, "userName": user, "secret": secret, "agents": agents,
                    "distribution": if *all_agents { "all-agents" } else { "listed-agents" },
                });
                output.run(Method::POST, "/api/run-as/accounts", Some(body), &ACCOUNT)
            }
            Accounts::Secret { account, secret_file } => {
                let body = json!({"secret": read_secret(secret_file)?});
                output.run(Method::PATCH, &path(account), Some(body), &ACCOUNT)
            }
            Accounts::Distribute { account, agents, remove, all_agents } => {
                let mut body = json!({});
                body[if *remove { "removeAgents" } else { "addAgents" }] = json!(agents);
                if let Some(all) = all_agents {
                    body["distribution"] = json!(if *all { "all-agents" } else { "listed-agents" });
                }
                output.run(Method::PATCH, &path(account), Some(body), &ACCOUNT)
            }
            Accounts::Remove { account } => output.run(Method::DELETE, &path(account), None, &[]),
        }
    }
}

impl Associations {
    fn run(&self, output: &Output) -> anyhow::Result<()> {
        let columns = ["profile", "scope", "account"];
        let address = "/api/run-as/associations";
        match self {
            Associations::List => output.run(Method::GET, address, None, &columns),
            Associations::Set { profile, account, class, object } => {
                let body: Value = json!({"profile": profile, "account": account, "class": class, "object": object});
                output.run(Method::PUT, address, Some(body), &columns)
            }
            Associations::Remove { profile, class, object } => {
                let body = json!({"profile": profile, "class": class, "object": object});
                output.run(Method::DELETE, address, Some(body), &[])
            }
        }
    }
}

/// A secret without the line's end that editors and `echo` put after it.
pub(super) fn read_secret(file: &Path) -> anyhow::Result<String> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("cannot read the secret from standard input")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| format!("cannot read the secret from {}", file.display()))?
    };
    let secret = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    anyhow::ensure!(!secret.is_empty(), "the secret is empty; --no-secret is for Run As accounts that have none");
    Ok(secret.to_owned())
}
