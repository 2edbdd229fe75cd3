//! `watchkeeper computer-groups`: groups of computers of the workspace.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::itsm::read_secret;
use super::operate::Output;
use super::rows::segment;

/// Manage groups of computers: imported ones, saved queries, and those made by hand.
#[derive(Args)]
pub struct ComputerGroups {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum What {
    /// List all groups.
    List,
    /// Show one.
    Show { group: String },
    /// List its computers.
    Members { group: String },
    /// Make one of a query, or of computers that are named.
    Create {
        name: String,
        #[command(flatten)]
        form: Form,
    },
    /// Change one: of an imported group, its use alone.
    Set {
        group: String,
        /// Its new name.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Remove one that was not imported.
    Remove { group: String },
    /// List the directories (Active Directory, LDAP) whose groups are imported.
    Directories,
    /// Import the groups of a directory, every four hours; it is read first.
    AddDirectory {
        name: String,
        /// ldaps://HOST, or ldap://HOST, which is then encrypted by StartTLS.
        #[arg(long)]
        url: String,
        /// The name below which groups and computers are, like DC=corp,DC=example,DC=com.
        #[arg(long)]
        base: String,
        /// Who reads: a distinguished name, or user@domain.
        #[arg(long)]
        bind_name: String,
        /// The file with its password; - for the next line of standard input.
        #[arg(long)]
        password_file: PathBuf,
        /// Which groups, as a filter of LDAP.
        #[arg(long, default_value = "")]
        group_filter: String,
        /// Which entries are computers, as a filter of LDAP.
        #[arg(long, default_value = "")]
        computer_filter: String,
        /// The file with the certificate (PEM) of the authority that the directory's certificate comes from.
        #[arg(long)]
        trusted: Option<PathBuf>,
        /// How often, in hours.
        #[arg(long, default_value_t = 4)]
        hours: u32,
    },
    /// Import the groups of a directory at once.
    RunDirectory { name: String },
    /// Remove a directory with its groups; the rows that were written stay.
    RemoveDirectory { name: String },
}

#[derive(Args)]
struct Form {
    /// Queries call the group by this name; empty for none.
    #[arg(long)]
    alias: Option<String>,
    /// A query that gives computers, like: Heartbeat | where Computer startswith "web" | distinct Computer.
    #[arg(long)]
    query: Option<String>,
    /// The category of a query.
    #[arg(long)]
    category: Option<String>,
    /// A computer of a group made by hand; more than once for more.
    #[arg(long = "computer")]
    computers: Vec<String>,
    /// Make it a group of the management group too.
    #[arg(long)]
    in_management_group: Option<bool>,
}

impl Form {
    fn body(&self) -> Map<String, Value> {
        let members = [
            ("alias", self.alias.as_ref().map(|text| json!(text))),
            ("query", self.query.as_ref().map(|text| json!(text))),
            ("category", self.category.as_ref().map(|text| json!(text))),
            ("computers", (!self.computers.is_empty()).then(|| json!(self.computers))),
            ("inManagementGroup", self.in_management_group.map(|yes| json!(yes))),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

const COLUMNS: [&str; 7] = ["name", "source", "sourceName", "members", "alias", "inManagementGroup", "id"];
const PATH: &str = "/api/computer-groups";
const DIRECTORIES: &str = "/api/computer-group-directories";
const DIRECTORY_COLUMNS: [&str; 6] = ["name", "url", "groups", "problem", "lastSuccess", "nextRun"];

impl ComputerGroups {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        let path = |group: &str| format!("{PATH}/{}", segment(group));
        match &self.what {
            None | Some(What::List) => output.run(Method::GET, PATH, None, &COLUMNS),
            Some(What::Show { group }) => output.run(Method::GET, &path(group), None, &[]),
            Some(What::Members { group }) => {
                let mut all = Vec::new();
                let mut next = None;
                loop {
                    let after = next.map(|next: i64| format!("?after={next}")).unwrap_or_default();
                    let page = output.ask(Method::GET, &format!("{}/members{after}", path(group)), None)?;
                    let members = page["members"].as_array().cloned().unwrap_or_default();
                    all.extend(members.into_iter().map(|name| json!({"computer": name})));
                    next = page["next"].as_i64();
                    if next.is_none() {
                        return output.show(&Value::Array(all), &["computer"]);
                    }
                }
            }
            Some(What::Create { name, form }) => {
                let mut body = form.body();
                body.insert("name".to_owned(), json!(name));
                output.run(Method::POST, PATH, Some(Value::Object(body)), &COLUMNS)
            }
            Some(What::Set { group, name, form }) => {
                let mut body = form.body();
                if let Some(name) = name {
                    body.insert("name".to_owned(), json!(name));
                }
                output.run(Method::PATCH, &path(group), Some(Value::Object(body)), &COLUMNS)
            }
            Some(What::Remove { group }) => output.run(Method::DELETE, &path(group), None, &[]),
            Some(What::Directories) => output.run(Method::GET, DIRECTORIES, None, &DIRECTORY_COLUMNS),
            Some(What::AddDirectory {
                name,
                url,
                base,
                bind_name,
                password_file,
                group_filter,
                computer_filter,
                trusted,
                hours,
            }) => {
                let read = |file: &PathBuf| {
                    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
                };
                let body = json!({
                    "name": name, "url": url, "base": base, "bindName": bind_name,
                    "password": read_secret(password_file)?, "groupFilter": group_filter,
                    "computerFilter": computer_filter, "hours": hours,
                    "trusted": trusted.as_ref().map(read).transpose()?.unwrap_or_default(),
                });
                output.run(Method::POST, DIRECTORIES, Some(body), &DIRECTORY_COLUMNS)
            }
            Some(What::RunDirectory { name }) => {
                output.run(Method::POST, &format!("{DIRECTORIES}/{}/run", segment(name)), None, &[])
            }
            Some(What::RemoveDirectory { name }) => {
                output.run(Method::DELETE, &format!("{DIRECTORIES}/{}", segment(name)), None, &[])
            }
        }
    }
}
