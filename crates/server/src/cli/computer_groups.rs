//! `watchkeeper computer-groups`: groups of computers of the workspace.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

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
        }
    }
}
