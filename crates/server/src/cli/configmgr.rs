//! `watchkeeper configmgr`: connections to Configuration Manager. Secret keys and passwords come from files or standard
//! input, never from the command line.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::itsm::read_secret;
use super::operate::Output;
use super::rows::segment;

/// Manage connections to Configuration Manager, whose collections become computer groups.
#[derive(Args)]
pub struct ConfigMgr {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum What {
    /// List all connections, with how they are.
    List,
    /// Show one, with everything but its secrets.
    Show {
        #[arg(value_name = "CONNECTION")]
        which: String,
    },
    /// List the environments that an application can be registered in.
    Environments,
    /// Give an application the role Contributor in the workspace.
    Grant {
        /// Its client (application) ID.
        client_id: String,
    },
    /// Add one; everything that it needs is verified first.
    Add {
        name: String,
        #[command(flatten)]
        form: Form,
    },
    /// Change one; it is verified first.
    Set {
        #[arg(value_name = "CONNECTION")]
        which: String,
        /// Its new name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Give one a new secret key.
    Renew {
        #[arg(value_name = "CONNECTION")]
        which: String,
        /// The file with the secret key; - for the next line of standard input.
        #[arg(long)]
        secret_file: PathBuf,
        /// The day on which it ends, YYYY-MM-DD.
        #[arg(long)]
        secret_expiry: Option<String>,
    },
    /// Verify one as it is saved, or a form that is not saved.
    Verify {
        /// The saved connection; without one, the form alone.
        #[arg(value_name = "CONNECTION")]
        which: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// List the device collections of the site, or choose which are imported.
    Collections {
        #[arg(value_name = "CONNECTION")]
        which: String,
        /// The id of a collection to import; more than once for more.
        #[arg(long)]
        add: Vec<String>,
        /// The id of a collection that is imported no longer.
        #[arg(long)]
        remove: Vec<String>,
    },
    /// Import at once.
    Run {
        #[arg(value_name = "CONNECTION")]
        which: String,
    },
    /// List what is written to the site, or write a group to it as a collection with direct membership rules.
    Write {
        #[arg(value_name = "CONNECTION")]
        which: String,
        /// The computer group, or the group of the management group, that is written from now on.
        #[arg(long)]
        group: Option<String>,
        /// The name of the collection, if not that of the group.
        #[arg(long, requires = "group")]
        collection: Option<String>,
        /// The id of the collection that a new one is limited to, if not All Systems.
        #[arg(long, requires = "group")]
        limiting: Option<String>,
        /// A group that is written no longer; its collection stays as it is.
        #[arg(long, conflicts_with = "group")]
        stop: Option<String>,
    },
    /// Lead one to the new top of its hierarchy, with its collections and groups.
    Move {
        #[arg(value_name = "CONNECTION")]
        which: String,
        #[command(flatten)]
        form: Form,
    },
    /// Remove one with its computer groups; the rows that were written stay.
    Remove {
        #[arg(value_name = "CONNECTION")]
        which: String,
    },
}

/// The form of a connection.
#[derive(Args)]
struct Form {
    #[arg(long)]
    description: Option<String>,
    /// Where the application is registered: a cloud of `watchkeeper clouds list` (Watchkeeper: this server).
    #[arg(long)]
    environment: Option<String>,
    #[arg(long)]
    tenant_name: Option<String>,
    #[arg(long)]
    tenant_id: Option<String>,
    #[arg(long)]
    application_name: Option<String>,
    /// The client (application) ID.
    #[arg(long)]
    client_id: Option<String>,
    /// The file with the secret key; - for the next line of standard input.
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// The day on which the secret key ends, YYYY-MM-DD.
    #[arg(long)]
    secret_expiry: Option<String>,
    /// The App ID URI of the web app of the site.
    #[arg(long)]
    app_id_uri: Option<String>,
    /// Who gives tokens, if not the environment's own authority: https://HOST.
    #[arg(long)]
    authority: Option<String>,
    /// The SMS Provider or the cloud management gateway, https://HOST.
    #[arg(long)]
    address: Option<String>,
    /// Windows (an account, at the SMS Provider), Kerberos (the same by a ticket) or Token (of the application, through a cloud management gateway).
    #[arg(long)]
    sign_in: Option<String>,
    /// The Windows account, DOMAIN\user.
    #[arg(long)]
    user: Option<String>,
    /// Who gives tickets of Kerberos, HOST[:PORT], if not the domain of the account.
    #[arg(long)]
    kdc: Option<String>,
    /// The file with its password; - for the next line of standard input.
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// The file with the certificate (PEM) of the authority that the site's certificate comes from.
    #[arg(long)]
    trusted: Option<PathBuf>,
    /// The id of a collection to import; more than once for more. Takes the place of those that are chosen.
    #[arg(long = "collection")]
    collections: Vec<String>,
    /// Import every device collection, also those that come.
    #[arg(long)]
    all_collections: Option<bool>,
    /// Import at all.
    #[arg(long)]
    import: Option<bool>,
    /// Write a row of each device that is a member: operating system, last logon, hardware.
    #[arg(long)]
    inventory: Option<bool>,
    /// How often, in hours.
    #[arg(long)]
    hours: Option<u32>,
    /// Import although no agent on the service connection point reports to the workspace.
    #[arg(long)]
    without_agent: Option<bool>,
}

impl Form {
    fn body(&self) -> anyhow::Result<Map<String, Value>> {
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        for (name, text) in [
            ("description", &self.description),
            ("environment", &self.environment),
            ("tenantName", &self.tenant_name),
            ("tenantId", &self.tenant_id),
            ("applicationName", &self.application_name),
            ("clientId", &self.client_id),
            ("secretExpiry", &self.secret_expiry),
            ("appIdUri", &self.app_id_uri),
            ("authority", &self.authority),
            ("address", &self.address),
            ("signIn", &self.sign_in),
            ("userName", &self.user),
            ("kdc", &self.kdc),
        ] {
            put(name, text.as_ref().map(|text| json!(text)));
        }
        put("secret", self.secret_file.as_deref().map(read_secret).transpose()?.map(Value::String));
        put("password", self.password_file.as_deref().map(read_secret).transpose()?.map(Value::String));
        if let Some(file) = &self.trusted {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            put("trusted", Some(json!(text)));
        }
        put("collections", (!self.collections.is_empty()).then(|| json!(self.collections)));
        put("allCollections", self.all_collections.map(|yes| json!(yes)));
        put("import", self.import.map(|yes| json!(yes)));
        put("inventory", self.inventory.map(|yes| json!(yes)));
        put("hours", self.hours.map(|hours| json!(hours)));
        put("withoutAgent", self.without_agent.map(|yes| json!(yes)));
        Ok(body)
    }
}

const COLUMNS: [&str; 7] = ["name", "address", "status", "computers", "lastSuccess", "nextRun", "id"];
const WRITTEN: [&str; 8] =
    ["groupName", "collection", "collectionId", "members", "added", "removed", "unknownCount", "problem"];
const CHECKS: [&str; 4] = ["part", "ok", "message", "advice"];
const PATH: &str = "/api/configuration-manager";

impl ConfigMgr {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        let path = |which: &str| format!("{PATH}/{}", segment(which));
        let body = |members: Map<String, Value>| Some(Value::Object(members));
        match &self.what {
            None | Some(What::List) => output.run(Method::GET, PATH, None, &COLUMNS),
            Some(What::Show { which }) => output.run(Method::GET, &path(which), None, &[]),
            Some(What::Environments) => {
                output.run(Method::GET, &path("environments"), None, &["name", "title", "authority", "tenantId"])
            }
            Some(What::Grant { client_id }) => {
                output.run(Method::POST, &path("grant"), Some(json!({"clientId": client_id})), &[])
            }
            Some(What::Add { name, form }) => {
                let mut members = form.body()?;
                members.insert("name".to_owned(), json!(name));
                output.run(Method::POST, PATH, body(members), &COLUMNS)
            }
            Some(What::Set { which, name, form }) => {
                let mut members = form.body()?;
                if let Some(name) = name {
                    members.insert("name".to_owned(), json!(name));
                }
                output.run(Method::PATCH, &path(which), body(members), &COLUMNS)
            }
            Some(What::Renew { which, secret_file, secret_expiry }) => {
                let mut members = Map::new();
                members.insert("secret".to_owned(), json!(read_secret(secret_file)?));
                // an old day says nothing about a new key
                members.insert("secretExpiry".to_owned(), json!(secret_expiry.as_deref().unwrap_or_default()));
                output.run(Method::PATCH, &path(which), body(members), &COLUMNS)
            }
            Some(What::Verify { which, form }) => {
                let mut members = form.body()?;
                if let Some(which) = which {
                    members.insert("connection".to_owned(), json!(which));
                }
                let answer = output.ask(Method::POST, &path("verify"), body(members))?;
                output.show(&answer["checks"], &CHECKS)?;
                anyhow::ensure!(answer["verified"] == true, "not verified: see the first line that is not ok");
                eprintln!("Successfully verified!");
                Ok(())
            }
            Some(What::Collections { which, add, remove }) => {
                let path = format!("{}/collections", path(which));
                if add.is_empty() && remove.is_empty() {
                    return output.run(Method::GET, &path, None, &["id", "name", "members", "chosen", "limitedTo"]);
                }
                output.run(Method::POST, &path, Some(json!({"add": add, "remove": remove})), &COLUMNS)
            }
            Some(What::Write { which, group, collection, limiting, stop }) => {
                let shown = output.ask(Method::GET, &path(which), None)?;
                let mut targets = shown["targets"].as_array().cloned().unwrap_or_default();
                match (group, stop) {
                    (None, None) => return output.show(&shown["written"], &WRITTEN),
                    (Some(group), _) => targets.push(json!({
                        "group": group, "collection": collection.as_deref().unwrap_or_default(),
                        "limiting": limiting.as_deref().unwrap_or_default(),
                    })),
                    (None, Some(stop)) => {
                        let group = output.ask(Method::GET, &format!("/api/computer-groups/{}", segment(stop)), None);
                        let id = group.ok().and_then(|group| group["id"].as_str().map(str::to_owned));
                        let count = targets.len();
                        targets.retain(|one| {
                            let is = |field: &str, text: &str| one[field].as_str() == Some(text);
                            !is("group", stop)
                                && !is("collection", stop)
                                && !id.as_deref().is_some_and(|id| is("group", id))
                        });
                        anyhow::ensure!(targets.len() < count, "{stop:?} is not written to the site");
                    }
                }
                output.run(Method::PATCH, &path(which), Some(json!({"targets": targets})), &COLUMNS)
            }
            Some(What::Run { which }) => output.run(Method::POST, &format!("{}/run", path(which)), None, &[]),
            Some(What::Move { which, form }) => {
                output.run(Method::POST, &format!("{}/move", path(which)), body(form.body()?), &COLUMNS)
            }
            Some(What::Remove { which }) => output.run(Method::DELETE, &path(which), None, &[]),
        }
    }
}
