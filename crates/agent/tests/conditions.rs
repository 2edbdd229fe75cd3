//! Condition modules, each with a table of what comes in when and what has to come out.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::{Bench, bag, sample, texts};
use watchkeeper_model::node::Node;

fn consolidator(mode: &str, count: &str, interval: &str, schedule: &str) -> Node {
    let control = Node::new("TimeControl").with_child(Node::new(schedule).with_child(Node::text("Interval", interval)));
    let mut counting = Node::new("CountingCondition").with_child(Node::text("CountMode", mode));
    if !count.is_empty() {
        counting = counting.with_child(Node::text("Count", count));
    }
    let consolidator = Node::new("Consolidator").with_child(control).with_child(counting);
    Node::new("Configuration").with_child(consolidator)
}

/// Times at which items come, and the times at which something comes out, with the count.
#[test]
fn a_consolidator_counts_as_its_mode_says() {
    let timer = "OnNewItemNOP_OnTimerOutputRestart";
    let count = "OnNewItemTestOutputRestart_OnTimerRestart";
    let sliding = "OnNewItemTestOutputRestart_OnTimerSlideByOne";
    let within = "WithinTimeSchedule";
    for (mode, needed, interval, schedule, items, expected) in [
        (timer, "2", "60", within, vec![0, 10, 20], vec![(60, "3")]),
        (timer, "2", "60", within, vec![0, 100, 110], vec![(160, "2")]),
        (timer, "0", "60", "GenericSchedule", vec![70], vec![(60, "0"), (180, "0")]),
        (count, "3", "60", within, vec![0, 10, 20, 30], vec![(20, "3")]),
        // the window ends between: counting starts again
        (count, "3", "60", within, vec![0, 50, 70, 80], vec![]),
        // a window that slides sees the three of 50 to 80
        (sliding, "3", "60", within, vec![0, 50, 70, 80], vec![(80, "3")]),
        (sliding, "2", "10", within, vec![0, 11, 22, 33], vec![]),
    ] {
        let mut bench = Bench::new("System.ConsolidatorCondition", consolidator(mode, needed, interval, schedule));
        let mut given = Vec::new();
        for time in items {
            given.extend(bench.until(time));
            given.extend(bench.take(0, vec![bag(&[("A", "1")])]));
        }
        given.extend(bench.until(200));
        let given: Vec<(i64, String)> =
            given.iter().map(|(time, item)| (*time, item.body.value("Count").unwrap().to_owned())).collect();
        let expected: Vec<(i64, String)> = expected.into_iter().map(|(time, count)| (time, count.to_owned())).collect();
        assert_eq!(given, expected, "{mode} {needed} {schedule}");
    }
}

#[test]
fn a_correlator_pairs_items_as_order_and_policy_say() {
    // input and time of each item; times at which something comes out, with the first item's number
    for (kind, order, policy, items, expected) in [
        ("Auto", "InSequence", "First", vec![(0, 0), (1, 10)], vec![(10, "0")]),
        ("Auto", "InSequence", "First", vec![(1, 0), (0, 10)], vec![]),
        ("Auto", "AnyOrder", "First", vec![(1, 0), (0, 10)], vec![(10, "1")]),
        ("Auto", "InSequence", "First", vec![(0, 0), (1, 40)], vec![]),
        // the window is that of the first item, or begins again with the next
        ("Auto", "InSequence", "First", vec![(0, 0), (0, 20), (1, 40)], vec![]),
        ("Auto", "InSequence", "First", vec![(0, 0), (0, 20), (1, 25)], vec![(25, "0")]),
        ("Auto", "InSequence", "Last", vec![(0, 0), (0, 20), (1, 25)], vec![(25, "1")]),
        ("Auto", "InSequence", "ResetWindow", vec![(0, 0), (0, 20), (1, 40)], vec![(40, "1")]),
        ("Missing", "InSequence", "First", vec![(0, 0)], vec![(30, "0")]),
        ("Missing", "InSequence", "First", vec![(0, 0), (1, 10)], vec![]),
    ] {
        let configuration = texts(&[
            ("Count", "1"),
            ("Interval", "30"),
            ("CorrelationOrder", order),
            ("CorrelationItemPolicy", policy),
        ]);
        let mut bench = Bench::new(&format!("System.Correlator{kind}Condition"), configuration);
        let mut given = Vec::new();
        for (number, (input, time)) in items.iter().enumerate() {
            given.extend(bench.until(*time));
            given.extend(bench.take(*input, vec![bag(&[("N", &number.to_string())])]));
        }
        given.extend(bench.until(200));
        let query = watchkeeper_model::xpath::XPath::parse("Item0Context/DataItem/Property[@Name='N']").unwrap();
        let given: Vec<(i64, String)> = given.iter().map(|(time, item)| (*time, item.value(&query).unwrap())).collect();
        let expected: Vec<(i64, String)> = expected.into_iter().map(|(time, first)| (time, first.to_owned())).collect();
        assert_eq!(given, expected, "{kind} {order} {policy} {items:?}");
    }
}

#[test]
fn thresholds_give_what_is_past_them() {
    let values = [1.0, 5.0, 9.0, 9.0, 2.0, 9.0];
    for (kind, configuration, expected) in [
        (
            "ConsecutiveSamplesCondition",
            vec![("Threshold", "4"), ("Direction", "greater")],
            vec![0.0, 1.0, 2.0, 3.0, 0.0, 1.0],
        ),
        ("AverageThreshold", vec![("NumSamples", "3")], vec![5.0, 23.0 / 3.0, 20.0 / 3.0, 20.0 / 3.0]),
        ("AverageThreshold", vec![("NumSamples", "3"), ("Threshold", "7"), ("Direction", "greater")], vec![23.0 / 3.0]),
        ("SingleThreshold", vec![("Threshold", "5"), ("Direction", "greaterequal")], vec![5.0, 9.0, 9.0, 9.0]),
        ("SingleThreshold", vec![("Threshold", "2"), ("Direction", "less")], vec![1.0]),
        ("DoubleThreshold", vec![("Threshold1", "4"), ("Threshold2", "8"), ("Band", "Below")], vec![1.0, 2.0]),
        ("DoubleThreshold", vec![("Threshold1", "4"), ("Threshold2", "8"), ("Band", "Between")], vec![5.0]),
        ("DoubleThreshold", vec![("Threshold1", "4"), ("Threshold2", "8"), ("Band", "Above")], vec![9.0, 9.0, 9.0]),
        (
            "DoubleThreshold",
            vec![("Threshold1", "4"), ("Threshold2", "2"), ("Direction", "less"), ("Band", "Above")],
            vec![1.0],
        ),
    ] {
        let mut bench = Bench::new(&format!("System.Performance.{kind}"), texts(&configuration));
        let mut given = Vec::new();
        for value in values {
            given.extend(bench.take(0, vec![sample(value)]));
        }
        let given: Vec<f64> =
            given.iter().map(|(_, item)| item.body.value("Value").unwrap().parse().unwrap()).collect();
        assert_eq!(given, expected, "{kind} {configuration:?}");
    }
}

#[test]
fn a_self_tuning_threshold_learns_what_is_usual_and_then_judges() {
    let configuration = texts(&[("BusinessCycleHours", "1"), ("LearningHours", "24"), ("Sensitivity", "3")]);
    let mut bench = Bench::new("System.Performance.SelfTuningThreshold", configuration);
    for hour in 0..48 {
        bench.until(hour * 3_600);
        let given = bench.take(0, vec![sample(if hour % 2 == 0 { 10.0 } else { 12.0 })]);
        assert!(given.is_empty(), "{hour} is usual");
    }
    assert_eq!(bench.take(0, vec![sample(60.0)]).len(), 1);
    assert!(bench.take(0, vec![sample(11.0)]).is_empty());
}

#[test]
fn matches_are_suppressed_until_there_are_enough() {
    let settings = |pairs: &[(&str, &str)]| {
        let settings = Node { children: texts(pairs).children, ..Node::new("SuppressionSettings") };
        Node::new("Configuration").with_child(harness::equals("Property[@Name='A']", "1")).with_child(settings)
    };
    // what comes every ten seconds, and which of them get through
    for (suppression, items, expected) in [
        (settings(&[("MatchCount", "3")]), "110111", vec![50]),
        (settings(&[("MatchCount", "2"), ("SampleCount", "3")]), "101001", vec![20]),
        (settings(&[("MatchCount", "2"), ("WithinSeconds", "15")]), "101011", vec![50]),
    ] {
        let mut bench = Bench::new("System.ExpressionFilter", suppression);
        let mut times = Vec::new();
        for (number, value) in items.chars().enumerate() {
            bench.until(number as i64 * 10);
            let item = bench.timed(bag(&[("A", &value.to_string())]));
            times.extend(bench.take(0, vec![item]).iter().map(|(time, _)| *time));
        }
        assert_eq!(times, expected, "{items}");
    }
}

#[test]
fn a_set_passes_by_all_or_any_of_its_items_and_a_timer_after_the_last() {
    let set = |evaluation: &str, empty: &str| {
        let mut configuration = texts(&[("SetEvaluation", evaluation), ("EmptySet", empty)]);
        configuration.children.push(harness::equals("Property[@Name='A']", "1"));
        configuration
    };
    for (evaluation, empty, items, expected) in [
        ("All", "Block", vec!["1", "1"], 2),
        ("All", "Block", vec!["1", "2"], 0),
        ("Any", "Block", vec!["1", "2"], 2),
        ("Any", "Block", vec!["2"], 0),
        ("All", "Block", vec![], 0),
        ("All", "Passthrough", vec![], 1),
    ] {
        let mut bench = Bench::new("System.LogicalSet.ExpressionFilter", set(evaluation, empty));
        let given = bench.take(0, items.iter().map(|value| bag(&[("A", value)])).collect());
        assert_eq!(given.len(), expected, "{evaluation} {empty} {items:?}");
    }
    let mut timer = Bench::new("System.TimerResetCondition", texts(&[("TimerWaitInSeconds", "60")]));
    timer.take(0, vec![bag(&[])]);
    assert!(timer.until(30).is_empty());
    timer.take(0, vec![bag(&[])]);
    assert!(timer.until(89).is_empty(), "the last item counts");
    assert_eq!(timer.until(100).len(), 1);
    assert!(timer.until(1_000).is_empty(), "once");
}
