//! The binary `watchkeeper-agent`.

mod cert;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::Instrument;
use watchkeeper_agent::config::{Config, Membership};
use watchkeeper_agent::enrol::{Enrolled, enrol, join};
use watchkeeper_agent::identity::IdentityFiles;
use watchkeeper_agent::linux::connections::PROBE_POSITION;
use watchkeeper_agent::linux::install::{Install, Uninstall, Upgrade};
use watchkeeper_agent::linux::machine;
use watchkeeper_agent::maintenance::Asked;
use watchkeeper_agent::queue::{Queue, QueueLimits};
use watchkeeper_agent::run::Agent;

/// The Watchkeeper agent.
#[derive(Parser)]
#[command(name = "watchkeeper-agent", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Collect and send until stopped; enrols first where that has not been done.
    Run {
        #[command(flatten)]
        place: Place,
        /// Also stop when standard input ends: for an agent that must not outlive the program that started it.
        #[arg(long)]
        stop_with_stdin: bool,
    },
    /// Enrol with the token of the configuration, and stop.
    Enrol(Place),
    /// Print identity and disk queue. The agent must not be running.
    Status(Place),
    /// Certificates of a company's own authority: ask for one, import one, show it.
    Cert {
        #[command(subcommand)]
        what: cert::CertCommand,
    },
    /// Install this program as a systemd service and let it report to a management group, or to a further one.
    Install(Install),
    /// Put this machine into maintenance from now on, with all that lives on it: no alerts until it is over.
    Maintenance {
        #[command(flatten)]
        place: Place,
        /// How long, 5 or more.
        #[arg(long)]
        minutes: u32,
        #[arg(long, default_value = "PlannedOther")]
        reason: String,
        #[arg(long, default_value = "")]
        comment: String,
    },
    /// Put this program in place of the installed one.
    Upgrade(Upgrade),
    /// Take the service away, or one management group from it.
    Uninstall(Uninstall),
}

#[derive(clap::Args)]
struct Place {
    /// The configuration file.
    #[arg(long, default_value = "/etc/watchkeeper/agent.toml")]
    config: PathBuf,
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(start(Arguments::parse())),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watchkeeper-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn start(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::Run { place, stop_with_stdin } => run(Config::load_groups(&place.config)?, stop_with_stdin).await,
        Command::Enrol(place) => {
            for membership in Config::load_groups(&place.config)? {
                enrol_once(&membership).await.with_context(|| membership.name().to_owned())?;
            }
            Ok(())
        }
        Command::Status(place) => Config::load_groups(&place.config)?.iter().try_for_each(status),
        Command::Cert { what } => what.run(),
        Command::Maintenance { place, minutes, reason, comment } => {
            let asked = Asked::new(minutes, &reason, &comment)?;
            for membership in Config::load_groups(&place.config)? {
                asked.leave(&membership.config.data).with_context(|| membership.name().to_owned())?;
            }
            println!("the running agent asks for {minutes} minutes of maintenance");
            Ok(())
        }
        Command::Install(install) => install.run(),
        Command::Upgrade(upgrade) => upgrade.run(),
        Command::Uninstall(uninstall) => uninstall.run(),
    }
}

async fn run(groups: Vec<Membership>, stop_with_stdin: bool) -> anyhow::Result<()> {
    let mut running = tokio::task::JoinSet::new();
    let (stop, stopping) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let stdin_ended = async {
        if stop_with_stdin {
            stdin_end().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    for membership in groups {
        let span = tracing::info_span!("group", name = membership.group);
        let agent = Agent::open(membership.config)?;
        running.spawn(agent.run(stopping.clone()).instrument(span));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = stdin_ended => {}
    }
    tracing::info!("stopping");
    let _ = stop.send(true);
    while let Some(ended) = running.join_next().await {
        ended.context("a management group's part of the agent failed")?;
    }
    Ok(())
}

/// Waits, on a thread of its own, until nothing more can come from standard input.
async fn stdin_end() {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut nowhere = std::io::sink();
        if let Err(error) = std::io::copy(&mut std::io::stdin(), &mut nowhere) {
            tracing::debug!(%error, "standard input cannot be read");
        }
        drop(ended);
    });
    // the sender is only ever dropped
    let _ = end.await;
}

async fn enrol_once(membership: &Membership) -> anyhow::Result<()> {
    let config = &membership.config;
    let files = IdentityFiles::new(&config.data);
    let machine = machine::describe(config.computer.as_deref());
    let server = config.servers.first().context("servers is empty")?;
    let joined = match files.load()?.filter(|identity| identity.imported) {
        Some(identity) => join(config, &files, server, &identity, machine).await?,
        None => enrol(config, &files, server, machine).await?,
    };
    match joined {
        Enrolled::Issued => println!("enrolled"),
        Enrolled::Pending { agent_id, .. } => println!("agent {agent_id} waits for approval by an administrator"),
    }
    Ok(())
}

fn status(membership: &Membership) -> anyhow::Result<()> {
    let config = &membership.config;
    if let Some(group) = &membership.group {
        println!("management group {group}");
    }
    println!("servers      {}", config.servers.join(", "));
    match IdentityFiles::new(&config.data).load()? {
        Some(identity) => {
            let left = identity.certificate.not_after.duration_since(std::time::SystemTime::now()).unwrap_or_default();
            println!("agent        {}", identity.certificate.agent_id);
            println!("certificate  ends in {} days", left.as_secs() / 86_400);
        }
        None => println!("agent        not enrolled"),
    }
    // opening the queue repairs its end, which a running agent may be writing
    let agent = Agent::open(config.clone())?;
    drop(agent);
    let limits = QueueLimits::with_max_bytes(config.queue.max_kilobytes * 1024);
    let queue = Queue::open(&config.data.join("queue"), limits)?;
    println!("queue        {} batches wait, {} of {} bytes", queue.waiting(), queue.bytes(), queue.max_bytes());
    if let Some(probe) = queue.positions().get(PROBE_POSITION) {
        println!("{}", String::from_utf8_lossy(probe));
    }
    Ok(())
}
