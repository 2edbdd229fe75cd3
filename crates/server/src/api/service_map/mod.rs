//! The Service Map REST API (Microsoft.OperationalInsights, 2015-11-01-preview): the map of the workspace in the shape
//! that Azure Resource Manager gives it. One file a group of operations; `call` is what all requests share, `view` the
//! graph of a window by the API's names, `resources` the shapes.

mod call;
mod client_groups;
mod connections;
mod machine_groups;
mod machines;
mod maps;
mod names;
mod ports;
mod processes;
mod resources;
mod summaries;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get, post};

use super::App;

/// Where the map of a workspace lives below Azure Resource Manager's address.
const BASE: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.OperationalInsights/workspaces/{workspace}/features/serviceMap";

pub fn routes() -> Router<Arc<App>> {
    let routes: [(&str, MethodRouter<Arc<App>>); 22] = [
        ("/machines", get(machines::list)),
        ("/machines/{machine}", get(machines::show)),
        ("/machines/{machine}/liveness", get(machines::liveness)),
        ("/machines/{machine}/connections", get(machines::connections)),
        ("/machines/{machine}/processes", get(machines::processes)),
        ("/machines/{machine}/ports", get(machines::ports)),
        ("/machines/{machine}/machineGroups", get(machines::machine_groups)),
        ("/machines/{machine}/processes/{process}", get(processes::show)),
        ("/machines/{machine}/processes/{process}/liveness", get(processes::liveness)),
        ("/machines/{machine}/processes/{process}/acceptingPorts", get(processes::accepting_ports)),
        ("/machines/{machine}/processes/{process}/connections", get(processes::connections)),
        ("/machines/{machine}/ports/{port}", get(ports::show)),
        ("/machines/{machine}/ports/{port}/liveness", get(ports::liveness)),
        ("/machines/{machine}/ports/{port}/acceptingProcesses", get(ports::accepting_processes)),
        ("/machines/{machine}/ports/{port}/connections", get(ports::connections)),
        ("/clientGroups/{client_group}", get(client_groups::show)),
        ("/clientGroups/{client_group}/membersCount", get(client_groups::members_count)),
        ("/clientGroups/{client_group}/members", get(client_groups::members)),
        ("/machineGroups", get(machine_groups::list).post(machine_groups::create)),
        (
            "/machineGroups/{machine_group}",
            get(machine_groups::show).put(machine_groups::update).delete(machine_groups::remove),
        ),
        ("/generateMap", post(maps::generate)),
        ("/summaries/machines", get(summaries::machines)),
    ];
    routes.into_iter().fold(Router::new(), |router, (path, methods)| router.route(&format!("{BASE}{path}"), methods))
}
