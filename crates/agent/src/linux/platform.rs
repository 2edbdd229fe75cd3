//! What the modules of workflows ask of Linux, from the readers that the collectors use.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use watchkeeper_model::item::{Event, Sample};
use watchkeeper_wire::{Table, Values};

use super::performance::Performance;
use super::processes::{self, TICKS};
use super::syslog::Syslog;
use super::tail::{Start, Tail};
use crate::collect::{Collected, Collector, Origin};
use crate::config::{PerformanceConfig, SEVERITIES, SyslogConfig};
use crate::queue::Positions;
use crate::system::Microseconds;
use crate::workflow::exec::{Execution, execute};
use crate::workflow::platform::{
    EventSource, LogEvent, LogLine, LogSource, Platform, ProcessInformation, ServiceFuture, ServiceState,
};

/// Records that wait for a source that does not read.
const MAX_WAITING: usize = 10_000;

/// Linux.
#[derive(Default)]
pub struct Linux {
    samplers: HashMap<(Microseconds, bool), Sampler>,
    logs: HashMap<Vec<String>, Arc<Mutex<SharedLog>>>,
}

/// Samples of one frequency: all counters of a machine are read at once.
struct Sampler {
    collector: Performance,
    at: Microseconds,
    samples: Vec<Sample>,
}

impl Platform for Linux {
    fn samples(
        &mut self,
        now: Microseconds,
        frequency: Microseconds,
        object: &str,
        counter: &str,
        instance: &str,
    ) -> Result<Vec<Sample>, String> {
        let of_processes = object.eq_ignore_ascii_case("Process");
        let sampler = self.samplers.entry((frequency, of_processes)).or_insert_with(|| Sampler {
            collector: Performance::new(PerformanceConfig {
                top_processes: if of_processes { usize::MAX } else { 0 },
                ..PerformanceConfig::default()
            })
            .of_every_disk(),
            at: Microseconds::MIN,
            samples: Vec::new(),
        });
        // counters that are due within half an interval share a reading
        if sampler.at == Microseconds::MIN || now - sampler.at > frequency / 2 || now < sampler.at {
            let mut out = Collected::default();
            let origin = Origin::default();
            sampler
                .collector
                .collect(now, &origin, &Positions::default(), &mut out)
                .map_err(|error| error.to_string())?;
            sampler.at = now;
            let (tables, _) = out.finish();
            sampler.samples = tables.iter().find(|table| table.name == "Perf").map(samples_of).unwrap_or_default();
        }
        let is_meant = |sample: &&Sample| {
            sample.object.eq_ignore_ascii_case(object)
                && sample.counter.eq_ignore_ascii_case(counter)
                && (instance == "*"
                    || sample.instance.eq_ignore_ascii_case(instance)
                    || (instance.is_empty() && is_whole(&sample.instance, &sample.object)))
        };
        Ok(sampler.samples.iter().filter(is_meant).cloned().collect())
    }

    fn processes(&mut self) -> Vec<ProcessInformation> {
        let users = processes::users();
        let page = rustix::param::page_size() as f64;
        processes::all(&mut String::new())
            .into_iter()
            .map(|stat| {
                let program = processes::program(stat.pid).unwrap_or_default();
                // the kernel cuts names; the program's own is whole where it begins as the cut one does
                let whole = program.path.rsplit('/').next().filter(|name| name.starts_with(&stat.name));
                ProcessInformation {
                    id: stat.pid,
                    name: whole.map_or_else(|| stat.name.clone(), str::to_owned),
                    user: users.get(&program.user_id).cloned().unwrap_or_else(|| program.user_id.to_string()),
                    path: program.path,
                    command_line: program.command_line,
                    processor_seconds: (stat.user + stat.system) as f64 / TICKS,
                    memory_bytes: stat.resident as f64 * page,
                    started: stat.started,
                }
            })
            .collect()
    }

    fn service(&mut self, name: &str) -> ServiceFuture {
        let name = name.to_owned();
        Box::pin(async move { service_state(&name).await })
    }

    fn log_files(&mut self, key: &str, pattern: &str, from_beginning: bool) -> Result<Box<dyn LogSource>, String> {
        glob::Pattern::new(pattern).map_err(|error| format!("{pattern}: {error}"))?;
        let start = if from_beginning { Start::Beginning } else { Start::End };
        Ok(Box::new(Files(Tail::new(key, vec![pattern.to_owned()], start))))
    }

    fn system_log(&mut self, _: &str, files: &[String]) -> Result<Box<dyn EventSource>, String> {
        let shared = self.logs.entry(files.to_vec()).or_insert_with(|| Arc::new(Mutex::new(SharedLog::new(files))));
        let mut log = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let number = log.next;
        log.next += 1;
        log.waiting.insert(number, VecDeque::new());
        Ok(Box::new(Subscription { log: Arc::clone(shared), number }))
    }
}

/// The instance that stands for all, or for the only one.
fn is_whole(instance: &str, object: &str) -> bool {
    instance.is_empty() || instance == "_Total" || instance.eq_ignore_ascii_case(object)
}

fn strings<'a>(table: &'a Table, column: &str) -> &'a [String] {
    match table.columns.iter().find(|one| one.name == column).and_then(|one| one.values.as_ref()) {
        Some(Values::Strings(values)) => &values.values,
        _ => &[],
    }
}

fn samples_of(table: &Table) -> Vec<Sample> {
    let values = match table.columns.iter().find(|one| one.name == "CounterValue").and_then(|one| one.values.as_ref()) {
        Some(Values::Reals(values)) => values.values.as_slice(),
        _ => &[],
    };
    let (objects, counters) = (strings(table, "ObjectName"), strings(table, "CounterName"));
    let names = objects.iter().zip(counters).zip(strings(table, "InstanceName"));
    names
        .zip(values)
        .map(|(((object, counter), instance), value)| Sample {
            object: object.clone(),
            counter: counter.clone(),
            instance: instance.clone(),
            value: Some(*value),
        })
        .collect()
}

struct Files(Tail);

impl LogSource for Files {
    fn read(&mut self, positions: &Positions, out: &mut Collected) -> Vec<LogLine> {
        let mut lines = Vec::new();
        self.0.read(positions, out, &mut |_, line| {
            let part = |path: Option<&std::ffi::OsStr>| path.map(|part| part.to_string_lossy().into_owned());
            lines.push(LogLine {
                directory: part(line.path.parent().map(std::path::Path::as_os_str)).unwrap_or_default(),
                file: part(line.path.file_name()).unwrap_or_default(),
                text: String::from_utf8_lossy(line.bytes).into_owned(),
            });
        });
        lines
    }
}

/// One reader of the system's log for all sources.
struct SharedLog {
    collector: Syslog,
    prefix: String,
    read_at: Microseconds,
    waiting: HashMap<u64, VecDeque<LogEvent>>,
    next: u64,
}

impl SharedLog {
    fn new(files: &[String]) -> Self {
        let own = SyslogConfig::default();
        let config = SyslogConfig {
            minimum_severity: "debug".to_owned(),
            journal: files.is_empty(),
            files: if files.is_empty() { own.files } else { files.to_vec() },
            ..SyslogConfig::default()
        };
        let prefix = format!("workflow-log/{}/", files.join("|"));
        Self { collector: Syslog::new(config).with_news_only(), prefix, read_at: 0, waiting: HashMap::new(), next: 0 }
    }

    fn read(&mut self, now: Microseconds, positions: &Positions, out: &mut Collected) {
        let mut rows = Collected::default();
        let scoped = positions.scoped(&self.prefix);
        if let Err(error) = self.collector.collect(now, &Origin::default(), &scoped, &mut rows) {
            tracing::warn!(%error, "the system's log cannot be read for workflows");
        }
        out.more = rows.more;
        let (tables, moved) = rows.finish();
        for (key, value) in moved {
            out.position(format!("{}{key}", self.prefix), value);
        }
        for event in tables.iter().filter(|table| table.name == "Syslog").flat_map(events_of) {
            for waiting in self.waiting.values_mut() {
                if waiting.len() >= MAX_WAITING {
                    waiting.pop_front();
                }
                waiting.push_back(event.clone());
            }
        }
    }
}

struct Subscription {
    log: Arc<Mutex<SharedLog>>,
    number: u64,
}

impl EventSource for Subscription {
    fn read(&mut self, now: Microseconds, positions: &Positions, out: &mut Collected) -> Vec<LogEvent> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        // all sources are woken at the same times; the first one reads for all
        if log.read_at != now {
            log.read_at = now;
            log.read(now, positions, out);
        }
        log.waiting.get_mut(&self.number).map(std::mem::take).unwrap_or_default().into()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).waiting.remove(&self.number);
    }
}

/// Records as events: the process is the publisher, the severity the number, the facility the category by name.
fn events_of(table: &Table) -> Vec<LogEvent> {
    let times = match table.columns.iter().find(|one| one.name == "EventTime").and_then(|one| one.values.as_ref()) {
        Some(Values::Datetimes(times)) => times.values.as_slice(),
        _ => &[],
    };
    let of = |name: &str, row: usize| strings(table, name).get(row).cloned().unwrap_or_default();
    let event = |row: usize, time: Microseconds| {
        let severity = of("SeverityLevel", row);
        let number = SEVERITIES.iter().position(|known| *known == severity).unwrap_or(6);
        let message = of("SyslogMessage", row);
        let facility = of("Facility", row);
        LogEvent {
            time,
            event: Event {
                number: u32::try_from(number).unwrap_or(6),
                publisher: of("ProcessName", row),
                level: match number {
                    0..=3 => 1,
                    4 => 2,
                    _ => 4,
                },
                computer: of("HostName", row),
                channel: facility.clone(),
                description: message.clone(),
                params: vec![message, facility, severity, of("ProcessName", row), of("HostName", row)],
                ..Event::default()
            },
        }
    };
    times.iter().enumerate().map(|(row, time)| event(row, *time)).collect()
}

/// Asks systemd about a unit.
async fn service_state(name: &str) -> Result<ServiceState, String> {
    if name.is_empty() || name.starts_with('-') || name.chars().any(|one| one.is_whitespace() || one.is_control()) {
        return Err(format!("{name:?} is not the name of a service"));
    }
    let unit = if name.contains('.') { name.to_owned() } else { format!("{name}.service") };
    let properties = "LoadState,ActiveState,SubState,UnitFileState,MainPID,NRestarts,Description";
    let execution = Execution {
        program: "systemctl".into(),
        arguments: vec!["show".into(), format!("--property={properties}").into(), "--".into(), OsString::from(&unit)],
        folder: None,
        environment: vec![("LC_ALL".to_owned(), "C".to_owned())],
        user: None,
        output_limit: 64 * 1024,
    };
    let finished = execute(execution).await.map_err(|failure| failure.reason)?;
    if finished.code != 0 {
        return Err(format!("systemctl cannot say the state of {unit}: {}", finished.stderr.trim()));
    }
    Ok(parse_service(&finished.stdout))
}

fn parse_service(text: &str) -> ServiceState {
    let of = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().to_owned()
    };
    ServiceState {
        load: of("LoadState"),
        active: of("ActiveState"),
        sub: of("SubState"),
        unit_file: of("UnitFileState"),
        main_process: of("MainPID").parse().unwrap_or(0),
        restarts: of("NRestarts").parse().unwrap_or(0),
        description: of("Description"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_this_machine_are_found_by_the_names_that_the_collector_uses() {
        let mut linux = Linux::default();
        let second = 1_000_000;
        let memory = linux.samples(0, 60 * second, "Memory", "% Used Memory", "").unwrap();
        assert_eq!(memory.len(), 1);
        assert!(memory[0].value.is_some_and(|value| (0.0..=100.0).contains(&value)));
        assert!(linux.samples(0, 60 * second, "Memory", "No Such Counter", "*").unwrap().is_empty());
    }

    #[test]
    fn this_process_is_found_with_its_user_and_memory() {
        let own = i32::try_from(std::process::id()).unwrap();
        let all = Linux::default().processes();
        let this = all.iter().find(|process| process.id == own).unwrap();
        assert!(this.memory_bytes > 0.0 && !this.user.is_empty());
        assert_eq!(this.path, std::env::current_exe().unwrap().display().to_string());
    }

    #[test]
    fn what_systemctl_says_is_read() {
        let state =
            parse_service("LoadState=loaded\nActiveState=failed\nSubState=failed\nMainPID=12\nDescription=a=b\n");
        assert_eq!((state.active.as_str(), state.main_process, state.description.as_str()), ("failed", 12, "a=b"));
    }

    #[tokio::test]
    async fn a_name_that_is_no_service_is_refused() {
        for name in ["", "--all", "a b", "a\nb"] {
            assert!(service_state(name).await.is_err(), "{name:?}");
        }
    }
}
