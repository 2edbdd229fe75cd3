//! `watchkeeper heartbeats`: how often agents report, and when their silence is a failure.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::operate::Output;
use super::rows::segment;

/// Show and set how often agents send heartbeats and how many may be missed.
#[derive(Args)]
#[command(visible_alias = "heartbeat")]
pub struct Heartbeats {
    #[command(subcommand)]
    what: Option<HeartbeatCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum HeartbeatCommand {
    /// List the settings of all agents and of single ones.
    List,
    /// Set them, for all or for one agent; connected agents follow at once.
    Set {
        /// The agent, by its computer or identity.
        #[arg(long)]
        agent: Option<String>,
        /// Seconds between two heartbeats, 1 to 3600.
        #[arg(long, value_name = "SECONDS", required_unless_present = "misses")]
        interval: Option<u32>,
        /// Missed heartbeats that are allowed; the next one is the failure.
        #[arg(long)]
        misses: Option<u32>,
    },
    /// An agent is watched like all others again.
    Reset { agent: String },
}

impl Heartbeats {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match &self.what {
            None | Some(HeartbeatCommand::List) => {
                let columns = ["computer", "intervalSeconds", "allowedMisses", "failureAfterSeconds", "agent"];
                output.run(Method::GET, "/api/heartbeats", None, &columns)
            }
            Some(HeartbeatCommand::Set { agent, interval, misses }) => {
                let path = match agent {
                    Some(agent) => format!("/api/heartbeats/{}", segment(agent)),
                    None => "/api/heartbeats".to_owned(),
                };
                let body = json!({"intervalSeconds": interval, "allowedMisses": misses});
                output.run(Method::PUT, &path, Some(body), &[])
            }
            Some(HeartbeatCommand::Reset { agent }) => {
                output.run(Method::DELETE, &format!("/api/heartbeats/{}", segment(agent)), None, &[])
            }
        }
    }
}
