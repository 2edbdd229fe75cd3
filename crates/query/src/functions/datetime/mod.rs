//! Datetimes and timespans: taking apart, building, moving to the start or end of a period, differences.

pub mod calendar;
pub mod format;
pub mod zones;

use watchkeeper_kql::{Ticks, Type};

use super::frame::{Call, Function, Returns, Value};
use super::math::round::bin_ticks;
use calendar::{Civil, add_months, day_of_year, in_range, iso_week, weekday};

pub const FUNCTIONS: &[Function] = &[
    Function::row("startofday", 1, 2, Returns::Always(Type::Datetime), |_, args| start(args, Period::Day)),
    Function::row("startofweek", 1, 2, Returns::Always(Type::Datetime), |_, args| start(args, Period::Week)),
    Function::row("startofmonth", 1, 2, Returns::Always(Type::Datetime), |_, args| start(args, Period::Month)),
    Function::row("startofyear", 1, 2, Returns::Always(Type::Datetime), |_, args| start(args, Period::Year)),
    Function::row("endofday", 1, 2, Returns::Always(Type::Datetime), |_, args| end(args, Period::Day)),
    Function::row("endofweek", 1, 2, Returns::Always(Type::Datetime), |_, args| end(args, Period::Week)),
    Function::row("endofmonth", 1, 2, Returns::Always(Type::Datetime), |_, args| end(args, Period::Month)),
    Function::row("endofyear", 1, 2, Returns::Always(Type::Datetime), |_, args| end(args, Period::Year)),
    Function::row("dayofweek", 1, 1, Returns::Always(Type::Timespan), |_, args| {
        ticks(&args[0], |at| Value::Timespan(weekday(at) * Ticks::PER_DAY))
    }),
    Function::row("dayofmonth", 1, 1, Returns::Always(Type::Int), |_, args| part_value(args, "day")),
    Function::row("dayofyear", 1, 1, Returns::Always(Type::Int), |_, args| part_value(args, "dayofyear")),
    Function::row("hourofday", 1, 1, Returns::Always(Type::Int), |_, args| part_value(args, "hour")),
    Function::row("monthofyear", 1, 1, Returns::Always(Type::Int), |_, args| part_value(args, "month")),
    Function::row("getyear", 1, 1, Returns::Always(Type::Int), |_, args| part_value(args, "year")),
    Function::row("week_of_year", 1, 1, Returns::Always(Type::Long), |_, args| part_value(args, "week_of_year")),
    Function::row("datetime_part", 2, 2, Returns::Always(Type::Int), datetime_part),
    Function::row("datetime_add", 3, 3, Returns::Always(Type::Datetime), datetime_add),
    Function::row("datetime_diff", 3, 3, Returns::Always(Type::Long), datetime_diff),
    Function::row("make_datetime", 1, 6, Returns::Always(Type::Datetime), make_datetime),
    Function::row("make_timespan", 2, 4, Returns::Always(Type::Timespan), make_timespan),
    Function::row("unixtime_seconds_todatetime", 1, 1, Returns::Always(Type::Datetime), |_, args| {
        unix(args, Ticks::PER_SECOND)
    }),
    Function::row("unixtime_milliseconds_todatetime", 1, 1, Returns::Always(Type::Datetime), |_, args| {
        unix(args, Ticks::PER_MILLISECOND)
    }),
    Function::row("unixtime_microseconds_todatetime", 1, 1, Returns::Always(Type::Datetime), |_, args| {
        unix(args, Ticks::PER_MICROSECOND)
    }),
    Function::row("unixtime_nanoseconds_todatetime", 1, 1, Returns::Always(Type::Datetime), unix_nanoseconds),
    Function::row("around", 3, 3, Returns::Always(Type::Bool), around),
];

#[derive(Debug, Clone, Copy)]
pub(crate) enum Period {
    Day,
    Week,
    Month,
    Year,
}

fn ticks<'a>(value: &Value<'_>, make: impl FnOnce(i64) -> Value<'a>) -> Value<'a> {
    Value::from_option(value.as_i64(), make)
}

/// The start of the period that is `offset` periods after the one of `at`.
pub(crate) fn start_of(at: i64, period: Period, offset: i64) -> Option<i64> {
    match period {
        Period::Day => bin_ticks(at, Ticks::PER_DAY).checked_add(offset.checked_mul(Ticks::PER_DAY)?),
        Period::Week => {
            let day = bin_ticks(at, Ticks::PER_DAY) - weekday(at) * Ticks::PER_DAY;
            day.checked_add(offset.checked_mul(7 * Ticks::PER_DAY)?)
        }
        Period::Month => {
            let civil = Civil::from_ticks(at);
            add_months(Civil::date_ticks(civil.year, civil.month, 1)?, offset)
        }
        Period::Year => Civil::date_ticks(Civil::from_ticks(at).year.checked_add(offset)?, 1, 1),
    }
}

fn start<'a>(args: &[Value<'a>], period: Period) -> Value<'a> {
    let offset = args.get(1).and_then(Value::as_i64).unwrap_or(0);
    let start = args[0].as_i64().and_then(|at| start_of(at, period, offset)).and_then(in_range);
    Value::from_option(start, Value::Datetime)
}

fn end<'a>(args: &[Value<'a>], period: Period) -> Value<'a> {
    let offset = args.get(1).and_then(Value::as_i64).unwrap_or(0);
    let last = |at| match start_of(at, period, offset.checked_add(1)?) {
        Some(next) => in_range(next - 1),
        // the period after the last one of the calendar does not exist
        None => start_of(at, period, offset).map(|_| Ticks::MAX_DATETIME.0),
    };
    Value::from_option(args[0].as_i64().and_then(last), Value::Datetime)
}

/// A part by its name, any case.
fn part(name: &str, at: i64) -> Option<i64> {
    let civil = Civil::from_ticks(at);
    let is = |candidates: &[&str]| candidates.iter().any(|candidate| candidate.eq_ignore_ascii_case(name));
    Some(if is(&["year"]) {
        civil.year
    } else if is(&["quarter"]) {
        (civil.month + 2) / 3
    } else if is(&["month"]) {
        civil.month
    } else if is(&["week_of_year", "weekofyear", "week"]) {
        iso_week(at)
    } else if is(&["day"]) {
        civil.day
    } else if is(&["dayofyear", "day_of_year"]) {
        day_of_year(at)
    } else if is(&["hour"]) {
        civil.hour
    } else if is(&["minute"]) {
        civil.minute
    } else if is(&["second"]) {
        civil.second
    } else if is(&["millisecond"]) {
        civil.fraction / Ticks::PER_MILLISECOND
    } else if is(&["microsecond"]) {
        civil.fraction / Ticks::PER_MICROSECOND
    } else if is(&["nanosecond"]) {
        civil.fraction * 100
    } else {
        return None;
    })
}

fn part_value<'a>(args: &[Value<'a>], name: &str) -> Value<'a> {
    Value::from_option(args[0].as_i64().and_then(|at| part(name, at)), Value::Long)
}

fn datetime_part<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    Value::from_option(args[1].as_i64().and_then(|at| part(args[0].text(), at)), Value::Long)
}

/// A period of `datetime_add` and `datetime_diff`: months, or a fixed number of ticks (nanoseconds are none).
enum Unit {
    Months(i64),
    Ticks(i64),
    Nanoseconds,
}

fn unit(name: &str) -> Option<Unit> {
    Some(match name.to_ascii_lowercase().as_str() {
        "year" => Unit::Months(12),
        "quarter" => Unit::Months(3),
        "month" => Unit::Months(1),
        "week" => Unit::Ticks(7 * Ticks::PER_DAY),
        "day" => Unit::Ticks(Ticks::PER_DAY),
        "hour" => Unit::Ticks(Ticks::PER_HOUR),
        "minute" => Unit::Ticks(Ticks::PER_MINUTE),
        "second" => Unit::Ticks(Ticks::PER_SECOND),
        "millisecond" => Unit::Ticks(Ticks::PER_MILLISECOND),
        "microsecond" => Unit::Ticks(Ticks::PER_MICROSECOND),
        "nanosecond" => Unit::Nanoseconds,
        _ => return None,
    })
}

fn datetime_add<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let moved = || {
        let (count, at) = (args[1].as_i64()?, args[2].as_i64()?);
        match unit(args[0].text())? {
            Unit::Months(months) => add_months(at, count.checked_mul(months)?),
            Unit::Ticks(length) => in_range(at.checked_add(count.checked_mul(length)?)?),
            Unit::Nanoseconds => in_range(at.checked_add(count / 100)?),
        }
    };
    Value::from_option(moved(), Value::Datetime)
}

/// Boundaries of the period between the two: each is brought to the start of its period first.
fn datetime_diff<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let difference = || {
        let (left, right) = (args[1].as_i64()?, args[2].as_i64()?);
        Some(match unit(args[0].text())? {
            Unit::Months(length) => {
                let index = |at| {
                    let civil = Civil::from_ticks(at);
                    (civil.year * 12 + civil.month - 1).div_euclid(length)
                };
                index(left) - index(right)
            }
            Unit::Ticks(length) if length == 7 * Ticks::PER_DAY => {
                let week = |at| start_of(at, Period::Week, 0).map(|start| (start + Ticks::PER_DAY).div_euclid(length));
                week(left)? - week(right)?
            }
            Unit::Ticks(length) => left.div_euclid(length) - right.div_euclid(length),
            Unit::Nanoseconds => (left - right).checked_mul(100)?,
        })
    };
    Value::from_option(difference(), Value::Long)
}

fn make_datetime<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    if args.len() == 1 {
        return super::convert::to(&args[0], Type::Datetime);
    }
    let build = || {
        let number = |place: usize, default: i64| args.get(place).map_or(Some(default), Value::as_i64);
        let date = Civil::date_ticks(number(0, 1)?, number(1, 1)?, number(2, 1)?)?;
        let (hour, minute) = (number(3, 0)?, number(4, 0)?);
        let seconds = args.get(5).map_or(Some(0.0), Value::as_f64)?;
        if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0.0..60.0).contains(&seconds) {
            return None;
        }
        Some(
            date + hour * Ticks::PER_HOUR
                + minute * Ticks::PER_MINUTE
                + (seconds * Ticks::PER_SECOND as f64).round() as i64,
        )
    };
    Value::from_option(build(), Value::Datetime)
}

fn make_timespan<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let build = || {
        let (days, rest) = if args.len() == 4 { (args[0].as_i64()?, &args[1..]) } else { (0, args) };
        let (hours, minutes) = (rest[0].as_i64()?, rest[1].as_i64()?);
        let seconds = rest.get(2).map_or(Some(0.0), Value::as_f64)?;
        if !(0..24).contains(&hours) || !(0..60).contains(&minutes) || !(0.0..60.0).contains(&seconds) {
            return None;
        }
        let clock =
            hours * Ticks::PER_HOUR + minutes * Ticks::PER_MINUTE + (seconds * Ticks::PER_SECOND as f64).round() as i64;
        days.checked_mul(Ticks::PER_DAY)?.checked_add(clock)
    };
    Value::from_option(build(), Value::Timespan)
}

fn unix<'a>(args: &[Value<'a>], unit: i64) -> Value<'a> {
    let at = match &args[0] {
        Value::Real(number) => super::frame::value::real_to_i64((number * unit as f64).round()),
        other => other.as_i64().and_then(|count| count.checked_mul(unit)),
    };
    Value::from_option(at.and_then(|at| at.checked_add(Ticks::UNIX_EPOCH.0)).and_then(in_range), Value::Datetime)
}

fn unix_nanoseconds<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let at = args[0].as_i64().and_then(|count| in_range(count.div_euclid(100) + Ticks::UNIX_EPOCH.0));
    Value::from_option(at, Value::Datetime)
}

fn around<'a>(_: &Call<'_>, args: &[Value<'a>]) -> Value<'a> {
    let inside = || {
        let (at, center, delta) = (args[0].as_f64()?, args[1].as_f64()?, args[2].as_f64()?);
        Some((at - center).abs() <= delta)
    };
    Value::from_option(inside(), Value::Bool)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::convert::read;
    use crate::functions::testing::{check, check_typed, string};

    fn at(text: &str) -> Value<'static> {
        Value::Datetime(read::datetime(text).unwrap())
    }

    #[test]
    fn periods_start_and_end_with_an_offset() {
        check(
            "startofweek",
            &[
                (vec![at("2017-01-01 10:10:17"), Value::Long(-1)], at("2016-12-25")),
                (vec![at("2017-01-07 10:10:17")], at("2017-01-01")),
            ],
        );
        check("startofmonth", &[(vec![at("2017-03-31"), Value::Long(-1)], at("2017-02-01"))]);
        check("startofyear", &[(vec![at("2017-03-31"), Value::Long(1)], at("2018-01-01"))]);
        check("endofday", &[(vec![at("2017-01-01 10:10:17"), Value::Long(-1)], at("2016-12-31 23:59:59.9999999"))]);
        check("endofmonth", &[(vec![at("2016-02-03")], at("2016-02-29 23:59:59.9999999"))]);
        check("endofyear", &[(vec![at("9999-02-03")], at("9999-12-31 23:59:59.9999999"))]);
        check_typed("startofday", &[Type::Datetime], &[(vec![Value::Null], Value::Null)]);
    }

    #[test]
    fn parts_are_named_in_any_case() {
        let when = at("2017-10-30 01:02:03.7654321");
        for (name, want) in [
            ("year", 2017),
            ("quarter", 4),
            ("week_of_year", 44),
            ("dayOfYear", 303),
            ("millisecond", 765),
            ("microsecond", 765_432),
            ("nanosecond", 765_432_100),
        ] {
            check("datetime_part", &[(vec![string(name), when.clone()], Value::Int(want))]);
        }
        check("dayofweek", &[(vec![at("2015-12-14")], Value::Timespan(Ticks::PER_DAY))]);
    }

    #[test]
    fn differences_count_boundaries() {
        for (name, left, right, want) in [
            ("year", "2017-01-01", "2000-12-31", 17),
            ("quarter", "2017-07-01", "2017-03-30", 2),
            ("month", "2017-01-01", "2015-12-30", 13),
            ("week", "2017-10-29 00:00", "2017-09-30 23:59", 5),
            ("day", "2017-10-29 00:00", "2017-09-30 23:59", 29),
            ("hour", "2017-10-31 01:00", "2017-10-30 23:59", 2),
            ("nanosecond", "2017-10-30 23:00:10.1000000", "2017-10-30 23:00:10.1000007", -700),
        ] {
            check("datetime_diff", &[(vec![string(name), at(left), at(right)], Value::Long(want))]);
        }
    }

    #[test]
    fn adding_months_keeps_the_day_inside_the_month() {
        check(
            "datetime_add",
            &[
                (vec![string("month"), Value::Long(1), at("2017-01-31")], at("2017-02-28")),
                (vec![string("Quarter"), Value::Long(12), at("2017-01-01")], at("2020-01-01")),
                (vec![string("week"), Value::Long(100), at("2017-01-01")], at("2018-12-02")),
                (vec![string("century"), Value::Long(1), at("2017-01-01")], Value::Null),
                (vec![string("year"), Value::Long(9000), at("2017-01-01")], Value::Null),
            ],
        );
    }

    #[test]
    fn building_checks_every_part() {
        let long = Value::Long;
        check(
            "make_datetime",
            &[
                (
                    vec![long(2017), long(10), long(1), long(12), long(11), Value::Real(0.1234567)],
                    at("2017-10-01 12:11:00.1234567"),
                ),
                (vec![long(2017), long(2), long(29)], Value::Null),
            ],
        );
        check(
            "make_timespan",
            &[(
                vec![long(1), long(12), long(30), Value::Real(55.123)],
                Value::Timespan(Ticks::PER_DAY + 12 * Ticks::PER_HOUR + 30 * Ticks::PER_MINUTE + 551_230_000),
            )],
        );
        check("unixtime_milliseconds_todatetime", &[(vec![long(1_546_300_800_000)], at("2019-01-01"))]);
    }
}
