//! `watchkeeper gateway`: a gateway itself; `watchkeeper gateways`: those of a management group.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;
use watchkeeper_gateway::{Config, Gateway};

use super::operate::Output;
use super::rows::segment;
use super::serve::{StopSignal, start_log};
use crate::config::LogConfig;

/// Run a gateway: agents of another trust zone come to it, and it goes to the management server.
#[derive(Args)]
pub struct RunGateway {
    /// The gateway's configuration file.
    #[arg(long)]
    config: PathBuf,
}

impl RunGateway {
    pub fn run(self) -> anyhow::Result<()> {
        let config = Config::load(&self.config)?;
        start_log(&LogConfig::default())?;
        super::block_on(async {
            let mut stop = StopSignal::listen()?;
            let gateway = tokio::select! {
                gateway = Gateway::start(config) => gateway?,
                () = stop.wait() => return Ok(()),
            };
            stop.wait().await;
            gateway.stop().await;
            Ok(())
        })
    }
}

/// List gateways, let one in, say which agents it speaks for.
#[derive(Args)]
pub struct Gateways {
    #[command(subcommand)]
    what: Option<GatewayCommand>,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum GatewayCommand {
    /// List all.
    List,
    /// Let one in, by its name or identity: it gets a certificate for its names.
    Approve { gateway: String },
    /// Refuse one from now on, and its agents through it.
    Remove { gateway: String },
    /// From now on an agent comes through this gateway and no other way.
    Assign { gateway: String, agent: String },
    /// From now on an agent comes to the server itself.
    Release { agent: String },
}

impl Gateways {
    pub fn run(self) -> anyhow::Result<()> {
        let output = &self.output;
        match &self.what {
            None | Some(GatewayCommand::List) => {
                let columns = ["name", "status", "agents", "through", "names", "lastSeen", "id"];
                output.run(Method::GET, "/api/gateways", None, &columns)
            }
            Some(GatewayCommand::Approve { gateway }) => {
                output.run(Method::POST, &format!("/api/gateways/{}/approve", segment(gateway)), None, &[])
            }
            Some(GatewayCommand::Remove { gateway }) => {
                output.run(Method::DELETE, &format!("/api/gateways/{}", segment(gateway)), None, &[])
            }
            Some(GatewayCommand::Assign { gateway, agent }) => {
                let path = format!("/api/agents/{}/gateway", segment(agent));
                output.run(Method::PUT, &path, Some(json!({"gateway": gateway})), &[])
            }
            Some(GatewayCommand::Release { agent }) => {
                output.run(Method::DELETE, &format!("/api/agents/{}/gateway", segment(agent)), None, &[])
            }
        }
    }
}
