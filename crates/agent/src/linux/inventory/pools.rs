//! Processes grouped: a process and its workers, which run the same program as it, are one pool.

use std::collections::HashMap;

use super::super::processes::{self, Program, Stat, TICKS};
use super::stable_name;
use crate::collect::{Collected, Origin};
use crate::linux::containers::Containers;
use crate::linux::machine::uptime_microseconds;
use crate::system::Microseconds;

/// Processes that belong together.
pub(crate) struct Pool {
    /// `p-` and a name made of program, user and command line.
    pub(crate) id: String,
    pub(crate) executable: String,
    /// Ticks after the boot.
    pub(super) started: u64,
    first_pid: i32,
    program: Program,
    user: String,
    service: Option<String>,
    /// The container that it runs in, or its service.
    group: Option<String>,
}

impl Pool {
    /// What people call it: a program of an interpreter is what is interpreted.
    fn display_name(&self) -> &str {
        self.program.interpreted.as_deref().unwrap_or(&self.executable)
    }

    pub(super) fn put(
        &self,
        now: Microseconds,
        origin: &Origin,
        machine: &str,
        boot_time: Microseconds,
        out: &mut Collected,
    ) {
        let started = boot_time + (self.started as f64 / TICKS * 1e6) as Microseconds;
        let services: Vec<&str> = self.service.iter().map(String::as_str).collect();
        out.table("VMProcess")
            .row()
            .datetime("TimeGenerated", now)
            .string("Computer", &origin.computer)
            .string("AgentId", &origin.agent_id)
            .string("Machine", machine)
            .string("Process", &self.id)
            .string("ExecutableName", &self.executable)
            .string("DisplayName", self.display_name())
            .string("Group", self.group.as_deref().unwrap_or(self.display_name()))
            .datetime("StartTime", started)
            .int("FirstPid", self.first_pid)
            .string("ExecutablePath", &self.program.path)
            .string("CommandLine", &self.program.command_line)
            .string("WorkingDirectory", &self.program.folder)
            .dynamic("Services", &serde_json::json!(services).to_string())
            .string("UserName", &self.user)
            .string("SourceSystem", "Insights")
            .string("_ResourceId", &format!("/machines/{machine}/processes/{}", self.id));
    }
}

/// The pools of the last look; what programs are is read once for each process.
#[derive(Default)]
pub(crate) struct Pools {
    buffer: String,
    programs: HashMap<(i32, u64), Program>,
    pools: Vec<Pool>,
    by_pid: HashMap<i32, usize>,
    by_id: HashMap<String, usize>,
    users: HashMap<u32, String>,
    containers: Containers,
    services: HashMap<String, Option<String>>,
    uptime: Microseconds,
}

impl Pools {
    /// Looks at all processes.
    pub(super) fn look(&mut self) {
        self.uptime = uptime_microseconds();
        let mut stats = processes::all(&mut self.buffer);
        stats.sort_by_key(|stat| (stat.started, stat.pid));
        let mut programs = HashMap::with_capacity(stats.len());
        for stat in &stats {
            let key = (stat.pid, stat.started);
            // a process that was just made may run another program soon
            let young = self.uptime_ticks().saturating_sub(stat.started) < super::SETTLED_TICKS;
            let known = self.programs.remove(&key).filter(|_| !young);
            if let Some(program) = known.or_else(|| processes::program(stat.pid)) {
                programs.insert(key, program);
            }
        }
        self.programs = programs;
        self.group(&stats);
    }

    fn group(&mut self, stats: &[Stat]) {
        let services = std::mem::take(&mut self.services);
        self.pools.clear();
        self.by_pid.clear();
        self.by_id.clear();
        self.users = processes::users();
        for stat in stats {
            let Some(program) = self.programs.get(&(stat.pid, stat.started)).cloned() else { continue };
            let service = |id: &str| services.get(id).cloned().unwrap_or_else(|| processes::service(stat.pid));
            self.put_in_pool(stat, &program, service);
        }
    }

    /// Adds a process that had connections and is gone by now; nothing for one that is known.
    pub(crate) fn adopt(&mut self, stat: &Stat, program: &Program) {
        if !self.by_pid.contains_key(&stat.pid) {
            self.put_in_pool(stat, program, |_| None);
        }
    }

    fn put_in_pool(&mut self, stat: &Stat, program: &Program, service: impl FnOnce(&str) -> Option<String>) {
        let of_parent = self.by_pid.get(&stat.parent).copied().filter(|pool| {
            let parent = &self.pools[*pool].program;
            let same = parent.path == program.path
                && parent.interpreted == program.interpreted
                && parent.container == program.container;
            !program.path.is_empty() && same && parent.user_id == program.user_id
        });
        let index = of_parent.unwrap_or_else(|| {
            let user = self.users.get(&program.user_id).cloned().unwrap_or_else(|| program.user_id.to_string());
            let executable = executable(program, stat);
            let mut parts = vec![program.path.as_str(), &executable, &user, &program.command_line];
            // the same program in two containers is two
            parts.extend(program.container.as_deref());
            let id = format!("p-{}", stable_name(&parts));
            if let Some(index) = self.by_id.get(&id) {
                return *index;
            }
            let service = service(&id);
            self.services.insert(id.clone(), service.clone());
            let container = program.container.as_deref().map(|identity| self.containers.name(identity));
            self.by_id.insert(id.clone(), self.pools.len());
            self.pools.push(Pool {
                id,
                executable,
                started: stat.started,
                first_pid: stat.pid,
                program: program.clone(),
                user,
                group: container.or_else(|| service.clone()),
                service,
            });
            self.pools.len() - 1
        });
        self.by_pid.insert(stat.pid, index);
    }

    pub(super) fn pools(&self) -> &[Pool] {
        &self.pools
    }

    pub(crate) fn of(&self, pid: i32) -> Option<&Pool> {
        self.by_pid.get(&pid).map(|index| &self.pools[*index])
    }

    pub(super) fn uptime_ticks(&self) -> u64 {
        (self.uptime as f64 / 1e6 * TICKS) as u64
    }

    pub(super) fn boot_time(&self, now: Microseconds) -> Microseconds {
        now - self.uptime
    }
}

fn executable(program: &Program, stat: &Stat) -> String {
    match program.path.rsplit('/').next() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => stat.name.clone(),
    }
}
