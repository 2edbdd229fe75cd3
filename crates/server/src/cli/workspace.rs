//! `watchkeeper workspace keys|principals`

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Target;

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
        /// Days until the secret expires.
        #[arg(long)]
        days: Option<i64>,
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
                What::Principals(Principals::Secret { client_id, days }) => {
                    (Method::POST, format!("/api/principals/{client_id}/secrets"), json!({"secretDays": days}))
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
