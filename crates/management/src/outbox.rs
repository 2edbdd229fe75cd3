//! Rows for the workspace that belong to changes of operational data: made here, left in the store with the changes,
//! and delivered to the sink from there.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use tokio::sync::Notify;
use watchkeeper_state::{
    Alert, AlertDelivery, Changes, Priority, ResolutionState, RuleFacts, Severity, State, StateError, TaskRun,
    TaskStatus,
};
use watchkeeper_wire::proto::{self, WorkflowEvent, WorkflowEventKind};
use watchkeeper_wire::{Batch, TableBuilder};

use crate::rule_alerts::delivery_row;
use crate::sink::{AgentIdentity, AgentSink, SinkError};

/// Entries read from the store at once.
const READ: u32 = 64;
const RETRY: Duration = Duration::from_secs(2);
/// Severities of rules over tables, from 0.
const SEVERITIES: [&str; 5] = ["Critical", "Error", "Warning", "Informational", "Verbose"];

/// The outbox of this server.
#[derive(Clone)]
pub struct Outbox {
    pub(crate) server_id: String,
    pub(crate) filled: Arc<Notify>,
}

impl Outbox {
    /// The outbox of another sender of this server.
    #[must_use]
    pub fn of(sender: &str) -> Self {
        Self { server_id: sender.to_owned(), filled: Arc::new(Notify::new()) }
    }

    /// Leaves rows with the changes that they belong to.
    pub(crate) async fn leave(&self, changes: &mut Changes, rows: Rows, now: i64) -> Result<(), StateError> {
        let Some(tables) = rows.finish() else { return Ok(()) };
        self.leave_tables(changes, tables, now).await
    }

    /// The same for tables that are made elsewhere. They are delivered when [`Outbox::deliver`] is called.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn leave_tables(
        &self,
        changes: &mut Changes,
        tables: Vec<proto::Table>,
        now: i64,
    ) -> Result<(), StateError> {
        // after what waits, also when the clock was set back
        let sequence = now.max(changes.last_left_rows(&self.server_id).await? + 1);
        let payload = STANDARD.encode(proto::Rows { tables }.encode_to_vec());
        changes.leave_rows(&self.server_id, sequence, &payload).await
    }

    /// Gives the sink what waits, in order; returns when nothing does.
    ///
    /// # Errors
    /// When the store or the sink takes nothing now; what was not delivered waits on.
    pub async fn deliver(&self, state: &State, sink: &dyn AgentSink) -> Result<(), DeliveryError> {
        let sender = AgentIdentity {
            agent_id: self.server_id.clone(),
            computer: String::new(),
            queue: "operational".to_owned(),
        };
        loop {
            let entries = state.left_rows(&self.server_id, READ).await?;
            if entries.is_empty() {
                return Ok(());
            }
            for (sequence, payload) in entries {
                let bytes = STANDARD.decode(&payload).unwrap_or_default();
                let tables = proto::Rows::decode(bytes.as_slice()).map(|rows| rows.tables).unwrap_or_default();
                let batch = Batch { sequence: sequence.unsigned_abs(), tables };
                match sink.accept(&sender, batch).await {
                    Ok(()) => {}
                    Err(SinkError::Refused { reason }) => tracing::error!(reason, "rows of this server were refused"),
                    Err(error) => return Err(error.into()),
                }
                state.rows_delivered(&self.server_id, sequence).await?;
            }
        }
    }

    /// Delivers for as long as the task lives.
    pub async fn run(self, state: State, sink: Arc<dyn AgentSink>) {
        loop {
            match self.deliver(&state, sink.as_ref()).await {
                Ok(()) => self.filled.notified().await,
                Err(error) => {
                    tracing::warn!(%error, "rows of this server wait");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

/// Why rows wait.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The operational store.
    #[error(transparent)]
    State(#[from] StateError),
    /// The workspace.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// A row of the table `Audit` of a call over an API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditRow {
    /// Microseconds since the Unix epoch.
    pub at: i64,
    /// The name of whoever called, its identity, and what it is.
    pub caller: String,
    /// Empty: nobody knows.
    pub caller_id: String,
    /// User, ServicePrincipal, or Unknown.
    pub caller_type: &'static str,
    /// Where the call came from.
    pub address: String,
    /// In words.
    pub action: String,
    /// As roles name it.
    pub operation: String,
    /// Of the request.
    pub method: String,
    /// The route, with its parameters in curly brackets.
    pub route: String,
    /// Of the answer.
    pub status: u16,
    /// What it was about.
    pub target: String,
    /// Succeeded, Submitted, Refused or Failed.
    pub result: &'static str,
    /// Why, or what more is to be said.
    pub reason: String,
    /// A JSON object, or empty.
    pub properties: String,
    /// What belongs together.
    pub correlation_id: String,
    /// How often the same was tried.
    pub count: i64,
}

/// Rows that are being collected.
pub(crate) struct Rows {
    management_group: String,
    now: i64,
    alerts: TableBuilder,
    audit: TableBuilder,
    operations: TableBuilder,
    deliveries: TableBuilder,
}

impl Rows {
    pub fn new(management_group: &str, now: i64) -> Self {
        Self {
            management_group: management_group.to_owned(),
            now,
            alerts: TableBuilder::new("Alert"),
            audit: TableBuilder::new("Audit"),
            operations: TableBuilder::new("Operation"),
            deliveries: TableBuilder::new("AlertDelivery"),
        }
    }

    fn finish(self) -> Option<Vec<proto::Table>> {
        let tables = [self.alerts, self.audit, self.operations, self.deliveries];
        let tables: Vec<_> = tables.into_iter().filter(|table| table.rows() > 0).map(TableBuilder::finish).collect();
        (!tables.is_empty()).then_some(tables)
    }

    /// The alert as it is now.
    pub fn alert(&mut self, alert: &Alert) {
        let severity = match (&alert.rule, alert.severity) {
            (Some(rule), _) => SEVERITIES.get(usize::from(rule.severity)).copied().unwrap_or("Verbose"),
            (None, Severity::Information) => "Information",
            (None, Severity::Warning) => "Warning",
            (None, Severity::Error) => "Error",
        };
        let priority = match alert.priority {
            Priority::Low => "Low",
            Priority::Normal => "Normal",
            Priority::High => "High",
        };
        let state = match alert.resolution_state {
            ResolutionState::NEW => "New".to_owned(),
            ResolutionState::CLOSED => "Closed".to_owned(),
            ResolutionState::ACKNOWLEDGED if alert.rule.is_some() => "Acknowledged".to_owned(),
            ResolutionState(code) => code.to_string(),
        };
        self.alerts
            .row()
            .datetime("TimeGenerated", alert.last_modified)
            .string("AlertId", &alert.id)
            .string("AlertName", &alert.name)
            .string("AlertDescription", &alert.description)
            .string("AlertSeverity", severity)
            .string("AlertPriority", priority)
            .int("PriorityNumber", alert.priority as i32)
            .string("AlertState", &state)
            .string("AlertContext", &alert.context)
            .string("AlertRuleId", alert.rule.as_ref().map_or(alert.workflow_id(), |rule| &rule.resource_id))
            .string("StateType", if alert.is_monitor_alert { "Monitor" } else { "Rule" })
            .string("Computer", &alert.principal_name)
            .string("ObjectDisplayName", &alert.monitoring_object_display_name)
            .string("SourceDisplayName", &alert.monitoring_object_display_name)
            .string("SourceFullName", &alert.monitoring_object_full_name)
            .string("RootObjectName", &alert.monitoring_object_path)
            .string("ResourceId", &alert.monitoring_object_id)
            .string("LastModifiedBy", &alert.last_modified_by)
            .string("ResolvedBy", &alert.resolved_by)
            .string("TicketId", &alert.ticket_id)
            .int("RepeatCount", i32::try_from(alert.repeat_count).unwrap_or(i32::MAX))
            .datetime("TimeRaised", alert.time_raised)
            .datetime("TimeLastModified", alert.last_modified)
            .string("ManagementGroupName", &self.management_group)
            .string("StatusDescription", if alert.is_fired() { "Fired" } else { "Resolved" })
            .string("SourceSystem", if alert.rule.is_some() { "OMS" } else { "OpsManager" });
        match &alert.rule {
            Some(rule) => self.rule_facts(rule),
            None if alert.time_resolved > 0 => drop(self.alerts.datetime("TimeResolved", alert.time_resolved)),
            None => {}
        }
        if let Some(item) = alert.work_items.last() {
            self.alerts
                .string("ServiceDeskConnectionName", &item.connection)
                .string("ServiceDeskId", &item.number)
                .string("ServiceDeskWorkItemLink", &item.link)
                .string("ServiceDeskWorkItemType", &item.kind);
        }
        for (number, value) in alert.custom_fields.iter().enumerate().filter(|(_, value)| !value.is_empty()) {
            self.alerts.string(&format!("Custom{}", number + 1), value);
        }
    }

    /// The columns of alerts that rules over tables made.
    fn rule_facts(&mut self, rule: &RuleFacts) {
        let dimensions: Vec<String> = rule.dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.alerts
            .string("AlertRuleInstanceId", &dimensions.join(", "))
            .string("AlertTypeDescription", type_description(&rule.kind))
            .string("Query", &rule.query)
            .datetime("QueryExecutionStartTime", rule.window_start)
            .datetime("QueryExecutionEndTime", rule.window_end)
            .string("ThresholdOperator", &rule.operator);
        if let Some(value) = rule.value {
            self.alerts.string("ValueDescription", &value.to_string()).int("AlertValue", value as i32);
        }
        if let Some(threshold) = rule.threshold {
            self.alerts.int("ThresholdValue", threshold as i32);
        }
        if rule.resolved_at > 0 {
            self.alerts.datetime("TimeResolved", rule.resolved_at);
        }
    }

    /// What became of a delivery.
    pub fn delivery(&mut self, delivery: &AlertDelivery) {
        delivery_row(&mut self.deliveries, delivery, self.now);
    }

    /// An alert rule over tables failed, was late, or works again.
    pub fn rule_operation(&mut self, rule: &str, status: &str, detail: &str) {
        self.operations
            .row()
            .datetime("TimeGenerated", self.now)
            .string("OperationCategory", "Alert rule")
            .string("OperationKey", rule)
            .string("OperationStatus", status)
            .string("Detail", detail)
            .string("ManagementGroupName", &self.management_group);
    }

    /// Who did or tried what.
    pub fn audit(&mut self, who: &str, kind: &str, action: &str, target: &str, result: &str, reason: &str) {
        self.audit
            .row()
            .datetime("TimeGenerated", self.now)
            .string("Caller", who)
            .string("CallerType", kind)
            .string("Action", action)
            .string("Target", target)
            .string("Result", result)
            .string("Reason", reason);
    }

    /// A call over an API.
    pub fn call(&mut self, row: &AuditRow) {
        self.audit
            .row()
            .datetime("TimeGenerated", row.at)
            .string("Caller", &row.caller)
            .string("CallerId", &row.caller_id)
            .string("CallerType", row.caller_type)
            .string("CallerIpAddress", &row.address)
            .string("Action", &row.action)
            .string("Operation", &row.operation)
            .string("Method", &row.method)
            .string("Route", &row.route)
            .int("Status", i32::from(row.status))
            .string("Target", &row.target)
            .string("Result", row.result)
            .string("Reason", &row.reason)
            .string("CorrelationId", &row.correlation_id)
            .long("Count", row.count);
        if !row.properties.is_empty() {
            self.audit.dynamic("Properties", &row.properties);
        }
    }

    /// A task has finished. That it was asked for is in the row of the call.
    pub fn task(&mut self, run: &TaskRun) {
        let result = if run.status == TaskStatus::Succeeded { "Succeeded" } else { "Failed" };
        let properties = serde_json::json!({
            "run": run.run_id, "batch": run.batch_id, "object": run.object_id, "agent": run.agent_id,
            "runAs": run.run_as, "errorCode": run.error_code,
        });
        self.audit(
            &run.submitted_by,
            "User",
            &format!("task {}", run.task),
            &run.object_name,
            result,
            &run.error_message,
        );
        self.audit.dynamic("Properties", &properties.to_string()).string("CorrelationId", &run.batch_id);
    }

    /// A workflow of an agent has failed, rests, or works again.
    pub fn workflow_event(&mut self, agent: &AgentIdentity, event: &WorkflowEvent, at: i64) {
        let status = match event.kind() {
            WorkflowEventKind::Failed => "Failed",
            WorkflowEventKind::TimedOut => "TimedOut",
            WorkflowEventKind::BackedOff => "BackedOff",
            WorkflowEventKind::Unloaded => "Unloaded",
            WorkflowEventKind::Recovered => "Recovered",
        };
        let detail = format!(
            "{} for {}: {} (module {}, {} times, rests {} s)",
            event.element, event.object, event.reason, event.module, event.count, event.seconds
        );
        self.operations
            .row()
            .datetime("TimeGenerated", at)
            .string("Computer", &agent.computer)
            .string("SourceComputerId", &agent.agent_id)
            .string("OperationCategory", "Workflow")
            .string("OperationKey", &event.element)
            .string("OperationStatus", status)
            .string("Detail", &detail)
            .string("ManagementGroupName", &self.management_group);
    }
}

/// What kind of rule made an alert, as the table writes it.
fn type_description(kind: &str) -> &'static str {
    match kind {
        "metric" => "Metric alert",
        "activity" => "Activity log alert",
        _ => "Log alert",
    }
}
