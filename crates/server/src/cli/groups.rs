//! `watchkeeper groups`: groups of objects and their members. A group that is made here is a management pack of its own,
//! which can be exported, changed and imported elsewhere like every other.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::operate::Output;
use super::rows::segment;

/// What is shown of the pack of a group that was made or changed.
const PACK: [&str; 3] = ["id", "version", "name"];

/// List groups of objects and their members; make, change and remove groups by rule.
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
    /// Make a group of the objects of a class.
    Add {
        name: String,
        #[command(flatten)]
        rule: Rule,
    },
    /// Give a group that was made here another rule.
    Set {
        name: String,
        #[command(flatten)]
        rule: Rule,
    },
    /// Remove a group that was made here.
    Remove { name: String },
}

/// Who is a member.
#[derive(Args)]
struct Rule {
    /// Objects of this class, Pack!Class.
    #[arg(long)]
    class: String,
    /// Only those whose property matches a regular expression; several hold together.
    #[arg(long = "where", value_name = "PROPERTY=PATTERN")]
    conditions: Vec<String>,
}

impl Groups {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match &self.what {
            None | Some(GroupCommand::List) => {
                let columns = ["name", "members", "health", "byRules", "classes", "id"];
                output.run(Method::GET, "/api/groups", None, &columns)
            }
            Some(GroupCommand::Members { group, nested }) => {
                let path = format!("/api/groups/{}/members?nested={nested}", segment(group));
                output.run(Method::GET, &path, None, &["name", "path", "classes", "health", "since", "id"])
            }
            Some(GroupCommand::Add { name, rule }) => match defined(output, name)? {
                None => output.run(Method::POST, "/api/groups", Some(rule.definition(name)?), &PACK),
                Some(_) => bail!("there is a group {name:?} already; `watchkeeper groups set` gives it another rule"),
            },
            Some(GroupCommand::Set { name, rule }) => {
                let group = defined(output, name)?.with_context(|| missing(name))?;
                output.run(Method::PUT, &path_of(&group), Some(rule.definition(name)?), &PACK)
            }
            Some(GroupCommand::Remove { name }) => {
                let group = defined(output, name)?.with_context(|| missing(name))?;
                output.run(Method::DELETE, &path_of(&group), None, &[])
            }
        }
    }
}

impl Rule {
    /// As the API takes it.
    fn definition(&self, name: &str) -> anyhow::Result<Value> {
        let condition = |text: &String| {
            let (property, pattern) =
                text.split_once('=').with_context(|| format!("--where {text:?} is not PROPERTY=PATTERN"))?;
            Ok(json!({"property": property, "operator": "MatchesRegularExpression", "value": pattern}))
        };
        let conditions = self.conditions.iter().map(condition).collect::<anyhow::Result<Vec<Value>>>()?;
        Ok(json!({"name": name, "class": self.class, "conditions": conditions}))
    }
}

fn missing(name: &str) -> String {
    format!(
        "no group {name:?} was made here; a group of another pack is changed with that pack (`watchkeeper pack export`)"
    )
}

fn path_of(group: &str) -> String {
    format!("/api/groups/{}", segment(group))
}

/// The identity of the group with this name, where a person made it.
fn defined(output: &Output, name: &str) -> anyhow::Result<Option<String>> {
    let groups = output.ask(Method::GET, "/api/groups", None)?;
    let made = |group: &&Value| !group["definition"].is_null() && group["name"] == name;
    let found = groups.as_array().into_iter().flatten().find(made);
    Ok(found.and_then(|group| group["id"].as_str()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_patterns_of_properties() {
        let rule = |text: &str| Rule { class: "Pack!Class".to_owned(), conditions: vec![text.to_owned()] };
        let definition = rule("PrincipalName=^web=1").definition("Web & more").unwrap();
        assert_eq!(definition["name"], "Web & more");
        assert_eq!(definition["conditions"][0]["property"], "PrincipalName");
        assert_eq!(definition["conditions"][0]["value"], "^web=1");
        assert!(rule("x").definition("A").unwrap_err().to_string().contains("PROPERTY=PATTERN"));
    }
}
