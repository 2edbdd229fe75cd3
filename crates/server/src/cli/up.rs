//! `watchkeeper up`: everything on this machine with embedded defaults.

use std::path::PathBuf;

use clap::Args;
use figment::value::Value;

use super::serve::{StopSignal, start_log};
use crate::config::{self, SyslogConfig};
use crate::connection::connection_file;
use crate::wiring::Server;

/// Start the server, the console and an agent for this machine.
#[derive(Args)]
pub struct Up {
    /// The folder for everything that is kept [default: /var/lib/watchkeeper, or the user's data folder].
    #[arg(long)]
    data: Option<PathBuf>,
    /// The port of the APIs and the console; 0 takes free ports, also for agents [default: 8443].
    #[arg(long)]
    port: Option<u16>,
    /// Write addresses and first secrets to this file, as JSON, when the server is ready.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// A configuration file for everything else.
    #[arg(long, env = "WATCHKEEPER_CONFIG")]
    config: Option<PathBuf>,
}

impl Up {
    pub fn run(self) -> anyhow::Result<()> {
        let mut flags = Vec::new();
        if let Some(dir) = &self.data {
            flags.push(("data.dir", Value::from(dir.to_string_lossy().into_owned())));
        }
        if let Some(port) = self.port {
            flags.push(("listen.port", Value::from(port)));
            if port == 0 {
                flags.push(("listen.agent_port", Value::from(0u16)));
            }
        }
        let mut config = config::load(self.config.as_deref(), &flags)?.config;
        if config.syslog.is_off() {
            config.syslog = SyslogConfig::loopback(self.port == Some(0));
        }
        start_log(&config.log)?;
        super::block_on(async {
            let mut stop = StopSignal::listen()?;
            let mut server = Server::start(&config).await?;
            server.start_local_agent(&config.data.dir).await?;
            let connection = &server.connection;
            connection.write(&connection_file(&config.data.dir))?;
            if let Some(path) = &self.ready_file {
                connection.write(path)?;
            }
            println!("Watchkeeper is ready.");
            println!("  console   {}", connection.url);
            println!("  sign in   {} / {}", connection.admin_user, connection.admin_password);
            println!("  authority {}", connection.ca_file.display());
            println!("  query     watchkeeper query 'Heartbeat | take 10'");
            println!("  syslog    {} (UDP), {} (TCP)", connection.syslog_udp, connection.syslog_tcp);
            stop.wait().await;
            server.stop().await;
            Ok(())
        })
    }
}
