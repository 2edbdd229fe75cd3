//! What this machine is.

use std::fs;
use std::net::{IpAddr, UdpSocket};

use watchkeeper_wire::proto::Machine;

use crate::system::VERSION;

/// Describes this machine; `computer` stands in the place of its own name where it is given.
#[must_use]
pub fn describe(computer: Option<&str>) -> Machine {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let version = release_value(&release, "VERSION_ID");
    let (major, minor) = version.split_once('.').unwrap_or((&version, "0"));
    Machine {
        computer: computer.map_or_else(host_name, str::to_owned),
        agent_version: VERSION.to_owned(),
        os_type: "Linux".to_owned(),
        os_name: os_name(&release),
        os_major_version: major.to_owned(),
        os_minor_version: minor.to_owned(),
        source_computer_id: machine_id(),
        vm_uuid: first_line("/sys/class/dmi/id/product_uuid").to_lowercase(),
        private_addresses: addresses(),
    }
}

/// The full name of the operating system.
#[must_use]
pub fn os_name(release: &str) -> String {
    let pretty = release_value(release, "PRETTY_NAME");
    if pretty.is_empty() { "Linux".to_owned() } else { pretty }
}

fn release_value(release: &str, key: &str) -> String {
    release
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .map(|value| value.trim_matches('"').to_owned())
        .unwrap_or_default()
}

/// The fully qualified name where `/etc/hosts` has one, or the host name.
#[must_use]
pub fn host_name() -> String {
    let short = first_line("/proc/sys/kernel/hostname");
    if short.contains('.') {
        return short;
    }
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let full = hosts
        .lines()
        .filter_map(|line| line.split('#').next())
        .flat_map(|line| line.split_whitespace().skip(1))
        .find(|name| name.strip_prefix(short.as_str()).is_some_and(|domain| domain.starts_with('.')));
    full.map_or(short.clone(), str::to_owned)
}

/// `/etc/machine-id` as a guid.
fn machine_id() -> String {
    let id = first_line("/etc/machine-id");
    if id.len() == 32 && id.is_ascii() {
        format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..])
    } else {
        id
    }
}

pub(crate) fn first_line(path: &str) -> String {
    fs::read_to_string(path).ok().and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default()
}

/// The addresses of the interfaces, without loopback and link-local ones; the one that leads outside first.
#[must_use]
pub fn addresses() -> Vec<String> {
    let mut found: Vec<IpAddr> = Vec::new();
    // connecting a datagram socket sends nothing: it asks the routing table which address would be used
    for (bind, target) in [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")] {
        let address = UdpSocket::bind(bind).and_then(|socket| {
            socket.connect(target)?;
            socket.local_addr()
        });
        if let Ok(address) = address {
            found.push(address.ip());
        }
    }
    let trie = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let mut last = "";
    for line in trie.lines() {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address;
        } else if line.contains("/32 host LOCAL")
            && let Ok(address) = last.parse()
        {
            found.push(address);
        }
    }
    let mut texts: Vec<String> = Vec::new();
    for address in found {
        let usable = !address.is_loopback() && !address.is_unspecified();
        let text = address.to_string();
        if usable && !text.starts_with("fe80:") && !text.starts_with("169.254.") && !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// How long the machine is up.
pub(crate) fn uptime_microseconds() -> i64 {
    let uptime = first_line("/proc/uptime");
    let seconds: f64 = uptime.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0.0);
    (seconds * 1e6) as i64
}
