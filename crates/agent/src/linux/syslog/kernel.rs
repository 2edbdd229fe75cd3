//! The kernel's messages: `/dev/kmsg` (kernel documentation, ABI/testing/dev-kmsg).

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::OFlags;

use super::super::machine::first_line;
use super::{Record, Records};
use crate::collect::{CollectError, Collected};
use crate::queue::Positions;
use crate::system::Microseconds;

/// The longest record that the kernel gives.
const RECORD: usize = 16 * 1024;
/// Records that become one batch.
const AT_ONCE: usize = 4096;
const POSITION: &str = "syslog/kernel";

/// Reads on after a sequence number of a boot.
pub(super) struct Kernel {
    path: PathBuf,
    file: Option<File>,
    /// The position after the records that were given last.
    given: Vec<u8>,
    boot: String,
    boot_time: Microseconds,
    /// Begin after the newest record where no position is kept.
    news_only: bool,
}

impl Kernel {
    pub(super) fn new(path: PathBuf, news_only: bool) -> Self {
        let boot = first_line("/proc/sys/kernel/random/boot_id");
        Self { path, file: None, given: Vec::new(), boot, boot_time: 0, news_only }
    }

    pub(super) fn collect(
        &mut self,
        records: &Records<'_>,
        positions: &Positions,
        out: &mut Collected,
    ) -> Result<(), CollectError> {
        let kept = positions.get(POSITION).unwrap_or_default();
        if self.file.is_none() || kept != self.given {
            // what was given was not kept, or this is the start: from the oldest record on
            let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
            let failed = |error| CollectError::new(self.path.display().to_string(), error);
            let mut file = File::options().read(true).custom_flags(flags).open(&self.path).map_err(failed)?;
            if self.news_only && kept.is_empty() {
                file.seek(SeekFrom::End(0)).map_err(failed)?;
            }
            self.file = Some(file);
            self.given = kept.to_vec();
            self.boot_time = records.now - super::super::machine::uptime_microseconds();
        }
        let after = std::str::from_utf8(kept).ok().and_then(|kept| {
            let (boot, sequence) = kept.split_once(' ')?;
            (boot == self.boot).then_some(sequence.parse::<u64>().ok()?)
        });
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut buffer = vec![0; RECORD];
        let mut last = None;
        for taken in 0.. {
            if taken == AT_ONCE {
                out.more = true;
                break;
            }
            let read = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                // the kernel has overwritten what was to be read next
                Err(error) if error.kind() == ErrorKind::BrokenPipe => continue,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::InvalidInput) => break,
                Err(error) => {
                    self.file = None;
                    return Err(CollectError::new(self.path.display().to_string(), error));
                }
            };
            let Some((sequence, record)) = parse(&String::from_utf8_lossy(&buffer[..read]), self.boot_time) else {
                continue;
            };
            if after.is_none_or(|after| sequence > after) {
                records.put(&record, out);
                last = Some(sequence);
            }
        }
        if let Some(last) = last {
            self.given = format!("{} {last}", self.boot).into_bytes();
            out.position(POSITION, self.given.clone());
        }
        Ok(())
    }
}

/// `6,339,5140900,-;message`, then lines with a space in front that hold properties.
fn parse(text: &str, boot_time: Microseconds) -> Option<(u64, Record)> {
    let (head, rest) = text.split_once(';')?;
    let mut fields = head.split(',');
    let priority: u32 = fields.next()?.parse().ok()?;
    let sequence = fields.next()?.parse().ok()?;
    let since_boot: Microseconds = fields.next()?.parse().ok()?;
    let message = unescape(rest.lines().next().unwrap_or_default());
    let facility = u8::try_from(priority >> 3).unwrap_or(super::USER);
    // what a process wrote into the kernel's buffer names itself as in a syslog line
    let record = Record {
        time: Some(boot_time + since_boot),
        facility,
        severity: u8::try_from(priority & 7).unwrap_or(super::INFO),
        host: String::new(),
        process: "kernel".to_owned(),
        process_id: None,
        message,
    };
    if facility == 0 {
        return Some((sequence, record));
    }
    let (process, process_id, message) = super::files::tag(&record.message);
    let record = Record { process, process_id, message: message.to_owned(), ..record };
    Some((sequence, record))
}

/// `\x09` stands for a byte that cannot be shown.
fn unescape(text: &str) -> String {
    if !text.contains("\\x") {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        match after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.extend_from_slice(b"\\x");
                rest = after;
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_documented() {
        for (text, sequence, facility, severity, process, process_id, message) in [
            ("6,339,5140900,-;eth0: link up\n SUBSYSTEM=net\n DEVICE=n2\n", 339, 0, 6, "kernel", None, "eth0: link up"),
            ("3,7,1,c,caller=T1;tab\\x09 and \\x5c\n", 7, 0, 3, "kernel", None, "tab\t and \\"),
            ("30,8,1,-;systemd[1]: Started it.\n", 8, 3, 6, "systemd", Some(1), "Started it."),
        ] {
            let (number, record) = parse(text, 1_000_000).unwrap();
            assert_eq!((number, record.facility, record.severity), (sequence, facility, severity), "{text}");
            assert_eq!((record.process.as_str(), record.process_id), (process, process_id), "{text}");
            assert_eq!(record.message, message);
        }
        assert_eq!(parse("6,339,5,-;x", 1_000_000).unwrap().1.time, Some(1_000_005));
        for text in ["", "no semicolon", "x,1,2,-;m", "6,1;m"] {
            assert_eq!(parse(text, 0), None, "{text}");
        }
    }
}
