//! `watchkeeper serve`: the server alone, with a configuration file; and what `up` shares with it.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::{self, LogConfig};
use crate::wiring::Server;

/// Start the server alone.
#[derive(Args)]
pub struct Serve {
    /// The configuration file.
    #[arg(long, env = "WATCHKEEPER_CONFIG")]
    config: Option<PathBuf>,
}

impl Serve {
    pub fn run(self) -> anyhow::Result<()> {
        let config = config::load(self.config.as_deref(), &[])?.config;
        start_log(&config.log)?;
        super::block_on(async {
            let mut stop = StopSignal::listen()?;
            let mut server = Server::start(&config).await?;
            if config.agent.local {
                server.start_local_agent(&config.data.dir).await?;
            }
            server.connection.write(&crate::connection::connection_file(&config.data.dir))?;
            stop.wait().await;
            server.stop().await;
            Ok(())
        })
    }
}

/// SIGTERM and Ctrl-C.
pub struct StopSignal {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignal {
    /// Listens from now on, so that a signal during the start is not lost.
    pub fn listen() -> anyhow::Result<StopSignal> {
        Ok(StopSignal { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("stopping");
    }
}

/// The log goes to standard error; `WATCHKEEPER_LOG` wins over the configuration.
pub fn start_log(config: &LogConfig) -> anyhow::Result<()> {
    let level = std::env::var("WATCHKEEPER_LOG").unwrap_or_else(|_| config.level.clone());
    let filter = EnvFilter::try_new(&level).with_context(|| format!("log.level {level:?} is not a filter"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.format.as_str() {
        "text" => builder.init(),
        "json" => builder.json().init(),
        other => anyhow::bail!("log.format is {other:?}; it can be \"text\" or \"json\""),
    }
    Ok(())
}
