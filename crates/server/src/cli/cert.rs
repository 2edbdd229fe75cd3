//! `watchkeeper cert`: certificates of a company's own authority, and who is refused.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};
use watchkeeper_certificates::{ImportArgs, Place, RequestArgs, Role};

use super::operate::Output;
use super::query::Format;
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
    /// Make the request for the certificate that follows the imported one.
    Renew {
        #[command(flatten)]
        place: Place,
    },
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
            CertCommand::Renew { place } => {
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
        let rows: Vec<Value> = facts
            .iter()
            .map(|(name, value)| serde_json::json!({"property": name, "value": value}))
            .collect();
        return output.show(&Value::Array(rows), &["property", "value"]);
    }
    let columns: Vec<&str> = facts.iter().map(|(name, _)| *name).collect();
    let object: Map<String, Value> =
        facts.iter().map(|(name, value)| ((*name).to_owned(), Value::String(value.clone()))).collect();
    output.show(&Value::Object(object), &columns)
}
