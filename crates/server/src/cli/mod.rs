//! The command line: one file a command.

mod alerting;
mod cert;
mod client;
mod clouds;
mod completions;
mod computer_groups;
mod config;
mod configmgr;
mod enrolment;
mod gateways;
mod groups;
mod heartbeats;
mod import;
mod itsm;
mod kql;
mod operate;
mod pack;
mod pools;
mod query;
mod roles;
mod rows;
mod run_as;
mod schedule;
mod secrets;
mod serve;
mod servers;
mod service_map;
mod tables;
mod up;
mod users;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Self-hosted log analytics, monitoring and management.
#[derive(Parser)]
#[command(name = "watchkeeper", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Up(up::Up),
    Serve(serve::Serve),
    Kql(kql::KqlArgs),
    Query(query::Query),
    Import(import::Import),
    Tables(tables::Tables),
    Workspace(workspace::Workspace),
    Users(users::Users),
    DirectoryGroups(users::DirectoryGroups),
    IdentityProviders(users::IdentityProviders),
    Pack(pack::Pack),
    Objects(operate::Objects),
    Groups(groups::Groups),
    Pools(pools::Pools),
    Health(operate::Health),
    Alerts(operate::Alerts),
    AlertRule(alerting::AlertRule),
    ActionGroup(alerting::ActionGroup),
    ProcessingRule(alerting::ProcessingRule),
    Deliveries(alerting::Deliveries),
    Agents(operate::Agents),
    Tokens(enrolment::Tokens),
    Cert(cert::Cert),
    Gateway(gateways::RunGateway),
    Gateways(gateways::Gateways),
    Heartbeats(heartbeats::Heartbeats),
    Tasks(operate::Tasks),
    Maintenance(operate::Maintenance),
    Overrides(operate::Overrides),
    Monitors(operate::Monitors),
    Roles(roles::Roles),
    RunAs(run_as::RunAs),
    ServiceMap(service_map::ServiceMap),
    Secrets(secrets::Secrets),
    Clouds(clouds::Clouds),
    Servers(servers::Servers),
    Settings(servers::Settings),
    Relationships(servers::Relationships),
    Itsm(itsm::Itsm),
    #[command(name = "configmgr")]
    ConfigMgr(configmgr::ConfigMgr),
    ComputerGroups(computer_groups::ComputerGroups),
    /// List the classes of the imported packs.
    Classes(operate::Elements),
    /// List the rules of the imported packs.
    Rules(operate::Elements),
    Discoveries(operate::Discoveries),
    /// List the diagnostics of the imported packs.
    Diagnostics(operate::Elements),
    /// List the recoveries of the imported packs.
    Recoveries(operate::Elements),
    Config(config::ConfigCommand),
    Completions(completions::Completions),
}

/// Runs the command of the process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Up(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Kql(command) => command.run(),
        Command::Query(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Tables(command) => command.run(),
        Command::Workspace(command) => command.run(),
        Command::Users(command) => command.run(),
        Command::DirectoryGroups(command) => command.run(),
        Command::IdentityProviders(command) => command.run(),
        Command::Pack(command) => command.run(),
        Command::Objects(command) => command.run(),
        Command::Groups(command) => command.run(),
        Command::Pools(command) => command.run(),
        Command::Health(command) => command.run(),
        Command::Alerts(command) => command.run(),
        Command::AlertRule(command) => command.run(),
        Command::ActionGroup(command) => command.run(),
        Command::ProcessingRule(command) => command.run(),
        Command::Deliveries(command) => command.run(),
        Command::Agents(command) => command.run(),
        Command::Tokens(command) => command.run(),
        Command::Cert(command) => command.run(),
        Command::Gateway(command) => command.run(),
        Command::Gateways(command) => command.run(),
        Command::Heartbeats(command) => command.run(),
        Command::Tasks(command) => command.run(),
        Command::Maintenance(command) => command.run(),
        Command::Overrides(command) => command.run(),
        Command::Monitors(command) => command.run(),
        Command::Roles(command) => command.run(),
        Command::RunAs(command) => command.run(),
        Command::ServiceMap(command) => command.run(),
        Command::Secrets(command) => command.run(),
        Command::Clouds(command) => command.run(),
        Command::Servers(command) => command.run(),
        Command::Settings(command) => command.run(),
        Command::Relationships(command) => command.run(),
        Command::Itsm(command) => command.run(),
        Command::ConfigMgr(command) => command.run(),
        Command::ComputerGroups(command) => command.run(),
        Command::Classes(command) => command.run("Class"),
        Command::Rules(command) => command.run("Rule"),
        Command::Discoveries(command) => command.run(),
        Command::Diagnostics(command) => command.run("Diagnostic"),
        Command::Recoveries(command) => command.run("Recovery"),
        Command::Config(command) => command.run(),
        Command::Completions(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watchkeeper: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A runtime for commands that talk to a server.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}
