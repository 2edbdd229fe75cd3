//! `machines/{machine}/ports/{port}`.

use axum::Json;
use serde_json::{Value, json};

use super::call::{Call, liveness as shown_liveness, missing};
use super::connections::{Clients, connections as connections_of};
use super::names::PortName;
use super::view::View;
use crate::api::errors::ApiError;

type Answer = Result<Json<Value>, ApiError>;

fn name(call: &Call) -> Result<PortName, ApiError> {
    PortName::read(&call.at.machine, &call.at.port).ok_or_else(|| {
        ApiError::bad_request(format!(
            "the port's name is {:?}; it is b-, the address in hexadecimal digits, _ and the number: b-0a000001_443",
            call.at.port
        ))
    })
}

/// The graph of the interval and the port, where it is live in it.
async fn live(call: &Call) -> Result<(View, PortName, Value), ApiError> {
    let port = name(call)?;
    let view = call.view().await?;
    let resource = view.port_resource(&call.resources, &port).ok_or_else(|| {
        missing(format!("the port {:?} of {:?} is not live in this interval", call.at.port, call.at.machine))
    })?;
    Ok((view, port, resource))
}

pub(super) async fn show(call: Call) -> Answer {
    let (_, _, resource) = live(&call).await?;
    Ok(Json(resource))
}

pub(super) async fn liveness(call: Call) -> Answer {
    let (port, window) = (name(&call)?, call.window()?);
    let view = call.view_of(window).await?;
    Ok(shown_liveness(window, view.port_resource(&call.resources, &port).is_some()))
}

pub(super) async fn accepting_processes(call: Call) -> Answer {
    let (view, port, _) = live(&call).await?;
    let accepting = view.accepting(&port);
    let processes: Vec<Value> =
        accepting.iter().filter_map(|process| view.process_resource(&call.resources, process)).collect();
    Ok(Json(json!({"value": processes})))
}

pub(super) async fn connections(call: Call) -> Answer {
    let (view, port, _) = live(&call).await?;
    let links = view.graph.links.iter().filter(|link| view.port(link) == port);
    Ok(Json(json!({"value": connections_of(&view, &call.resources, links, Clients::OfPorts)})))
}
