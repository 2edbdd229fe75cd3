//! `watchkeeper secrets`: what is encrypted in the operational store, the key that it is encrypted with, and what ends.

use clap::{Args, Subcommand};
use reqwest::Method;

use super::operate::Output;

/// List the secrets that the server keeps encrypted and what ends soon, and replace the key of the secrets.
#[derive(Args)]
pub struct Secrets {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum What {
    /// List all by kind and name, without their values.
    List,
    /// List the secrets and certificates that end soon, with what to do.
    Expiring {
        /// Within so many days.
        #[arg(long, default_value_t = 30, conflicts_with = "all")]
        days: u32,
        /// All that have an end.
        #[arg(long)]
        all: bool,
    },
    /// List the keys: the current one, and while it is replaced the next or the past one.
    Keys,
    /// Encrypt all with a new key, on every server of the group.
    Rotate,
}

impl Secrets {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match self.what {
            What::List => output.run(Method::GET, "/api/secrets", None, &["kind", "name", "expires", "key"]),
            What::Expiring { days, all } => {
                let path = if all { "/api/expiry".to_owned() } else { format!("/api/expiry?days={days}") };
                output.run(Method::GET, &path, None, &["severity", "daysLeft", "expires", "kind", "name", "advice"])
            }
            What::Keys => output.run(Method::GET, "/api/secrets/keys", None, &["place", "key", "since"]),
            What::Rotate => output.run(Method::POST, "/api/secrets/rotate", None, &["key", "secrets"]),
        }
    }
}
