//! The turns of rules: one task that says whose turn it is, as many evaluations at a time as processors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use watchkeeper_alerting::schedule;
use watchkeeper_management::clock;
use watchkeeper_management::rule_alerts::{RuleOperation, RuleOutcomes};
use watchkeeper_state::{AlertingKind, StateError};

use super::Alerting;
use super::evaluate::Evaluated;
use super::rules::{Loaded, Remembered, Running};

/// How often it is looked whether rules were changed on another server, at most.
const LOOK: Duration = Duration::from_secs(2);
/// Between looks at whose turn it is, at least.
const FEWEST: Duration = Duration::from_millis(50);
/// Reading the rules again takes at most this part of the time, however often they are changed.
const READING_PART: u32 = 10;
/// A rule whose query fails is tried again after so long, doubled with each failure up to its frequency.
const FIRST_RETRY: i64 = 5_000_000;
/// A rule that another server has is looked at again after so long.
const ELSEWHERE: i64 = 2_000_000;

impl Alerting {
    /// Evaluates rules for as long as the server runs.
    pub(super) async fn run_rules(self: Arc<Self>) {
        let (mut read_at, mut next_read, mut is_changed) = (Instant::now(), Instant::now(), true);
        loop {
            if (is_changed || read_at.elapsed() >= LOOK) && Instant::now() >= next_read {
                let began = Instant::now();
                if let Err(error) = self.follow_rules().await {
                    tracing::warn!(%error, "alert rules are read again later");
                }
                (read_at, is_changed) = (began, false);
                next_read = Instant::now() + began.elapsed() * (READING_PART - 1);
            }
            let now = clock::now();
            let (due, next) = self.rules.write().due(now);
            for key in due {
                self.take_turn(&key, now);
            }
            let mut wait =
                next.map_or(LOOK, |at| Duration::from_micros(u64::try_from(at - now).unwrap_or(0)).min(LOOK));
            if is_changed {
                wait = wait.min(next_read.saturating_duration_since(Instant::now()));
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = self.changed.notified() => is_changed = true,
                () = tokio::time::sleep(wait.max(FEWEST)) => {}
            }
        }
    }

    /// Reads the rules where they have changed.
    async fn follow_rules(&self) -> Result<(), StateError> {
        let revision = self.state.alerting_revision().await?;
        if self.rules.read().revision == revision {
            return Ok(());
        }
        let mut loaded = Vec::new();
        for resource in self.state.alerting_resources(AlertingKind::AlertRule).await? {
            match self.load_rule(&resource) {
                Ok(rule) if rule.rule.enabled => loaded.push(Arc::new(rule)),
                Ok(_) => {}
                Err(error) => tracing::error!(rule = resource.key, %error, "an alert rule cannot be evaluated"),
            }
        }
        tracing::info!(rules = loaded.len(), "alert rules are evaluated");
        self.rules.write().replace(revision, loaded, clock::now());
        Ok(())
    }

    /// Begins the evaluation of a rule, where it is this server's.
    fn take_turn(self: &Arc<Self>, key: &str, now: i64) {
        let Some(since) = self.operations.alert_work(key) else {
            self.rules.write().later(key, now + ELSEWHERE);
            return;
        };
        let mut rules = self.rules.write();
        let Some(running) = rules.running.get_mut(key) else { return };
        if running.busy {
            rules.later(key, now + 1_000_000);
            return;
        }
        if running.since != since {
            // another server may have evaluated it meanwhile
            running.since = since;
            running.remembered = None;
        }
        running.busy = true;
        let running = running.clone();
        drop(rules);
        let alerting = Arc::clone(self);
        tokio::spawn(async move { alerting.turn(running).await });
    }

    async fn turn(self: Arc<Self>, running: Running) {
        let loaded = Arc::clone(&running.loaded);
        let key = loaded.key.clone();
        let outcome = tokio::select! {
            () = self.stop.cancelled() => return,
            outcome = self.evaluate_due(running) => outcome,
        };
        let mut rules = self.rules.write();
        let Some(running) = rules.running.get_mut(&key) else { return };
        running.busy = false;
        let is_same = running.loaded.modified_at == loaded.modified_at;
        let at = match outcome {
            _ if !is_same => clock::now(),
            Ok((remembered, next)) => {
                running.failures = 0;
                running.remembered = Some(remembered);
                next
            }
            Err(remembered) => {
                running.failures = running.failures.saturating_add(1);
                running.remembered = remembered;
                let retry = FIRST_RETRY.saturating_mul(1 << running.failures.min(10));
                clock::now() + retry.min(loaded.rule.frequency.micros()).max(1_000_000)
            }
        };
        rules.later(&key, at);
    }

    /// Evaluates what is due of a rule and writes it. Gives what it remembers now and when its next turn is; an error
    /// gives what it remembers, or nothing where that has to be read again.
    async fn evaluate_due(&self, running: Running) -> Result<(Remembered, i64), Option<Remembered>> {
        let loaded = running.loaded;
        let mut remembered = match running.remembered {
            Some(remembered) => remembered,
            None => match self.state.alert_rule_run(&loaded.key).await {
                Ok(run) => Remembered::read(run.as_ref()),
                Err(error) => {
                    tracing::warn!(rule = loaded.key, %error, "what an alert rule remembers cannot be read");
                    return Err(None);
                }
            },
        };
        let now = clock::now();
        let before = remembered.state.last_end;
        let due = schedule::due(before, now, loaded.rule.frequency, loaded.phase, self.catch_up);
        if due.ends.is_empty() {
            return Ok((remembered, due.next));
        }
        let Ok(turn) = self.turns.acquire().await else { return Err(Some(remembered)) };
        let mut operations = said(&loaded, &due, before);
        let was_failing = !remembered.health.error.is_empty();
        remembered.health.skipped += due.skipped;
        remembered.health.last_run = now;
        let began = Instant::now();
        let evaluated = self.evaluate(&loaded, &due.ends, &mut remembered.state).await;
        remembered.health.last_duration_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let mut outcomes = match evaluated {
            Ok(outcomes) => {
                if was_failing {
                    operations.push(operation(&loaded, "Recovered", "its query works again".to_owned()));
                }
                remembered.health.error.clear();
                remembered.health.failing_since = 0;
                outcomes
            }
            Err(error) => {
                let error = error.to_string();
                tracing::warn!(rule = loaded.key, error, "an alert rule was not evaluated");
                if was_failing && remembered.health.error == error {
                    return Err(Some(remembered));
                }
                if !was_failing {
                    remembered.health.failing_since = now;
                }
                remembered.health.error.clone_from(&error);
                operations.push(operation(&loaded, "Failed", error));
                RuleOutcomes::default()
            }
        };
        let failed = !remembered.health.error.is_empty();
        outcomes.operations.extend(operations);
        outcomes.runs.push((remembered.run(&loaded.key), before));
        // others are evaluated while this waits for the store, which writes what comes meanwhile at once
        drop(turn);
        let written = self.write(Evaluated(outcomes)).await;
        match written {
            // it is read again: what was evaluated and not written did not happen
            Err(error) => {
                tracing::warn!(
                    rule = loaded.key,
                    error,
                    "what an alert rule found is not written; it is evaluated again"
                );
                Err(None)
            }
            Ok(()) if failed => Err(Some(remembered)),
            Ok(()) => Ok((remembered, due.next)),
        }
    }

    /// Writes what several rules came to at one time in one transaction.
    async fn write(&self, evaluated: Evaluated) -> Result<(), String> {
        let write = |all: Vec<Evaluated>| async move {
            let mut together = RuleOutcomes::default();
            let mut expected = Vec::new();
            for Evaluated(outcomes) in all {
                together.fired.extend(outcomes.fired);
                together.resolved.extend(outcomes.resolved);
                expected.extend(outcomes.runs.iter().map(|(run, _)| run.rule_key.clone()));
                together.runs.extend(outcomes.runs);
                together.operations.extend(outcomes.operations);
            }
            let written = self.operations.operational.record_rules(together, clock::now()).await;
            let written = written.map_err(|error| error.to_string())?;
            match expected.iter().find(|key| !written.contains(key)) {
                Some(key) => Err(format!("another server has evaluated {key} meanwhile")),
                None => Ok(()),
            }
        };
        self.writing.write(evaluated, write, || "the server is stopping".to_owned()).await
    }
}

/// What there is to say about how evaluations are late.
fn said(loaded: &Loaded, due: &schedule::Due, before: i64) -> Vec<RuleOperation> {
    let mut operations = Vec::new();
    let time = watchkeeper_model::civil::format_time;
    if due.clock_back {
        let detail = format!("the clock was set back to before {}; evaluation goes on from now", time(before));
        operations.push(operation(loaded, "ClockChanged", detail));
    }
    if due.skipped > 0 {
        let detail = format!(
            "{} evaluations since {} were missed and are too old to be made up (alerts.catch_up_minutes); {} are made up",
            due.skipped,
            time(before),
            due.ends.len()
        );
        operations.push(operation(loaded, "Skipped", detail));
    } else if due.ends.len() > 1 {
        let detail = format!("{} evaluations since {} were missed and are made up", due.ends.len() - 1, time(before));
        operations.push(operation(loaded, "CaughtUp", detail));
    }
    operations
}

fn operation(loaded: &Loaded, status: &'static str, detail: String) -> RuleOperation {
    RuleOperation { rule: loaded.rule.resource.path(), status, detail }
}
