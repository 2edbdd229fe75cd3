//! `watchkeeper config show`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config;

/// Look at the configuration.
#[derive(Args)]
pub struct ConfigCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print the effective values, each with its origin.
    Show {
        /// The configuration file.
        #[arg(long, env = "WATCHKEEPER_CONFIG")]
        config: Option<PathBuf>,
    },
}

impl ConfigCommand {
    pub fn run(self) -> anyhow::Result<()> {
        let Action::Show { config: file } = self.action;
        let entries = config::load(file.as_deref(), &[])?.effective()?;
        let width = entries.iter().map(|entry| entry.key.len() + entry.value.len()).max().unwrap_or(0) + 3;
        for entry in entries {
            println!("{:width$}  # {}", format!("{} = {}", entry.key, entry.value), entry.origin);
        }
        Ok(())
    }
}
