//! The binary `watchkeeper-agent`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use watchkeeper_agent::config::Config;
use watchkeeper_agent::enrol::{Enrolled, enrol};
use watchkeeper_agent::identity::IdentityFiles;
use watchkeeper_agent::linux::machine;
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
        Command::Run { place, stop_with_stdin } => run(Config::load(&place.config)?, stop_with_stdin).await,
        Command::Enrol(place) => enrol_once(&Config::load(&place.config)?).await,
        Command::Status(place) => status(&Config::load(&place.config)?),
    }
}

async fn run(config: Config, stop_with_stdin: bool) -> anyhow::Result<()> {
    let agent = Agent::open(config)?;
    let (stop, stopping) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let stdin_ended = async {
        if stop_with_stdin {
            stdin_end().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let running = agent.run(stopping);
    tokio::pin!(running);
    tokio::select! {
        () = &mut running => return Ok(()),
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
        () = stdin_ended => {}
    }
    tracing::info!("stopping");
    let _ = stop.send(true);
    running.await;
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

async fn enrol_once(config: &Config) -> anyhow::Result<()> {
    let files = IdentityFiles::new(&config.data);
    let machine = machine::describe(config.computer.as_deref());
    let server = config.servers.first().context("servers is empty")?;
    match enrol(config, &files, server, machine).await? {
        Enrolled::Issued => println!("enrolled"),
        Enrolled::Pending { agent_id, .. } => println!("agent {agent_id} waits for approval by an administrator"),
    }
    Ok(())
}

fn status(config: &Config) -> anyhow::Result<()> {
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
    Ok(())
}
