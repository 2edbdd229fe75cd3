//! `Syslog` from a journal, from files, and from whatever is there.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use watchkeeper_agent::collect::{Collected, Collector, Origin};
use watchkeeper_agent::config::SyslogConfig;
use watchkeeper_agent::linux::syslog::Syslog;
use watchkeeper_agent::queue::{Class, Queue, QueueLimits};
use watchkeeper_wire::{Table, Values};

const DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);

fn collector(folder: &Path, minimum_severity: &str) -> Syslog {
    let config = SyslogConfig {
        files: vec![folder.join("syslog*").display().to_string()],
        minimum_severity: minimum_severity.to_owned(),
        ..SyslogConfig::default()
    };
    Syslog::new(config).with_places(folder.join("journalctl"), vec![folder.join("journal")], PathBuf::from("/dev/null"))
}

/// A `journalctl` that writes entries with the numbers after its cursor, or the newest, up to 5, and waits as `--follow`
/// does.
fn write_journalctl(folder: &Path, last: &str) {
    fs::create_dir_all(folder.join("journal/machine")).unwrap();
    fs::write(folder.join("journal/machine/system.journal"), "").unwrap();
    let script = format!(
        r#"#!/bin/sh
n=0
for argument; do case $argument in --after-cursor=*) n=${{argument#--after-cursor=}};; --lines=1) n=4;; esac; done
while [ $n -lt 5 ]; do
  n=$((n + 1))
  echo "{{\"__CURSOR\":\"$n\",\"__REALTIME_TIMESTAMP\":\"$n\",\"PRIORITY\":\"$n\",\"MESSAGE\":\"entry $n\"}}"
done
{last}
"#
    );
    let path = folder.join("journalctl");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn strings(tables: &[Table], column: &str) -> Vec<String> {
    let columns = tables.iter().filter(|table| table.name == "Syslog").flat_map(|table| &table.columns);
    columns
        .filter(|one| one.name == column)
        .flat_map(|one| match &one.values {
            Some(Values::Strings(values)) => values.values.clone(),
            _ => panic!("{column} is a string"),
        })
        .collect()
}

/// Collects until there are so many messages; keeps positions only when told.
fn collect(collector: &mut Syslog, queue: &mut Queue, keep: bool, enough: usize) -> Vec<String> {
    let began = Instant::now();
    let mut messages = Vec::new();
    while messages.len() < enough {
        assert!(began.elapsed() < DEADLINE, "only {messages:?} came in time");
        let mut out = Collected::default();
        let origin = Origin { computer: "box".to_owned(), ..Origin::default() };
        collector.collect(1_000_000_000_000_000, &origin, queue.positions(), &mut out).unwrap();
        let (tables, positions) = out.finish();
        messages.extend(strings(&tables, "SyslogMessage"));
        if keep && !positions.is_empty() {
            queue.append(Class::Event, 0, 0, Vec::new(), &positions).unwrap();
        }
        std::thread::yield_now();
    }
    messages
}

fn open(folder: &Path) -> Queue {
    Queue::open(&folder.join("queue"), QueueLimits::with_max_bytes(1 << 20)).unwrap()
}

#[test]
fn the_journal_is_read_on_after_the_last_entry_that_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    write_journalctl(folder.path(), "exec sleep 1000");
    let mut queue = open(folder.path());
    let mut first = collector(folder.path(), "debug");
    // entries that could not be kept come again
    let lost = collect(&mut first, &mut queue, false, 1);
    assert_eq!(lost[0], "entry 1");
    let all = ["entry 1", "entry 2", "entry 3", "entry 4", "entry 5"];
    let mut kept = Vec::new();
    while kept.len() < all.len() {
        kept.extend(collect(&mut first, &mut queue, true, 1));
    }
    assert_eq!(kept, all);
    drop(first);
    drop(queue);
    let queue = open(folder.path());
    assert_eq!(queue.positions().get("syslog/journal"), Some(b"5".as_slice()));
}

#[test]
fn who_wants_news_only_gets_nothing_from_before_and_everything_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    write_journalctl(folder.path(), "exec sleep 1000");
    let mut queue = open(folder.path());
    let mut syslog = collector(folder.path(), "debug").with_news_only();
    let began = Instant::now();
    while queue.positions().get("syslog/journal") != Some(b"5".as_slice()) {
        assert!(began.elapsed() < DEADLINE, "no position was kept");
        let mut out = Collected::default();
        syslog.collect(1_000_000_000_000_000, &Origin::default(), queue.positions(), &mut out).unwrap();
        let (tables, positions) = out.finish();
        assert!(strings(&tables, "SyslogMessage").is_empty(), "entry 5 was there before");
        queue.append(Class::Event, 0, 0, Vec::new(), &positions).unwrap();
        std::thread::yield_now();
    }
    // what came while nobody looked is news, whatever its time
    let script = folder.path().join("journalctl");
    fs::write(&script, fs::read_to_string(&script).unwrap().replace("-lt 5", "-lt 7")).unwrap();
    let mut again = collector(folder.path(), "debug").with_news_only();
    let mut news = Vec::new();
    while news.len() < 2 {
        news.extend(collect(&mut again, &mut queue, true, 1));
    }
    assert_eq!(news, ["entry 6", "entry 7"]);
}

#[test]
fn a_journal_that_cannot_be_read_gives_way_to_files() {
    let folder = tempfile::tempdir().unwrap();
    write_journalctl(folder.path(), "");
    fs::write(folder.path().join("journalctl"), "#!/bin/sh\necho no access >&2\nexit 1\n").unwrap();
    fs::write(folder.path().join("syslog"), "Mar  1 01:02:03 h app[5]: from the file\n").unwrap();
    let mut queue = open(folder.path());
    let mut syslog = collector(folder.path(), "info");
    assert_eq!(collect(&mut syslog, &mut queue, true, 1), ["from the file"]);
}

#[test]
fn less_severe_records_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "<11>Mar  1 01:02:03 h a: error\n<14>Mar  1 01:02:03 h a: info\n<12>Mar  1 01:02:03 h a: warning\n";
    fs::write(folder.path().join("syslog"), lines).unwrap();
    let mut queue = open(folder.path());
    let mut syslog = collector(folder.path(), "warning");
    assert_eq!(collect(&mut syslog, &mut queue, true, 2), ["error", "warning"]);
}
