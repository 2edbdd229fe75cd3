//! `generateMap`: the map around one machine, a list of machines, or a machine group.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use serde::Deserialize;
use serde_json::{Value, json};
use watchkeeper_map::Link;

use super::call::Call;
use super::connections::{Clients, acceptors, connections};
use super::machine_groups::{find, machine_name};
use super::names::{ClientsOf, PortName, ProcessName};
use super::view::View;
use crate::api::errors::ApiError;

/// What map is asked for. Properties that a kind does not have are left alone, as they are everywhere in the API.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MapRequest {
    kind: String,
    start_time: Option<String>,
    end_time: Option<String>,
    machine_id: Option<String>,
    machine_ids: Option<Vec<String>>,
    machine_group_id: Option<String>,
    #[serde(default)]
    filter_processes: bool,
}

pub(super) async fn generate(
    call: Call,
    body: Result<Json<MapRequest>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(request) = body.map_err(|error| ApiError::bad_request(error.body_text()))?;
    let window = Call::window_of(request.start_time.as_deref(), request.end_time.as_deref())?;
    let machines = machines(&call, &request).await?;
    let view = call.view_of(window).await?;
    // only maps of several machines can leave out what is not between them
    let filter = request.filter_processes && request.kind != "map:single-machine-dependency";
    let between = filter.then(|| processes_between(&view, &machines));
    let wanted = |link: &&Link| match &between {
        Some(processes) => {
            view.client(link).is_some_and(|process| processes.contains(&process))
                || processes.contains(&view.server(link))
        }
        None => {
            view.client_machine(link).is_some_and(|machine| machines.contains(machine))
                || machines.contains(&view.server_machine(link))
        }
    };
    let links: Vec<&Link> = view.graph.links.iter().filter(wanted).collect();
    Ok(Json(json!({
        "startTime": window.from, "endTime": window.to, "map": map(&call, &view, &machines, &links),
    })))
}

/// The machines that a map is of.
async fn machines(call: &Call, request: &MapRequest) -> Result<BTreeSet<String>, ApiError> {
    let needs = |name: &str| ApiError::bad_request(format!("a map of the kind {} needs {name}", request.kind));
    match request.kind.as_str() {
        "map:single-machine-dependency" => {
            let id = request.machine_id.as_deref().ok_or_else(|| needs("machineId"))?;
            Ok(BTreeSet::from([machine_name(id)?]))
        }
        "map:machine-list-dependency" => {
            let ids = request.machine_ids.as_deref().ok_or_else(|| needs("machineIds"))?;
            ids.iter().map(|id| machine_name(id)).collect()
        }
        "map:machine-group-dependency" => {
            let id = request.machine_group_id.as_deref().ok_or_else(|| needs("machineGroupId"))?;
            let group = find(call, id.rsplit('/').next().unwrap_or_default()).await?;
            Ok(group.machines.into_iter().map(|machine| machine.name).collect())
        }
        other => Err(ApiError::bad_request(format!(
            "kind is {other:?}; it can be map:single-machine-dependency, map:machine-list-dependency or map:machine-group-dependency"
        ))),
    }
}

/// Processes of these machines that have a link with another of them.
fn processes_between(view: &View, machines: &BTreeSet<String>) -> BTreeSet<ProcessName> {
    let mut processes = BTreeSet::new();
    for link in &view.graph.links {
        let (Some(client), server) = (view.client(link), view.server(link)) else { continue };
        if client.machine != server.machine && machines.contains(&client.machine) && machines.contains(&server.machine)
        {
            processes.extend([client, server]);
        }
    }
    processes
}

/// Nodes and edges of some links, and the machines that the map is of even where they have none.
fn map(call: &Call, view: &View, of: &BTreeSet<String>, links: &[&Link]) -> Value {
    let resources = &call.resources;
    let mut machines: BTreeSet<String> = of.iter().filter(|machine| view.is_live(machine)).cloned().collect();
    let mut processes: BTreeSet<ProcessName> = BTreeSet::new();
    let mut ports: BTreeSet<PortName> = BTreeSet::new();
    let mut clients: BTreeSet<ClientsOf> = BTreeSet::new();
    for link in links {
        let (server, port) = (view.server(link), view.port(link));
        match view.client(link) {
            Some(client) => {
                machines.insert(client.machine.clone());
                processes.insert(client);
            }
            None => {
                clients.insert(ClientsOf::Process(server.clone()));
            }
        }
        machines.insert(server.machine.clone());
        processes.insert(server);
        ports.insert(port);
    }
    let machines: Vec<Value> = machines.iter().filter_map(|name| view.machine_resource(resources, name)).collect();
    let processes: Vec<Value> = processes.iter().filter_map(|name| view.process_resource(resources, name)).collect();
    let shown: Vec<Value> = ports.iter().filter_map(|port| view.port_resource(resources, port)).collect();
    let clients: Vec<Value> = clients.iter().map(|clients| resources.client_group(clients)).collect();
    let edges = connections(view, resources, links.iter().copied(), Clients::OfProcesses);
    json!({
        "nodes": {"machines": machines, "processes": processes, "ports": shown, "clientGroups": clients},
        "edges": {"connections": edges, "acceptors": acceptors(view, resources, ports.iter())},
    })
}
