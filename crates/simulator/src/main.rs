//! Many agents in one process that speak the real protocol: they enrol, hold their sessions, send heartbeats and samples,
//! apply configurations, and on command raise alerts, change states, or go silent. `bench/scale_bench.py` drives it.
//!
//! Commands come on standard input, one a line:
//! `alerts PER_SECOND SECONDS`, `states PER_SECOND SECONDS`, `silence AGENTS`, `return`, `rest` (no more samples), `report`,
//! `quit`.
//! Reports go to standard output, one JSON object a line, every `--report` seconds and after each command.

mod agent;
mod figures;
mod fleet;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::agent::{Agent, Order, Shared};
use crate::figures::Figures;
use crate::fleet::Server;

/// Enrolments and first connections on their way at once.
const AT_ONCE: usize = 64;

/// Simulated agents for a management server.
#[derive(Parser)]
#[command(name = "watchkeeper-simulator", version)]
struct Options {
    /// The agents' endpoint of the management server, host:port
    #[arg(long)]
    server: String,
    /// The certificate of the management group's authority
    #[arg(long)]
    ca_file: PathBuf,
    /// A file with an enrolment token
    #[arg(long)]
    token_file: PathBuf,
    /// How many agents there are
    #[arg(long, default_value_t = 1000)]
    agents: usize,
    /// Connections of gateways that the agents share; without: each agent has its own
    #[arg(long, default_value_t = 0)]
    gateways: usize,
    /// Samples in one batch; 0: none
    #[arg(long, default_value_t = 5)]
    samples: usize,
    /// Seconds between two batches of samples
    #[arg(long, default_value_t = 60)]
    every: u64,
    /// Seconds between two reports
    #[arg(long, default_value_t = 5)]
    report: u64,
}

type Orders = Vec<mpsc::UnboundedSender<Order>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let read =
        |path: &PathBuf| std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let server = Server {
        address: options.server.clone(),
        authority_pem: read(&options.ca_file)?,
        token: read(&options.token_file)?.trim().to_owned(),
    };
    let shared = Arc::new(Shared {
        server,
        figures: Figures::default(),
        samples: options.samples,
        every: Duration::from_secs(options.every.max(1)),
    });
    let reporter = tokio::spawn({
        let shared = shared.clone();
        async move {
            let mut ticks = interval(Duration::from_secs(options.report.max(1)));
            loop {
                ticks.tick().await;
                println!("{}", shared.figures.report());
            }
        }
    });
    let mut orders = tokio::select! {
        started = start(&shared, &options) => started?,
        _ = tokio::signal::ctrl_c() => return Ok(()),
    };
    let (said, mut lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if said.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = lines.recv().await {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok()).unwrap_or(0);
        match words.first().copied() {
            Some("alerts") => pace(&mut orders, Order::Alert, number(1), number(2)).await,
            Some("states") => pace(&mut orders, Order::State, number(1), number(2)).await,
            Some("silence") => tell(&orders, Order::Silence, number(1)),
            Some("return") => tell(&orders, Order::Return, u32::MAX),
            Some("rest") => tell(&orders, Order::Rest, u32::MAX),
            Some("report") => {}
            Some("quit") => break,
            _ => eprintln!("unknown command {line:?}: alerts, states, silence, return, rest, report, quit"),
        }
        println!("{}", shared.figures.report());
    }
    reporter.abort();
    Ok(())
}

/// Enrols all agents and starts them; gives the ends that take orders.
async fn start(shared: &Arc<Shared>, options: &Options) -> anyhow::Result<Orders> {
    let mut gateways = Vec::new();
    for number in 0..options.gateways {
        gateways.push(shared.server.gateway(number).await.with_context(|| format!("gateway {number}"))?);
    }
    let enrolment = shared.server.anonymous().await?;
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut enrolling = JoinSet::new();
    let mut orders = Orders::new();
    let began = Instant::now();
    for number in 0..options.agents {
        let place = room.clone().acquire_owned().await?;
        let gateway = gateways.get(number % options.gateways.max(1)).cloned();
        let (shared, enrolment) = (shared.clone(), enrolment.clone());
        let (order, told) = mpsc::unbounded_channel();
        orders.push(order);
        enrolling.spawn(async move {
            let enrolled = shared.server.agent(number, enrolment, gateway).await?;
            Figures::count(&shared.figures.enrolled);
            tokio::spawn(Agent::new(shared, enrolled, told).run());
            drop(place);
            anyhow::Ok(())
        });
        while let Some(done) = enrolling.try_join_next() {
            done??;
        }
    }
    while let Some(done) = enrolling.join_next().await {
        done??;
    }
    eprintln!("{} agents enrolled in {:.1} s", options.agents, began.elapsed().as_secs_f64());
    Ok(orders)
}

/// So many orders a second, one agent after the other.
async fn pace(orders: &mut Orders, order: Order, per_second: u32, seconds: u32) {
    if orders.is_empty() || per_second == 0 {
        return;
    }
    let mut ticks = interval(Duration::from_millis(10));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let total = u64::from(per_second) * u64::from(seconds);
    let (began, mut sent) = (Instant::now(), 0);
    while sent < total {
        ticks.tick().await;
        let due = (began.elapsed().as_secs_f64() * f64::from(per_second)).ceil() as u64;
        while sent < due.min(total) {
            let place = usize::try_from(sent).unwrap_or(0) % orders.len();
            let _ = orders[place].send(order);
            sent += 1;
        }
    }
}

fn tell(orders: &Orders, order: Order, agents: u32) {
    for agent in orders.iter().take(agents as usize) {
        let _ = agent.send(order);
    }
}
