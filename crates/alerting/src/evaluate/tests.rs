//! A rule over minutes, fed by hand.

use serde_json::{Value, json};

use super::*;
use crate::observed::Bin;
use crate::rule::testing::{log_properties, log_rule};

const MINUTE: i64 = 60_000_000;

/// A rule with the rows of each of its series by minute.
struct World {
    rule: AlertRule,
    state: RuleState,
    rows: BTreeMap<(i64, SeriesKey), u64>,
    ids: u32,
    late: Period,
}

impl World {
    fn new(change: impl FnOnce(&mut Value)) -> World {
        let mut properties = log_properties("Syslog");
        properties["evaluationFrequency"] = json!("PT1M");
        properties["windowSize"] = json!("PT1M");
        change(&mut properties);
        World {
            rule: log_rule(properties),
            state: RuleState::default(),
            rows: BTreeMap::new(),
            ids: 0,
            late: Period::default(),
        }
    }

    /// Rows within the minute that ends at minute `end`.
    fn rows(&mut self, end: i64, key: &[&str], rows: u64) {
        let key = key.iter().map(|part| (*part).to_owned()).collect();
        self.rows.insert((end, key), rows);
    }

    fn run(&mut self, ends: &[i64]) -> Outcome {
        let due: Vec<i64> = ends.iter().map(|end| end * MINUTE).collect();
        let plan = plan(&self.rule, &due, true, self.late).unwrap();
        let mut observed = Observed::default();
        for ((end, key), rows) in &self.rows {
            let index = (plan.span.end / MINUTE - end) * MINUTE / plan.span.grain.micros();
            if (0..plan.span.bins).contains(&index) && *rows > 0 {
                observed.add(key.clone(), index, Bin { rows: *rows, ..Bin::default() });
            }
        }
        let input = Input { rule: &self.rule, plan: &plan, observed: &[observed], models: &[], since: 0 };
        evaluate(&input, &mut self.state, &mut || {
            self.ids += 1;
            format!("a{}", self.ids)
        })
    }

    fn fired(&mut self, end: i64) -> usize {
        self.run(&[end]).fired.len()
    }
}

#[test]
fn a_stateful_rule_fires_once_and_resolves_after_ten_minutes() {
    let mut world = World::new(|_| {});
    world.rows(1, &[], 3);
    world.rows(2, &[], 1);
    let first = world.run(&[1]);
    assert_eq!(first.fired[0].values[0].value, Some(3.0));
    assert_eq!((first.fired[0].window_start, first.fired[0].window_end), (0, MINUTE));
    assert_eq!(world.run(&[2]), Outcome::default());
    for end in 3..12 {
        assert_eq!(world.run(&[end]), Outcome::default(), "{end}");
    }
    let over = world.run(&[12]);
    assert_eq!(over.resolved[0].alert_id, "a1");
    world.rows(13, &[], 1);
    assert_eq!(world.run(&[13]).fired[0].alert_id, "a2");
}

#[test]
fn a_stateless_rule_fires_each_time_and_rests_its_actions() {
    let mut world = World::new(|properties| {
        properties["autoMitigate"] = json!(false);
        properties["muteActionsDuration"] = json!("PT2M");
    });
    let mut muted = Vec::new();
    for end in 1..=4 {
        world.rows(end, &[], 1);
        muted.push(world.run(&[end]).fired[0].muted);
    }
    assert_eq!(muted, [false, true, false, true]);
}

#[test]
fn each_combination_of_dimensions_has_its_own_alert() {
    let mut world = World::new(|properties| {
        properties["criteria"]["allOf"][0]["dimensions"] =
            json!([{"name": "Computer", "operator": "Include", "values": ["*"]}]);
    });
    world.rows(1, &["a"], 1);
    world.rows(2, &["a"], 1);
    world.rows(2, &["b"], 1);
    assert_eq!(world.run(&[1]).fired[0].key, ["a"]);
    let second = world.run(&[2]).fired;
    assert_eq!(second.iter().map(|fired| fired.key[0].as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn enough_of_the_last_points_have_to_fail() {
    // three failures (15 minutes) in the last hour would be 3 of 12; here 2 of 3
    let mut world = World::new(|properties| {
        let failing = json!({"numberOfEvaluationPeriods": 3, "minFailingPeriodsToAlert": 2});
        properties["criteria"]["allOf"][0]["failingPeriods"] = failing;
    });
    for end in [1, 4, 6] {
        world.rows(end, &[], 1);
    }
    let fired: Vec<usize> = (1..=6).map(|end| world.fired(end)).collect();
    assert_eq!(fired, [0, 0, 0, 0, 0, 1]);
}

#[test]
fn rows_that_come_late_fire_the_window_that_they_belong_to_once() {
    let mut world = World::new(|_| {});
    world.late = Period(3 * MINUTE);
    assert_eq!((world.fired(1), world.fired(2)), (0, 0));
    world.rows(1, &[], 1);
    let late = world.run(&[3]).fired;
    assert_eq!((late[0].window_end, late[0].late), (MINUTE, true));
    for end in 4..20 {
        assert_eq!(world.fired(end), 0, "{end}");
    }
    world.rows(14, &[], 1);
    assert_eq!(world.fired(20), 0, "later than what is waited for");
}

#[test]
fn missed_evaluations_are_made_up_in_their_order() {
    let mut world = World::new(|properties| {
        properties["ruleResolveConfiguration"] = json!({"timeToResolve": "PT2M"});
    });
    world.run(&[1]);
    world.rows(2, &[], 1);
    world.rows(5, &[], 1);
    let outcome = world.run(&[2, 3, 4, 5]);
    let fired: Vec<i64> = outcome.fired.iter().map(|fired| fired.window_end / MINUTE).collect();
    let resolved: Vec<i64> = outcome.resolved.iter().map(|resolved| resolved.window_end / MINUTE).collect();
    assert_eq!((fired, resolved), (vec![2, 5], vec![4]));
}

#[test]
fn silence_is_a_count_of_zero() {
    let mut world = World::new(|properties| {
        properties["criteria"]["allOf"][0]["operator"] = json!("LessThan");
        properties["criteria"]["allOf"][0]["threshold"] = json!(1);
        properties["criteria"]["allOf"][0]["dimensions"] =
            json!([{"name": "Computer", "operator": "Include", "values": ["*"]}]);
    });
    world.late = Period(5 * MINUTE);
    world.rows(1, &["a"], 1);
    assert_eq!(world.fired(1), 0);
    assert_eq!(world.run(&[2]).fired[0].key, ["a"], "it was there a minute ago");
    for end in 3..1440 {
        assert_eq!(world.run(&[end]), Outcome::default());
    }
    let forgotten = world.run(&[1441]).resolved;
    assert!(forgotten[0].forgotten);
}

#[test]
fn limits_of_an_evaluation_are_counted() {
    let mut world = World::new(|properties| {
        properties["criteria"]["allOf"][0]["dimensions"] =
            json!([{"name": "Computer", "operator": "Include", "values": ["*"]}]);
    });
    for number in 0..limits::MOST_STATEFUL_FIRED + 7 {
        world.rows(1, &[&number.to_string()], 1);
    }
    let outcome = world.run(&[1]);
    assert_eq!((outcome.fired.len(), outcome.over_limit), (limits::MOST_STATEFUL_FIRED, 7));
}

#[test]
fn a_query_of_its_own_making_is_asked_for_its_newest_windows_alone() {
    let world = World::new(|properties| {
        properties["windowSize"] = json!("PT5M");
        properties["criteria"]["allOf"][0]["failingPeriods"] =
            json!({"numberOfEvaluationPeriods": 2, "minFailingPeriodsToAlert": 1});
        properties["overrideQueryTimeRange"] = json!("PT1H");
    });
    let plan = plan(&world.rule, &[99 * MINUTE, 100 * MINUTE], false, Period(10 * MINUTE)).unwrap();
    assert_eq!(plan.from, 40 * MINUTE);
    assert_eq!(plan.span, Span { end: 100 * MINUTE, grain: Period(5 * MINUTE), bins: 2 });
    assert_eq!(plan.ends.len(), 1);
}
