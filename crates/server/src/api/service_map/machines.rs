//! `machines`: those of an interval or of a time, and what is on one of them.

use axum::Json;
use serde_json::{Value, json};
use watchkeeper_map::{Computer, Time, Window};

use super::call::{Call, kept, liveness as shown_liveness, missing};
use super::connections::{Clients, connections as connections_of};
use super::names::discovered_address;
use super::view::View;
use crate::api::errors::ApiError;

/// A machine without an agent is looked for so long before a time.
const DISCOVERED_BEFORE: i64 = 60 * Time::MINUTE;
const NAME_LENGTHS: std::ops::RangeInclusive<usize> = 3..=64;

type Answer = Result<Json<Value>, ApiError>;

pub(super) async fn list(call: Call) -> Answer {
    if call.live()? {
        let window = call.window()?;
        let view = call.view_of(window).await?;
        let machines = view.machines(&call.resources).into_values().collect();
        return call.page(machines, &[vec![("live", "true".to_owned())], kept(window).to_vec()].concat());
    }
    let timestamp = call.timestamp()?;
    let mut computers = call.computers(timestamp).await?;
    computers.sort_by(|one, other| one.machine.cmp(&other.machine));
    let kept = [("live", "false".to_owned()), ("timestamp", watchkeeper_model::civil::format_time(timestamp.0))];
    call.page(computers.iter().map(|computer| resource(&call, computer)).collect(), &kept)
}

fn resource(call: &Call, computer: &Computer) -> Value {
    call.resources.machine(&computer.machine, &computer.name, Some(computer))
}

pub(super) async fn show(call: Call) -> Answer {
    let timestamp = call.timestamp()?;
    checked(&call)?;
    if discovered_address(&call.at.machine).is_some() {
        let window = Window { from: Time(timestamp.0 - DISCOVERED_BEFORE), to: timestamp };
        let view = call.view_of(window).await?;
        return view.machine_resource(&call.resources, &call.at.machine).map(Json).ok_or_else(|| no_machine(&call));
    }
    let computers = call.computers(timestamp).await?;
    let found = computers.iter().find(|computer| computer.machine == call.at.machine);
    found.map(|computer| Json(resource(&call, computer))).ok_or_else(|| no_machine(&call))
}

pub(super) async fn liveness(call: Call) -> Answer {
    checked(&call)?;
    let window = call.window()?;
    let view = call.view_of(window).await?;
    Ok(shown_liveness(window, view.is_live(&call.at.machine)))
}

pub(super) async fn connections(call: Call) -> Answer {
    let view = live(&call).await?;
    let machine = &call.at.machine;
    let links = view.graph.links.iter();
    let links =
        links.filter(|link| view.client_machine(link) == Some(machine) || view.server_machine(link) == *machine);
    Ok(Json(json!({"value": connections_of(&view, &call.resources, links, Clients::OfProcesses)})))
}

pub(super) async fn processes(call: Call) -> Answer {
    if !call.live()? {
        checked(&call)?;
        let mut rows = call.processes(&call.at.machine, call.timestamp()?).await?;
        rows.sort_by(|one, other| one.process.cmp(&other.process));
        let processes: Vec<Value> = rows.iter().map(|row| call.resources.reported_process(row)).collect();
        return Ok(Json(json!({"value": processes})));
    }
    let view = live(&call).await?;
    let names = view.processes(&call.at.machine);
    let processes: Vec<Value> = names.iter().filter_map(|name| view.process_resource(&call.resources, name)).collect();
    Ok(Json(json!({"value": processes})))
}

pub(super) async fn ports(call: Call) -> Answer {
    let view = live(&call).await?;
    let ports = view.ports_of(&call.at.machine);
    let ports: Vec<Value> = ports.iter().filter_map(|port| view.port_resource(&call.resources, port)).collect();
    Ok(Json(json!({"value": ports})))
}

pub(super) async fn machine_groups(call: Call) -> Answer {
    checked(&call)?;
    call.window()?;
    let groups = call.app.state.machine_groups(&call.app.workspace_id).await?;
    let is_member =
        |group: &&watchkeeper_state::MachineGroup| group.machines.iter().any(|one| one.name == call.at.machine);
    let groups: Vec<Value> = groups.iter().filter(is_member).map(|group| call.resources.machine_group(group)).collect();
    Ok(Json(json!({"value": groups})))
}

/// The graph of the interval, where the machine is live in it.
async fn live(call: &Call) -> Result<View, ApiError> {
    checked(call)?;
    let view = call.view().await?;
    match view.is_live(&call.at.machine) {
        true => Ok(view),
        false => Err(no_machine(call)),
    }
}

fn checked(call: &Call) -> Result<(), ApiError> {
    match NAME_LENGTHS.contains(&call.at.machine.len()) {
        true => Ok(()),
        false => Err(ApiError::bad_request(format!(
            "the machine's name {:?} has to have 3 to 64 characters; names are as in the column Machine",
            call.at.machine
        ))),
    }
}

fn no_machine(call: &Call) -> ApiError {
    missing(format!("the machine {:?} is not known at this time", call.at.machine))
}
