//! `Perf` and `InsightsMetrics` from `/proc`, with the object and counter names of Log Analytics for Linux and the
//! names of VM insights.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use super::processes::{self, TICKS};
use crate::collect::{CollectError, Collected, Collector, Origin};
use crate::config::{PerformanceConfig, seconds};
use crate::queue::{Class, Positions};
use crate::system::Microseconds;

const MEGABYTE: f64 = 1024.0 * 1024.0;
/// `/proc/diskstats` counts in sectors of this size whatever the disk's are.
const SECTOR: f64 = 512.0;
/// File systems on disks; network ones may hang and are left out.
const FILE_SYSTEMS: [&str; 12] =
    ["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "vfat", "jfs", "reiserfs", "overlay", "bcachefs"];

/// Samples of the machine.
pub struct Performance {
    config: PerformanceConfig,
    patterns: Vec<glob::Pattern>,
    last: Option<Snapshot>,
    /// Also of disks without hardware behind them.
    every_disk: bool,
    /// For reading `/proc`, used again.
    buffer: String,
}

struct Snapshot {
    at: Instant,
    processors: HashMap<String, Processor>,
    networks: HashMap<String, Network>,
    disks: HashMap<String, Disk>,
    paging: Option<(f64, f64)>,
    /// Ticks in user mode and in the kernel, by process and its start.
    processes: HashMap<(i32, u64), (u64, u64)>,
}

/// Times in ticks, as the first lines of `/proc/stat` give them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Processor {
    user: f64,
    nice: f64,
    system: f64,
    idle: f64,
    waiting: f64,
    interrupt: f64,
    other: f64,
}

impl Processor {
    fn total(&self) -> f64 {
        self.user + self.nice + self.system + self.idle + self.waiting + self.interrupt + self.other
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Network {
    received: f64,
    received_packets: f64,
    received_errors: f64,
    sent: f64,
    sent_packets: f64,
    sent_errors: f64,
    collisions: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Disk {
    reads: f64,
    read_bytes: f64,
    read_milliseconds: f64,
    writes: f64,
    written_bytes: f64,
    write_milliseconds: f64,
}

/// Writes samples of one moment to both tables.
struct Samples<'a> {
    now: Microseconds,
    origin: &'a Origin,
    patterns: &'a [glob::Pattern],
    out: &'a mut Collected,
}

impl Samples<'_> {
    fn perf(&mut self, object: &str, instance: &str, counter: &str, value: f64) {
        let path = format!("\\{object}({instance})\\{counter}");
        if !value.is_finite() || !(self.patterns.is_empty() || self.patterns.iter().any(|one| one.matches(&path))) {
            return;
        }
        let counter_path = format!("\\\\{}{path}", self.origin.computer);
        self.out
            .table("Perf")
            .row()
            .datetime("TimeGenerated", self.now)
            .string("Computer", &self.origin.computer)
            .string("ObjectName", object)
            .string("CounterName", counter)
            .string("InstanceName", instance)
            .real("CounterValue", value)
            .string("CounterPath", &counter_path)
            .string("SourceSystem", "Linux");
    }

    fn metric(&mut self, namespace: &str, name: &str, value: f64, tags: &serde_json::Value) {
        if !value.is_finite() {
            return;
        }
        self.out
            .table("InsightsMetrics")
            .row()
            .datetime("TimeGenerated", self.now)
            .string("Computer", &self.origin.computer)
            .string("Origin", "vm.azm.ms")
            .string("Namespace", namespace)
            .string("Name", name)
            .real("Val", value)
            .string("Tags", &tags.to_string())
            .string("AgentId", &self.origin.agent_id)
            .string("SourceSystem", "Insights");
    }
}

/// How soon after the first look the rates are known.
const FIRST_DIFFERENCE: Duration = Duration::from_secs(5);

impl Performance {
    /// With a configuration that was checked.
    #[must_use]
    pub fn new(config: PerformanceConfig) -> Self {
        // a backslash and brackets are plain characters in a counter's path; only * and ? are patterns
        let patterns = config
            .counters
            .iter()
            .filter_map(|counter| glob::Pattern::new(&counter.replace('[', "[[]")).ok())
            .collect();
        Self { config, patterns, last: None, every_disk: false, buffer: String::new() }
    }

    /// Also of arrays, loop devices and other disks without hardware behind them: for workflows, which name theirs.
    #[must_use]
    pub fn of_every_disk(mut self) -> Self {
        self.every_disk = true;
        self
    }
}

impl Collector for Performance {
    fn name(&self) -> &str {
        "performance"
    }

    fn class(&self) -> Class {
        Class::Performance
    }

    fn interval(&self) -> Duration {
        seconds(self.config.interval_seconds)
    }

    fn collect(
        &mut self,
        now: Microseconds,
        origin: &Origin,
        _: &Positions,
        out: &mut Collected,
    ) -> Result<(), CollectError> {
        let stat = read("/proc/stat")?;
        let memory = read("/proc/meminfo")?;
        let top = self.config.top_processes;
        let running = if top > 0 { processes::all(&mut self.buffer) } else { Vec::new() };
        let snapshot = Snapshot {
            at: Instant::now(),
            processors: processors(&stat),
            networks: networks(&read("/proc/net/dev")?),
            disks: disks(&fs::read_to_string("/proc/diskstats").unwrap_or_default()),
            paging: paging(&fs::read_to_string("/proc/vmstat").unwrap_or_default()),
            processes: running.iter().map(|stat| ((stat.pid, stat.started), (stat.user, stat.system))).collect(),
        };
        if self.last.is_none() {
            out.again_after = Some(FIRST_DIFFERENCE);
        }
        let mut samples = Samples { now, origin, patterns: &self.patterns, out };
        samples.metric("Computer", "Heartbeat", 1.0, &serde_json::json!({}));
        sample_memory(&memory, &mut samples);
        sample_system(&stat, &mut samples);
        let mounts = mounts(&read("/proc/self/mounts")?);
        for mount in &mounts {
            sample_space(mount, &mut samples);
        }
        if let Some(last) = &self.last {
            let elapsed = snapshot.at.duration_since(last.at).as_secs_f64();
            sample_processors(last, &snapshot, &mut samples);
            sample_networks(last, &snapshot, elapsed, &mut samples);
            sample_disks(last, &snapshot, elapsed, &mounts, &mut samples);
            sample_physical_disks(last, &snapshot, elapsed, self.every_disk, &mut samples);
            sample_paging(last, &snapshot, elapsed, &mut samples);
            sample_processes(last, &running, elapsed, top, &mut samples);
        }
        self.last = Some(snapshot);
        Ok(())
    }
}

fn read(path: &str) -> Result<String, CollectError> {
    fs::read_to_string(path).map_err(|error| CollectError::new(path, error))
}

fn number(fields: &[&str], index: usize) -> f64 {
    fields.get(index).and_then(|field| field.parse().ok()).unwrap_or(0.0)
}

fn processors(stat: &str) -> HashMap<String, Processor> {
    stat.lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let name = fields.first()?.strip_prefix("cpu")?;
            let instance = if name.is_empty() { "_Total" } else { name };
            let field = |index| number(&fields, index);
            // guest times are part of user and nice
            let processor = Processor {
                user: field(1),
                nice: field(2),
                system: field(3),
                idle: field(4),
                waiting: field(5),
                interrupt: field(6) + field(7),
                other: field(8),
            };
            Some((instance.to_owned(), processor))
        })
        .collect()
}

fn networks(dev: &str) -> HashMap<String, Network> {
    dev.lines()
        .filter_map(|line| {
            let (name, counters) = line.split_once(':')?;
            let fields: Vec<&str> = counters.split_whitespace().collect();
            let field = |index| number(&fields, index);
            let network = Network {
                received: field(0),
                received_packets: field(1),
                received_errors: field(2),
                sent: field(8),
                sent_packets: field(9),
                sent_errors: field(10),
                collisions: field(13),
            };
            (name.trim() != "lo").then(|| (name.trim().to_owned(), network))
        })
        .collect()
}

fn disks(diskstats: &str) -> HashMap<String, Disk> {
    diskstats
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let field = |index| number(&fields, index);
            let disk = Disk {
                reads: field(3),
                read_bytes: field(5) * SECTOR,
                read_milliseconds: field(6),
                writes: field(7),
                written_bytes: field(9) * SECTOR,
                write_milliseconds: field(10),
            };
            Some(((*fields.get(2)?).to_owned(), disk))
        })
        .collect()
}

struct Mount {
    device: String,
    point: String,
}

/// Mounted file systems on disks, each once.
fn mounts(text: &str) -> Vec<Mount> {
    let mut found: Vec<Mount> = Vec::new();
    for line in text.lines() {
        let mut fields = line.split(' ');
        let (Some(device), Some(point), Some(kind)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let point = point.replace("\\040", " ");
        let counted = FILE_SYSTEMS.contains(&kind) && (kind != "overlay" || point == "/");
        if counted && !found.iter().any(|mount| mount.device == device || mount.point == point) {
            found.push(Mount { device: device.rsplit('/').next().unwrap_or(device).to_owned(), point });
        }
    }
    found
}

fn sample_memory(meminfo: &str, samples: &mut Samples<'_>) {
    let values: HashMap<&str, f64> = meminfo
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name, value.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0))
        })
        .collect();
    let value = |name: &str| values.get(name).copied().unwrap_or(0.0);
    let (total, available) = (value("MemTotal"), value("MemAvailable"));
    let (swap, swap_free) = (value("SwapTotal"), value("SwapFree"));
    let mut perf = |counter: &str, value: f64| samples.perf("Memory", "Memory", counter, value);
    perf("% Used Memory", 100.0 * (total - available) / total);
    perf("% Available Memory", 100.0 * available / total);
    perf("Used Memory MBytes", (total - available) / MEGABYTE);
    perf("Available MBytes Memory", available / MEGABYTE);
    if swap > 0.0 {
        perf("% Used Swap Space", 100.0 * (swap - swap_free) / swap);
        perf("% Available Swap Space", 100.0 * swap_free / swap);
    }
    perf("Used MBytes Swap Space", (swap - swap_free) / MEGABYTE);
    perf("Available MBytes Swap", swap_free / MEGABYTE);
    // kilobytes, as the documented counters of the operating system have them
    let mut system = |counter: &str, value: f64| samples.perf("System", "System", counter, value / 1024.0);
    system("Free Physical Memory", value("MemFree"));
    system("Free Space in Paging Files", swap_free);
    system("Free Virtual Memory", available + swap_free);
    system("Size Stored In Paging Files", swap);
    let tags = serde_json::json!({ "vm.azm.ms/memorySizeMB": total / MEGABYTE });
    samples.metric("Memory", "AvailableMB", available / MEGABYTE, &tags);
}

fn sample_system(stat: &str, samples: &mut Samples<'_>) {
    let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
    if let Some(seconds) = uptime.split_whitespace().next().and_then(|field| field.parse().ok()) {
        samples.perf("System", "System", "Uptime", seconds);
    }
    let running = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    for (counter, load) in ["Load1", "Load5", "Load15"].into_iter().zip(running.split_whitespace()) {
        if let Ok(load) = load.parse() {
            samples.perf("System", "System", counter, load);
        }
    }
    let tasks = running.split_whitespace().nth(3).and_then(|field| field.split('/').nth(1)?.parse().ok());
    if let (Some(tasks), true) = (tasks, stat.contains("processes")) {
        samples.perf("System", "System", "Processes", tasks);
    }
}

fn sample_space(mount: &Mount, samples: &mut Samples<'_>) {
    let Ok(space) = rustix::fs::statvfs(&mount.point) else { return };
    let block = space.f_frsize as f64;
    let (size, free) = (space.f_blocks as f64 * block, space.f_bavail as f64 * block);
    let used = (space.f_blocks - space.f_bfree) as f64 * block;
    let mut perf = |counter: &str, value: f64| samples.perf("Logical Disk", &mount.point, counter, value);
    // as df counts: what only root may use is neither used nor free
    let used_percent = 100.0 * used / (used + free);
    perf("% Used Space", used_percent);
    perf("% Free Space", 100.0 - used_percent);
    perf("Free Megabytes", free / MEGABYTE);
    if space.f_files > 0 {
        let free_inodes = 100.0 * space.f_ffree as f64 / space.f_files as f64;
        perf("% Free Inodes", free_inodes);
        perf("% Used Inodes", 100.0 - free_inodes);
    }
    let mut tags = serde_json::json!({ "vm.azm.ms/mountId": mount.point });
    samples.metric("LogicalDisk", "FreeSpacePercentage", 100.0 - used_percent, &tags);
    tags["vm.azm.ms/diskSizeMB"] = (size / MEGABYTE).into();
    samples.metric("LogicalDisk", "FreeSpaceMB", free / MEGABYTE, &tags);
}

fn sample_processors(last: &Snapshot, snapshot: &Snapshot, samples: &mut Samples<'_>) {
    for (instance, present) in &snapshot.processors {
        let Some(before) = last.processors.get(instance) else { continue };
        let total = present.total() - before.total();
        if total <= 0.0 {
            continue;
        }
        let percent = |now: f64, then: f64| (100.0 * (now - then) / total).clamp(0.0, 100.0);
        let idle = percent(present.idle + present.waiting, before.idle + before.waiting);
        let mut perf = |counter: &str, value: f64| samples.perf("Processor", instance, counter, value);
        perf("% Processor Time", 100.0 - idle);
        perf("% Idle Time", percent(present.idle, before.idle));
        perf("% User Time", percent(present.user, before.user));
        perf("% Nice Time", percent(present.nice, before.nice));
        perf("% Privileged Time", percent(present.system, before.system));
        perf("% IO Wait Time", percent(present.waiting, before.waiting));
        perf("% Interrupt Time", percent(present.interrupt, before.interrupt));
        if instance == "_Total" {
            let tags = serde_json::json!({ "vm.azm.ms/totalCpus": snapshot.processors.len() - 1 });
            samples.metric("Processor", "UtilizationPercentage", 100.0 - idle, &tags);
        }
    }
}

fn sample_networks(last: &Snapshot, snapshot: &Snapshot, elapsed: f64, samples: &mut Samples<'_>) {
    for (name, present) in &snapshot.networks {
        let mut perf = |counter: &str, value: f64| samples.perf("Network", name, counter, value);
        perf("Total Bytes Transmitted", present.sent);
        perf("Total Bytes Received", present.received);
        perf("Total Bytes", present.sent + present.received);
        perf("Total Packets Transmitted", present.sent_packets);
        perf("Total Packets Received", present.received_packets);
        perf("Total Rx Errors", present.received_errors);
        perf("Total Tx Errors", present.sent_errors);
        perf("Total Collisions", present.collisions);
        let Some(before) = last.networks.get(name) else { continue };
        for (metric, now, then) in [
            ("WriteBytesPerSecond", present.sent, before.sent),
            ("ReadBytesPerSecond", present.received, before.received),
        ] {
            let bytes = now - then;
            let tags = serde_json::json!({ "vm.azm.ms/networkDeviceId": name, "vm.azm.ms/bytes": bytes });
            samples.metric("Network", metric, bytes.max(0.0) / elapsed, &tags);
        }
    }
}

fn sample_disks(last: &Snapshot, snapshot: &Snapshot, elapsed: f64, mounts: &[Mount], samples: &mut Samples<'_>) {
    for mount in mounts {
        let (Some(present), Some(before)) = (snapshot.disks.get(&mount.device), last.disks.get(&mount.device)) else {
            continue;
        };
        let rate = |now: f64, then: f64| (now - then).max(0.0) / elapsed;
        let reads = rate(present.reads, before.reads);
        let writes = rate(present.writes, before.writes);
        let read_bytes = rate(present.read_bytes, before.read_bytes);
        let written_bytes = rate(present.written_bytes, before.written_bytes);
        let mut perf = |counter: &str, value: f64| samples.perf("Logical Disk", &mount.point, counter, value);
        perf("Disk Reads/sec", reads);
        perf("Disk Writes/sec", writes);
        perf("Disk Transfers/sec", reads + writes);
        perf("Disk Read Bytes/sec", read_bytes);
        perf("Disk Write Bytes/sec", written_bytes);
        perf("Logical Disk Bytes/sec", read_bytes + written_bytes);
        let latency = |milliseconds: f64, operations: f64| {
            if operations > 0.0 { milliseconds / (operations * elapsed) } else { 0.0 }
        };
        let reading = present.read_milliseconds - before.read_milliseconds;
        let writing = present.write_milliseconds - before.write_milliseconds;
        let tags = serde_json::json!({ "vm.azm.ms/mountId": mount.point });
        for (name, value) in [
            ("ReadsPerSecond", reads),
            ("WritesPerSecond", writes),
            ("TransfersPerSecond", reads + writes),
            ("ReadBytesPerSecond", read_bytes),
            ("WriteBytesPerSecond", written_bytes),
            ("BytesPerSecond", read_bytes + written_bytes),
            ("ReadLatencyMs", latency(reading, reads)),
            ("WriteLatencyMs", latency(writing, writes)),
            ("TransferLatencyMs", latency(reading + writing, reads + writes)),
        ] {
            samples.metric("LogicalDisk", name, value, &tags);
        }
    }
}

/// Disks and not their partitions: those that the kernel lists as block devices of their own and that have a device
/// behind them; with `every` also arrays, loop devices and the like.
fn sample_physical_disks(last: &Snapshot, snapshot: &Snapshot, elapsed: f64, every: bool, samples: &mut Samples<'_>) {
    for (name, present) in &snapshot.disks {
        let Some(before) = last.disks.get(name) else { continue };
        let folder = std::path::Path::new("/sys/block").join(name);
        if !(if every { folder.exists() } else { folder.join("device").exists() }) {
            continue;
        }
        let (reads, writes) = (present.reads - before.reads, present.writes - before.writes);
        let reading = present.read_milliseconds - before.read_milliseconds;
        let writing = present.write_milliseconds - before.write_milliseconds;
        let bytes = present.read_bytes - before.read_bytes + present.written_bytes - before.written_bytes;
        let seconds = |milliseconds: f64, operations: f64| {
            if operations > 0.0 { milliseconds / 1000.0 / operations } else { 0.0 }
        };
        let mut perf = |counter: &str, value: f64| samples.perf("Physical Disk", name, counter, value.max(0.0));
        perf("Avg. Disk sec/Read", seconds(reading, reads));
        perf("Avg. Disk sec/Write", seconds(writing, writes));
        perf("Avg. Disk sec/Transfer", seconds(reading + writing, reads + writes));
        perf("Physical Disk Bytes/sec", bytes / elapsed);
        perf("Disk Reads/sec", reads / elapsed);
        perf("Disk Writes/sec", writes / elapsed);
        perf("Disk Transfers/sec", (reads + writes) / elapsed);
    }
}

/// Pages that were read and written, from `/proc/vmstat`, which counts kilobytes.
fn paging(vmstat: &str) -> Option<(f64, f64)> {
    let pages = |key: &str| {
        let kilobytes = vmstat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse::<f64>().ok());
        kilobytes.map(|kilobytes| kilobytes * 1024.0 / rustix::param::page_size() as f64)
    };
    Some((pages("pgpgin")?, pages("pgpgout")?))
}

fn sample_paging(last: &Snapshot, snapshot: &Snapshot, elapsed: f64, samples: &mut Samples<'_>) {
    let (Some(present), Some(before)) = (snapshot.paging, last.paging) else { return };
    let (reads, writes) = ((present.0 - before.0).max(0.0) / elapsed, (present.1 - before.1).max(0.0) / elapsed);
    samples.perf("Memory", "Memory", "Page Reads/sec", reads);
    samples.perf("Memory", "Memory", "Page Writes/sec", writes);
    samples.perf("Memory", "Memory", "Pages/sec", reads + writes);
}

/// The busiest names; processes with one name are added up.
fn sample_processes(last: &Snapshot, running: &[processes::Stat], elapsed: f64, top: usize, samples: &mut Samples<'_>) {
    let mut by_name: HashMap<&str, (f64, f64, u64)> = HashMap::new();
    for stat in running {
        // what a new process has used, it used since the last sample
        let before = last.processes.get(&(stat.pid, stat.started)).copied().unwrap_or_default();
        let sum = by_name.entry(&stat.name).or_default();
        sum.0 += stat.user.saturating_sub(before.0) as f64;
        sum.1 += stat.system.saturating_sub(before.1) as f64;
        sum.2 += stat.resident;
    }
    let mut names: Vec<(&str, (f64, f64, u64))> = by_name.into_iter().collect();
    names.sort_by(|(left_name, left), (right_name, right)| {
        let busier = (right.0 + right.1).total_cmp(&(left.0 + left.1));
        busier.then(right.2.cmp(&left.2)).then(left_name.cmp(right_name))
    });
    for (name, (user, system, resident)) in names.into_iter().take(top) {
        let percent = |ticks: f64| 100.0 * ticks / TICKS / elapsed;
        let mut perf = |counter: &str, value: f64| samples.perf("Process", name, counter, value);
        perf("% Processor Time", percent(user + system));
        perf("Pct User Time", percent(user));
        perf("Pct Privileged Time", percent(system));
        perf("Used Memory kBytes", resident as f64 * rustix::param::page_size() as f64 / 1024.0);
    }
}

#[cfg(test)]
mod tests {
    use watchkeeper_wire::{Table, Values};

    use super::*;

    fn strings<'a>(table: &'a Table, column: &str) -> &'a [String] {
        match table.columns.iter().find(|one| one.name == column).and_then(|one| one.values.as_ref()) {
            Some(Values::Strings(values)) => &values.values,
            _ => panic!("no column {column}"),
        }
    }

    fn sample_twice(config: PerformanceConfig) -> Vec<Table> {
        let mut collector = Performance::new(config);
        let origin = Origin { computer: "box".to_owned(), ..Origin::default() };
        collector.collect(0, &origin, &Positions::default(), &mut Collected::default()).unwrap();
        // the first sample is the base of rates; one from the beginning of time makes the second one sure to differ
        if let Some(last) = &mut collector.last {
            last.processors.values_mut().for_each(|processor| *processor = Processor::default());
        }
        let mut out = Collected::default();
        collector.collect(60_000_000, &origin, &Positions::default(), &mut out).unwrap();
        out.finish().0
    }

    #[test]
    fn this_machine_has_the_counters_that_queries_ask_for() {
        let tables = sample_twice(PerformanceConfig::default());
        let perf = tables.iter().find(|table| table.name == "Perf").unwrap();
        for counter in ["% Processor Time", "% Used Memory", "Uptime", "Load1", "Pages/sec", "Used Memory kBytes"] {
            assert!(strings(perf, "CounterName").iter().any(|name| name == counter), "{counter}");
        }
        let processes = strings(perf, "ObjectName").iter().zip(strings(perf, "CounterName"));
        let named = processes.filter(|(object, counter)| *object == "Process" && *counter == "% Processor Time");
        assert!((1..=10).contains(&named.count()));
        let metrics = tables.iter().find(|table| table.name == "InsightsMetrics").unwrap();
        for name in ["UtilizationPercentage", "AvailableMB", "Heartbeat"] {
            assert!(strings(metrics, "Name").iter().any(|one| one == name), "{name}");
        }
    }

    #[test]
    fn only_the_counters_that_are_asked_for_become_rows() {
        let counters = vec!["\\Memory(*)\\% Used Memory".to_owned()];
        let tables = sample_twice(PerformanceConfig { counters, ..PerformanceConfig::default() });
        let perf = tables.iter().find(|table| table.name == "Perf").unwrap();
        assert_eq!(strings(perf, "CounterName"), ["% Used Memory"]);
    }

    #[test]
    fn proc_files_are_read_as_documented() {
        let stat = "cpu  10 1 5 80 4 1 2 3 0 0\ncpu0 10 1 5 80 4 1 2 3 0 0\nintr 5\n";
        let total = processors(stat)["_Total"];
        assert_eq!((total.total(), total.interrupt, total.idle), (106.0, 3.0, 80.0));
        let dev = "Inter-|\n face |\n lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\neth0: 7 2 1 0 0 0 0 0 9 3 4 0 0 5 0 0\n";
        let network = networks(dev);
        assert_eq!(network.len(), 1);
        assert_eq!((network["eth0"].sent, network["eth0"].collisions), (9.0, 5.0));
        let page = rustix::param::page_size() as f64 / 1024.0;
        assert_eq!(paging("nr_x 1\npgpgin 40\npgpgout 8\n"), Some((40.0 / page, 8.0 / page)));
        let disk = disks("   8       0 sda 10 0 20 30 40 0 50 60 0 70 80\n")["sda"];
        assert_eq!((disk.read_bytes, disk.written_bytes, disk.write_milliseconds), (10240.0, 25600.0, 60.0));
    }
}
