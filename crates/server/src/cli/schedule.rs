//! `watchkeeper maintenance schedule`: maintenance that recurs.

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

use super::operate::Output;
use super::rows::segment;

#[derive(Subcommand)]
pub enum ScheduleCommand {
    /// Add a schedule.
    Add(Box<Add>),
    /// List all.
    List,
    /// No window of one begins until it is enabled again.
    Disable { schedule: String },
    /// One goes on with its next window.
    Enable { schedule: String },
    /// Remove one, by its name or identity; a window that has begun goes on.
    Remove { schedule: String },
}

#[derive(Args)]
pub struct Add {
    /// What it is called.
    name: String,
    /// Objects, by name or identity, with all that they host or contain.
    #[arg(required_unless_present = "computer_groups")]
    objects: Vec<String>,
    /// A computer group: its computers, those that join it later too. More than once for more.
    #[arg(long = "computer-group")]
    computer_groups: Vec<String>,
    /// The first start in the time of the zone: 2026-11-22T02:00.
    #[arg(long)]
    start: String,
    /// The time zone, such as Europe/Berlin; the hour stays when clocks change.
    #[arg(long, default_value = "UTC")]
    zone: String,
    /// How long each window is, 5 or more.
    #[arg(long)]
    minutes: u32,
    /// once, daily, weekly, monthly.
    #[arg(long, value_enum)]
    every: Every,
    /// The weekdays of a weekly schedule: Mon,Thu.
    #[arg(long, value_delimiter = ',')]
    days: Vec<Day>,
    /// The day of a monthly schedule; in shorter months the last.
    #[arg(long, conflicts_with = "which")]
    day: Option<u32>,
    /// Which of its weekdays a monthly schedule takes: --which second --days Tue.
    #[arg(long, value_enum)]
    which: Option<Which>,
    /// Every so many days, weeks or months.
    #[arg(long, default_value_t = 1)]
    factor: u32,
    /// No window starts at or after this time of the zone.
    #[arg(long)]
    until: Option<String>,
    #[arg(long, default_value = "PlannedOther")]
    reason: String,
    #[arg(long, default_value = "")]
    comment: String,
    /// Only the objects themselves.
    #[arg(long)]
    only: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Every {
    Once,
    Daily,
    Weekly,
    Monthly,
}

#[derive(Clone, Copy, ValueEnum)]
enum Day {
    Sun,
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    First,
    Second,
    Third,
    Fourth,
    Last,
}

impl Add {
    /// `FreqType`, `FreqInterval`, `FreqRelativeInterval`, `FreqRecurrenceFactor`.
    fn codes(&self) -> anyhow::Result<[u32; 4]> {
        Ok(match (self.every, self.which) {
            (Every::Once, _) => [1, 0, 0, 0],
            (Every::Daily, _) => [4, self.factor, 0, 0],
            (Every::Weekly, _) if self.days.is_empty() => {
                anyhow::bail!("a weekly schedule needs --days, such as Mon,Thu")
            }
            (Every::Weekly, _) => [8, self.days.iter().fold(0, |days, day| days | 1 << (*day as u32)), 0, self.factor],
            (Every::Monthly, Some(which)) => match self.days.as_slice() {
                [day] => [32, *day as u32 + 1, 1 << (which as u32), self.factor],
                _ => anyhow::bail!("--which needs one weekday, such as --days Tue"),
            },
            (Every::Monthly, None) => match self.day {
                Some(day) => [16, day, 0, self.factor],
                None => anyhow::bail!("a monthly schedule needs --day, or --which with --days"),
            },
        })
    }
}

const COLUMNS: [&str; 8] = ["name", "enabled", "objectNames", "nextAt", "minutes", "recurrence", "timeZone", "id"];

pub fn run(what: &ScheduleCommand, output: &Output) -> anyhow::Result<()> {
    let path = |schedule: &str| format!("/api/maintenance-schedules/{}", segment(schedule));
    let enable = |schedule: &str, enabled: bool| {
        output.run(Method::PATCH, &path(schedule), Some(json!({"enabled": enabled})), &COLUMNS)
    };
    match what {
        ScheduleCommand::Disable { schedule } => enable(schedule, false),
        ScheduleCommand::Enable { schedule } => enable(schedule, true),
        ScheduleCommand::List => output.run(Method::GET, "/api/maintenance-schedules", None, &COLUMNS),
        ScheduleCommand::Remove { schedule } => output.run(Method::DELETE, &path(schedule), None, &[]),
        ScheduleCommand::Add(add) => {
            let [kind, interval, relative, factor] = add.codes()?;
            let body = json!({
                "name": add.name, "objects": add.objects, "computerGroups": add.computer_groups,
                "start": add.start, "timeZone": add.zone,
                "minutes": add.minutes, "freqType": kind, "freqInterval": interval,
                "freqRelativeInterval": relative, "freqRecurrenceFactor": factor, "until": add.until,
                "reason": add.reason, "comments": add.comment, "recursive": !add.only,
            });
            output.run(Method::POST, "/api/maintenance-schedules", Some(body), &COLUMNS)
        }
    }
}
