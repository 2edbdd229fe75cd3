//! `watchkeeper groups`: groups of objects and their members.

use clap::{Args, Subcommand};
use reqwest::Method;

use super::operate::Output;
use super::rows::segment;

/// List groups of objects, or the members of one.
#[derive(Args)]
#[command(visible_alias = "group")]
pub struct Groups {
    #[command(subcommand)]
    what: Option<GroupCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum GroupCommand {
    /// List all.
    List,
    /// List the members of a group, by its name or identity.
    Members {
        group: String,
        /// With the members of groups within it.
        #[arg(long)]
        nested: bool,
    },
}

impl Groups {
    pub fn run(self) -> anyhow::Result<()> {
        match &self.what {
            None | Some(GroupCommand::List) => {
                let columns = ["name", "members", "health", "byRules", "classes", "id"];
                self.output.run(Method::GET, "/api/groups", None, &columns)
            }
            Some(GroupCommand::Members { group, nested }) => {
                let path = format!("/api/groups/{}/members?nested={nested}", segment(group));
                self.output.run(Method::GET, &path, None, &["name", "path", "classes", "health", "since", "id"])
            }
        }
    }
}
