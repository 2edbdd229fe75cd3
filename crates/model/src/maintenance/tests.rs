use super::*;

fn at(text: &str) -> i64 {
    civil::parse_time(text).unwrap()
}

fn local(text: &str) -> i64 {
    at(text) / SECOND
}

fn starts(codes: (u32, u32, u32, u32), start: &str, zone: &impl Zone, from: &str, to: &str) -> Vec<String> {
    let recurrence = Recurrence::from_codes(codes.0, codes.1, codes.2, codes.3).unwrap();
    let schedule = Schedule { start: local(start), minutes: 60, recurrence, until: None };
    schedule.check().unwrap();
    let windows = schedule.windows(zone, Window { start: at(from), end: at(to) });
    windows.iter().map(|window| civil::format_time(window.start).replace(":00:00Z", "")).collect()
}

#[test]
fn each_recurrence_starts_on_its_days() {
    type Codes = (u32, u32, u32, u32);
    let cases: [(Codes, &[&str]); 11] = [
        ((1, 0, 0, 0), &["2026-01-05T22"]),
        ((4, 10, 0, 0), &["2026-01-05T22", "2026-01-15T22", "2026-01-25T22", "2026-02-04T22"]),
        // Sundays and Mondays of every second week
        ((8, 3, 0, 2), &["2026-01-05T22", "2026-01-18T22", "2026-01-19T22", "2026-02-01T22", "2026-02-02T22"]),
        ((16, 31, 0, 1), &["2026-01-31T22"]),
        ((16, 6, 0, 0), &["2026-01-06T22", "2026-02-06T22"]),
        ((16, 6, 0, 2), &["2026-01-06T22"]),
        // second Tuesday, last Friday, first day, last working day, third weekend day
        ((32, 3, 2, 1), &["2026-01-13T22"]),
        ((32, 6, 16, 1), &["2026-01-30T22"]),
        ((32, 8, 1, 1), &["2026-02-01T22"]),
        ((32, 9, 16, 1), &["2026-01-30T22"]),
        ((32, 10, 4, 1), &["2026-01-10T22", "2026-02-08T22"]),
    ];
    for (codes, expected) in cases {
        let found = starts(codes, "2026-01-05T22:00", &FixedZone(0), "2026-01-01", "2026-02-10");
        assert_eq!(found, expected, "{codes:?}");
    }
    let short = starts((16, 31, 0, 1), "2026-01-31T22:00", &FixedZone(0), "2026-02-01", "2026-05-02");
    assert_eq!(short, ["2026-02-28T22", "2026-03-31T22", "2026-04-30T22"], "the last day of shorter months");
}

#[test]
fn codes_without_meaning_are_refused() {
    for (codes, problem) in [
        ((2, 0, 0, 0), "FreqType 2"),
        ((4, 0, 0, 0), "at least 1"),
        ((8, 0, 0, 0), "the sum of"),
        ((8, 128, 0, 0), "the sum of"),
        ((16, 32, 0, 0), "1 to 31"),
        ((32, 11, 1, 0), "10 weekend day"),
        ((32, 1, 3, 0), "FreqRelativeInterval 3"),
    ] {
        let error = Recurrence::from_codes(codes.0, codes.1, codes.2, codes.3).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
    let schedule = |minutes, until| Schedule { start: 0, minutes, recurrence: Recurrence::Once, until };
    assert_eq!(schedule(4, None).check(), Err(ScheduleError::Duration(4)));
    assert_eq!(schedule(MAX_MINUTES + 1, None).check(), Err(ScheduleError::Duration(MAX_MINUTES + 1)));
    assert_eq!(schedule(5, Some(0)).check(), Err(ScheduleError::Ends));
}

#[test]
fn windows_that_overlap_end_with_the_furthest() {
    let window = |start, end| Window { start, end };
    let windows = vec![window(10, 50), window(20, 30), window(50, 60), window(70, 80), window(90, 90)];
    assert_eq!(union(windows.clone()), [window(10, 60), window(70, 80)]);
    for (time, expected) in [(9, None), (10, Some(60)), (55, Some(60)), (60, None), (79, Some(80)), (90, None)] {
        assert_eq!(current(windows.clone(), time).map(|window| window.end), expected, "{time}");
    }
}

#[test]
fn a_long_window_that_started_long_ago_is_found_and_none_starts_after_the_end() {
    let year = 365 * 24 * 60;
    let mut schedule =
        Schedule { start: local("2025-01-01"), minutes: year, recurrence: Recurrence::Once, until: None };
    let day = |text: &str| Window { start: at(text), end: at(text) + 1 };
    assert_eq!(schedule.windows(&FixedZone(0), day("2025-12-31")).len(), 1);
    assert_eq!(schedule.windows(&FixedZone(0), day("2026-01-01")).len(), 0);
    assert_eq!(schedule.windows(&FixedZone(0), day("2024-12-31")).len(), 0);
    schedule.recurrence = Recurrence::Daily { every: 1 };
    schedule.minutes = 60;
    schedule.until = Some(local("2025-01-03"));
    assert_eq!(schedule.windows(&FixedZone(0), Window { start: 0, end: at("2026-01-01") }).len(), 2);
}

#[cfg(feature = "time-zones")]
#[test]
fn the_local_hour_stays_when_clocks_change() {
    let berlin = chrono_tz::Europe::Berlin;
    let daily = |start: &str, from: &str, to: &str| starts((4, 1, 0, 0), start, &berlin, from, to);
    assert_eq!(
        daily("2026-03-27T22:00", "2026-03-28", "2026-03-30T23:00"),
        ["2026-03-28T21", "2026-03-29T20", "2026-03-30T20"]
    );
    // half past two does not exist on the 29th of March: the window starts when clocks jump
    assert_eq!(
        daily("2026-03-28T02:30", "2026-03-28T03:00", "2026-03-30T00:00"),
        ["2026-03-29T01"],
        "at 02:00, which is 03:00"
    );
    // and comes twice on the 25th of October: the window starts at the first
    assert_eq!(daily("2026-10-25T02:30", "2026-10-25", "2026-10-25T12:00"), ["2026-10-25T00:30:00Z"]);
}
