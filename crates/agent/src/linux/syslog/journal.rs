//! The system journal, as `journalctl` exports it.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use serde_json::Value;

use super::{INFO, Record, Records, USER};
use crate::collect::{CollectError, Collected};
use crate::queue::Positions;
use crate::system::Microseconds;

const POSITION: &str = "syslog/journal";
/// How many of the newest entries are read when the agent meets a journal for the first time.
const BEFORE: &str = "--lines=1000";
/// For who wants news only: the newest entry, after which they begin.
const NEWEST: &str = "--lines=1";
/// Entries that become one batch, and entries that wait between the reader and the collector.
const AT_ONCE: usize = 2000;
const WAITING: usize = 500;
/// `journalctl` may end so often, without an entry between, before the journal is given up.
const FAILURES: usize = 3;
const FIELDS: &str =
    "--output-fields=MESSAGE,PRIORITY,SYSLOG_FACILITY,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_COMM,_HOSTNAME,_TRANSPORT";

/// Whether one of the folders holds a journal.
pub(super) fn is_there(folders: &[PathBuf]) -> bool {
    let entries =
        |folder: &PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    folders
        .iter()
        .flat_map(entries)
        .flat_map(|machine| entries(&machine).collect::<Vec<_>>())
        .any(|file| file.extension().is_some_and(|ending| ending == "journal"))
}

struct Entry {
    cursor: String,
    record: Record,
}

/// A running `journalctl`; it ends with this.
struct Following {
    child: Child,
    entries: Receiver<Entry>,
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads on after a cursor.
pub(super) struct Journal {
    program: PathBuf,
    following: Option<Following>,
    /// The position after the entries that were given last.
    given: Vec<u8>,
    failures: usize,
    /// Entries that were there when no position was kept yet are not given.
    news_only: bool,
    /// With `news_only`: when the journal was looked at first, until its first entry has come.
    first_look: Option<Microseconds>,
}

impl Journal {
    pub(super) fn new(program: PathBuf, news_only: bool) -> Self {
        Self { program, following: None, given: Vec::new(), failures: 0, news_only, first_look: None }
    }

    /// # Errors
    /// When `journalctl` cannot be used at all.
    pub(super) fn collect(
        &mut self,
        records: &Records<'_>,
        positions: &Positions,
        out: &mut Collected,
    ) -> Result<(), CollectError> {
        let kept = positions.get(POSITION).unwrap_or_default();
        if self.following.is_none() || kept != self.given {
            self.following = None;
            self.first_look = (self.news_only && kept.is_empty()).then_some(records.now);
            self.following = Some(self.start(&String::from_utf8_lossy(kept))?);
            self.given = kept.to_vec();
        }
        let Some(following) = &mut self.following else { return Ok(()) };
        let mut last = None;
        let mut taken = 0;
        let ended = loop {
            if taken == AT_ONCE {
                out.more = true;
                break false;
            }
            match following.entries.try_recv() {
                Ok(entry) => {
                    taken += 1;
                    // only the first one can be old: `NEWEST`
                    let since = self.first_look.take().unwrap_or(Microseconds::MIN);
                    if entry.record.time.is_none_or(|time| time >= since) {
                        records.put(&entry.record, out);
                    }
                    last = Some(entry.cursor);
                }
                Err(TryRecvError::Empty) => break false,
                Err(TryRecvError::Disconnected) => break true,
            }
        };
        if let Some(cursor) = last {
            self.failures = 0;
            self.given = cursor.into_bytes();
            out.position(POSITION, self.given.clone());
        }
        if ended {
            self.ended()?;
        }
        Ok(())
    }

    fn start(&self, cursor: &str) -> Result<Following, CollectError> {
        let failed = |reason: &dyn std::fmt::Display| CollectError::new(self.program.display().to_string(), reason);
        let mut command = Command::new(&self.program);
        command.args(["--output=json", "--all", "--follow", "--no-pager", FIELDS]);
        if cursor.is_empty() {
            command.arg(if self.news_only { NEWEST } else { BEFORE });
        } else {
            command.arg("--no-tail").arg(format!("--after-cursor={cursor}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| failed(&error))?;
        let output = child.stdout.take().ok_or_else(|| failed(&"it has no output"))?;
        let (sender, entries) = sync_channel(WAITING);
        let reader = thread::Builder::new().name("journal".to_owned()).stack_size(128 * 1024);
        reader
            .spawn(move || {
                let mut output = BufReader::new(output);
                let mut line = Vec::new();
                while output.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                    if let Some(entry) = parse(&line)
                        && sender.send(entry).is_err()
                    {
                        return;
                    }
                    line.clear();
                }
            })
            .map_err(|error| failed(&error))?;
        Ok(Following { child, entries })
    }

    fn ended(&mut self) -> Result<(), CollectError> {
        let Some(mut following) = self.following.take() else { return Ok(()) };
        let _ = following.child.kill();
        let mut text = String::new();
        if let Some(errors) = following.child.stderr.take() {
            let _ = errors.take(4096).read_to_string(&mut text);
        }
        self.failures += 1;
        if self.failures >= FAILURES {
            let said = text.lines().last().unwrap_or("it ended without a message");
            return Err(CollectError::new(self.program.display().to_string(), said));
        }
        Ok(())
    }
}

fn parse(line: &[u8]) -> Option<Entry> {
    let entry: Value = serde_json::from_slice(line).ok()?;
    let cursor = entry.get("__CURSOR")?.as_str()?.to_owned();
    let field = |name: &str| entry.get(name).map(text).unwrap_or_default();
    let number = |name: &str| field(name).parse::<u8>().ok();
    let kernel = field("_TRANSPORT") == "kernel";
    let process = [field("SYSLOG_IDENTIFIER"), field("_COMM")].into_iter().find(|name| !name.is_empty());
    let process_id = [field("SYSLOG_PID"), field("_PID")].iter().find_map(|id| id.parse().ok());
    let record = Record {
        time: field("__REALTIME_TIMESTAMP").parse::<Microseconds>().ok(),
        facility: number("SYSLOG_FACILITY").unwrap_or(if kernel { 0 } else { USER }),
        severity: number("PRIORITY").filter(|severity| *severity < 8).unwrap_or(INFO),
        host: field("_HOSTNAME"),
        process: process.unwrap_or_else(|| if kernel { "kernel".to_owned() } else { String::new() }),
        process_id,
        message: field("MESSAGE").trim_end().to_owned(),
    };
    Some(Entry { cursor, record })
}

/// A field is a text, bytes where it is not UTF-8, or a list of these where it is there several times.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.first().is_some_and(Value::is_number) => {
            let bytes: Vec<u8> =
                items.iter().filter_map(|item| item.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        Value::Array(items) => items.first().map(text).unwrap_or_default(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_all_forms_become_records() {
        for (line, facility, severity, process, process_id, message) in [
            (
                r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"5","PRIORITY":"3","SYSLOG_FACILITY":"10","SYSLOG_IDENTIFIER":"sshd","_PID":"8","MESSAGE":"no"}"#,
                10,
                3,
                "sshd",
                Some(8),
                "no",
            ),
            (
                r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"5","_COMM":"app","MESSAGE":[104,105,255]}"#,
                1,
                6,
                "app",
                None,
                "hi\u{fffd}",
            ),
            (
                r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"5","_TRANSPORT":"kernel","PRIORITY":"4","MESSAGE":["a","b"]}"#,
                0,
                4,
                "kernel",
                None,
                "a",
            ),
            (r#"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"5","PRIORITY":"9","MESSAGE":null}"#, 1, 6, "", None, ""),
        ] {
            let entry = parse(line.as_bytes()).unwrap();
            let record = entry.record;
            assert_eq!((record.time, record.facility, record.severity), (Some(5), facility, severity), "{line}");
            assert_eq!(
                (record.process.as_str(), record.process_id, record.message.as_str()),
                (process, process_id, message)
            );
        }
        assert!(parse(b"-- No entries --").is_none());
        assert!(parse(b"{}").is_none());
    }
}
