//! `watchkeeper cert`: certificates of a company's own authority, and who is refused.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};
use watchkeeper_certificates::{ImportArgs, Place, RequestArgs, Role};

use super::operate::Output;
use super::query::Format;
use super::rows::segment;
use crate::config::default_data_dir;

/// Certificates: ask for one, import one, show and revoke them.
#[derive(Args)]
pub struct Cert {
    #[command(subcommand)]
    what: CertCommand,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum CertCommand {
    /// Make a key, which stays on this machine, and a request that the company's authority signs.
    Request {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        request: RequestArgs,
    },
    /// Check a certificate and take it into use; says all that is wrong with it instead.
    Import {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        import: ImportArgs,
    },
    /// Show the certificate in use on this machine.
    Show {
        #[command(flatten)]
        place: Place,
    },
    /// Make the request for the certificate that follows the imported one; or, with the name of an agent, let it renew
    /// the one that it has of the management group.
    Renew {
        /// An agent, by its computer or identity.
        agent: Option<String>,
        #[command(flatten)]
        place: Place,
    },
    /// List the certificates that agents and gateways came with last.
    List,
    /// Refuse a certificate from now on and end sessions with it: by serial number, fingerprint, computer or gateway.
    Revoke {
        certificate: String,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// List the certificates that are revoked.
    Revoked,
    /// List the lists of revoked certificates (CRL) that authorities have issued, or change them.
    Lists {
        #[command(subcommand)]
        what: Option<ListsCommand>,
    },
    /// List the authorities whose certificates are taken beside those of the management group's own.
    Authorities,
    /// Take certificates of a company's authority: agents and gateways join with them instead of a token.
    Trust {
        /// The file with the root's certificate (PEM).
        file: PathBuf,
    },
    /// Take them no more, and end sessions with them: by fingerprint or subject.
    Distrust { authority: String },
}

#[derive(Subcommand)]
enum ListsCommand {
    /// Take the list of a trusted authority, or a newer one: who is on it is refused from now on.
    Add {
        /// A file (PEM or DER), or an address (http:// or https://), which is asked again every hour.
        list: String,
        /// A file with the certificate of the authority that signs the list, where that is not the trusted root.
        #[arg(long, value_name = "FILE")]
        issuer: Option<PathBuf>,
    },
    /// Ask the address of a list now: by issuer, address or identity.
    Refresh { list: String },
    /// Believe a list no more: by issuer, address or identity.
    Remove { list: String },
}

const LIST_COLUMNS: [&str; 7] = ["issuer", "certificates", "thisUpdate", "nextUpdate", "url", "problem", "id"];

impl ListsCommand {
    fn run(&self, output: &Output) -> anyhow::Result<()> {
        let columns = ["issuer", "certificates", "thisUpdate", "nextUpdate", "sessionsEnded"];
        let path = |list: &str| format!("/api/certificates/lists/{}", segment(list));
        match self {
            Self::Add { list, issuer } => {
                let certificates = match issuer {
                    Some(file) => std::fs::read_to_string(file)
                        .with_context(|| format!("cannot read {} as PEM", file.display()))?,
                    None => String::new(),
                };
                let body = if list.contains("://") {
                    json!({"url": list, "certificates": certificates})
                } else {
                    let bytes = std::fs::read(list).with_context(|| format!("cannot read {list}"))?;
                    json!({"list": STANDARD.encode(bytes), "certificates": certificates})
                };
                output.run(Method::POST, "/api/certificates/lists", Some(body), &columns)
            }
            Self::Refresh { list } => output.run(Method::POST, &format!("{}/refresh", path(list)), None, &columns),
            Self::Remove { list } => output.run(Method::DELETE, &path(list), None, &columns),
        }
    }
}

impl Cert {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match &self.what {
            CertCommand::Request { place, request } => {
                print!("{}", request.run(&place.identity(folder))?);
                Ok(())
            }
            CertCommand::Import { place, import } => {
                let imported = import.run(&place.identity(folder))?;
                eprintln!("imported: {} from {}", imported.facts.subject, imported.root.subject);
                show(output, place)
            }
            CertCommand::Show { place } => show(output, place),
            CertCommand::Renew { agent: Some(agent), .. } => {
                output.run(Method::POST, "/api/certificates/renew", Some(json!({"agent": agent})), &[])
            }
            CertCommand::List => {
                let columns = [
                    "computer", "role", "origin", "serial", "notAfter", "daysLeft", "revoked", "issuer", "subject",
                    "id",
                ];
                output.run(Method::GET, "/api/certificates", None, &columns)
            }
            CertCommand::Revoke { certificate, reason } => {
                let body = json!({"certificate": certificate, "reason": reason});
                let columns = ["serial", "subject", "sessionsEnded"];
                output.run(Method::POST, "/api/certificates/revoke", Some(body), &columns)
            }
            CertCommand::Revoked => {
                let columns = ["serial", "subject", "reason", "revokedAt", "revokedBy"];
                output.run(Method::GET, "/api/certificates/revoked", None, &columns)
            }
            CertCommand::Lists { what: None } => {
                output.run(Method::GET, "/api/certificates/lists", None, &LIST_COLUMNS)
            }
            CertCommand::Lists { what: Some(what) } => what.run(output),
            CertCommand::Authorities => {
                let columns = ["subject", "agents", "notAfter", "addedAt", "addedBy", "fingerprint"];
                output.run(Method::GET, "/api/certificates/authorities", None, &columns)
            }
            CertCommand::Trust { file } => {
                let pem = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                let columns = ["subject", "fingerprint"];
                output.run(Method::POST, "/api/certificates/authorities", Some(json!({"pem": pem})), &columns)
            }
            CertCommand::Distrust { authority } => {
                let path = format!("/api/certificates/authorities/{}", segment(authority));
                output.run(Method::DELETE, &path, None, &["subject", "sessionsEnded"])
            }
            CertCommand::Renew { agent: None, place } => {
                let (_, pem) = place.identity(folder).renew()?;
                print!("{pem}");
                Ok(())
            }
        }
    }
}

/// Where the installed ones keep their certificates.
fn folder(role: Role) -> PathBuf {
    match role {
        Role::Agent => PathBuf::from("/var/lib/watchkeeper-agent/identity"),
        Role::Gateway => PathBuf::from("/var/lib/watchkeeper-gateway/identity"),
        Role::Server => default_data_dir().join("certificates"),
    }
}

fn show(output: &Output, place: &Place) -> anyhow::Result<()> {
    let facts = place.identity(folder).show(SystemTime::now())?;
    if output.format() == Format::Table {
        let rows: Vec<Value> =
            facts.iter().map(|(name, value)| serde_json::json!({"property": name, "value": value})).collect();
        return output.show(&Value::Array(rows), &["property", "value"]);
    }
    let columns: Vec<&str> = facts.iter().map(|(name, _)| *name).collect();
    let object: Map<String, Value> =
        facts.iter().map(|(name, value)| ((*name).to_owned(), Value::String(value.clone()))).collect();
    output.show(&Value::Object(object), &columns)
}
