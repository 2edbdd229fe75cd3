//! The rules of this server in memory: each checked, with its place in the schedule and what it remembers.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use watchkeeper_alerting::evaluate::RuleState;
use watchkeeper_alerting::rule::{AlertRule, RuleKind, Source};
use watchkeeper_alerting::{kql, schedule};
use watchkeeper_state::AlertRuleRun;

/// A rule that can be evaluated.
#[derive(Debug)]
pub struct Loaded {
    pub key: String,
    pub rule: AlertRule,
    /// When it was changed last, microseconds since 1970.
    pub modified_at: i64,
    pub phase: i64,
    /// Texts of its conditions.
    pub texts: Vec<String>,
    /// All its queries give rows one by one.
    pub row_by_row: bool,
    /// The column of time of its queries, once they have been looked at.
    pub time_column: Option<String>,
}

impl Loaded {
    /// Takes a rule in. `time_column` is what a look at its query found.
    pub fn new(rule: AlertRule, modified_at: i64, time_column: Option<String>) -> Loaded {
        let key = rule.resource.key();
        let texts: Vec<String> = rule
            .conditions
            .iter()
            .map(|condition| match &condition.source {
                Source::Query(text) => text.clone(),
                Source::Metric { namespace, name } => {
                    let dimensions: Vec<&str> = condition.dimensions.iter().map(|one| one.name.as_str()).collect();
                    watchkeeper_alerting::rule::metric_samples(namespace, name, &dimensions)
                }
            })
            .collect();
        let row_by_row = rule.kind == RuleKind::Metric || texts.iter().all(|text| kql::is_row_by_row(text));
        let phase = schedule::phase(&key, rule.frequency);
        Loaded { key, rule, modified_at, phase, texts, row_by_row, time_column }
    }
}

/// How a rule does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Health {
    /// Empty: it works.
    pub error: String,
    /// Since when it fails, microseconds since 1970.
    pub failing_since: i64,
    pub last_run: i64,
    pub last_duration_ms: i64,
    /// Evaluations that were missed and not made up, since the rule was changed.
    pub skipped: i64,
}

/// What the store keeps of a rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remembered {
    pub state: RuleState,
    pub health: Health,
}

impl Remembered {
    pub fn read(run: Option<&AlertRuleRun>) -> Remembered {
        run.and_then(|run| serde_json::from_value(run.document.clone()).ok()).unwrap_or_default()
    }

    pub fn run(&self, key: &str) -> AlertRuleRun {
        AlertRuleRun {
            rule_key: key.to_owned(),
            last_end: self.state.last_end,
            document: serde_json::to_value(self).unwrap_or_default(),
        }
    }
}

/// A rule in its turns.
#[derive(Debug, Clone)]
pub struct Running {
    pub loaded: Arc<Loaded>,
    /// `None`: to be read from the store.
    pub remembered: Option<Remembered>,
    /// Since when this server has the rule.
    pub since: i64,
    /// It is being evaluated.
    pub busy: bool,
    /// Queries in a row that failed.
    pub failures: u32,
    /// When its next turn is.
    pub next: i64,
}

/// All rules, by key, and whose turn is next.
#[derive(Debug, Default)]
pub struct Rules {
    pub revision: String,
    pub running: HashMap<String, Running>,
    turns: BinaryHeap<Reverse<(i64, String)>>,
}

impl Rules {
    /// The enabled rules as they are now. What is remembered of rules that are the same stays.
    pub fn replace(&mut self, revision: String, loaded: Vec<Arc<Loaded>>, now: i64) {
        self.revision = revision;
        let mut before = std::mem::take(&mut self.running);
        self.turns.clear();
        for loaded in loaded {
            let key = loaded.key.clone();
            let running = match before.remove(&key) {
                Some(known) if known.loaded.modified_at == loaded.modified_at => Running { loaded, ..known },
                // what is being evaluated now ends with the rule as it was and is left out
                known => Running {
                    loaded,
                    remembered: None,
                    since: 0,
                    busy: known.is_some_and(|known| known.busy),
                    failures: 0,
                    next: now,
                },
            };
            self.turns.push(Reverse((running.next, key.clone())));
            self.running.insert(key, running);
        }
    }

    /// Keys of the rules whose turn it is, and when the next one's is.
    pub fn due(&mut self, now: i64) -> (Vec<String>, Option<i64>) {
        let mut keys = Vec::new();
        while let Some(Reverse((at, _))) = self.turns.peek() {
            if *at > now {
                return (keys, Some(*at));
            }
            if let Some(Reverse((_, key))) = self.turns.pop() {
                keys.push(key);
            }
        }
        (keys, None)
    }

    /// Puts a rule in its place.
    pub fn later(&mut self, key: &str, at: i64) {
        if let Some(running) = self.running.get_mut(key) {
            running.next = at;
            self.turns.push(Reverse((at, key.to_owned())));
        }
    }
}
