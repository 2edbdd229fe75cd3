//! `watchkeeper tokens`: tokens with which agents of other machines join.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::operate::Output;
use super::query::Format;
use super::rows::segment;

/// Make, list and revoke the tokens with which agents join.
#[derive(Args)]
pub struct Tokens {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum Command {
    /// Make a token; it is shown this once.
    Create {
        /// What it is for.
        #[arg(long, default_value = "")]
        description: String,
        /// Hours until it ends; 0: never.
        #[arg(long, default_value_t = 24)]
        valid_hours: u64,
        /// How many agents may join with it; any number where it is not given.
        #[arg(long)]
        uses: Option<u32>,
    },
    /// List them.
    List,
    /// Take one back. Agents that have joined with it stay.
    Revoke {
        /// As `list` names it.
        token: String,
    },
}

impl Tokens {
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Create { description, valid_hours, uses } => {
                let body = json!({"description": description, "validHours": valid_hours, "uses": uses});
                let made = self.output.ask(Method::POST, "/api/enrolment-tokens", Some(body))?;
                if !matches!(self.output.format(), Format::Table) {
                    return self.output.show(&made, &["id", "token", "agentEndpoints", "caFingerprint"]);
                }
                let text = |name: &str| made[name].as_str().unwrap_or_default();
                println!("{}", text("token"));
                eprintln!("On the new machine, with the token as the first line of standard input:");
                let endpoints = made["agentEndpoints"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let servers: String = endpoints.map(|endpoint| format!("--server {endpoint} ")).collect();
                eprintln!(
                    "  sudo watchkeeper-agent install {servers}--ca-fingerprint {} --token-file -",
                    text("caFingerprint")
                );
                Ok(())
            }
            Command::List => self.output.run(
                Method::GET,
                "/api/enrolment-tokens",
                None,
                &["id", "description", "createdAt", "expiresAt", "usesLeft"],
            ),
            Command::Revoke { token } => {
                self.output.run(Method::DELETE, &format!("/api/enrolment-tokens/{}", segment(&token)), None, &[])
            }
        }
    }
}
