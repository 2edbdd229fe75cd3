//! Failures: reported, rested, and reported as over. One module that fails is an event of each of its workflows.

use std::cmp::Reverse;

use watchkeeper_wire::proto::operational_item::Item as Up;
use watchkeeper_wire::proto::{WorkflowEvent, WorkflowEventKind};

use super::{Engine, FAILURES_BEFORE_REST, FIRST_REST, Key, LONGEST_REST};
use crate::system::Microseconds;
use crate::workflow::module::Failure;

/// Workflows that are named when a module of many fails; the reason is the same for all.
const MAX_NAMED: usize = 20;
/// What of a reason is sent.
const REASON_LIMIT: usize = 2_000;

impl Engine {
    pub(super) fn failed(&mut self, key: Key, failure: &Failure, now: Microseconds) {
        let Some(node) = self.nodes.get_mut(&key) else { return };
        if let Some(run) = node.run {
            // what runs on demand is not tried again: the failure is its result
            if let Some(run) = self.runs.get_mut(&run) {
                run.failure.get_or_insert_with(|| failure.clone());
            }
            return;
        }
        node.failures = node.failures.saturating_add(1);
        node.unreported += 1;
        let (label, failures) = (node.label.clone(), node.failures);
        let mut reports = Vec::new();
        if failures == 1 {
            let kind = if failure.timed_out { WorkflowEventKind::TimedOut } else { WorkflowEventKind::Failed };
            reports.push((kind, 0));
        }
        if failures >= FAILURES_BEFORE_REST {
            let doublings = (failures - FAILURES_BEFORE_REST).min(16);
            let rest = FIRST_REST.saturating_mul(1 << doublings).min(LONGEST_REST);
            node.rests_until = now + rest;
            // its own times go on after the rest; a job that waits is of no use then
            node.waiting.clear();
            if node.wake.is_some() {
                node.wake = Some(node.rests_until);
                self.timers.push(Reverse((node.rests_until, key)));
            }
            reports.push((WorkflowEventKind::BackedOff, u32::try_from(rest / 1_000_000).unwrap_or(u32::MAX)));
        }
        if reports.is_empty() {
            return;
        }
        let count = std::mem::take(&mut node.unreported);
        let workflows = node.workflows.clone();
        tracing::warn!(module = label, reason = failure.reason, failures, "a module of a workflow failed");
        for (kind, seconds) in reports {
            for index in workflows.iter().take(MAX_NAMED) {
                self.workflow_event(*index, kind, &label, &failure.reason, count, seconds, now);
            }
        }
    }

    pub(super) fn succeeded(&mut self, key: Key, now: Microseconds) {
        let Some(node) = self.nodes.get_mut(&key).filter(|node| node.failures > 0) else { return };
        let count = std::mem::take(&mut node.failures);
        node.unreported = 0;
        node.rests_until = 0;
        let (label, workflows) = (node.label.clone(), node.workflows.clone());
        for index in workflows.into_iter().take(MAX_NAMED) {
            self.workflow_event(index, WorkflowEventKind::Recovered, &label, "", count, 0, now);
        }
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn workflow_event(
        &mut self,
        index: usize,
        kind: WorkflowEventKind,
        module: &str,
        reason: &str,
        count: u32,
        seconds: u32,
        now: Microseconds,
    ) {
        let Some(workflow) = self.workflows.get(index) else { return };
        self.outbox.put(
            now,
            Up::WorkflowEvent(WorkflowEvent {
                workflow: workflow.element_id.to_string(),
                element: workflow.element.clone(),
                object: workflow.object.to_string(),
                kind: kind.into(),
                module: module.to_owned(),
                reason: reason.chars().take(REASON_LIMIT).collect(),
                count,
                seconds,
            }),
        );
    }
}
