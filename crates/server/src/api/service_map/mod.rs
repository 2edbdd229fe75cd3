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

use watchkeeper_authorization::Action;

use crate::authorization::{Methods, Routes, get, post};

/// Where the map of a workspace lives below Azure Resource Manager's address.
const BASE: &str = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.OperationalInsights/workspaces/{workspace}/features/serviceMap";

pub fn routes() -> Routes {
    let routes: [(&str, Methods); 22] = [
        ("/machines", get(Action::ReadMap, machines::list)),
        ("/machines/{machine}", get(Action::ReadMap, machines::show)),
        ("/machines/{machine}/liveness", get(Action::ReadMap, machines::liveness)),
        ("/machines/{machine}/connections", get(Action::ReadMap, machines::connections)),
        ("/machines/{machine}/processes", get(Action::ReadMap, machines::processes)),
        ("/machines/{machine}/ports", get(Action::ReadMap, machines::ports)),
        ("/machines/{machine}/machineGroups", get(Action::ReadMachineGroups, machines::machine_groups)),
        ("/machines/{machine}/processes/{process}", get(Action::ReadMap, processes::show)),
        ("/machines/{machine}/processes/{process}/liveness", get(Action::ReadMap, processes::liveness)),
        ("/machines/{machine}/processes/{process}/acceptingPorts", get(Action::ReadMap, processes::accepting_ports)),
        ("/machines/{machine}/processes/{process}/connections", get(Action::ReadMap, processes::connections)),
        ("/machines/{machine}/ports/{port}", get(Action::ReadMap, ports::show)),
        ("/machines/{machine}/ports/{port}/liveness", get(Action::ReadMap, ports::liveness)),
        ("/machines/{machine}/ports/{port}/acceptingProcesses", get(Action::ReadMap, ports::accepting_processes)),
        ("/machines/{machine}/ports/{port}/connections", get(Action::ReadMap, ports::connections)),
        ("/clientGroups/{client_group}", get(Action::ReadMap, client_groups::show)),
        ("/clientGroups/{client_group}/membersCount", get(Action::ReadMap, client_groups::members_count)),
        ("/clientGroups/{client_group}/members", get(Action::ReadMap, client_groups::members)),
        (
            "/machineGroups",
            get(Action::ReadMachineGroups, machine_groups::list)
                .post(Action::WriteMachineGroups, machine_groups::create),
        ),
        (
            "/machineGroups/{machine_group}",
            get(Action::ReadMachineGroups, machine_groups::show)
                .put(Action::WriteMachineGroups, machine_groups::update)
                .delete(Action::DeleteMachineGroups, machine_groups::remove),
        ),
        ("/generateMap", post(Action::ReadMap, maps::generate)),
        ("/summaries/machines", get(Action::ReadMap, summaries::machines)),
    ];
    routes.into_iter().fold(Routes::new(), |routes, (path, methods)| routes.route(&format!("{BASE}{path}"), methods))
}
