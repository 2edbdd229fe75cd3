//! `watchkeeper itsm`: connections to service desks. Passwords and client secrets come from files or standard input,
//! never from the command line.

use std::io::{BufRead, stdin};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::operate::Output;
use super::rows::segment;

/// Manage connections to service desks (ITSM).
#[derive(Args)]
pub struct Itsm {
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
    Show { connection: String },
    /// Add one; it is tested first.
    Add {
        name: String,
        /// ServiceNow, ServiceManager, Provance, Cherwell or RequestTracker.
        #[arg(long)]
        partner: String,
        #[command(flatten)]
        form: Form,
    },
    /// Change one; it is tested first.
    Set {
        connection: String,
        /// Its new name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Remove one; what the tables have of its work items stays.
    Remove { connection: String },
    /// Test one as it is saved.
    Test { connection: String },
    /// Read its configuration and work items at once.
    Sync { connection: String },
    /// Show the templates, fields, users and groups of its product.
    Configuration { connection: String },
}

/// The form of a connection.
#[derive(Args)]
struct Form {
    /// The product's address, with https:// at the front.
    #[arg(long)]
    url: Option<String>,
    #[arg(long)]
    user: Option<String>,
    /// The file with the password; - for the next line of standard input.
    #[arg(long)]
    password_file: Option<PathBuf>,
    #[arg(long)]
    client_id: Option<String>,
    /// The file with the client secret; - for the next line of standard input.
    #[arg(long)]
    client_secret_file: Option<PathBuf>,
    /// Incident or ChangeRequest: what is imported; more than once for both.
    #[arg(long = "work-item")]
    work_items: Vec<String>,
    /// How many past days are imported, 1 to 120.
    #[arg(long)]
    days: Option<u32>,
    /// Make configuration items that the product does not have.
    #[arg(long)]
    create_configuration_items: Option<bool>,
    /// The file with the certificate (PEM) of the authority that the product's certificate comes from.
    #[arg(long)]
    authority: Option<PathBuf>,
    /// Where the product keeps a kind, for instance Incident=Helpdesk for a queue; more than once for more.
    #[arg(long = "place", value_name = "TYPE=PLACE")]
    places: Vec<String>,
    /// Where tokens are issued, if not by the product.
    #[arg(long)]
    token_url: Option<String>,
    /// The day on which password or client secret end, YYYY-MM-DD, so that there is an alert before.
    #[arg(long)]
    secret_expiry: Option<String>,
}

impl Form {
    fn body(&self) -> anyhow::Result<Map<String, Value>> {
        let mut body = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                body.insert(name.to_owned(), value);
            }
        };
        put("url", self.url.as_ref().map(|text| json!(text)));
        put("userName", self.user.as_ref().map(|text| json!(text)));
        put("clientId", self.client_id.as_ref().map(|text| json!(text)));
        put("password", self.password_file.as_deref().map(read_secret).transpose()?.map(Value::String));
        put("clientSecret", self.client_secret_file.as_deref().map(read_secret).transpose()?.map(Value::String));
        put("workItems", (!self.work_items.is_empty()).then(|| json!(self.work_items)));
        put("days", self.days.map(|days| json!(days)));
        put("createConfigurationItems", self.create_configuration_items.map(|yes| json!(yes)));
        put("tokenUrl", self.token_url.as_ref().map(|text| json!(text)));
        put("secretExpiry", self.secret_expiry.as_ref().map(|text| json!(text)));
        if let Some(file) = &self.authority {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            put("authority", Some(json!(text)));
        }
        if !self.places.is_empty() {
            let mut places = Map::new();
            for place in &self.places {
                let (kind, name) =
                    place.split_once('=').with_context(|| format!("--place {place:?} is not TYPE=PLACE"))?;
                places.insert(kind.to_owned(), json!(name));
            }
            put("places", Some(Value::Object(places)));
        }
        Ok(body)
    }
}

const COLUMNS: [&str; 7] = ["name", "partner", "url", "status", "lastSuccess", "nextSync", "id"];
const PATH: &str = "/api/itsm-connections";

impl Itsm {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        let path = |connection: &str| format!("{PATH}/{}", segment(connection));
        match &self.what {
            None | Some(What::List) => output.run(Method::GET, PATH, None, &COLUMNS),
            Some(What::Show { connection }) => output.run(Method::GET, &path(connection), None, &[]),
            Some(What::Add { name, partner, form }) => {
                let mut body = form.body()?;
                body.insert("name".to_owned(), json!(name));
                body.insert("partner".to_owned(), json!(partner));
                output.run(Method::POST, PATH, Some(Value::Object(body)), &COLUMNS)
            }
            Some(What::Set { connection, name, form }) => {
                let mut body = form.body()?;
                if let Some(name) = name {
                    body.insert("name".to_owned(), json!(name));
                }
                output.run(Method::PATCH, &path(connection), Some(Value::Object(body)), &COLUMNS)
            }
            Some(What::Remove { connection }) => output.run(Method::DELETE, &path(connection), None, &[]),
            Some(What::Test { connection }) => {
                output.run(Method::POST, &format!("{}/test", path(connection)), None, &["product", "warnings"])
            }
            Some(What::Sync { connection }) => {
                output.run(Method::POST, &format!("{}/sync", path(connection)), None, &[])
            }
            Some(What::Configuration { connection }) => {
                output.run(Method::GET, &format!("{}/configuration", path(connection)), None, &[])
            }
        }
    }
}

pub(super) fn read_secret(file: &Path) -> anyhow::Result<String> {
    let text = if file == Path::new("-") {
        let mut line = String::new();
        stdin().lock().read_line(&mut line).context("cannot read the secret from standard input")?;
        line
    } else {
        std::fs::read_to_string(file).with_context(|| format!("cannot read the secret from {}", file.display()))?
    };
    let secret = text.trim_end_matches(['\n', '\r']);
    anyhow::ensure!(!secret.is_empty(), "the secret of {} is empty", file.display());
    Ok(secret.to_owned())
}
