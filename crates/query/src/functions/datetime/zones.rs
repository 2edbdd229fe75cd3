//! Local times of the time zones of the IANA database.

use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use watchkeeper_kql::{Ticks, Type};

use super::calendar::{Civil, in_range};
use crate::functions::frame::{Function, Returns, Value};

pub const FUNCTIONS: &[Function] = &[
    Function::row("datetime_utc_to_local", 2, 2, Returns::Always(Type::Datetime), |_, args| {
        moved(args, |zone, at| {
            let offset = zone.offset_from_utc_datetime(&at).fix();
            Some(i64::from(offset.local_minus_utc()))
        })
    }),
    Function::row("datetime_local_to_utc", 2, 2, Returns::Always(Type::Datetime), |_, args| {
        moved(args, |zone, at| Some(-local_offset(zone, at)?))
    }),
    Function::row("datetime_list_timezones", 0, 0, Returns::Always(Type::Dynamic), |_, _| {
        let names: Vec<&str> = TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
        Value::json(&serde_json::Value::from(names))
    }),
];

/// Seconds between a local time and UTC. A time that comes twice counts as the second one; a time that the clocks
/// skip counts with the offset that holds after the jump.
fn local_offset(zone: Tz, at: NaiveDateTime) -> Option<i64> {
    let found = zone.offset_from_local_datetime(&at).latest();
    let offset = match found {
        Some(offset) => offset,
        None => zone.offset_from_local_datetime(&at.checked_add_signed(TimeDelta::hours(25))?).latest()?,
    };
    Some(i64::from(offset.fix().local_minus_utc()))
}

fn naive(ticks: i64) -> Option<NaiveDateTime> {
    let civil = Civil::from_ticks(ticks);
    NaiveDate::from_ymd_opt(
        i32::try_from(civil.year).ok()?,
        u32::try_from(civil.month).ok()?,
        u32::try_from(civil.day).ok()?,
    )?
    .and_hms_opt(
        u32::try_from(civil.hour).ok()?,
        u32::try_from(civil.minute).ok()?,
        u32::try_from(civil.second).ok()?,
    )
}

fn moved<'a>(args: &[Value<'a>], seconds: impl Fn(Tz, NaiveDateTime) -> Option<i64>) -> Value<'a> {
    let Value::Datetime(ticks) = args[0] else {
        return Value::Null;
    };
    let result = || {
        let zone = Tz::from_str(args[1].text()).ok()?;
        in_range(ticks + seconds(zone, naive(ticks)?)? * Ticks::PER_SECOND)
    };
    Value::from_option(result(), Value::Datetime)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::convert::read;
    use crate::functions::testing::{check, run, string};

    fn at(text: &str) -> Value<'static> {
        Value::Datetime(read::datetime(text).unwrap())
    }

    #[test]
    fn local_times_follow_their_zone() {
        for (zone, want) in [
            ("US/Pacific", "2020-02-03T04:02:20"),
            ("America/Chicago", "2020-02-03T02:02:20"),
            ("Europe/Paris", "2020-02-02T19:02:20"),
        ] {
            let local = at("2020-02-02T20:02:20");
            check("datetime_local_to_utc", &[(vec![local.clone(), string(zone)], at(want))]);
            check("datetime_utc_to_local", &[(vec![at(want), string(zone)], local)]);
        }
        check("datetime_utc_to_local", &[(vec![at("2020-01-01"), string("Nowhere/None")], Value::Null)]);
    }

    #[test]
    fn an_hour_that_the_clocks_skip_counts_with_the_later_offset() {
        for (local, utc) in [
            ("2022-03-27T01:00:00", "2022-03-27T00:00:00"),
            ("2022-03-27T02:00:00", "2022-03-27T00:00:00"),
            ("2022-03-27T03:00:00", "2022-03-27T01:00:00"),
            // comes twice: the second one
            ("2022-10-30T02:30:00", "2022-10-30T01:30:00"),
        ] {
            check("datetime_local_to_utc", &[(vec![at(local), string("Europe/Brussels")], at(utc))]);
        }
        let zones = run("datetime_list_timezones", &[], &[], true);
        assert!(zones.text().contains("\"Europe/Brussels\""));
    }
}
