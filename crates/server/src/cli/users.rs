//! `watchkeeper users`, `directory-groups` and `identity-providers`: people, groups of people and service principals, and
//! who else knows people.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::operate::Output;
use super::rows::segment;
use super::run_as::read_secret;

/// Manage the people who sign in.
#[derive(Args)]
pub struct Users {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum What {
    /// List all.
    List,
    /// Add one. The password is read from standard input, or from a file.
    Add {
        name: String,
        #[arg(long, default_value = "")]
        display_name: String,
        #[arg(long, default_value = "")]
        mail: String,
        /// The file with the password; - for standard input.
        #[arg(long, default_value = "-")]
        password_file: PathBuf,
    },
    /// Give one another password, which ends the sessions that it has open.
    Password {
        user: String,
        /// The file with the password; - for standard input.
        #[arg(long, default_value = "-")]
        password_file: PathBuf,
    },
    /// Keep one from signing in; sessions and tokens end at once.
    Disable { user: String },
    /// Let one sign in again.
    Enable { user: String },
    /// List the sessions that one has open.
    Sessions { user: String },
    /// End all sessions and tokens of one.
    SignOut { user: String },
    /// Remove one with its roles.
    Remove { user: String },
}

const USER: [&str; 6] = ["name", "displayName", "disabled", "provider", "groups", "signedInAt"];

impl Users {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        let path = |user: &str| format!("/api/users/{}", segment(user));
        match &self.what {
            What::List => output.run(Method::GET, "/api/users", None, &USER),
            What::Add { name, display_name, mail, password_file } => {
                let password = read_secret(password_file)?;
                let body = json!({"name": name, "displayName": display_name, "mail": mail, "password": password});
                output.run(Method::POST, "/api/users", Some(body), &USER)
            }
            What::Password { user, password_file } => {
                let body = json!({"password": read_secret(password_file)?});
                output.run(Method::PUT, &format!("{}/password", path(user)), Some(body), &[])
            }
            What::Disable { user } => output.run(Method::PATCH, &path(user), Some(json!({"disabled": true})), &USER),
            What::Enable { user } => output.run(Method::PATCH, &path(user), Some(json!({"disabled": false})), &USER),
            What::Sessions { user } => {
                let columns = ["id", "client", "signedInAt", "expiresAt"];
                output.run(Method::GET, &format!("{}/sessions", path(user)), None, &columns)
            }
            What::SignOut { user } => output.run(Method::DELETE, &format!("{}/sessions", path(user)), None, &[]),
            What::Remove { user } => output.run(Method::DELETE, &path(user), None, &[]),
        }
    }
}

/// Manage groups of users and service principals, which hold roles for their members.
#[derive(Args)]
pub struct DirectoryGroups {
    #[command(subcommand)]
    what: Groups,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum Groups {
    /// List all with their members.
    List,
    /// Add one.
    Add {
        name: String,
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Give one another name.
    Rename { group: String, name: String },
    /// Put users (by name) and service principals (by name or client id) into one.
    AddMember {
        group: String,
        #[arg(required = true)]
        members: Vec<String>,
    },
    /// Take members out.
    RemoveMember {
        group: String,
        #[arg(required = true)]
        members: Vec<String>,
    },
    /// Remove one with its roles.
    Remove { group: String },
}

const GROUP: [&str; 4] = ["name", "description", "memberNames", "id"];

impl DirectoryGroups {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        let path = |group: &str| format!("/api/directory/groups/{}", segment(group));
        let members = |method: Method, group: &str, members: &[String]| {
            for member in members {
                output.run(method.clone(), &format!("{}/members/{}", path(group), segment(member)), None, &GROUP)?;
            }
            Ok(())
        };
        match &self.what {
            Groups::List => output.run(Method::GET, "/api/directory/groups", None, &GROUP),
            Groups::Add { name, description } => {
                let body = json!({"name": name, "description": description});
                output.run(Method::POST, "/api/directory/groups", Some(body), &GROUP)
            }
            Groups::Rename { group, name } => {
                output.run(Method::PATCH, &path(group), Some(json!({"name": name})), &GROUP)
            }
            Groups::AddMember { group, members: names } => members(Method::PUT, group, names),
            Groups::RemoveMember { group, members: names } => members(Method::DELETE, group, names),
            Groups::Remove { group } => output.run(Method::DELETE, &path(group), None, &[]),
        }
    }
}

/// Providers and directories through which people sign in, as identity.providers and identity.directories name them.
#[derive(Args)]
pub struct IdentityProviders {
    #[command(subcommand)]
    what: Providers,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum Providers {
    /// List the providers, with the redirect URI that each has to know.
    List,
    /// Keep the secret of a provider, or the password of a directory's account, from standard input or a file.
    Secret {
        name: String,
        /// The file with the secret; - for standard input.
        #[arg(long, default_value = "-")]
        secret_file: PathBuf,
    },
}

impl IdentityProviders {
    pub fn run(self) -> anyhow::Result<()> {
        let address = "/api/identity-providers";
        match &self.what {
            Providers::List => {
                let columns = ["name", "issuer", "clientId", "redirectUri"];
                self.output.run(Method::GET, address, None, &columns)
            }
            Providers::Secret { name, secret_file } => {
                let body = json!({"secret": read_secret(secret_file)?});
                self.output.run(Method::PUT, &format!("{address}/{}/secret", segment(name)), Some(body), &[])
            }
        }
    }
}
