//! `watchkeeper roles list|show|assignments|grant|revoke|create|delete|actions|routes`

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};
use watchkeeper_authorization::Action;

use super::client::{Client, Target};
use crate::api;
use crate::authorization::route_table;

/// Roles, and who has which where.
#[derive(Args)]
pub struct Roles {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand)]
enum What {
    /// List the roles that there are.
    List,
    /// Show what a role allows.
    Show { role: String },
    /// List who has which role where.
    Assignments {
        /// Only those of one principal or user, by its id.
        #[arg(long)]
        principal: Option<String>,
    },
    /// Give a role.
    Grant {
        /// The id or the name of a service principal or user.
        principal: String,
        #[arg(long)]
        role: String,
        /// /, /workspaces/ID, /workspaces/ID/tables/NAME, /managementGroups/NAME or /managementGroups/NAME/groups/GROUP;
        /// the workspace where it is not given.
        #[arg(long)]
        scope: Option<String>,
        /// User, Group or ServicePrincipal, for an id that nobody here has yet.
        #[arg(long)]
        kind: Option<String>,
    },
    /// Take a role back.
    Revoke {
        /// The id of the assignment, as `assignments` lists it.
        assignment: String,
    },
    /// Make a role from a file (JSON): name, actions, and if wanted description, notActions, dataActions, assignableScopes.
    Create {
        file: PathBuf,
        /// Replace the role that has this name or id.
        #[arg(long)]
        replace: Option<String>,
    },
    /// Remove a role that people made.
    Delete { role: String },
    /// List every action that a role can name.
    Actions,
    /// Print every route with what it takes and which built-in roles have it.
    #[command(hide = true)]
    Routes,
}

impl Roles {
    pub fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Routes => {
                print!("{}", route_table(api::routes().listed()));
                return Ok(());
            }
            What::Actions => {
                Action::ALL.iter().for_each(|action| println!("{action}"));
                return Ok(());
            }
            _ => {}
        }
        super::block_on(async {
            let client = self.target.connect().await?;
            let answer = ask(&client, self.what).await?;
            if !answer.is_null() {
                println!("{}", serde_json::to_string_pretty(&answer)?);
            }
            Ok(())
        })
    }
}

async fn ask(client: &Client, what: What) -> anyhow::Result<Value> {
    let (method, path, body) = match what {
        What::List | What::Actions | What::Routes => (Method::GET, "/api/roles".to_owned(), Value::Null),
        What::Show { role } => (Method::GET, format!("/api/roles/{}", encoded(&role)), Value::Null),
        What::Assignments { principal: None } => (Method::GET, "/api/role-assignments".to_owned(), Value::Null),
        What::Assignments { principal: Some(id) } => {
            (Method::GET, format!("/api/role-assignments?principal={}", encoded(&id)), Value::Null)
        }
        What::Grant { principal, role, scope, kind } => {
            let body = json!({"principalId": principal, "role": role, "scope": scope, "principalType": kind});
            (Method::POST, "/api/role-assignments".to_owned(), body)
        }
        What::Revoke { assignment } => {
            (Method::DELETE, format!("/api/role-assignments/{}", encoded(&assignment)), Value::Null)
        }
        What::Create { file, replace } => {
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let body = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
            match replace {
                Some(role) => (Method::PUT, format!("/api/roles/{}", encoded(&role)), body),
                None => (Method::POST, "/api/roles".to_owned(), body),
            }
        }
        What::Delete { role } => (Method::DELETE, format!("/api/roles/{}", encoded(&role)), Value::Null),
    };
    let mut request = client.request(method, &path);
    if !body.is_null() {
        request = request.json(&body);
    }
    client.json(request).await
}

/// A name as one part of a path.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
