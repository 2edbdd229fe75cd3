//! The map of the workspace: reads the rows of a window from the tables, summed up by the query engine, and has them
//! joined by `watchkeeper-map`.

mod columns;
mod inventory;
mod keeping;
mod read;
mod remotes;
mod rollup;
mod standing;
mod summed;
mod young;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use parking_lot::Mutex;
use watchkeeper_authorization::Readable;
use watchkeeper_kql::Ticks;
use watchkeeper_kql::typed::TableSource;
use watchkeeper_map::{Computer, Connection, Graph, PortRow, ProcessRow, Rows, Time, Window, join};
use watchkeeper_model::civil;
use watchkeeper_query::{QueryError, ResultTable, TimeRange};

use crate::queries::{Asked, Functions, Limits, Origin, Queries, ticks_now};
use inventory::Inventory;
pub use keeping::keep_up;
pub use remotes::{RemoteEnd, remote_ends};
use rollup::{FINE, LONG, Parts, Rollup, STEP, Step, Summed, parts, windows};
pub use standing::{MachineGroup, Names, Standing, machine_groups, machines_named, named_computers, standings};

/// Logical connections, processes or ports of one map.
const MOST_ROWS: usize = 5_000_000;
const MOST_BYTES: usize = 2 << 30;
/// A map that takes longer is refused.
const DEADLINE: Duration = Duration::from_secs(120);
/// Machines and processes report themselves once an hour: what they are is looked for so far before the window.
const INVENTORY_BEFORE: i64 = 2 * 60 * Time::MINUTE;
/// The most between a row's time of arrival and the moment when queries see it.
const ARRIVING: i64 = 10 * SECOND;
const SECOND: i64 = Time::MINUTE / 60;
/// Fine steps are kept for so many uses: a map that is looked at asks for them every few seconds.
const FINE_USES: u64 = 60;

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
/// The rows themselves, with the columns of the sums.
const EACH_PORT: &str = "project TimeGenerated, Computer, ProcessName, IsWildcardBind=tolong(IsWildcardBind), Machine,
    Process, Ip, Port, Protocol";
const EACH_CONNECTION: &str = "project Machine, Computer, Process, ProcessName, Direction, SourceIp, DestinationIp,
    DestinationPort, Protocol, First=TimeGenerated, TimeGenerated, LinksLive, Established=LinksEstablished,
    Terminated=LinksTerminated, Failed=LinksFailed, Sent=BytesSent, Received=BytesReceived, Responses, ResponseTimeSum,
    ResponseTimeMax, Questions=RemoteDnsQuestions, Names=RemoteDnsCanonicalNames";
const CONNECTIONS: &str = "VMConnection
| summarize Computer=take_any(Computer), ProcessName=take_any(ProcessName), First=min(TimeGenerated),
    arg_max(TimeGenerated, LinksLive), Established=sum(LinksEstablished), Terminated=sum(LinksTerminated),
    Failed=sum(LinksFailed), Sent=sum(BytesSent), Received=sum(BytesReceived), Responses=sum(Responses),
    ResponseTimeSum=sum(ResponseTimeSum), ResponseTimeMax=max(ResponseTimeMax),
    Questions=max(RemoteDnsQuestions), Names=max(RemoteDnsCanonicalNames)
    by Machine, Process, Direction, SourceIp, DestinationIp, DestinationPort, Protocol";
/// Keep the rows of short steps, and of the finest, apart.
const BY_STEP: &str = ", Step=bin(TimeGenerated, 5m)";
const BY_MINUTE: &str = ", Step=bin(TimeGenerated, 1m)";

/// The sums of past intervals that maps were made of, and what machines and processes are.
#[derive(Default)]
pub struct Kept {
    connections: Arc<Mutex<Rollup<Connection>>>,
    ports: Arc<Mutex<Rollup<PortRow>>>,
    computers: Arc<Mutex<Inventory<Computer>>>,
    processes: Arc<Mutex<Inventory<ProcessRow>>>,
}

/// A table whose rows are summed up in steps.
struct Source<R: Summed> {
    table: &'static str,
    query: &'static str,
    /// The columns of the query for rows that are not summed up.
    each: &'static str,
    read: fn(&[ResultTable]) -> Result<Vec<R>, QueryError>,
    /// The time of a row; those of one step are all within it.
    time: fn(&R) -> Time,
    kept: Arc<Mutex<Rollup<R>>>,
}

/// Who talked to whom in a window.
///
/// # Errors
/// Where a query fails, or where the window has more than a map can hold.
pub async fn graph(queries: &Queries, window: Window, origin: &Origin) -> Result<Graph, QueryError> {
    let rows = rows(queries, whole_minutes(window), origin).await?;
    // pure computation over all rows: not on a thread that serves requests
    let joined = move || {
        let graph = join(window, &rows);
        // letting go of so many rows takes a while, and nobody has to wait for it
        rayon::spawn(move || drop(rows));
        graph
    };
    tokio::task::spawn_blocking(joined)
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

/// The minutes that a window touches: a row of a connection tells of a minute.
fn whole_minutes(window: Window) -> Window {
    let (from, to) = (window.from.0.div_euclid(FINE) * FINE, window.to.0);
    Window { from: Time(from), to: Time(to + (-to).rem_euclid(FINE)) }
}

/// From the beginning to a time, the microsecond of the time itself included.
fn up_to(until: Time) -> Window {
    Window { from: Time(0), to: Time(until.0.saturating_add(1)) }
}

/// The rows of a window.
async fn rows(queries: &Queries, window: Window, origin: &Origin) -> Result<Rows, QueryError> {
    let inventory = Window { from: Time(window.from.0 - INVENTORY_BEFORE), to: window.to };
    let (ports, connections) = (port_source(queries), connection_source(queries));
    let (computers, processes, ports, connections) = tokio::try_join!(
        inventory::rows::<Computer>(queries, inventory, origin),
        inventory::rows::<ProcessRow>(queries, inventory, origin),
        ports.rows(queries, window, origin),
        connections.rows(queries, window, origin),
    )?;
    let computers = computers.into_iter().map(Arc::unwrap_or_clone).collect();
    Ok(Rows { computers, processes, ports, connections })
}

fn port_source(queries: &Queries) -> Source<PortRow> {
    Source {
        table: "VMBoundPort",
        query: PORTS,
        each: EACH_PORT,
        read: read::ports,
        time: |row: &PortRow| row.seen,
        kept: Arc::clone(&queries.kept().ports),
    }
}

fn connection_source(queries: &Queries) -> Source<Connection> {
    Source {
        table: "VMConnection",
        query: CONNECTIONS,
        each: EACH_CONNECTION,
        read: read::connections,
        time: |row: &Connection| row.first_seen,
        kept: Arc::clone(&queries.kept().connections),
    }
}

impl<R: Summed + 'static> Source<R> {
    /// The rows of a window, of which only those are read that are not kept.
    async fn rows(&self, queries: &Queries, window: Window, origin: &Origin) -> Result<Vec<R>, QueryError> {
        let now = now();
        let Parts { steps, rest } = parts(window, now);
        if steps.len() > self.kept.lock().most_steps() {
            return self.read(queries, self.query, window, origin).await;
        }
        let (young, rest): (Vec<Window>, Vec<Window>) = {
            let kept = self.kept.lock();
            rest.into_iter().partition(|end| kept.young.has(*end))
        };
        let sums = async {
            self.find_late(queries, &steps, now, origin).await?;
            self.keep(queries, &steps, now, origin).await
        };
        let ends = try_join_all(rest.into_iter().map(|end| self.read(queries, self.query, end, origin)));
        let follow = async {
            match young.is_empty() {
                true => Ok(()),
                false => self.follow(queries, now, origin).await,
            }
        };
        let ((), ends, ()) = tokio::try_join!(sums, ends, follow)?;
        let ends: Vec<R> = ends.into_iter().flatten().collect();
        let kept = Arc::clone(&self.kept);
        let summed = tokio::task::spawn_blocking(move || kept.lock().sum(&steps, &young, ends)).await;
        match summed.map_err(|error| QueryError::execution(format!("the map could not be summed up: {error}")))? {
            Some(rows) => Ok(rows),
            // another map has taken the place of a step
            None => self.read(queries, self.query, window, origin).await,
        }
    }

    /// Makes the sums that the next maps are likely to need: of the last hour, and of one hour of the day that is missing.
    async fn keep_at_hand(&self, queries: &Queries, now: Time, origin: &Origin) -> Result<(), QueryError> {
        if queries.tables().schema(&TableSource::Local, self.table).is_none() {
            return Ok(());
        }
        self.follow(queries, now, origin).await?;
        let (short, hours) = keeping::wanted(now);
        let day = hours.last().map_or(0, |(start, _)| *start);
        let known = self.kept.lock().kept_since(day);
        self.find_late(queries, &known, now, origin).await?;
        self.keep(queries, &short, now, origin).await?;
        let kept = Arc::clone(&self.kept);
        let next = tokio::task::spawn_blocking(move || {
            let mut kept = kept.lock();
            kept.unite(&hours);
            kept.forget_parts_of(&hours, now.0 - 2 * LONG);
            kept.forget_fine(FINE_USES);
            kept.missing(&hours).first().copied().filter(|_| kept.has_room())
        });
        match next.await.map_err(|error| QueryError::execution(format!("the map could not be summed up: {error}")))? {
            Some(hour) => self.keep(queries, &[hour], now, origin).await,
            None => Ok(()),
        }
    }

    /// Reads the young rows that came since they were last read.
    async fn follow(&self, queries: &Queries, now: Time, origin: &Origin) -> Result<(), QueryError> {
        let followed = {
            let kept = self.kept.lock();
            match kept.young.followed() {
                None if !kept.young.may_begin(now) => return Ok(()),
                followed => followed,
            }
        };
        let begin = Time((now.0 - young::REACH).div_euclid(FINE) * FINE);
        let from = followed.map_or(begin, |followed| followed.from.max(begin));
        let came = match followed {
            None => String::new(),
            Some(followed) => {
                format!("| where _IngestionTime >= datetime({}) ", civil::format_time(followed.until.0 - ARRIVING))
            }
        };
        let text = format!("{} {came}| {}", self.table, self.each);
        // a clock that is ahead is none of ours
        let window = Window { from, to: Time(now.0 + young::REACH) };
        let small = followed.is_some();
        let rows = (self.read)(&ask_as(small, queries, self.table, &text, window, origin).await?)?;
        let (kept, time) = (Arc::clone(&self.kept), self.time);
        let taken = tokio::task::spawn_blocking(move || kept.lock().take_young(rows, time, from, now));
        taken.await.map_err(|error| QueryError::execution(format!("the last minutes could not be kept: {error}")))
    }

    async fn read(&self, queries: &Queries, text: &str, window: Window, origin: &Origin) -> Result<Vec<R>, QueryError> {
        (self.read)(&ask(queries, self.table, text, window, origin).await?)
    }

    /// Makes or reads the steps that are not kept: long ones by themselves, neighbours of the others at once.
    async fn keep(&self, queries: &Queries, steps: &[Step], now: Time, origin: &Origin) -> Result<(), QueryError> {
        let missing = {
            let mut kept = self.kept.lock();
            kept.unite(steps);
            kept.missing(steps)
        };
        let of_length = |wanted: i64| missing.iter().filter(move |(_, length)| *length == wanted).copied();
        for step in of_length(LONG) {
            let whole = Window { from: Time(step.0), to: Time(step.0 + step.1) };
            let rows = self.read(queries, self.query, whole, origin).await?;
            self.kept.lock().keep(step, rows, now);
        }
        for (length, by) in [(STEP, BY_STEP), (FINE, BY_MINUTE)] {
            let steps: Vec<Step> = of_length(length).collect();
            let text = format!("{}{by}", self.query);
            for neighbours in windows(&steps) {
                let rows = self.read(queries, &text, neighbours, origin).await?;
                let mut of_steps: BTreeMap<i64, Vec<R>> = BTreeMap::new();
                for row in rows {
                    of_steps.entry((self.time)(&row).0.div_euclid(length) * length).or_default().push(row);
                }
                let mut kept = self.kept.lock();
                for step in steps.iter().filter(|(start, _)| neighbours.contains(Time(*start))) {
                    kept.keep(*step, of_steps.remove(&step.0).unwrap_or_default(), now);
                }
            }
        }
        Ok(())
    }

    /// Forgets the steps of which rows came after they were summed up.
    async fn find_late(&self, queries: &Queries, steps: &[Step], now: Time, origin: &Origin) -> Result<(), QueryError> {
        let since = self.kept.lock().whole_since(steps);
        let (Some(since), Some((from, _))) = (since, steps.first()) else { return Ok(()) };
        let to = steps.iter().map(|(start, length)| start + length).max().unwrap_or(*from);
        let text = format!(
            "{} | where _IngestionTime >= datetime({}) | summarize by Late=bin(TimeGenerated, 1m)",
            self.table,
            civil::format_time(since.0 - ARRIVING)
        );
        let window = Window { from: Time(*from), to: Time(to) };
        let late = read::times(&ask_as(true, queries, self.table, &text, window, origin).await?, "Late")?;
        let late: Vec<i64> = late.into_iter().map(|time| time.0).collect();
        self.kept.lock().came_late(steps, &late, now);
        Ok(())
    }
}

fn now() -> Time {
    Time((ticks_now().0 - Ticks::UNIX_EPOCH.0) / 10)
}

/// Runs a query over a window; a table that has no rows yet gives none.
async fn ask(
    queries: &Queries,
    table: &str,
    text: &str,
    window: Window,
    origin: &Origin,
) -> Result<Vec<ResultTable>, QueryError> {
    ask_as(false, queries, table, text, window, origin).await
}

/// As [`ask`], where few rows are expected if `small`.
async fn ask_as(
    small: bool,
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
        readable: Readable::All,
        small,
        plan: false,
        origin: origin.clone(),
    };
    let response = queries.run(asked).await?;
    match response.partial {
        Some(partial) => Err(QueryError::execution(format!("the map is too large: {}", partial.message))),
        None => Ok(response.tables),
    }
}
