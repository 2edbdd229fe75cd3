//! `watchkeeper workspace keys|principals`

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Target;
use super::rows::segment;

/// Keys and service principals of a workspace.
#[derive(Args)]
pub struct Workspace {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum What {
    /// Show the two keys, or make a new one in the place of one of them.
    Keys {
        /// The key to replace; it stops working at once.
        #[arg(long)]
        regenerate: Option<Key>,
    },
    /// Show and change service principals.
    #[command(subcommand)]
    Principals(Principals),
}

#[derive(Clone, Copy, ValueEnum)]
enum Key {
    Primary,
    Secondary,
}

#[derive(Subcommand)]
enum Principals {
    /// List all.
    List,
    /// Give one a role in the workspace in the place of those that it has there; without --role it has none.
    Role {
        client_id: String,
        #[arg(long)]
        role: Option<String>,
    },
    /// Make one with a role in the workspace, and print its first secret.
    Add {
        name: String,
        /// Reader, Contributor, Operator, AdvancedOperator, Author or Administrator.
        #[arg(long, default_value = "Reader")]
        role: String,
        /// Days until the secret expires.
        #[arg(long)]
        days: Option<i64>,
    },
    /// Add a secret to one, and print it.
    Secret {
        client_id: String,
        /// What it is for.
        #[arg(long, default_value = "")]
        name: String,
        /// Days until the secret expires.
        #[arg(long)]
        days: Option<i64>,
    },
    /// Remove a secret of one by its id; it stops working at once.
    RemoveSecret { client_id: String, id: String },
    /// Register a certificate (a PEM file without the private key), whose key the application signs in with.
    AddCertificate {
        client_id: String,
        file: PathBuf,
        /// What it is for.
        #[arg(long, default_value = "")]
        name: String,
    },
    /// Remove a certificate of one by its thumbprint.
    RemoveCertificate { client_id: String, thumbprint: String },
    /// Let people sign in to an application: where their browsers are sent back to.
    SignIn {
        client_id: String,
        /// A redirect URI: https, or http://localhost for programs on the person's machine; more than once for more.
        #[arg(long = "redirect")]
        redirects: Vec<String>,
        /// It has no secret of its own: it runs where people could read one.
        #[arg(long)]
        public: bool,
    },
    /// Remove one with its secrets and roles.
    Remove { client_id: String },
}

impl Workspace {
    pub fn run(self) -> anyhow::Result<()> {
        super::block_on(async {
            let client = self.target.connect().await?;
            let (method, path, body) = match self.what {
                What::Keys { regenerate: None } => {
                    (Method::GET, format!("/api/workspaces/{}/keys", client.workspace_id), Value::Null)
                }
                What::Keys { regenerate: Some(key) } => {
                    let which = match key {
                        Key::Primary => "primary",
                        Key::Secondary => "secondary",
                    };
                    let path = format!("/api/workspaces/{}/keys/{which}/regenerate", client.workspace_id);
                    (Method::POST, path, Value::Null)
                }
                What::Principals(Principals::List) => (Method::GET, "/api/principals".to_owned(), Value::Null),
                What::Principals(Principals::Add { name, role, days }) => {
                    let body = json!({"name": name, "role": role, "secretDays": days});
                    (Method::POST, "/api/principals".to_owned(), body)
                }
                What::Principals(Principals::Secret { client_id, name, days }) => {
                    let body = json!({"name": name, "secretDays": days});
                    (Method::POST, format!("/api/principals/{client_id}/secrets"), body)
                }
                What::Principals(Principals::SignIn { client_id, redirects, public }) => {
                    let body = json!({"redirectUris": redirects, "public": public});
                    (Method::PUT, format!("/api/principals/{client_id}/sign-in"), body)
                }
                What::Principals(Principals::RemoveSecret { client_id, id }) => {
                    (Method::DELETE, format!("/api/principals/{client_id}/secrets/{}", segment(&id)), Value::Null)
                }
                What::Principals(Principals::AddCertificate { client_id, file, name }) => {
                    let pem = std::fs::read_to_string(&file);
                    let pem = pem.with_context(|| format!("cannot read the certificate {}", file.display()))?;
                    let body = json!({"name": name, "certificate": pem});
                    (Method::POST, format!("/api/principals/{client_id}/certificates"), body)
                }
                What::Principals(Principals::RemoveCertificate { client_id, thumbprint }) => {
                    let path = format!("/api/principals/{client_id}/certificates/{}", segment(&thumbprint));
                    (Method::DELETE, path, Value::Null)
                }
                What::Principals(Principals::Role { client_id, role }) => {
                    (Method::PUT, format!("/api/principals/{client_id}/role"), json!({"role": role}))
                }
                What::Principals(Principals::Remove { client_id }) => {
                    (Method::DELETE, format!("/api/principals/{client_id}"), Value::Null)
                }
            };
            let mut request = client.request(method, &path);
            if !body.is_null() {
                request = request.json(&body);
            }
            let answer = client.json(request).await?;
            if !answer.is_null() {
                println!("{}", serde_json::to_string_pretty(&answer)?);
            }
            Ok(())
        })
    }
}
