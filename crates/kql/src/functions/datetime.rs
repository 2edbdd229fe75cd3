//! Functions on dates and timespans (reference: "Datetime and timespan functions").

pub(super) const TABLE: &str = "
format_datetime(date: datetime, format: string) -> string as first
format_timespan(timespan: timespan, format: string) -> string as first
make_datetime(value: any) -> datetime as only
make_datetime(year: number, month: number, day: number, hour?: number, minute?: number, second?: number) -> datetime
make_timespan(value: any) -> timespan as only
make_timespan(hour: number, minute: number, second?: number) -> timespan
make_timespan(day: number, hour: number, minute: number, second: number) -> timespan
datetime_add(period: string, amount: integer, datetime: datetime) -> datetime
datetime_diff(period: string, datetime1: datetime, datetime2: datetime) -> long
datetime_part|datepart(part: string, date: datetime) -> int
dayofweek(date: datetime) -> timespan
dayofmonth(date: datetime) -> int
dayofyear(date: datetime) -> int
hourofday(date: datetime) -> int
weekofyear(date: datetime) -> int
week_of_year(date: datetime) -> int
monthofyear|getmonth(date: datetime) -> int
getyear(date: datetime) -> int
startofday(date: datetime, offset?: long) -> datetime as first
startofweek(date: datetime, offset?: long) -> datetime
startofmonth(date: datetime, offset?: long) -> datetime
startofyear(date: datetime, offset?: long) -> datetime
endofday(date: datetime, offset?: long) -> datetime
endofweek(date: datetime, offset?: long) -> datetime
endofmonth(date: datetime, offset?: long) -> datetime
endofyear(date: datetime, offset?: long) -> datetime
now(offset?: timespan) -> datetime
ago(timespan: timespan) -> datetime
unixtime_seconds_todatetime(seconds: number) -> datetime
unixtime_milliseconds_todatetime(milliseconds: number) -> datetime
unixtime_microseconds_todatetime(microseconds: number) -> datetime
unixtime_nanoseconds_todatetime(nanoseconds: number) -> datetime
datetime_local_to_utc(from: datetime, timezone: string) -> datetime
datetime_utc_to_local(from: datetime, timezone: string) -> datetime
datetime_list_timezones() -> dynamic
";
