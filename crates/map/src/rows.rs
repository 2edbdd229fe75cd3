//! What goes in: rows as the tables have them, connections already summed up over the window.

use std::net::IpAddr;
use std::sync::Arc;

use crate::figures::Figures;
use crate::time::Time;

/// The newest row of `VMComputer` of a machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Computer {
    /// `Machine`: `m-` and the agent's identity.
    pub machine: String,
    pub name: String,
    pub full_name: String,
    pub os_family: String,
    pub os_name: String,
    pub addresses: Vec<IpAddr>,
    pub boot_time: Option<Time>,
    pub details: ComputerDetails,
    pub seen: Time,
}

/// What else `VMComputer` says of a machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComputerDetails {
    pub agent_id: String,
    pub agent_version: String,
    pub time_zone: String,
    /// `virtual`, `physical`, `hypervisor`.
    pub virtualization: String,
    pub virtual_machine_type: String,
    pub virtual_machine_id: String,
    pub virtual_machine_name: String,
    /// The identity of the machine that it runs on.
    pub virtual_machine_host: String,
    pub ipv4_addresses: Vec<String>,
    /// In the order of the addresses.
    pub ipv4_masks: Vec<String>,
    pub ipv4_gateways: Vec<String>,
    pub ipv6_addresses: Vec<String>,
    pub mac_addresses: Vec<String>,
    pub dns_names: Vec<String>,
    pub memory_megabytes: u64,
    pub processors: u64,
    pub processor_megahertz: u64,
}

/// The newest row of `VMProcess` of a process on a machine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessRow {
    pub machine: String,
    /// `Process`: unique within its machine.
    pub process: String,
    pub executable: String,
    pub display_name: String,
    pub user: String,
    pub command_line: String,
    pub path: String,
    pub group: String,
    pub role: String,
    pub started: Option<Time>,
    pub details: ProcessDetails,
    pub seen: Time,
}

/// What else `VMProcess` says of a process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessDetails {
    pub first_pid: u64,
    pub description: String,
    pub company_name: String,
    pub internal_name: String,
    pub product_name: String,
    pub product_version: String,
    pub file_version: String,
    pub working_directory: String,
    pub user_domain: String,
    /// JSON, as in the table.
    pub services: String,
}

/// The newest row of `VMBoundPort` of a port.
#[derive(Debug, Clone, PartialEq)]
pub struct PortRow {
    pub machine: String,
    pub computer: String,
    pub process: String,
    pub process_name: String,
    /// `0.0.0.0` or `::` where it listens on every address.
    pub address: IpAddr,
    /// `IsWildcardBind`: it listens on every address, and this row is of one of them.
    pub wildcard: bool,
    pub port: u16,
    pub protocol: String,
    pub seen: Time,
}

/// Which end reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    Inbound,
    Outbound,
    /// Both ends are on the reporting machine, and the row does not say which one it is of.
    Local,
}

impl Direction {
    /// Reads the column `Direction`.
    #[must_use]
    pub fn read(text: &str) -> Option<Direction> {
        match text {
            "inbound" => Some(Direction::Inbound),
            "outbound" => Some(Direction::Outbound),
            "local" => Some(Direction::Local),
            _ => None,
        }
    }
}

/// What makes a logical connection one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectionKey {
    pub machine: String,
    pub computer: String,
    pub process: String,
    pub process_name: String,
    pub direction: Direction,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub port: u16,
    pub protocol: String,
}

/// All rows of `VMConnection` of one logical connection in the window, summed up.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    pub key: Arc<ConnectionKey>,
    /// Names of the remote address, as the reporting machine asked for them.
    pub dns_names: Vec<String>,
    /// As the reporting end counts: `sent` is what it sent.
    pub figures: Figures,
    /// `TimeGenerated` of the first and the last row.
    pub first_seen: Time,
    pub last_seen: Time,
}

/// All rows of a window. Those of machines and processes may be older than it: they say what is, not what happens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    pub computers: Vec<Computer>,
    pub processes: Vec<Arc<ProcessRow>>,
    pub ports: Vec<PortRow>,
    pub connections: Vec<Connection>,
}
