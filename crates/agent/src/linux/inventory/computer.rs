//! The machine as `VMComputer` describes it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::collect::{Collected, Origin};
use crate::linux::machine::{self, first_line, uptime_microseconds};
use crate::system::{Microseconds, VERSION};

/// One row without its times.
#[derive(Debug, PartialEq)]
pub(super) struct Computer {
    host_name: String,
    time_zone: String,
    virtualization: &'static str,
    virtual_machine_type: &'static str,
    hosting_provider: &'static str,
    native_id: String,
    ipv4: Vec<String>,
    ipv4_masks: Vec<String>,
    ipv4_gateways: Vec<String>,
    ipv6: Vec<String>,
    macs: Vec<String>,
    dns_names: Vec<String>,
    system: String,
    memory_megabytes: i64,
    processors: i32,
    processor_megahertz: i32,
}

/// Describes this machine.
pub(super) fn describe(origin: &Origin) -> Computer {
    let routes = routes(&fs::read_to_string("/proc/net/route").unwrap_or_default());
    let found: Vec<IpAddr> = machine::addresses().iter().filter_map(|address| address.parse().ok()).collect();
    let ipv4: Vec<Ipv4Addr> =
        found.iter().filter_map(|ip| if let IpAddr::V4(ip) = ip { Some(*ip) } else { None }).collect();
    let ipv6 = ipv6(&fs::read_to_string("/proc/net/if_inet6").unwrap_or_default());
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &'static str| {
        cpuinfo.lines().filter(move |line| line.starts_with(key)).filter_map(|line| Some(line.split_once(": ")?.1))
    };
    let hypervisor = value("flags").next().is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    let vendor =
        format!("{} {}", first_line("/sys/class/dmi/id/sys_vendor"), first_line("/sys/class/dmi/id/product_name"));
    let (kind, provider) = virtual_machine(&vendor);
    let short = origin.computer.split('.').next().unwrap_or_default().to_owned();
    let dns_names = if origin.computer.contains('.') { vec![origin.computer.clone()] } else { Vec::new() };
    let meminfo = first_line("/proc/meminfo");
    let memory = meminfo.split_whitespace().nth(1).and_then(|field| field.parse::<i64>().ok()).unwrap_or(0);
    Computer {
        host_name: short,
        time_zone: chrono::Local::now().format("%:z").to_string(),
        virtualization: if hypervisor || !kind.is_empty() { "virtual" } else { "physical" },
        virtual_machine_type: kind,
        hosting_provider: provider,
        native_id: first_line("/sys/class/dmi/id/product_uuid").to_lowercase(),
        ipv4_masks: ipv4.iter().map(|ip| mask(*ip, &routes).to_string()).collect(),
        ipv4: ipv4.iter().map(Ipv4Addr::to_string).collect(),
        ipv4_gateways: routes
            .iter()
            .filter(|route| route.is_default())
            .map(|route| route.gateway.to_string())
            .collect(),
        ipv6,
        macs: macs(),
        dns_names,
        system: machine::os_name(&fs::read_to_string("/etc/os-release").unwrap_or_default()),
        memory_megabytes: memory / 1024,
        processors: i32::try_from(value("processor").count()).unwrap_or(i32::MAX),
        processor_megahertz: value("cpu MHz").next().and_then(|speed| speed.parse::<f64>().ok()).unwrap_or(0.0) as i32,
    }
}

impl Computer {
    /// What changes when the machine does; the speed of a processor changes with its load and is left out.
    pub(super) fn fingerprint(&self) -> String {
        let Self {
            host_name, time_zone, ipv4, ipv4_gateways, ipv6, macs, system, memory_megabytes, processors, ..
        } = self;
        format!(
            "{host_name} {time_zone} {ipv4:?} {ipv4_gateways:?} {ipv6:?} {macs:?} {system} {memory_megabytes} {processors}"
        )
    }

    pub(super) fn put(&self, now: Microseconds, origin: &Origin, machine: &str, out: &mut Collected) {
        let list = |items: &[String]| serde_json::json!(items).to_string();
        let row = out.table("VMComputer").row();
        row.datetime("TimeGenerated", now)
            .string("Computer", &origin.computer)
            .string("AgentId", &origin.agent_id)
            .string("Machine", machine)
            .string("DisplayName", &self.host_name)
            .string("FullDisplayName", &origin.computer)
            .string("HostName", &self.host_name)
            .datetime("BootTime", now - uptime_microseconds())
            .string("TimeZone", &self.time_zone)
            .string("VirtualizationState", self.virtualization)
            .dynamic("Ipv4Addresses", &list(&self.ipv4))
            .dynamic("Ipv4SubnetMasks", &list(&self.ipv4_masks))
            .dynamic("Ipv4DefaultGateways", &list(&self.ipv4_gateways))
            .dynamic("Ipv6Addresses", &list(&self.ipv6))
            .dynamic("MacAddresses", &list(&self.macs))
            .dynamic("DnsNames", &list(&self.dns_names))
            .string("DependencyAgentVersion", VERSION)
            .string("OperatingSystemFamily", "linux")
            .string("OperatingSystemFullName", &self.system)
            .long("PhysicalMemoryMB", self.memory_megabytes)
            .int("Cpus", self.processors)
            .int("CpuSpeed", self.processor_megahertz)
            .string("VirtualMachineType", self.virtual_machine_type)
            .string("VirtualMachineNativeId", &self.native_id)
            .string("HostingProvider", self.hosting_provider)
            .string("SourceSystem", "Insights")
            .string("_ResourceId", &format!("/machines/{machine}"));
    }
}

/// The kind of virtual machine and its host, by vendor and product in the firmware.
fn virtual_machine(vendor: &str) -> (&'static str, &'static str) {
    for (part, kind, provider) in [
        ("Microsoft Corporation Virtual Machine", "hyperv", ""),
        ("VMware", "vmware", ""),
        ("Xen", "xen", ""),
        ("Amazon EC2", "kvm", "aws"),
        ("Google", "kvm", "gcp"),
        ("innotek", "virtualbox", ""),
        ("QEMU", "kvm", ""),
        ("KVM", "kvm", ""),
    ] {
        if vendor.contains(part) {
            // Azure is Hyper-V with an asset tag of its own
            let azure = kind == "hyperv"
                && first_line("/sys/class/dmi/id/chassis_asset_tag") == "7783-7084-3265-9085-8269-3286-77";
            return (kind, if azure { "azure" } else { provider });
        }
    }
    ("", "")
}

#[derive(Debug, PartialEq)]
struct Route {
    destination: Ipv4Addr,
    gateway: Ipv4Addr,
    mask: Ipv4Addr,
}

impl Route {
    fn is_default(&self) -> bool {
        self.mask.is_unspecified() && !self.gateway.is_unspecified()
    }
}

fn routes(text: &str) -> Vec<Route> {
    let address = |field: &str| Some(Ipv4Addr::from(u32::from_str_radix(field, 16).ok()?.to_ne_bytes()));
    let route = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        Some(Route {
            destination: address(fields.get(1)?)?,
            gateway: address(fields.get(2)?)?,
            mask: address(fields.get(7)?)?,
        })
    };
    text.lines().skip(1).filter_map(route).collect()
}

/// The mask of the network that an address lies in.
fn mask(address: Ipv4Addr, routes: &[Route]) -> Ipv4Addr {
    let inside = |route: &&Route| {
        let bits = u32::from(route.mask);
        bits != 0 && route.gateway.is_unspecified() && u32::from(address) & bits == u32::from(route.destination)
    };
    let widest = Ipv4Addr::BROADCAST;
    routes.iter().filter(inside).map(|route| route.mask).max().unwrap_or(widest)
}

/// The addresses of `/proc/net/if_inet6` without loopback and link-local ones.
fn ipv6(text: &str) -> Vec<String> {
    let address = |line: &str| u128::from_str_radix(line.split(' ').next()?, 16).ok().map(Ipv6Addr::from);
    let usable = |ip: &Ipv6Addr| !ip.is_loopback() && !ip.is_unicast_link_local();
    text.lines().filter_map(address).filter(usable).map(|ip| ip.to_string()).collect()
}

fn macs() -> Vec<String> {
    let interfaces = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let mut found: Vec<String> = interfaces
        .map(|interface| first_line(&interface.path().join("address").display().to_string()))
        .filter(|address| address.len() == 17 && address != "00:00:00:00:00:00")
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use super::*;

    #[test]
    fn gateways_masks_and_addresses_are_read_as_documented() {
        let text = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
            eth0 00000000 0102A8C0 0003 0 0 0 00000000 0 0 0\n\
            eth0 0002A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";
        let routes = routes(text);
        assert!(routes[0].is_default() && !routes[1].is_default());
        assert_eq!(routes[0].gateway, Ipv4Addr::new(192, 168, 2, 1));
        assert_eq!(mask(Ipv4Addr::new(192, 168, 2, 7), &routes), Ipv4Addr::new(255, 255, 255, 0));
        assert_eq!(mask(Ipv4Addr::new(10, 0, 0, 7), &routes), Ipv4Addr::BROADCAST);
        let interfaces = "00000000000000000000000000000001 01 80 10 80 lo\n\
            fe800000000000000000000000000001 02 40 20 80 eth0\n\
            20010db8000000000000000000000005 02 40 00 80 eth0\n";
        assert_eq!(ipv6(interfaces), ["2001:db8::5"]);
        assert_eq!(virtual_machine("QEMU Standard PC"), ("kvm", ""));
        assert_eq!(virtual_machine("Dell Inc. PowerEdge"), ("", ""));
    }
}
