//! Heartbeats as rows of `Heartbeat`, with the columns of the Log Analytics table.

use std::net::IpAddr;

use watchkeeper_wire::proto::Machine;
use watchkeeper_wire::{Table, TableBuilder};

/// One heartbeat of a directly connected agent.
pub(crate) fn row(machine: &Machine, management_group: &str, peer: Option<IpAddr>, microseconds: i64) -> Table {
    let mut table = TableBuilder::new("Heartbeat");
    let addresses = serde_json::to_string(&machine.private_addresses).unwrap_or_else(|_| "[]".to_owned());
    let peer = peer.map(|address| address.to_canonical().to_string()).unwrap_or_default();
    table
        .row()
        .datetime("TimeGenerated", microseconds)
        .string("Computer", &machine.computer)
        .string("Category", "Direct Agent")
        .string("OSType", &machine.os_type)
        .string("OSName", &machine.os_name)
        .string("OSMajorVersion", &machine.os_major_version)
        .string("OSMinorVersion", &machine.os_minor_version)
        .string("Version", &machine.agent_version)
        .string("SCAgentChannel", "Direct")
        .bool("IsGatewayInstalled", false)
        .string("ManagementGroupName", management_group)
        .string("ComputerEnvironment", "Non-Azure")
        .string("ComputerIP", &peer)
        .dynamic("ComputerPrivateIPs", &addresses)
        .string("SourceComputerId", &machine.source_computer_id)
        .string("VMUUID", &machine.vm_uuid)
        .string("SourceSystem", "OpsManager");
    table.finish()
}
