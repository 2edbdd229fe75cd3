//! The processes of the machine, from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use super::{containers, program_name};

/// Ticks a second in `/proc`; the kernel's interface has this value whatever the kernel counts in.
pub const TICKS: f64 = 100.0;

/// What `/proc/PID/stat` says (proc(5)).
#[derive(Debug, Clone, PartialEq)]
pub struct Stat {
    /// The process.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// The name, cut to 15 bytes by the kernel.
    pub name: String,
    /// Ticks in user mode.
    pub user: u64,
    /// Ticks in the kernel.
    pub system: u64,
    /// Ticks after the boot when it began.
    pub started: u64,
    /// Resident memory in pages.
    pub resident: u64,
    kernel_thread: bool,
}

impl Stat {
    /// What is known of a process that was gone before it could be asked.
    pub(crate) fn ended(pid: i32, name: String) -> Self {
        Self { pid, parent: 0, name, user: 0, system: 0, started: 0, resident: 0, kernel_thread: false }
    }
}

/// What does not change while a process runs the same program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// Empty where it may not be seen.
    pub path: String,
    /// The arguments with spaces between.
    pub command_line: String,
    /// Who it runs as.
    pub user_id: u32,
    /// Where it runs.
    pub folder: String,
    /// What an interpreter runs: the class, the script, the module.
    pub interpreted: Option<String>,
    /// The identity of the container that it runs in.
    pub container: Option<String>,
}

/// All processes without threads of the kernel. The buffer is reused.
pub fn all(buffer: &mut String) -> Vec<Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| {
        buffer.clear();
        fs::File::open(format!("/proc/{pid}/stat")).ok()?.read_to_string(buffer).ok()?;
        parse(buffer)
    })
    .filter(|stat| !stat.kernel_thread)
    .collect()
}

/// One process; nothing when it is gone or a thread of the kernel.
#[must_use]
pub fn one(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse(&text).filter(|stat| !stat.kernel_thread)
}

fn parse(text: &str) -> Option<Stat> {
    // the name may hold anything, brackets too
    let (head, rest) = text.rsplit_once(')')?;
    let (pid, name) = head.split_once(" (")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok());
    const KERNEL_THREAD: u64 = 0x0020_0000;
    Some(Stat {
        pid: pid.parse().ok()?,
        parent: fields.get(1)?.parse().ok()?,
        name: name.to_owned(),
        user: field(14)?,
        system: field(15)?,
        started: field(22)?,
        resident: field(24)?,
        kernel_thread: field(9)? & KERNEL_THREAD != 0,
    })
}

/// The program of a process; nothing when the process is gone.
#[must_use]
pub fn program(pid: i32) -> Option<Program> {
    let folder = format!("/proc/{pid}");
    let link = |name: &str| {
        let target = fs::read_link(format!("{folder}/{name}")).unwrap_or_default();
        target.to_string_lossy().trim_end_matches(" (deleted)").to_owned()
    };
    let arguments = fs::read(format!("{folder}/cmdline")).ok()?;
    let command_line = String::from_utf8_lossy(&arguments).trim_end_matches('\0').replace('\0', " ");
    let user_id = fs::metadata(&folder).ok()?.uid();
    let path = link("exe");
    let words: Vec<&str> = std::str::from_utf8(&arguments).unwrap_or_default().split('\0').skip(1).collect();
    let words = words.strip_suffix(&[""]).unwrap_or(&words);
    let executable = path.rsplit('/').next().unwrap_or_default();
    let interpreted = program_name::of_interpreted(executable, words);
    let groups = fs::read_to_string(format!("{folder}/cgroup")).unwrap_or_default();
    let container = containers::identity(&groups);
    Some(Program { path, command_line, user_id, folder: link("cwd"), interpreted, container })
}

/// The names of users by number, from `/etc/passwd`.
#[must_use]
pub fn users() -> HashMap<u32, String> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((fields.nth(1)?.parse().ok()?, name))
    };
    passwd.lines().filter_map(user).collect()
}

/// The unit of systemd that a process belongs to.
#[must_use]
pub fn service(pid: i32) -> Option<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let unit = groups.lines().find_map(|line| line.rsplit('/').find(|part| part.ends_with(".service")))?;
    Some(unit.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let rest = "S 1 7 7 0 -1 4194560 100 0 0 0 11 22 0 0 20 0 3 0 4567 1000000 321 184467";
        let stat = parse(&format!("42 (a) b (c) {rest}")).unwrap();
        assert_eq!((stat.pid, stat.parent, stat.name.as_str()), (42, 1, "a) b (c"));
        assert_eq!((stat.user, stat.system, stat.started, stat.resident), (11, 22, 4567, 321));
        assert!(!stat.kernel_thread);
        assert!(parse("42 (x) S 1").is_none());
    }

    #[test]
    fn this_process_is_among_all_and_has_a_program() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(all(&mut String::new()).iter().any(|stat| stat.pid == own));
        let program = program(own).unwrap();
        assert_eq!(program.path, std::env::current_exe().unwrap().display().to_string());
    }
}
