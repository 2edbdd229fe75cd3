//! `watchkeeper-agent cert`: the company's certificate of this agent, where no server's program is installed.

use std::path::PathBuf;
use std::time::SystemTime;

use watchkeeper_agent::config::Config;
use watchkeeper_certificates::{Identity, ImportArgs, RequestArgs, Role};

/// What is done, and for which agent.
#[derive(clap::Subcommand)]
pub enum CertCommand {
    /// Make a key, which stays on this machine, and a request that the company's authority signs.
    Request {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        request: RequestArgs,
    },
    /// Check a certificate and take it into use; says all that is wrong with it instead.
    Import {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        import: ImportArgs,
    },
    /// Show the certificate in use.
    Show {
        #[command(flatten)]
        of: Of,
    },
    /// Make the request for the certificate that follows the imported one.
    Renew {
        #[command(flatten)]
        of: Of,
    },
}

/// The agent by its configuration.
#[derive(clap::Args)]
pub struct Of {
    /// The configuration file.
    #[arg(long, default_value = "/etc/watchkeeper/agent.toml")]
    config: PathBuf,
}

impl Of {
    /// Where its identity is, and its name where the configuration gives one.
    fn open(&self) -> anyhow::Result<(Identity, Option<String>)> {
        let groups = Config::load_groups(&self.config)?;
        let config = groups.into_iter().next().map(|membership| membership.config);
        let config = config.ok_or_else(|| anyhow::anyhow!("{} names no servers", self.config.display()))?;
        Ok((Identity::new(&config.data.join("identity"), Role::Agent), config.computer))
    }
}

impl CertCommand {
    /// Does it.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Request { of, mut request } => {
                let (identity, computer) = of.open()?;
                request.name = request.name.or(computer);
                print!("{}", request.run(&identity)?);
                Ok(())
            }
            Self::Import { of, mut import } => {
                let (identity, computer) = of.open()?;
                import.name = import.name.or(computer);
                let imported = import.run(&identity)?;
                eprintln!("imported: {} from {}", imported.facts.subject, imported.root.subject);
                show(&identity)
            }
            Self::Show { of } => show(&of.open()?.0),
            Self::Renew { of } => {
                print!("{}", of.open()?.0.renew()?.1);
                Ok(())
            }
        }
    }
}

fn show(identity: &Identity) -> anyhow::Result<()> {
    for (name, value) in identity.show(SystemTime::now())? {
        println!("{name:<15} {value}");
    }
    Ok(())
}
