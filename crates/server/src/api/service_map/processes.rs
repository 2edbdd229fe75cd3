//! `machines/{machine}/processes/{process}`.

use axum::Json;
use serde_json::{Value, json};

use super::call::{Call, liveness as shown_liveness, missing};
use super::connections::{Clients, connections as connections_of};
use super::names::ProcessName;
use super::view::View;
use crate::api::errors::ApiError;

type Answer = Result<Json<Value>, ApiError>;

fn name(call: &Call) -> ProcessName {
    ProcessName { machine: call.at.machine.clone(), name: call.at.process.clone() }
}

fn no_process(call: &Call) -> ApiError {
    missing(format!("the process {:?} of {:?} is not known at this time", call.at.process, call.at.machine))
}

/// As it was at a time: from its own report, or from what is live then.
pub(super) async fn show(call: Call) -> Answer {
    let timestamp = call.timestamp()?;
    let rows = call.processes(&call.at.machine, timestamp).await?;
    if let Some(row) = rows.iter().find(|row| row.process == call.at.process) {
        return Ok(Json(call.resources.reported_process(row)));
    }
    let from = watchkeeper_map::Time(timestamp.0 - 60 * watchkeeper_map::Time::MINUTE);
    let view = call.view_of(watchkeeper_map::Window { from, to: timestamp }).await?;
    view.process_resource(&call.resources, &name(&call)).map(Json).ok_or_else(|| no_process(&call))
}

pub(super) async fn liveness(call: Call) -> Answer {
    let window = call.window()?;
    let view = call.view_of(window).await?;
    let live = view.process_resource(&call.resources, &name(&call)).is_some();
    Ok(shown_liveness(window, live))
}

/// The graph of the interval, where the process is live in it.
async fn live(call: &Call) -> Result<View, ApiError> {
    let view = call.view().await?;
    match view.process_resource(&call.resources, &name(call)) {
        Some(_) => Ok(view),
        None => Err(no_process(call)),
    }
}

pub(super) async fn accepting_ports(call: Call) -> Answer {
    let view = live(&call).await?;
    let process = name(&call);
    let ports = view.ports_of(&call.at.machine);
    let accepting = ports.iter().filter(|port| view.accepting(port).contains(&process));
    let ports: Vec<Value> = accepting.filter_map(|port| view.port_resource(&call.resources, port)).collect();
    Ok(Json(json!({"value": ports})))
}

pub(super) async fn connections(call: Call) -> Answer {
    let view = live(&call).await?;
    let process = name(&call);
    let links = view.graph.links.iter();
    let links = links.filter(|link| view.client(link).as_ref() == Some(&process) || view.server(link) == process);
    Ok(Json(json!({"value": connections_of(&view, &call.resources, links, Clients::OfProcesses)})))
}
