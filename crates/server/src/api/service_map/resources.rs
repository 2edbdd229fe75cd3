//! The shapes of resources and of references to them.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use watchkeeper_map::{Computer, End, Graph, Process, ProcessRow, Time};
use watchkeeper_state::MachineGroup;

use super::names::{ClientsOf, PortName, ProcessName, discovered_machine};

const TYPE: &str = "Microsoft.OperationalInsights/workspaces/features";

/// Makes resources of one workspace.
pub(super) struct Resources {
    /// The path of the workspace's map.
    base: String,
}

impl Resources {
    pub fn new(base: String) -> Resources {
        Resources { base }
    }

    /// `id`, `type` and `name`, and what else there is.
    fn resource(&self, kind: Option<&str>, folder: &str, ty: &str, name: &str, properties: Value) -> Value {
        let mut resource = json!({
            "id": format!("{}/{folder}/{name}", self.base), "type": format!("{TYPE}/{ty}"), "name": name,
        });
        if let Some(kind) = kind {
            resource["kind"] = json!(kind);
        }
        if !properties.is_null() {
            resource["properties"] = properties;
        }
        resource
    }

    pub fn machine_reference(&self, name: &str) -> Value {
        self.resource(Some("ref:machine"), "machines", "machines", name, Value::Null)
    }

    pub fn process_reference(&self, process: &ProcessName) -> Value {
        let properties = json!({"machine": self.machine_reference(&process.machine)});
        let folder = format!("machines/{}/processes", process.machine);
        self.resource(Some("ref:process"), &folder, "machines/processes", &process.name, properties)
    }

    pub fn port_reference(&self, port: &PortName) -> Value {
        let properties = json!({
            "machine": self.machine_reference(&port.machine), "ipAddress": port.address, "portNumber": port.port,
        });
        let folder = format!("machines/{}/ports", port.machine);
        self.resource(Some("ref:port"), &folder, "machines/ports", &port.name(), properties)
    }

    pub fn client_group_reference(&self, clients: &ClientsOf) -> Value {
        self.resource(Some("ref:clientgroup"), "clientGroups", "clientGroups", &clients.to_string(), Value::Null)
    }

    /// A machine with an agent, of which perhaps no row of `VMComputer` is known.
    pub fn machine(&self, name: &str, display_name: &str, computer: Option<&Computer>) -> Value {
        let mut properties = computer.map(machine_properties).unwrap_or_default();
        properties.insert("monitoringState".into(), json!("monitored"));
        properties.entry("displayName").or_insert_with(|| json!(display_name));
        properties.entry("virtualizationState").or_insert_with(|| json!("unknown"));
        self.resource(Some("machine"), "machines", "machines", name, Value::Object(properties))
    }

    /// A machine of which only others tell.
    pub fn discovered_machine(&self, address: IpAddr, dns_names: &[String]) -> Value {
        let interfaces = match address {
            IpAddr::V4(_) => json!({"ipv4Interfaces": [{"ipAddress": address, "subnetMask": "255.255.255.255"}]}),
            IpAddr::V6(_) => json!({"ipv6Interfaces": [{"ipAddress": address}]}),
        };
        let shown = dns_names.first().cloned().unwrap_or_else(|| address.to_string());
        let mut properties = json!({
            "monitoringState": "discovered", "virtualizationState": "unknown", "displayName": shown,
            "networking": interfaces,
        });
        if !dns_names.is_empty() {
            properties["networking"]["dnsNames"] = json!(dns_names);
        }
        self.resource(Some("machine"), "machines", "machines", &discovered_machine(address), properties)
    }

    /// A process on a machine with an agent.
    pub fn process(&self, graph: &Graph, process: &Process) -> Value {
        let machine = &graph.machines[process.machine].id;
        match &process.row {
            Some(row) => self.reported_process(row),
            None => {
                let name = ProcessName { machine: machine.clone(), name: process.name.clone() };
                let state = if process.discovered { "discovered" } else { "monitored" };
                let mut properties = json!({
                    "monitoringState": state, "machine": self.machine_reference(machine),
                    "displayName": process.display_name,
                });
                if !process.executable.is_empty() {
                    properties["executableName"] = json!(process.executable);
                }
                self.process_resource(&name, properties)
            }
        }
    }

    /// A process as `VMProcess` has it.
    pub fn reported_process(&self, row: &ProcessRow) -> Value {
        let details = &row.details;
        let shown = if row.display_name.is_empty() { &row.executable } else { &row.display_name };
        let mut properties = Map::new();
        properties.insert("timestamp".into(), json!(row.seen));
        properties.insert("monitoringState".into(), json!("monitored"));
        properties.insert("machine".into(), self.machine_reference(&row.machine));
        put(&mut properties, "executableName", &row.executable);
        properties.insert("displayName".into(), json!(shown));
        put_time(&mut properties, "startTime", row.started);
        if let Some(role) = ROLES.iter().find(|role| role.eq_ignore_ascii_case(&row.role)) {
            properties.insert("role".into(), json!(role));
        }
        put(&mut properties, "group", &row.group);
        let mut more = Map::new();
        put(&mut more, "persistentKey", row.process.strip_prefix("p-").unwrap_or(&row.process));
        if details.first_pid > 0 {
            more.insert("firstPid".into(), json!(details.first_pid));
        }
        for (name, value) in [
            ("description", &details.description),
            ("companyName", &details.company_name),
            ("internalName", &details.internal_name),
            ("productName", &details.product_name),
            ("productVersion", &details.product_version),
            ("fileVersion", &details.file_version),
            ("commandLine", &row.command_line),
            ("executablePath", &row.path),
            ("workingDirectory", &details.working_directory),
        ] {
            put(&mut more, name, value);
        }
        if let Ok(Value::Array(services)) = serde_json::from_str(&details.services)
            && !services.is_empty()
        {
            more.insert("services".into(), services.iter().map(service).collect());
        }
        properties.insert("details".into(), Value::Object(more));
        let mut user = Map::new();
        put(&mut user, "userName", &row.user);
        put(&mut user, "userDomain", &details.user_domain);
        properties.insert("user".into(), Value::Object(user));
        let name = ProcessName { machine: row.machine.clone(), name: row.process.clone() };
        self.process_resource(&name, Value::Object(properties))
    }

    /// Whoever accepts on a port of a machine without an agent.
    pub fn acceptor(&self, port: &PortName) -> Value {
        let properties = json!({
            "monitoringState": "discovered", "machine": self.machine_reference(&port.machine),
            "displayName": format!("Port {}", port.port), "acceptorOf": self.port_reference(port),
        });
        self.process_resource(&ProcessName::acceptor(port), properties)
    }

    fn process_resource(&self, process: &ProcessName, properties: Value) -> Value {
        let folder = format!("machines/{}/processes", process.machine);
        self.resource(Some("process"), &folder, "machines/processes", &process.name, properties)
    }

    pub fn port(&self, port: &PortName, monitored: bool) -> Value {
        let properties = json!({
            "monitoringState": if monitored { "monitored" } else { "discovered" },
            "machine": self.machine_reference(&port.machine), "displayName": format!(":{}", port.port),
            "ipAddress": port.address, "portNumber": port.port,
        });
        let folder = format!("machines/{}/ports", port.machine);
        self.resource(Some("port"), &folder, "machines/ports", &port.name(), properties)
    }

    pub fn client_group(&self, clients: &ClientsOf) -> Value {
        let of = match clients {
            ClientsOf::Machine(machine) => self.machine_reference(machine),
            ClientsOf::Process(process) => self.process_reference(process),
            ClientsOf::Port(port) => self.port_reference(port),
        };
        let name = clients.to_string();
        self.resource(Some("clientGroup"), "clientGroups", "clientGroups", &name, json!({"clientsOf": of}))
    }

    /// The path of a group of clients.
    pub fn client_group_id(&self, clients: &ClientsOf) -> String {
        format!("{}/clientGroups/{clients}", self.base)
    }

    /// A client of a port, and the processes there that it reached.
    pub fn client(&self, clients: &ClientsOf, address: IpAddr, port: &PortName, processes: &[ProcessName]) -> Value {
        let references: Vec<Value> = processes.iter().map(|process| self.process_reference(process)).collect();
        let properties = json!({"ipAddress": address, "port": self.port_reference(port), "processes": references});
        let name = watchkeeper_map::address_name(address);
        // a client of several ports is a member for each of them
        let name = format!("{name}_{}_{}", watchkeeper_map::address_name(port.address), port.port);
        self.resource(None, &format!("clientGroups/{clients}/members"), "clientGroups/members", &name, properties)
    }

    pub fn machine_group(&self, group: &MachineGroup) -> Value {
        let machines: Vec<Value> = group
            .machines
            .iter()
            .map(|machine| {
                let mut hints = json!({"osFamilyHint": family(&machine.os_family)});
                if !machine.display_name.is_empty() {
                    hints["displayNameHint"] = json!(machine.display_name);
                }
                self.resource(Some("ref:machinewithhints"), "machines", "machines", &machine.name, hints)
            })
            .collect();
        let properties = json!({
            "groupType": "user-static", "displayName": group.display_name, "count": machines.len(), "machines": machines,
        });
        let mut resource = self.resource(Some("machineGroup"), "machineGroups", "machineGroups", &group.id, properties);
        resource["etag"] = json!(group.etag);
        resource
    }

    /// A relationship: `connections` or `acceptors`.
    pub fn relationship(&self, kind: &str, folder: &str, name: &str, properties: Value) -> Value {
        self.resource(Some(kind), folder, folder, name, properties)
    }

    pub fn summary(&self, properties: Value) -> Value {
        self.resource(None, "summaries", "summaries", "machines", properties)
    }
}

/// Roles of processes that the API knows.
const ROLES: [&str; 5] = ["webServer", "appServer", "databaseServer", "ldapServer", "smbServer"];

/// A family of operating systems that the API knows.
pub(super) fn family(text: &str) -> &'static str {
    let known = ["windows", "linux", "solaris", "aix"];
    known.into_iter().find(|family| family.eq_ignore_ascii_case(text)).unwrap_or("unknown")
}

/// The name of a process that is an end.
pub(super) fn process_name(graph: &Graph, end: End, port: &PortName) -> ProcessName {
    match end {
        End::Process(at) => {
            let process = &graph.processes[at];
            ProcessName { machine: graph.machines[process.machine].id.clone(), name: process.name.clone() }
        }
        End::Address(_) => ProcessName::acceptor(port),
    }
}

fn machine_properties(computer: &Computer) -> Map<String, Value> {
    let details = &computer.details;
    let mut properties = Map::new();
    properties.insert("timestamp".into(), json!(computer.seen));
    let states = ["physical", "virtual", "hypervisor"];
    let state = states.into_iter().find(|state| state.eq_ignore_ascii_case(&details.virtualization));
    properties.insert("virtualizationState".into(), json!(state.unwrap_or("unknown")));
    let shown = if computer.name.is_empty() { &computer.full_name } else { &computer.name };
    put(&mut properties, "displayName", shown);
    put(&mut properties, "computerName", &computer.name);
    put(&mut properties, "fullyQualifiedDomainName", &computer.full_name);
    put_time(&mut properties, "bootTime", computer.boot_time);
    if !details.time_zone.is_empty() {
        properties.insert("timezone".into(), json!({"fullName": details.time_zone}));
    }
    let mut agent = json!({"agentId": details.agent_id, "rebootStatus": "unknown"});
    if !details.agent_version.is_empty() {
        agent["dependencyAgentId"] = json!(details.agent_id);
        agent["dependencyAgentVersion"] = json!(details.agent_version);
    }
    properties.insert("agent".into(), agent);
    let mut resources = json!({"physicalMemory": details.memory_megabytes, "cpus": details.processors});
    if details.processor_megahertz > 0 {
        resources["cpuSpeed"] = json!(details.processor_megahertz);
        resources["cpuSpeedAccuracy"] = json!("estimated");
    }
    properties.insert("resources".into(), resources);
    properties.insert("networking".into(), networking(computer));
    let bits = if computer.os_name.contains("32-bit") { "32bit" } else { "64bit" };
    let system = json!({"family": family(&computer.os_family), "fullName": computer.os_name, "bitness": bits});
    properties.insert("operatingSystem".into(), system);
    if state == Some("virtual") {
        properties.insert("virtualMachine".into(), virtual_machine(computer));
    }
    properties
}

fn networking(computer: &Computer) -> Value {
    let details = &computer.details;
    let masks = details.ipv4_masks.iter().map(String::as_str).chain(std::iter::repeat("255.255.255.255"));
    let four = details.ipv4_addresses.iter().zip(masks);
    let four: Vec<Value> = four.map(|(address, mask)| json!({"ipAddress": address, "subnetMask": mask})).collect();
    let six: Vec<Value> = details.ipv6_addresses.iter().map(|address| json!({"ipAddress": address})).collect();
    json!({
        "ipv4Interfaces": four, "ipv6Interfaces": six, "defaultIpv4Gateways": details.ipv4_gateways,
        "macAddresses": details.mac_addresses, "dnsNames": details.dns_names,
    })
}

fn virtual_machine(computer: &Computer) -> Value {
    let details = &computer.details;
    let kinds = ["hyperv", "ldom", "lpar", "vmware", "virtualPc", "xen"];
    let kind = kinds.into_iter().find(|kind| kind.eq_ignore_ascii_case(&details.virtual_machine_type));
    let mut machine = Map::new();
    machine.insert("virtualMachineType".into(), json!(kind.unwrap_or("unknown")));
    put(&mut machine, "nativeMachineId", &details.virtual_machine_id);
    put(&mut machine, "virtualMachineName", &details.virtual_machine_name);
    put(&mut machine, "nativeHostMachineId", &details.virtual_machine_host);
    Value::Object(machine)
}

/// A service of a process: an object of `VMProcess`, or its name alone.
fn service(value: &Value) -> Value {
    match value {
        Value::String(name) => json!({"name": name, "displayName": name}),
        other => other.clone(),
    }
}

fn put(properties: &mut Map<String, Value>, name: &str, value: &str) {
    if !value.is_empty() {
        properties.insert(name.to_owned(), json!(value));
    }
}

fn put_time(properties: &mut Map<String, Value>, name: &str, time: Option<Time>) {
    if let Some(time) = time {
        properties.insert(name.to_owned(), json!(time));
    }
}
