//! Commands about the management group itself: its servers, its settings, the relationships between objects.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::operate::{Output, query};

/// List the management servers of the group.
#[derive(Args)]
pub struct Servers {
    #[command(flatten)]
    output: Output,
}

impl Servers {
    pub fn run(self) -> anyhow::Result<()> {
        let columns = ["name", "kind", "alive", "agentEndpoint", "pools", "answers", "id"];
        self.output.run(Method::GET, "/api/servers", None, &columns)
    }
}

/// Show and set how many days operational data are kept, and when open alerts close by their age.
#[derive(Args)]
pub struct Settings {
    #[command(subcommand)]
    what: Option<SettingCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum SettingCommand {
    /// List all.
    List,
    /// Set some, for the whole group.
    Set {
        #[arg(value_name = "NAME=DAYS", required = true)]
        settings: Vec<String>,
    },
}

const SETTING: [&str; 3] = ["setting", "days", "about"];

impl Settings {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        let Some(SettingCommand::Set { settings }) = &self.what else {
            return output.run(Method::GET, "/api/settings", None, &SETTING);
        };
        let mut body = Map::new();
        for one in settings {
            let pair = one.split_once('=').and_then(|(name, days)| Some((name, days.parse::<u32>().ok()?)));
            let Some((name, days)) = pair else { anyhow::bail!("{one:?} is not NAME=DAYS, with days as a number") };
            body.insert(name.to_owned(), json!(days));
        }
        output.run(Method::PUT, "/api/settings", Some(Value::Object(body)), &SETTING)
    }
}

/// List the kinds of relationship of the imported packs, or those of an object.
#[derive(Args)]
pub struct Relationships {
    /// Those that this object has.
    #[arg(long)]
    object: Option<String>,
    #[command(flatten)]
    output: Output,
}

impl Relationships {
    pub fn run(self) -> anyhow::Result<()> {
        let columns: &[&str] = match &self.object {
            None => &["relationship", "name", "source", "target", "instances"],
            Some(_) => &["relationship", "source", "target", "sourceId", "targetId"],
        };
        let path = format!("/api/relationships{}", query(&[("object", &self.object)]));
        self.output.run(Method::GET, &path, None, columns)
    }
}
