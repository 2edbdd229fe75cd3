//! The map of the workspace: reads the rows of a window from the tables, summed up by the query engine, and has them
//! joined by `watchkeeper-map`.

mod columns;
mod read;
mod standing;

use std::collections::BTreeMap;
use std::time::Duration;

use watchkeeper_kql::Ticks;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_map::{Computer, Graph, ProcessRow, Rows, Time, Window, join};
use watchkeeper_query::{QueryError, ResultTable, TimeRange};

use crate::queries::{Asked, Functions, Limits, Origin, Queries, ticks_now};
pub use standing::{MachineGroup, Standing, machine_groups, standings};

/// Logical connections, processes or ports of one map.
const MOST_ROWS: usize = 5_000_000;
const MOST_BYTES: usize = 2 << 30;
/// A map that takes longer is refused.
const DEADLINE: Duration = Duration::from_secs(120);
/// Machines and processes report themselves once an hour: what they are is looked for so far before the window.
const INVENTORY_BEFORE: i64 = 2 * 60 * Time::MINUTE;

const COMPUTERS: &str = "VMComputer
| summarize arg_max(TimeGenerated, Computer, DisplayName, HostName, FullDisplayName, OperatingSystemFamily,
    OperatingSystemFullName, Ipv4Addresses, Ipv4SubnetMasks, Ipv4DefaultGateways, Ipv6Addresses, MacAddresses, DnsNames,
    BootTime, AgentId, DependencyAgentVersion, TimeZone, VirtualizationState, VirtualMachineType, VirtualMachineNativeId,
    VirtualMachineNativeName, VirtualMachineHypervisorId, PhysicalMemoryMB, Cpus, CpuSpeed) by Machine";
const PROCESSES: &str = "VMProcess
| summarize arg_max(TimeGenerated, ExecutableName, DisplayName, UserName, UserDomain, CommandLine, ExecutablePath, Group,
    Role, StartTime, FirstPid, Description, CompanyName, InternalName, ProductName, ProductVersion, FileVersion,
    WorkingDirectory, Services) by Machine, Process";
const PORTS: &str = "VMBoundPort
| summarize TimeGenerated=max(TimeGenerated), Computer=take_any(Computer), ProcessName=take_any(ProcessName),
    IsWildcardBind=countif(IsWildcardBind) by Machine, Process, Ip, Port, Protocol";
const CONNECTIONS: &str = "VMConnection
| summarize Computer=take_any(Computer), ProcessName=take_any(ProcessName), First=min(TimeGenerated),
    arg_max(TimeGenerated, LinksLive), Established=sum(LinksEstablished), Terminated=sum(LinksTerminated),
    Failed=sum(LinksFailed), Sent=sum(BytesSent), Received=sum(BytesReceived), Responses=sum(Responses),
    ResponseTimeSum=sum(ResponseTimeSum), ResponseTimeMax=max(ResponseTimeMax),
    Questions=max(RemoteDnsQuestions), Names=max(RemoteDnsCanonicalNames)
    by Machine, Process, Direction, SourceIp, DestinationIp, DestinationPort, Protocol";

/// Who talked to whom in a window.
///
/// # Errors
/// Where a query fails, or where the window has more than a map can hold.
pub async fn graph(queries: &Queries, window: Window, origin: &Origin) -> Result<Graph, QueryError> {
    let rows = rows(queries, window, origin).await?;
    // pure computation over all rows: not on a thread that serves requests
    tokio::task::spawn_blocking(move || join(window, &rows))
        .await
        .map_err(|error| QueryError::execution(format!("the map could not be joined: {error}")))
}

/// Every machine that reported itself before a time, as it was then.
///
/// # Errors
/// Where the query fails.
pub async fn computers(queries: &Queries, until: Time, origin: &Origin) -> Result<Vec<Computer>, QueryError> {
    let tables = ask(queries, "VMComputer", COMPUTERS, up_to(until), origin).await?;
    read::computers(&tables)
}

/// Every process that a machine reported before a time, as it was then.
///
/// # Errors
/// Where the query fails.
pub async fn processes(
    queries: &Queries,
    machine: &str,
    until: Time,
    origin: &Origin,
) -> Result<Vec<ProcessRow>, QueryError> {
    // the name is a string literal of the language: quotes and backslashes cannot end it
    let literal = machine.replace('\\', "\\\\").replace('"', "\\\"");
    let text = PROCESSES.replacen("VMProcess", &format!("VMProcess | where Machine == \"{literal}\""), 1);
    let tables = ask(queries, "VMProcess", &text, up_to(until), origin).await?;
    read::processes(&tables)
}

/// From the beginning to a time, the microsecond of the time itself included.
fn up_to(until: Time) -> Window {
    Window { from: Time(0), to: Time(until.0.saturating_add(1)) }
}

/// The rows of a window.
async fn rows(queries: &Queries, window: Window, origin: &Origin) -> Result<Rows, QueryError> {
    let inventory = Window { from: Time(window.from.0 - INVENTORY_BEFORE), to: window.to };
    let (computers, processes, ports, connections) = tokio::try_join!(
        ask(queries, "VMComputer", COMPUTERS, inventory, origin),
        ask(queries, "VMProcess", PROCESSES, inventory, origin),
        ask(queries, "VMBoundPort", PORTS, window, origin),
        ask(queries, "VMConnection", CONNECTIONS, window, origin),
    )?;
    Ok(Rows {
        computers: read::computers(&computers)?,
        processes: read::processes(&processes)?,
        ports: read::ports(&ports)?,
        connections: read::connections(&connections)?,
    })
}

/// Runs a query over a window; a table that has no rows yet gives none.
async fn ask(
    queries: &Queries,
    table: &str,
    text: &str,
    window: Window,
    origin: &Origin,
) -> Result<Vec<ResultTable>, QueryError> {
    if queries.tables().schema(&TableSource::Local, table).is_none() {
        return Ok(Vec::new());
    }
    let ticks = |time: Time| Ticks::from_unix_micros(time.0);
    let asked = Asked {
        text: text.to_owned(),
        timespan: Some(TimeRange { from: ticks(window.from), to: ticks(window.to) }),
        parameters: BTreeMap::new(),
        now: ticks_now(),
        deadline: DEADLINE,
        limits: Limits { rows: MOST_ROWS, bytes: MOST_BYTES },
        functions: Functions::new(),
        origin: origin.clone(),
    };
    let response = queries.run(asked).await?;
    match response.partial {
        Some(partial) => Err(QueryError::execution(format!("the map is too large: {}", partial.message))),
        None => Ok(response.tables),
    }
}
