//! Syslog files: lines with RFC 3164 or ISO 8601 times, with or without a priority, and RFC 5424 lines.

use std::path::Path;

use chrono::{DateTime, Datelike, Local, NaiveDate, NaiveDateTime, TimeZone};

use super::super::tail::{Start, Tail};
use super::super::text_logs::report_cut;
use super::{INFO, Record, Records, USER};
use crate::collect::Collected;
use crate::queue::Positions;
use crate::system::Microseconds;

/// How much of a file that was there before the agent is read.
const BEFORE: u64 = 256 * 1024;

/// Follows the files.
pub(super) struct Files {
    tail: Tail,
}

impl Files {
    pub(super) fn new(patterns: &[String], news_only: bool) -> Self {
        let start = if news_only { Start::End } else { Start::Last(BEFORE) };
        Self { tail: Tail::new("syslog/files", patterns.to_vec(), start) }
    }

    pub(super) fn are_there(&self) -> bool {
        self.tail.has_files()
    }

    pub(super) fn collect(&mut self, records: &Records<'_>, positions: &Positions, out: &mut Collected) {
        let report = self.tail.read(positions, out, &mut |out, line| {
            let text = String::from_utf8_lossy(line.bytes);
            records.put(&parse(&text, facility_of(line.path), records.now), out);
        });
        report_cut(&report, records.now, records.origin, out);
    }
}

/// What a file's name says about the facility of lines that do not say it.
fn facility_of(path: &Path) -> Option<u8> {
    let name = path.file_name()?.to_str()?;
    let named = [("auth", 10), ("secure", 10), ("kern", 0), ("mail", 2), ("cron", 9), ("daemon", 3), ("user", 1)];
    named.iter().find(|(start, _)| name.starts_with(start)).map(|(_, facility)| *facility)
}

/// What a program's name says.
fn facility_by_process(process: &str) -> u8 {
    match process {
        "kernel" => 0,
        "cron" | "CRON" | "crond" | "anacron" => 9,
        "sshd" | "sudo" | "su" | "login" | "systemd-logind" | "polkitd" | "passwd" | "useradd" => 10,
        "rsyslogd" | "syslog-ng" => 5,
        "systemd" | "dbus-daemon" | "systemd-networkd" | "systemd-resolved" | "NetworkManager" => 3,
        _ if process.starts_with("postfix/") || process == "dovecot" => 2,
        _ => USER,
    }
}

/// Reads a line; one that is of no known form is the message as a whole.
fn parse(line: &str, by_file: Option<u8>, now: Microseconds) -> Record {
    let (priority, rest) = priority(line);
    let (record, known) = match rest.strip_prefix("1 ").filter(|_| priority.is_some()).and_then(parse_5424) {
        Some(record) => (record, true),
        None => parse_plain(rest, now),
    };
    let facility = match priority {
        Some(priority) => priority >> 3,
        None if known && record.process == "kernel" => 0,
        None => by_file.unwrap_or_else(|| facility_by_process(&record.process)),
    };
    Record { facility, severity: priority.map_or(INFO, |priority| priority & 7), ..record }
}

fn priority(line: &str) -> (Option<u8>, &str) {
    let parsed = line.strip_prefix('<').and_then(|rest| {
        let (digits, rest) = rest.split_once('>')?;
        let number = digits.parse::<u8>().ok().filter(|number| *number < 192)?;
        Some((number, rest))
    });
    match parsed {
        Some((number, rest)) => (Some(number), rest),
        None => (None, line),
    }
}

/// `TIME HOST TAG[PID]: MESSAGE`; false when there is no time.
fn parse_plain(text: &str, now: Microseconds) -> (Record, bool) {
    let record = |time, host: &str, rest: &str| {
        let (process, process_id, message) = tag(rest);
        Record {
            time,
            facility: USER,
            severity: INFO,
            host: host.to_owned(),
            process,
            process_id,
            message: message.to_owned(),
        }
    };
    let Some((time, rest)) = iso_time(text).or_else(|| traditional_time(text, now)) else {
        let whole = Record { process: String::new(), process_id: None, ..record(None, "", "") };
        return (Record { message: text.to_owned(), ..whole }, false);
    };
    let (host, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    (record(Some(time), host, rest), true)
}

/// `2026-01-02T03:04:05.678901+01:00 …`
fn iso_time(text: &str) -> Option<(Microseconds, &str)> {
    let (time, rest) = text.split_once(' ')?;
    if !time.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let micros = match DateTime::parse_from_rfc3339(time) {
        Ok(time) => time.timestamp_micros(),
        Err(_) => local(NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S%.f").ok()?)?,
    };
    Some((micros, rest))
}

/// `Jan  2 03:04:05 …`, in local time and without a year: the one that lies nearest before now.
fn traditional_time(text: &str, now: Microseconds) -> Option<(Microseconds, &str)> {
    let (stamp, rest) = (text.get(..15)?, text.get(15..)?.strip_prefix(' ')?);
    let present = DateTime::from_timestamp_micros(now)?;
    let with_year = |year: i32| {
        let time = NaiveDateTime::parse_from_str(&format!("{year} {stamp}"), "%Y %b %e %H:%M:%S").ok()?;
        local(time)
    };
    // the stamp of a leap day is no date in other years
    let year = present.year();
    let tomorrow = now + super::NEWEST;
    let time = [year + 1, year, year - 1, year - 2, year - 3, year - 4]
        .into_iter()
        .filter_map(with_year)
        .find(|time| *time <= tomorrow)?;
    Some((time, rest))
}

fn local(time: NaiveDateTime) -> Option<Microseconds> {
    // a time that comes twice when clocks are set back is the first; one that is skipped is read as UTC
    let zoned = Local.from_local_datetime(&time).earliest();
    Some(zoned.map_or_else(|| time.and_utc().timestamp_micros(), |time| time.timestamp_micros()))
        .filter(|_| time.date() > NaiveDate::MIN)
}

/// Splits `name[pid]: message`.
pub(super) fn tag(text: &str) -> (String, Option<i32>, &str) {
    let none = (String::new(), None, text);
    let end = text.find(|next: char| next == ':' || next == '[' || next.is_whitespace());
    let Some(end) = end.filter(|end| *end > 0) else { return none };
    let (name, rest) = text.split_at(end);
    if let Some(message) = rest.strip_prefix(':') {
        return (name.to_owned(), None, message.strip_prefix(' ').unwrap_or(message));
    }
    let Some((id, message)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else { return none };
    let Some(message) = message.strip_prefix(':') else { return none };
    (name.to_owned(), id.parse().ok(), message.strip_prefix(' ').unwrap_or(message))
}

/// What follows the version in RFC 5424: `TIME HOST APP PROCID MSGID STRUCTURED MESSAGE`.
fn parse_5424(text: &str) -> Option<Record> {
    let mut fields = text.splitn(6, ' ');
    let mut field = || fields.next().map(|field| if field == "-" { "" } else { field });
    let (time, host, process, process_id, _) = (field()?, field()?, field()?, field()?, field()?);
    let rest = fields.next()?;
    let message = match rest.strip_prefix('-') {
        Some(message) => message,
        None => after_structured(rest)?,
    };
    let message = message.strip_prefix(' ').unwrap_or(message);
    Some(Record {
        time: DateTime::parse_from_rfc3339(time).ok().map(|time| time.timestamp_micros()),
        facility: USER,
        severity: INFO,
        host: host.to_owned(),
        process: process.to_owned(),
        process_id: process_id.parse().ok(),
        message: message.strip_prefix('\u{feff}').unwrap_or(message).to_owned(),
    })
}

/// What follows `[id name="value"]…`, where a value may hold an escaped bracket.
fn after_structured(text: &str) -> Option<&str> {
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted && text.as_bytes().get(index + 1) != Some(&b'[') => return text.get(index + 1..),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Microseconds {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn locally(text: &str) -> Microseconds {
        local(text.parse().unwrap()).unwrap()
    }

    #[test]
    fn lines_of_all_forms_become_records() {
        let now = at("2026-03-01T12:00:00Z");
        for (line, facility, severity, time, host, process, process_id, message) in [
            (
                "Mar  1 09:08:07 box sshd[812]: Accepted publickey for root: RSA",
                10,
                6,
                locally("2026-03-01T09:08:07"),
                "box",
                "sshd",
                Some(812),
                "Accepted publickey for root: RSA",
            ),
            (
                "Dec 31 23:59:59 box kernel: [ 1.0] up",
                0,
                6,
                locally("2025-12-31T23:59:59"),
                "box",
                "kernel",
                None,
                "[ 1.0] up",
            ),
            ("Feb 29 01:00:00 box a: leap", 1, 6, locally("2024-02-29T01:00:00"), "box", "a", None, "leap"),
            (
                "2026-02-28T10:00:00.250000+02:00 box.example.com CRON[7]: (root) CMD (true)",
                9,
                6,
                at("2026-02-28T08:00:00.25Z"),
                "box.example.com",
                "CRON",
                Some(7),
                "(root) CMD (true)",
            ),
            ("<165>Mar  1 01:02:03 h app: x", 20, 5, locally("2026-03-01T01:02:03"), "h", "app", None, "x"),
            (
                r#"<34>1 2026-03-01T00:00:00.003Z h su 9 ID47 [e@1 a="x\"]y"][f] it failed"#,
                4,
                2,
                at("2026-03-01T00:00:00.003Z"),
                "h",
                "su",
                Some(9),
                "it failed",
            ),
            ("<13>1 2026-03-01T00:00:00Z - - - - - \u{feff}bom", 1, 5, at("2026-03-01T00:00:00Z"), "", "", None, "bom"),
            ("Mar  1 01:02:03 h no tag here", 1, 6, locally("2026-03-01T01:02:03"), "h", "", None, "no tag here"),
        ] {
            let record = parse(line, None, now);
            let expected = Record {
                time: Some(time),
                facility,
                severity,
                host: host.to_owned(),
                process: process.to_owned(),
                process_id,
                message: message.to_owned(),
            };
            assert_eq!(record, expected, "{line}");
        }
    }

    #[test]
    fn a_line_of_no_known_form_is_a_message() {
        for line in ["", "    at java.lang.Thread.run", "<999>x", "Mär  1 01:02:03 h x", "2026 is a year", "<13>1 x"] {
            let record = parse(line, Some(10), 0);
            assert_eq!((record.time, record.process.as_str()), (None, ""), "{line}");
            assert!(line.ends_with(record.message.as_str()), "{line}");
        }
    }

    #[test]
    fn the_name_of_a_file_says_the_facility() {
        for (name, facility) in [("auth.log", Some(10)), ("kern.log.1", Some(0)), ("syslog", None)] {
            assert_eq!(facility_of(&Path::new("/var/log").join(name)), facility);
        }
    }
}
