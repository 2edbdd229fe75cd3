//! `watchkeeper clouds`: the environments that connections can lead to.

use clap::{Args, Subcommand};
use reqwest::Method;

use super::operate::Output;

/// List the cloud environments that connections can name.
#[derive(Args)]
pub struct Clouds {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum What {
    /// List all: Azure's, this server's own, and those of the configuration.
    List,
}

impl Clouds {
    pub fn run(self) -> anyhow::Result<()> {
        let What::List = self.what;
        let columns = ["name", "title", "authority", "resourceManager", "logAnalytics", "graph", "aliases"];
        self.output.run(Method::GET, "/api/clouds", None, &columns)
    }
}
