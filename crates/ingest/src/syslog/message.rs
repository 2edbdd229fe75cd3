//! Syslog messages as senders write them: RFC 5424, RFC 3164, and what is neither. Parsing never fails: what is not
//! understood stays in the text.

use std::net::IpAddr;

use chrono::{DateTime, Datelike, Local, NaiveDateTime, TimeZone, Utc};

use crate::rows::time;

/// Facilities by number (RFC 5424, 6.2.1), as the table `Syslog` spells them.
pub const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
/// Severities by number (RFC 5424, 6.2.1), as the table `Syslog` spells them.
pub const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];
/// The priority of a message without one: user, notice (RFC 3164, 4.3.3).
const DEFAULT_PRIORITY: u8 = 13;
/// Characters of a process name.
const TAG_CHARS: usize = 128;

/// A message; what it does not say is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    pub facility: &'static str,
    pub severity: &'static str,
    /// Microseconds since 1970.
    pub time: Option<i64>,
    pub host: &'a str,
    pub process: &'a str,
    pub process_id: Option<i32>,
    pub text: &'a str,
}

/// Reads a message. The year and the time zone that RFC 3164 leaves out are those nearest to `now` and of this machine.
pub fn parse(line: &str, now: DateTime<Utc>) -> Message<'_> {
    let line = line.trim_end_matches(['\n', '\r', '\0']);
    let (priority, rest) = priority(line);
    let mut message = Message {
        facility: FACILITIES[usize::from(priority / 8)],
        severity: SEVERITIES[usize::from(priority % 8)],
        time: None,
        host: "",
        process: "",
        process_id: None,
        text: rest,
    };
    match rest.strip_prefix("1 ") {
        Some(rest) if rfc5424(rest, &mut message).is_some() => {}
        _ => rfc3164(rest, now, &mut message),
    }
    message
}

fn priority(line: &str) -> (u8, &str) {
    let known = line.strip_prefix('<').and_then(|rest| rest.split_once('>')).and_then(|(digits, rest)| {
        let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_digit());
        let number = digits.parse::<u8>().ok().filter(|number| is_number && *number < 192)?;
        Some((number, rest))
    });
    known.unwrap_or((DEFAULT_PRIORITY, line))
}

/// `TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]` (RFC 5424, 6).
fn rfc5424<'a>(rest: &'a str, message: &mut Message<'a>) -> Option<()> {
    let known = |field: &'a str| if field == "-" { "" } else { field };
    let (at, rest) = rest.split_once(' ')?;
    let (host, rest) = rest.split_once(' ')?;
    let (process, rest) = rest.split_once(' ')?;
    let (process_id, rest) = rest.split_once(' ')?;
    let (_message_id, rest) = rest.split_once(' ')?;
    let at = match at {
        "-" => None,
        at => Some(time::datetime(at)?),
    };
    let data = structured_data(rest)?;
    let text = rest[data..].strip_prefix(' ').unwrap_or(&rest[data..]);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    message.time = at;
    message.host = known(host);
    message.process = known(process);
    message.process_id = process_id.parse().ok();
    // a message may say all it has to say in its data
    message.text = if text.is_empty() { known(&rest[..data]) } else { text };
    Some(())
}

/// How many bytes the structured data has: `-`, or elements in brackets whose values may hold escaped ones.
fn structured_data(rest: &str) -> Option<usize> {
    if rest == "-" || rest.starts_with("- ") {
        return Some(1);
    }
    let bytes = rest.as_bytes();
    let mut at = 0;
    while bytes.get(at) == Some(&b'[') {
        let mut is_quoted = false;
        loop {
            at += 1;
            match bytes.get(at)? {
                b'\\' if is_quoted => at += 1,
                b'"' => is_quoted = !is_quoted,
                b']' if !is_quoted => break,
                _ => {}
            }
        }
        at += 1;
    }
    (at > 0 && matches!(bytes.get(at), None | Some(b' '))).then_some(at)
}

/// `TIMESTAMP HOSTNAME TAG[PID]: MSG` (RFC 3164, 4.1), with the older or an ISO 8601 timestamp.
fn rfc3164<'a>(rest: &'a str, now: DateTime<Utc>, message: &mut Message<'a>) {
    let (at, rest) = match timestamp(rest, now) {
        Some((at, rest)) => (Some(at), rest),
        None => (None, rest),
    };
    message.time = at;
    message.text = rest;
    if at.is_some()
        && let Some((host, after)) = rest.split_once(' ')
        && is_host(host)
    {
        message.host = host;
        message.text = after;
    }
    if let Some((process, process_id, text)) = tag(message.text) {
        message.process = process;
        message.process_id = process_id;
        message.text = text;
    }
}

fn timestamp(rest: &str, now: DateTime<Utc>) -> Option<(i64, &str)> {
    if let Some((first, after)) = rest.split_once(' ')
        && first.len() >= 19
        && first.as_bytes()[10] == b'T'
    {
        return time::datetime(first).map(|at| (at, after));
    }
    let (stamp, after) = (rest.get(..15)?, rest.get(15..)?.strip_prefix(' ')?);
    let nearest = [now.year(), now.year() - 1, now.year() + 1]
        .into_iter()
        .filter_map(|year| NaiveDateTime::parse_from_str(&format!("{year} {stamp}"), "%Y %b %e %H:%M:%S").ok())
        .filter_map(|naive| Local.from_local_datetime(&naive).earliest())
        .map(|at| at.timestamp_micros())
        .min_by_key(|at| at.abs_diff(now.timestamp_micros()))?;
    Some((nearest, after))
}

fn is_host(word: &str) -> bool {
    let is_name = word.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'_'));
    !word.is_empty() && (is_name || word.parse::<IpAddr>().is_ok())
}

/// `process[123]: text`, `process: text`.
fn tag(text: &str) -> Option<(&str, Option<i32>, &str)> {
    let end = text.find(['[', ':', ' ']).filter(|end| (1..=TAG_CHARS).contains(end))?;
    let (process, rest) = text.split_at(end);
    let (process_id, rest) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (process_id, rest) = rest.split_once(']')?;
            (Some(process_id.parse().ok()?), rest)
        }
        None => (None, rest),
    };
    let rest = rest.strip_prefix(':')?;
    Some((process, process_id, rest.strip_prefix(' ').unwrap_or(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-01-01T00:10:00Z".parse().unwrap()
    }

    fn local(text: &str) -> Option<i64> {
        let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
        Some(Local.from_local_datetime(&naive).unwrap().timestamp_micros())
    }

    #[test]
    fn both_formats_are_read() {
        let iso = time::datetime("2025-12-31T23:00:00.123Z");
        let cases = [
            // RFC 5424, 6.5, and what senders make of it
            (
                "<165>1 2025-12-31T23:00:00.123Z host.example.com app 8710 ID47 [a@1 b=\"c\\\"]d\"][e f=\"\"] \u{feff}text",
                ("local4", "notice", iso, "host.example.com", "app", Some(8710), "text"),
            ),
            ("<34>1 - - su - - - it failed", ("auth", "crit", None, "", "su", None, "it failed")),
            ("<34>1 - h su x - -", ("auth", "crit", None, "h", "su", None, "")),
            ("<34>1 - h su x - [a b=\"c\"]", ("auth", "crit", None, "h", "su", None, "[a b=\"c\"]")),
            // RFC 3164, 5.4
            (
                "<34>Dec 31 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8\n",
                (
                    "auth",
                    "crit",
                    local("2025-12-31 22:14:15"),
                    "mymachine",
                    "su",
                    None,
                    "'su root' failed for lonvick on /dev/pts/8",
                ),
            ),
            (
                "<13>Jan  1 00:00:01 10.0.0.99 sshd[42]: x: y",
                ("user", "notice", local("2026-01-01 00:00:01"), "10.0.0.99", "sshd", Some(42), "x: y"),
            ),
            ("<13>2025-12-31T23:00:00.123Z h cron[7]:text", ("user", "notice", iso, "h", "cron", Some(7), "text")),
            (
                "<13>Jan  1 00:00:01 sshd[42]: no host",
                ("user", "notice", local("2026-01-01 00:00:01"), "", "sshd", Some(42), "no host"),
            ),
            ("<0>kernel: oops", ("kern", "emerg", None, "", "kernel", None, "oops")),
            // neither
            ("just text", ("user", "notice", None, "", "", None, "just text")),
            ("<999>text", ("user", "notice", None, "", "", None, "<999>text")),
            ("<192>text", ("user", "notice", None, "", "", None, "<192>text")),
            ("<>", ("user", "notice", None, "", "", None, "<>")),
            ("", ("user", "notice", None, "", "", None, "")),
            (
                "<34>1 then host app - - [never closed",
                ("auth", "crit", None, "", "", None, "1 then host app - - [never closed"),
            ),
        ];
        for (line, (facility, severity, time, host, process, process_id, text)) in cases {
            let expected = Message { facility, severity, time, host, process, process_id, text };
            assert_eq!(parse(line, now()), expected, "{line:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(line in "(<[0-9]{0,4}>)?(1 )?[ -~\u{e9}\u{1f600}]{0,80}") {
            let message = parse(&line, now());
            proptest::prop_assert!(line.contains(message.text));
        }
    }
}
