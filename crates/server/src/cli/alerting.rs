//! `watchkeeper alert-rule|action-group|processing-rule|deliveries`: rules over tables and who is told of alerts.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::operate::Output;
use super::query::Format;
use super::rows::segment;

/// List, make and change alert rules over tables; see what one would have done.
#[derive(Args)]
#[command(visible_alias = "alert-rules")]
pub struct AlertRule {
    #[command(subcommand)]
    what: Option<RuleCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum RuleCommand {
    /// List all.
    List,
    /// Show one, by name or key.
    Show { rule: String },
    /// Make or replace one from a JSON file: {"name", "kind": "log"|"metric"|"activity", "properties"}, or a resource with its id.
    Create {
        /// The file; - reads the standard input.
        file: PathBuf,
    },
    /// Say how often a rule would have fired: one that is stored, or one of a file.
    Preview {
        /// The name of a stored rule, or a JSON file.
        rule: String,
        /// How far to look back, an ISO 8601 duration.
        #[arg(long, default_value = "P7D")]
        range: String,
    },
    /// Evaluate it again.
    Enable { rule: String },
    /// Evaluate it no longer; what it fired is resolved.
    Disable { rule: String },
    /// Remove one; what it fired is resolved.
    Delete { rule: String },
}

const RULES: &str = "/api/alert-rules";

impl AlertRule {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match &self.what {
            None | Some(RuleCommand::List) => {
                let mut answer = output.ask(Method::GET, RULES, None)?;
                flatten(&mut answer);
                output.show(&answer, &["name", "kind", "severity", "enabled", "frequency", "fired", "status", "error"])
            }
            Some(RuleCommand::Show { rule }) => show(output, RULES, rule),
            Some(RuleCommand::Create { file }) => put(output, RULES, file),
            Some(RuleCommand::Preview { rule, range }) => {
                let mut body = match Path::new(rule).is_file() {
                    true => read(Path::new(rule))?,
                    false => json!({"id": rule}),
                };
                body["range"] = json!(range);
                let answer = output.ask(Method::POST, "/api/alert-rules/preview", Some(body))?;
                if output.format() == Format::Table {
                    println!("{}", answer["summary"].as_str().unwrap_or_default());
                    return output.show(&answer["alerts"], &["firedAt", "resolvedAt", "value", "dimensions"]);
                }
                output.show(&answer, &[])
            }
            Some(RuleCommand::Enable { rule }) => enable(output, RULES, rule, true),
            Some(RuleCommand::Disable { rule }) => enable(output, RULES, rule, false),
            Some(RuleCommand::Delete { rule }) => delete(output, RULES, rule),
        }
    }
}

/// List, make, change and test action groups: who is told of alerts.
#[derive(Args)]
#[command(visible_alias = "action-groups")]
pub struct ActionGroup {
    #[command(subcommand)]
    what: Option<GroupCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum GroupCommand {
    /// List all.
    List,
    /// Show one, by name or key; secrets are hidden.
    Show { group: String },
    /// Make or replace one from a JSON file: {"name", "properties"}, or a resource with its id.
    Create {
        /// The file; - reads the standard input.
        file: PathBuf,
    },
    /// Tell its receivers of a sample, and say what came of it.
    Test {
        group: String,
        /// Only this receiver.
        #[arg(long)]
        receiver: Option<String>,
    },
    /// Tell its receivers of alerts again.
    Enable { group: String },
    /// Tell its receivers of nothing.
    Disable { group: String },
    /// Remove one.
    Delete { group: String },
}

const GROUPS: &str = "/api/action-groups";

impl ActionGroup {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match &self.what {
            None | Some(GroupCommand::List) => {
                let mut answer = output.ask(Method::GET, GROUPS, None)?;
                for group in answer.as_array_mut().into_iter().flatten() {
                    let properties = group["properties"].clone();
                    let lists =
                        properties.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("Receivers"));
                    let receivers = lists.filter_map(|(_, list)| list.as_array()).flatten();
                    let names: Vec<&str> = receivers.filter_map(|receiver| receiver["name"].as_str()).collect();
                    group["receivers"] = json!(names.join(", "));
                    group["shortName"] = properties["groupShortName"].clone();
                    group["enabled"] = json!(properties["enabled"] != false);
                }
                output.show(&answer, &["name", "shortName", "enabled", "receivers", "modifiedAt"])
            }
            Some(GroupCommand::Show { group }) => show(output, GROUPS, group),
            Some(GroupCommand::Create { file }) => put(output, GROUPS, file),
            Some(GroupCommand::Test { group, receiver }) => {
                let receiver = receiver.as_ref().map(|name| format!("?receiver={}", segment(name))).unwrap_or_default();
                let path = format!("{GROUPS}/{}/test{receiver}", segment(group));
                let answer = output.ask(Method::POST, &path, None)?;
                output.show(&answer, &["receiver", "type", "target", "status", "detail", "durationMs"])?;
                let failed = answer.as_array().into_iter().flatten().filter(|one| one["status"] != "Succeeded").count();
                match failed {
                    0 => Ok(()),
                    failed => bail!("{failed} of the receivers could not be told"),
                }
            }
            Some(GroupCommand::Enable { group }) => enable(output, GROUPS, group, true),
            Some(GroupCommand::Disable { group }) => enable(output, GROUPS, group, false),
            Some(GroupCommand::Delete { group }) => delete(output, GROUPS, group),
        }
    }
}

/// List, make and change processing rules: what is suppressed, and who else is told.
#[derive(Args)]
#[command(visible_alias = "processing-rules")]
pub struct ProcessingRule {
    #[command(subcommand)]
    what: Option<ProcessingCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum ProcessingCommand {
    /// List all.
    List,
    /// Show one, by name or key.
    Show { rule: String },
    /// Make or replace one from a JSON file: {"name", "properties"}, or a resource with its id.
    Create {
        /// The file; - reads the standard input.
        file: PathBuf,
    },
    /// Apply it again.
    Enable { rule: String },
    /// Apply it no longer.
    Disable { rule: String },
    /// Remove one.
    Delete { rule: String },
}

const PROCESSING: &str = "/api/processing-rules";

impl ProcessingRule {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match &self.what {
            None | Some(ProcessingCommand::List) => {
                let mut answer = output.ask(Method::GET, PROCESSING, None)?;
                for rule in answer.as_array_mut().into_iter().flatten() {
                    let properties = rule["properties"].clone();
                    let actions = properties["actions"].as_array().into_iter().flatten();
                    let actions: Vec<&str> = actions.filter_map(|action| action["actionType"].as_str()).collect();
                    rule["actions"] = json!(actions.join(", "));
                    rule["enabled"] = json!(properties["enabled"] != false);
                    rule["description"] = properties["description"].clone();
                }
                output.show(&answer, &["name", "enabled", "actions", "description", "modifiedAt"])
            }
            Some(ProcessingCommand::Show { rule }) => show(output, PROCESSING, rule),
            Some(ProcessingCommand::Create { file }) => put(output, PROCESSING, file),
            Some(ProcessingCommand::Enable { rule }) => enable(output, PROCESSING, rule, true),
            Some(ProcessingCommand::Disable { rule }) => enable(output, PROCESSING, rule, false),
            Some(ProcessingCommand::Delete { rule }) => delete(output, PROCESSING, rule),
        }
    }
}

/// List deliveries of alerts; replay dead letters.
#[derive(Args)]
pub struct Deliveries {
    #[command(subcommand)]
    what: Option<DeliveryCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum DeliveryCommand {
    /// List the newest.
    List {
        /// waiting, delivered, dead or all.
        #[arg(long, default_value = "all")]
        status: String,
        /// Only of this alert.
        #[arg(long)]
        alert: Option<String>,
    },
    /// Deliver a dead letter, or one that waits, now.
    Replay {
        /// Its identity; without one, all dead letters.
        delivery: Option<String>,
    },
}

const DELIVERIES: &str = "/api/alert-deliveries";

impl Deliveries {
    pub fn run(self) -> anyhow::Result<()> {
        let columns =
            ["createdAt", "event", "alertName", "actionGroup", "receiver", "status", "attempts", "error", "id"];
        let list = |status: &str, alert: Option<&String>| {
            let alert = alert.map(|alert| format!("&alert={}", segment(alert))).unwrap_or_default();
            self.output.run(Method::GET, &format!("{DELIVERIES}?status={}{alert}", segment(status)), None, &columns)
        };
        match &self.what {
            None => list("all", None),
            Some(DeliveryCommand::List { status, alert }) => list(status, alert.as_ref()),
            Some(DeliveryCommand::Replay { delivery: Some(id) }) => {
                let path = format!("{DELIVERIES}/{}/replay", segment(id));
                self.output.run(Method::POST, &path, None, &columns)
            }
            Some(DeliveryCommand::Replay { delivery: None }) => {
                self.output.run(Method::POST, &format!("{DELIVERIES}/replay"), None, &["replayed"])
            }
        }
    }
}

fn flatten(rules: &mut Value) {
    for rule in rules.as_array_mut().into_iter().flatten() {
        let properties = rule["properties"].clone();
        for (name, from) in [("severity", "severity"), ("frequency", "evaluationFrequency")] {
            rule[name] = properties[from].clone();
        }
        rule["enabled"] = json!(properties["enabled"] != false);
        rule["status"] = rule["health"]["status"].clone();
        rule["error"] = rule["health"]["error"].clone();
    }
}

fn show(output: &Output, base: &str, name: &str) -> anyhow::Result<()> {
    let answer = output.ask(Method::GET, &format!("{base}/{}", segment(name)), None)?;
    match output.format() {
        Format::Table => {
            println!("{}", serde_json::to_string_pretty(&answer)?);
            Ok(())
        }
        _ => output.show(&answer, &["name", "type", "modifiedAt", "modifiedBy"]),
    }
}

fn read(file: &Path) -> anyhow::Result<Value> {
    let mut text = String::new();
    match file.to_str() {
        Some("-") => std::io::stdin().read_to_string(&mut text).map(drop).context("cannot read the standard input")?,
        _ => text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
    }
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", file.display()))
}

/// Makes a resource, or replaces the one with the same name.
fn put(output: &Output, base: &str, file: &Path) -> anyhow::Result<()> {
    let body = read(file)?;
    let name = body["id"].as_str().or(body["name"].as_str()).context("the file has no name")?.to_owned();
    let known = output.ask(Method::GET, base, None)?;
    let is_it = |one: &&Value| {
        let same = |field: &str| one[field].as_str().is_some_and(|text| text.eq_ignore_ascii_case(&name));
        same("id") || same("name")
    };
    let known =
        known.as_array().into_iter().flatten().find(is_it).and_then(|one| one["key"].as_str().map(str::to_owned));
    let columns = ["name", "type", "modifiedAt", "key"];
    match known {
        Some(key) => output.run(Method::PUT, &format!("{base}/{}", segment(&key)), Some(body), &columns),
        None => output.run(Method::POST, base, Some(body), &columns),
    }
}

fn enable(output: &Output, base: &str, name: &str, enabled: bool) -> anyhow::Result<()> {
    let body = json!({"properties": {"enabled": enabled}});
    output.run(Method::PATCH, &format!("{base}/{}", segment(name)), Some(body), &["name", "modifiedAt", "key"])
}

fn delete(output: &Output, base: &str, name: &str) -> anyhow::Result<()> {
    output.run(Method::DELETE, &format!("{base}/{}", segment(name)), None, &[])
}
