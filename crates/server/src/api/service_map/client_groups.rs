//! `clientGroups`: clients without an agent of a machine, a process or a port.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use axum::Json;
use serde_json::{Value, json};
use watchkeeper_map::{End, Link};

use super::call::{Call, kept, missing};
use super::names::{ClientsOf, PortName, ProcessName};
use super::view::View;
use crate::api::errors::ApiError;

type Answer = Result<Json<Value>, ApiError>;

/// Clients by address and port, with the processes that they reached.
type Members = BTreeMap<(IpAddr, PortName), BTreeSet<ProcessName>>;

fn members_of(view: &View, clients: &ClientsOf) -> Members {
    let belongs = |link: &&Link| match clients {
        ClientsOf::Machine(machine) => view.server_machine(link) == *machine,
        ClientsOf::Process(process) => view.server(link) == *process,
        ClientsOf::Port(port) => view.port(link) == *port,
    };
    let mut members = Members::new();
    for link in view.graph.links.iter().filter(belongs) {
        if let End::Address(address) = link.client {
            members.entry((address, view.port(link))).or_default().insert(view.server(link));
        }
    }
    members
}

/// The group that the request names, with its members in the interval.
async fn found(call: &Call) -> Result<(ClientsOf, Members), ApiError> {
    let name = &call.at.client_group;
    let clients = ClientsOf::read(name).ok_or_else(|| {
        ApiError::bad_request(format!(
            "the client group's name is {name:?}; it is m!MACHINE, m!MACHINE!p!PROCESS or m!MACHINE!b!PORT"
        ))
    })?;
    let members = members_of(&call.view().await?, &clients);
    match members.is_empty() {
        false => Ok((clients, members)),
        true => Err(missing(format!("the client group {name:?} has no members in this interval"))),
    }
}

pub(super) async fn show(call: Call) -> Answer {
    let (clients, _) = found(&call).await?;
    Ok(Json(call.resources.client_group(&clients)))
}

pub(super) async fn members_count(call: Call) -> Answer {
    let window = call.window()?;
    let (clients, members) = found(&call).await?;
    let addresses: BTreeSet<IpAddr> = members.keys().map(|(address, _)| *address).collect();
    Ok(Json(json!({
        "startTime": window.from, "endTime": window.to, "groupId": call.resources.client_group_id(&clients),
        "count": addresses.len(), "accuracy": "actual",
    })))
}

pub(super) async fn members(call: Call) -> Answer {
    let window = call.window()?;
    let (clients, members) = found(&call).await?;
    let mut items: Vec<Value> = members
        .iter()
        .map(|((address, port), processes)| {
            let processes: Vec<ProcessName> = processes.iter().cloned().collect();
            call.resources.client(&clients, *address, port, &processes)
        })
        .collect();
    items.sort_by(|one, other| one["name"].as_str().cmp(&other["name"].as_str()));
    call.page(items, &kept(window))
}
