//! Connections to workspaces that have a map: the write action that makes dependency views of it, and the probe that says
//! how a connection is. A management server does both ([`ServerWork`]).

use std::sync::Arc;
use std::time::Duration;

use watchkeeper_model::item::DataItem;

use crate::workflow::job::{Job, Limits, Weight};
use crate::workflow::module::{Context, Failure, Item, Module, Setup};
use crate::workflow::server_work::{MapImport, ServerWork};

/// Windows of time that can be asked for.
const MOST_MINUTES: u32 = 31 * 24 * 60;
/// Besides its requests a synchronization waits for others and for the store.
const LONGEST_IMPORT: Duration = Duration::from_secs(3_600);
const LONGEST_PROBE: Duration = Duration::from_secs(30);

struct Import(MapImport);

/// `Watchkeeper.ServiceMap.Import`: `ConnectionId`, `TimeoutSeconds` of a request, `TimeWindowMinutes`.
///
/// # Errors
/// When a parameter is missing or cannot be.
pub fn import(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let seconds: u64 = setup.required_number("TimeoutSeconds")?;
    if !(1..=3_600).contains(&seconds) {
        return Err(format!("TimeoutSeconds is {seconds}; 1 to 3600 are allowed"));
    }
    let window_minutes = setup.required_number("TimeWindowMinutes")?;
    if !(1..=MOST_MINUTES).contains(&window_minutes) {
        return Err(format!("TimeWindowMinutes is {window_minutes}; 1 to {MOST_MINUTES} are allowed"));
    }
    let connection = setup.required("ConnectionId")?.to_owned();
    Ok(Box::new(Import(MapImport { connection, timeout: Duration::from_secs(seconds), window_minutes })))
}

impl Module for Import {
    fn take(&mut self, _: usize, _: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let (server, import) = (server(context)?, self.0.clone());
        let limits = Limits { timeout: LONGEST_IMPORT, ..Limits::default() };
        context.begin(Job::new(Weight::Network, limits, async move {
            server.import_map(import).await.map(|()| Vec::new()).map_err(Failure::new)
        }));
        Ok(())
    }
}

struct Probe {
    connection: String,
}

/// `Watchkeeper.ServiceMap.ConnectionProbe`: `ConnectionId`. A property bag with `Reached`, `SecretAccepted`,
/// `RoleGranted`, `WorkspaceFound` (`yes`, `no`, or empty where it is not known), `SecretDaysLeft`, `IntervalsMissed`,
/// `Error`.
///
/// # Errors
/// When the parameter is missing.
pub fn probe(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(Probe { connection: setup.required("ConnectionId")?.to_owned() }))
}

impl Module for Probe {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let Some(item) = items.last() else { return Ok(()) };
        let (server, connection) = (server(context)?, self.connection.clone());
        let (now, source) = (context.now, item.source);
        let limits = Limits { timeout: LONGEST_PROBE, ..Limits::default() };
        context.begin(Job::new(Weight::Network, limits, async move {
            let properties = server.connection_state(connection).await.map_err(Failure::new)?;
            Ok(vec![DataItem::property_bag(now, source, properties)])
        }));
        Ok(())
    }
}

fn server(context: &Context<'_>) -> Result<Arc<dyn ServerWork>, Failure> {
    context
        .platform
        .server()
        .ok_or_else(|| Failure::new("only a management server can do this; give its object to none of the agents"))
}
