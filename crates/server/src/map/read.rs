//! Results of the map's queries as rows of `watchkeeper-map`. Rows without a machine or with an address that is none
//! are left out: nothing could be drawn of them.

use std::net::IpAddr;
use std::sync::Arc;

use watchkeeper_map::{
    Computer, ComputerDetails, Connection, ConnectionKey, Direction, Figures, PortRow, ProcessDetails, ProcessRow, Time,
};
use watchkeeper_query::{QueryError, ResultTable};

use super::columns::{Columns, Number, Text};

pub(super) fn computers(tables: &[ResultTable]) -> Result<Vec<Computer>, QueryError> {
    let mut rows = Vec::new();
    for columns in Columns::all(tables) {
        let (machine, computer) = (columns.text("Machine")?, columns.text("Computer")?);
        let (host, shown) = (columns.text("HostName")?, columns.text("DisplayName")?);
        let (full, family) = (columns.text("FullDisplayName")?, columns.text("OperatingSystemFamily")?);
        let (system, boot) = (columns.text("OperatingSystemFullName")?, columns.time("BootTime")?);
        let (four, six) = (columns.text("Ipv4Addresses")?, columns.text("Ipv6Addresses")?);
        let (seen, details) = (columns.time("TimeGenerated")?, ComputerColumns::of(&columns)?);
        for row in columns.rows().filter(|row| !machine.at(*row).is_empty()) {
            rows.push(Computer {
                machine: machine.owned(row),
                name: first([shown.at(row), host.at(row)]),
                full_name: first([full.at(row), computer.at(row)]),
                os_family: family.owned(row),
                os_name: system.owned(row),
                addresses: addresses(four.at(row)).chain(addresses(six.at(row))).collect(),
                boot_time: boot.at(row),
                details: ComputerDetails {
                    ipv4_addresses: texts(four.at(row)),
                    ipv6_addresses: texts(six.at(row)),
                    ..details.at(row)
                },
                seen: seen.or_zero(row),
            });
        }
    }
    Ok(rows)
}

struct ComputerColumns<'b> {
    texts: [Text<'b>; 8],
    lists: [Text<'b>; 4],
    numbers: [Number<'b>; 3],
}

impl<'b> ComputerColumns<'b> {
    fn of(columns: &Columns<'b>) -> Result<ComputerColumns<'b>, QueryError> {
        Ok(ComputerColumns {
            texts: columns.texts([
                "AgentId",
                "DependencyAgentVersion",
                "TimeZone",
                "VirtualizationState",
                "VirtualMachineType",
                "VirtualMachineNativeId",
                "VirtualMachineNativeName",
                "VirtualMachineHypervisorId",
            ])?,
            lists: columns.texts(["Ipv4SubnetMasks", "Ipv4DefaultGateways", "MacAddresses", "DnsNames"])?,
            numbers: [columns.number("PhysicalMemoryMB")?, columns.number("Cpus")?, columns.number("CpuSpeed")?],
        })
    }

    fn at(&self, row: usize) -> ComputerDetails {
        let [agent_id, agent_version, time_zone, virtualization, kind, native_id, native_name, host] =
            self.texts.each_ref().map(|text| text.owned(row));
        let [ipv4_masks, ipv4_gateways, mac_addresses, dns_names] =
            self.lists.each_ref().map(|list| texts(list.at(row)));
        let [memory_megabytes, processors, processor_megahertz] = self.numbers.each_ref().map(|number| number.at(row));
        ComputerDetails {
            agent_id,
            agent_version,
            time_zone,
            virtualization,
            virtual_machine_type: kind,
            virtual_machine_id: native_id,
            virtual_machine_name: native_name,
            virtual_machine_host: host,
            ipv4_addresses: Vec::new(),
            ipv4_masks,
            ipv4_gateways,
            ipv6_addresses: Vec::new(),
            mac_addresses,
            dns_names,
            memory_megabytes,
            processors,
            processor_megahertz,
        }
    }
}

pub(super) fn processes(tables: &[ResultTable]) -> Result<Vec<ProcessRow>, QueryError> {
    let mut rows = Vec::new();
    for columns in Columns::all(tables) {
        let (machine, process) = (columns.text("Machine")?, columns.text("Process")?);
        let (executable, shown) = (columns.text("ExecutableName")?, columns.text("DisplayName")?);
        let (user, command_line) = (columns.text("UserName")?, columns.text("CommandLine")?);
        let (path, group) = (columns.text("ExecutablePath")?, columns.text("Group")?);
        let (role, started) = (columns.text("Role")?, columns.time("StartTime")?);
        let (first_pid, seen) = (columns.number("FirstPid")?, columns.time("TimeGenerated")?);
        let details = columns.texts([
            "Description",
            "CompanyName",
            "InternalName",
            "ProductName",
            "ProductVersion",
            "FileVersion",
            "WorkingDirectory",
            "UserDomain",
            "Services",
        ])?;
        for row in columns.rows().filter(|row| !machine.at(*row).is_empty()) {
            let [description, company, internal, product, version, file_version, directory, domain, services] =
                details.each_ref().map(|text| text.owned(row));
            rows.push(ProcessRow {
                machine: machine.owned(row),
                process: process.owned(row),
                executable: executable.owned(row),
                display_name: shown.owned(row),
                user: user.owned(row),
                command_line: command_line.owned(row),
                path: path.owned(row),
                group: group.owned(row),
                role: role.owned(row),
                started: started.at(row),
                details: ProcessDetails {
                    first_pid: first_pid.at(row),
                    description,
                    company_name: company,
                    internal_name: internal,
                    product_name: product,
                    product_version: version,
                    file_version,
                    working_directory: directory,
                    user_domain: domain,
                    services,
                },
                seen: seen.or_zero(row),
            });
        }
    }
    Ok(rows)
}

pub(super) fn ports(tables: &[ResultTable]) -> Result<Vec<PortRow>, QueryError> {
    let mut rows = Vec::new();
    for columns in Columns::all(tables) {
        let (machine, computer) = (columns.text("Machine")?, columns.text("Computer")?);
        let (process, name) = (columns.text("Process")?, columns.text("ProcessName")?);
        let (ip, port) = (columns.text("Ip")?, columns.number("Port")?);
        let (protocol, wildcard) = (columns.text("Protocol")?, columns.number("IsWildcardBind")?);
        let seen = columns.time("TimeGenerated")?;
        for row in columns.rows().filter(|row| !machine.at(*row).is_empty()) {
            let Some(address) = address(ip.at(row)) else { continue };
            rows.push(PortRow {
                machine: machine.owned(row),
                computer: computer.owned(row),
                process: process.owned(row),
                process_name: name.owned(row),
                address,
                wildcard: wildcard.at(row) > 0,
                port: port.port(row),
                protocol: protocol.owned(row),
                seen: seen.or_zero(row),
            });
        }
    }
    Ok(rows)
}

pub(super) fn connections(tables: &[ResultTable]) -> Result<Vec<Connection>, QueryError> {
    let mut rows = Vec::new();
    for columns in Columns::all(tables) {
        let (machine, computer) = (columns.text("Machine")?, columns.text("Computer")?);
        let (process, name) = (columns.text("Process")?, columns.text("ProcessName")?);
        let (direction, protocol) = (columns.text("Direction")?, columns.text("Protocol")?);
        let (source, destination) = (columns.text("SourceIp")?, columns.text("DestinationIp")?);
        let (port, live) = (columns.number("DestinationPort")?, columns.number("LinksLive")?);
        let (established, terminated) = (columns.number("Established")?, columns.number("Terminated")?);
        let (failed, responses) = (columns.number("Failed")?, columns.number("Responses")?);
        let (sent, received) = (columns.number("Sent")?, columns.number("Received")?);
        let (time_sum, time_max) = (columns.number("ResponseTimeSum")?, columns.number("ResponseTimeMax")?);
        let (questions, names) = (columns.text("Questions")?, columns.text("Names")?);
        let (first_seen, last_seen) = (columns.time("First")?, columns.time("TimeGenerated")?);
        for row in columns.rows().filter(|row| !machine.at(*row).is_empty()) {
            let (Some(source), Some(destination)) = (address(source.at(row)), address(destination.at(row))) else {
                continue;
            };
            let Some(direction) = Direction::read(direction.at(row)) else { continue };
            let mut dns_names = texts(questions.at(row));
            dns_names.extend(texts(names.at(row)));
            let key = ConnectionKey {
                machine: machine.owned(row),
                computer: computer.owned(row),
                process: process.owned(row),
                process_name: name.owned(row),
                direction,
                source,
                destination,
                port: port.port(row),
                protocol: protocol.owned(row),
            };
            rows.push(Connection {
                key: Arc::new(key),
                dns_names,
                figures: Figures {
                    established: established.at(row),
                    terminated: terminated.at(row),
                    failed: failed.at(row),
                    live: live.at(row),
                    sent: sent.at(row),
                    received: received.at(row),
                    responses: responses.at(row),
                    response_time_sum: time_sum.at(row),
                    response_time_max: time_max.at(row),
                },
                first_seen: first_seen.or_zero(row),
                last_seen: last_seen.or_zero(row),
            });
        }
    }
    Ok(rows)
}

/// The instants of a column.
pub(super) fn times(tables: &[ResultTable], column: &str) -> Result<Vec<Time>, QueryError> {
    let mut found = Vec::new();
    for columns in Columns::all(tables) {
        let instants = columns.time(column)?;
        found.extend(columns.rows().filter_map(|row| instants.at(row)));
    }
    Ok(found)
}

/// The first text that says something.
fn first<const N: usize>(texts: [&str; N]) -> String {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default().to_owned()
}

/// An address in its one form: IPv4 in IPv6 is IPv4.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Addresses of a JSON array.
fn addresses(json: &str) -> impl Iterator<Item = IpAddr> {
    let list: Vec<String> = serde_json::from_str(json).unwrap_or_default();
    list.into_iter().filter_map(|text| address(&text))
}

/// Texts of a JSON array, or divided by commas and spaces.
fn texts(list: &str) -> Vec<String> {
    if list.starts_with('[') {
        return serde_json::from_str(list).unwrap_or_default();
    }
    list.split([',', ' ', ';']).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_are_read_in_both_forms() {
        assert_eq!(texts("[\"a.example.com\",\"b\"]"), ["a.example.com", "b"]);
        assert_eq!(texts("a.example.com, b"), ["a.example.com", "b"]);
        assert!(texts("").is_empty());
    }

    #[test]
    fn an_address_has_one_form() {
        assert_eq!(address("::ffff:10.0.0.1"), address("10.0.0.1"));
        assert_eq!(address("web1"), None);
        assert_eq!(addresses("[\"10.0.0.1\",\"x\",\"::1\"]").count(), 2);
    }
}
