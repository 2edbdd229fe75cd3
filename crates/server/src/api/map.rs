//! `/api/map`: who talked to whom in a window of time, and how the machines are.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use rayon::iter::ParallelIterator;
use rayon::slice::ParallelSlice;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use watchkeeper_authorization::Action;
use watchkeeper_kql::Ticks;
use watchkeeper_management::group::Space;
use watchkeeper_map::{ClientGroup, Graph, Map, MapMachine, PortGroup, Time, Window};
use watchkeeper_model::civil;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_query::QueryError;
use watchkeeper_state::{Alert, AlertFilter, ItsmItem};

use super::computer_groups::all_members;
use super::errors::ApiError;
use super::{App, origin};
use crate::authorization::{Cut, Need, Routes, Visible, get};
use crate::computer_groups::{self, FindError};
use crate::identity::Caller;
use crate::map::{self, MachineGroup, RemoteEnd, Standing};
use crate::queries::ticks_now;

/// The window where none is asked for.
const DEFAULT_MICROS: i64 = 60 * Time::MINUTE;

/// Open alerts that are counted; with more, the oldest are left out.
const MOST_ALERTS: u32 = 10_000;
/// About what a process, a port or an edge takes in the answer.
const NODE_BYTES: usize = 640;
/// Of these, one processor writes so many before it takes others.
const NODES_AT_ONCE: usize = 1024;

pub fn routes() -> Routes {
    Routes::new().route("/api/map", get(Need::OrInGroups(Action::ReadMap, Action::ReadObjects, Cut::List), show))
}

/// From and to, ISO 8601; without them the last hour.
#[derive(Debug, Deserialize)]
struct Asked {
    from: Option<String>,
    to: Option<String>,
    /// A machine group, a computer group or a group of the management group: its machines, and what they talk to.
    group: Option<String>,
}

/// The machines of a group.
enum Within {
    /// Identities of machines.
    Machines(HashSet<String>),
    /// Names of computers.
    Computers(Vec<String>),
}

/// What of the map a caller sees without a role in the workspace: the machines of the objects that it sees.
struct Reach {
    machines: Within,
    visible: Visible,
}

impl Reach {
    fn of(app: &App, caller: &Caller, visible: Visible) -> Option<Reach> {
        if caller.access.allows(Action::ReadMap, &app.workspace_scope()) {
            return None;
        }
        let space = app.operations.group.read();
        let library = space.library.as_ref();
        let computers: BTreeSet<ObjectId> = match &visible {
            Visible::All => space.objects.of_class(computer_class(), library),
            Visible::Only(objects) => objects.iter().map(|object| space.root(*object)).collect(),
        };
        let computers = computers.into_iter().filter(|id| space.objects.is_a(*id, computer_class(), library));
        let names = computers.flat_map(|id| [space.key_name(id), space.display_name(id)]).collect();
        Some(Reach { machines: Within::Computers(names), visible })
    }

    fn knows(&self, standing: &Standing) -> bool {
        standing.object.is_some_and(|object| self.visible.has(object))
    }
}

fn computer_class() -> ElementId {
    ElementId::of("System.Library", "System.Computer")
}

impl Within {
    fn chosen(&self, graph: &Graph) -> Vec<bool> {
        match self {
            Within::Machines(ids) => graph.machines.iter().map(|machine| ids.contains(&machine.id)).collect(),
            Within::Computers(names) => map::machines_named(graph, names),
        }
    }
}

async fn show(
    State(app): State<Arc<App>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    caller: Caller,
    visible: Visible,
) -> Result<impl IntoResponse, ApiError> {
    let window = window(asked.from.as_deref(), asked.to.as_deref(), now(), DEFAULT_MICROS)?;
    let graph = map::graph(&app.queries, window, &origin(&caller, &headers)).await?;
    // what belongs to groups is known here, not in the store
    let limit = if visible.is_all() { MOST_ALERTS } else { u32::MAX / 2 };
    let mut alerts = app.state.alerts(&AlertFilter { open: true, limit, ..AlertFilter::default() }).await?;
    alerts.retain(|alert| visible.has_named(&alert.monitoring_object_id));
    let items = app.state.open_itsm_items().await?;
    let groups = app.state.machine_groups(&app.workspace_id).await?;
    let within = match &asked.group {
        None => None,
        Some(group) if !visible.is_all() => Some(of_group(&app, group, visible.find(&app, group).ok())?),
        Some(group) => Some(within(&app, &caller, &headers, group, &groups).await?),
    };
    let reach = Reach::of(&app, &caller, visible);
    // pure computation over all that is on the map: not on a thread that serves requests
    let answered = move || {
        let parts = (within.as_ref(), reach.as_ref());
        let body = answer(&app, &graph, parts, (alerts.as_slice(), items.as_slice()), groups);
        rayon::spawn(move || drop(graph));
        body
    };
    let body = tokio::task::spawn_blocking(answered).await;
    let body = body.map_err(|error| QueryError::execution(format!("the map could not be put together: {error}")))?;
    let body = body.map_err(|error| QueryError::execution(format!("the map could not be written: {error}")))?;
    Ok(([(CONTENT_TYPE, "application/json")], body))
}

/// The machines of a group of any kind.
async fn within(
    app: &App,
    caller: &Caller,
    headers: &HeaderMap,
    text: &str,
    machine_groups: &[watchkeeper_state::MachineGroup],
) -> Result<Within, ApiError> {
    let by_id = machine_groups.iter().find(|group| group.id == text);
    if let Some(group) = by_id.or_else(|| machine_groups.iter().find(|group| group.display_name == text)) {
        return Ok(Within::Machines(group.machines.iter().map(|machine| machine.name.clone()).collect()));
    }
    match computer_groups::find(&app.state, &app.workspace_id, text).await {
        Ok(found) => return Ok(Within::Computers(all_members(app, caller, headers, &found).await?)),
        Err(FindError::Unknown(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let object = app.operations.group.read().find(text).ok();
    of_group(app, text, object)
}

/// The machines of a group of the management group, by the object that `text` names.
fn of_group(app: &App, text: &str, object: Option<ObjectId>) -> Result<Within, ApiError> {
    let space = app.operations.group.read();
    let group = object.filter(|id| space.group(*id).is_some());
    let group = group.ok_or_else(|| {
        let kinds = "a machine group, a computer group or a group of the management group";
        ApiError::not_found(format!("there is no group {text:?}; name {kinds}"))
    })?;
    let roots = space.members(group, true).into_iter().map(|member| space.root(member.id));
    Ok(Within::Computers(roots.flat_map(|root| [space.key_name(root), space.display_name(root)]).collect()))
}

/// The answer as JSON.
fn answer(
    app: &App,
    graph: &Graph,
    (within, reach): (Option<&Within>, Option<&Reach>),
    (alerts, items): (&[Alert], &[(String, ItsmItem)]),
    groups: Vec<watchkeeper_state::MachineGroup>,
) -> Result<Vec<u8>, serde_json::Error> {
    let known = app.remotes.known();
    let is_malicious = |address| known.find(address).is_some_and(|remote| remote.is_malicious());
    let chosen = [within, reach.map(|reach| &reach.machines)].into_iter().flatten().map(|part| part.chosen(graph));
    let chosen = chosen.reduce(|one, other| one.into_iter().zip(other).map(|(one, other)| one && other).collect());
    let map = match &chosen {
        None => Map::of(graph, &is_malicious),
        Some(chosen) => Map::around(graph, chosen, &is_malicious),
    };
    let remotes = map::remote_ends(&known, &map);
    let space = app.operations.group.read();
    let in_maintenance = |object: ObjectId| app.operations.maintenance_until(&object.to_string()).is_some();
    let mut standings = map::standings(&space, alerts, items, in_maintenance, &map.machines);
    let mut machine_groups = map::machine_groups(&space, groups, &map.machines, &standings, within.is_some());
    if let Some(reach) = reach {
        standings.iter_mut().filter(|standing| !reach.knows(standing)).for_each(|one| *one = Standing::default());
        // groups of machines are the workspace's own
        machine_groups.retain(|group| Uuid::parse_str(&group.id).is_ok_and(|id| is_seen(&space, reach, ObjectId(id))));
    }
    drop(space);
    let rest = Answer {
        window: map.window,
        machines: map.machines.into_iter().zip(standings).map(|(map, group)| Machine { map, group }).collect(),
        client_groups: map.client_groups,
        port_groups: map.port_groups,
        machine_groups,
        remotes,
    };
    let mut body = Vec::with_capacity(NODE_BYTES * (map.processes.len() + map.ports.len() + map.edges.len()));
    serde_json::to_writer(&mut body, &rest)?;
    add_array(&mut body, "processes", &map.processes)?;
    add_array(&mut body, "ports", &map.ports)?;
    add_array(&mut body, "edges", &map.edges)?;
    // letting go of so many takes a while, and nobody has to wait for it
    rayon::spawn(move || drop((map.processes, map.ports, map.edges)));
    Ok(body)
}

fn is_seen(space: &Space, reach: &Reach, group: ObjectId) -> bool {
    space.group(group).is_some() && reach.visible.has(group)
}

/// Adds a property to an object of JSON: an array whose elements are written on all processors.
fn add_array<T: Serialize + Sync>(object: &mut Vec<u8>, name: &str, items: &[T]) -> Result<(), serde_json::Error> {
    let parts = items.par_chunks(NODES_AT_ONCE).map(serde_json::to_vec).collect::<Result<Vec<_>, _>>()?;
    object.pop();
    object.extend_from_slice(format!(",\"{name}\":[").as_bytes());
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            object.push(b',');
        }
        // without its own brackets
        object.extend_from_slice(&part[1..part.len() - 1]);
    }
    object.extend_from_slice(b"]}");
    Ok(())
}

/// A map with what the management group knows of its machines, but for its `processes`, `ports` and `edges`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    window: Window,
    machines: Vec<Machine>,
    client_groups: Vec<ClientGroup>,
    port_groups: Vec<PortGroup>,
    machine_groups: Vec<MachineGroup>,
    /// What is known of addresses of client groups and port groups.
    remotes: BTreeMap<String, RemoteEnd>,
}

#[derive(Serialize)]
struct Machine {
    #[serde(flatten)]
    map: MapMachine,
    #[serde(flatten)]
    group: Standing,
}

/// The present, as maps see it.
pub(super) fn now() -> Time {
    Time((ticks_now().0 - Ticks::UNIX_EPOCH.0) / 10)
}

/// Reads a window that ends now where its end is not given, and is of a default length where its start is not.
pub(super) fn window(from: Option<&str>, to: Option<&str>, now: Time, length: i64) -> Result<Window, ApiError> {
    let read = |name: &str, text: &str| {
        // a plus sign that a client did not encode comes as a space
        civil::parse_time(&text.replace(' ', "+"))
            .or_else(|| civil::parse_time(text))
            .map(Time)
            .ok_or_else(|| ApiError::bad_request(format!("{name} is {text:?}; write a time as 2026-01-31T13:00:00Z")))
    };
    let to = to.map(|text| read("the end of the window", text)).transpose()?.unwrap_or(now);
    let from = from.map(|text| read("the start of the window", text)).transpose()?.unwrap_or(Time(to.0 - length));
    if from >= to {
        let (from, to) = (civil::format_time(from.0), civil::format_time(to.0));
        return Err(ApiError::bad_request(format!(
            "the window starts at {from} and ends at {to}: it has to end later"
        )));
    }
    Ok(Window { from, to })
}

impl From<QueryError> for ApiError {
    /// Of queries that the server itself asks for a caller.
    fn from(error: QueryError) -> ApiError {
        match error {
            QueryError::Deadline { .. } => {
                ApiError::new(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout", error.to_string())
            }
            QueryError::Memory { .. } | QueryError::Limit { .. } => ApiError::bad_request(error.to_string()),
            QueryError::Diagnostics { .. }
            | QueryError::Cancelled
            | QueryError::Denied { .. }
            | QueryError::Execution { .. } => {
                tracing::error!(%error, "a query of the server failed");
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", error.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_767_312_000_000_000);

    #[test]
    fn arrays_of_any_length_become_properties() {
        let long: Vec<usize> = (0..3 * NODES_AT_ONCE + 1).collect();
        let mut body = b"{\"first\":1}".to_vec();
        add_array(&mut body, "none", &Vec::<usize>::new()).unwrap();
        add_array(&mut body, "long", &long).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(read, serde_json::json!({"first": 1, "none": [], "long": long}));
    }

    #[test]
    fn windows_are_read_and_default_to_the_time_before_now() {
        let hour = DEFAULT_MICROS;
        for (from, to, expected) in [
            (None, None, (NOW.0 - hour, NOW.0)),
            (Some("2026-01-01T22:00:00Z"), Some("2026-01-01T23:00:00Z"), (NOW.0 - 2 * hour, NOW.0 - hour)),
            (Some("2026-01-01T22:00:00Z"), None, (NOW.0 - 2 * hour, NOW.0)),
            (None, Some("2026-01-01T23:00:00.000Z"), (NOW.0 - 2 * hour, NOW.0 - hour)),
            (Some("2026-01-02T00:00:00+02:00"), None, (NOW.0 - 2 * hour, NOW.0)),
            (Some("2026-01-02T00:00:00 02:00"), None, (NOW.0 - 2 * hour, NOW.0)),
        ] {
            let window = window(from, to, NOW, hour).unwrap_or_else(|error| panic!("{from:?}: {}", error.message));
            assert_eq!((window.from.0, window.to.0), expected, "{from:?} {to:?}");
        }
    }

    #[test]
    fn windows_that_are_none_are_refused_with_their_text() {
        for (from, to, named) in [
            (Some("yesterday"), None, "yesterday"),
            (None, Some("2026-13-01T00:00:00Z"), "2026-13-01"),
            (Some("2026-01-01T23:00:00Z"), Some("2026-01-01T22:00:00Z"), "ends at 2026-01-01T22:00:00Z"),
        ] {
            let refused = window(from, to, NOW, DEFAULT_MICROS).expect_err("no window");
            assert!(refused.message.contains(named), "{}", refused.message);
        }
    }
}
