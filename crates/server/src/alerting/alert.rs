//! Alerts of rules, and what people are told of any alert.

use serde_json::{Value, json};
use watchkeeper_alerting::common_schema::{MonitorCondition, Notice, configuration_items, rule_context};
use watchkeeper_alerting::evaluate::Fired;
use watchkeeper_alerting::kql::Span;
use watchkeeper_alerting::rule::{RuleKind, Source, Test, activity};
use watchkeeper_management::rule_alerts::AlertEvent;
use watchkeeper_model::civil::format_time;
use watchkeeper_state::{Alert, Priority, ResolutionState, RuleFacts, Severity};

use super::Alerting;
use super::rules::Loaded;

impl Alerting {
    /// The alert that a rule fired, and whether people are told of it: not while its actions rest, nor while the
    /// computer that it is about is in maintenance.
    pub(super) fn alert_of(&self, loaded: &Loaded, fired: &Fired, now: i64) -> (Alert, bool) {
        let rule = &loaded.rule;
        let names = rule.dimension_names().into_iter().map(str::to_owned);
        let dimensions: Vec<(String, String)> = names.zip(fired.key.iter().cloned()).collect();
        let resource = rule.conditions.first().and_then(|condition| condition.resource_id_column.as_deref());
        let resource =
            dimensions.iter().find(|(name, _)| Some(name.as_str()) == resource).map(|(_, value)| value.clone());
        let mut items = configuration_items(&dimensions);
        if items.is_empty() {
            items.extend(resource.clone());
        }
        let computer = dimensions.iter().find(|(name, _)| name == "Computer").map(|(_, value)| value.clone());
        let computer = computer.unwrap_or_default();
        let known = if computer.is_empty() { None } else { self.operations.computer(&computer) };
        let in_maintenance = known.as_ref().is_some_and(|(_, in_maintenance)| *in_maintenance);
        let context = rule_context(rule, fired, &|query, span| self.links(query, span));
        let measured = fired.values.first().copied().unwrap_or_default();
        let (operator, threshold) = match rule.conditions.first().map(|condition| condition.test) {
            Some(Test::Static { operator, threshold }) => (operator.word(), Some(threshold)),
            Some(Test::Dynamic { operator, .. }) => (operator.word(), measured.bounds.map(|bounds| bounds.high)),
            None => ("", None),
        };
        let query = match rule.conditions.first().map(|condition| &condition.source) {
            Some(Source::Query(text)) => text.clone(),
            _ => loaded.texts.first().cloned().unwrap_or_default(),
        };
        let target_ids = match &resource {
            Some(resource) => vec![resource.clone()],
            None => vec![self.workspace_path()],
        };
        let alert = Alert {
            id: fired.alert_id.clone(),
            name: rule.shown_name().to_owned(),
            description: rule.description.clone(),
            monitoring_object_id: known.map(|(id, _)| id).unwrap_or_default(),
            monitoring_object_display_name: items.first().cloned().unwrap_or_default(),
            monitoring_object_in_maintenance_mode: in_maintenance,
            rule_id: loaded.key.clone(),
            resolution_state: ResolutionState::NEW,
            severity: match rule.severity {
                0 | 1 => Severity::Error,
                2 => Severity::Warning,
                _ => Severity::Information,
            },
            priority: match rule.severity {
                0 => Priority::High,
                4 => Priority::Low,
                _ => Priority::Normal,
            },
            category: "Alert".to_owned(),
            time_raised: now,
            time_added: now,
            last_modified: now,
            last_modified_by: watchkeeper_management::alert_rules::SYSTEM.to_owned(),
            state_last_modified: now,
            time_resolution_state_last_modified: now,
            netbios_computer_name: computer.split('.').next().unwrap_or_default().to_uppercase(),
            principal_name: computer,
            context: context.to_string(),
            auto_resolve: rule.auto_resolve,
            rule: Some(RuleFacts {
                kind: rule.kind.word().to_owned(),
                resource_id: rule.resource.path(),
                rule_name: rule.resource.name.clone(),
                severity: rule.severity,
                stateful: rule.auto_resolve,
                resolved_at: 0,
                dimensions,
                configuration_items: items,
                target_ids,
                action_groups: rule.action_groups.clone(),
                custom_properties: rule.custom_properties.clone(),
                query,
                window_start: fired.window_start,
                window_end: fired.window_end,
                operator: operator.to_owned(),
                threshold,
                value: measured.value,
            }),
            ..Alert::default()
        };
        (alert, !fired.muted && !in_maintenance)
    }

    /// What people are told of an alert, whatever made it.
    pub(super) fn notice_of(&self, alert: &Alert, event: AlertEvent) -> Notice {
        let condition = match event {
            AlertEvent::Fired => MonitorCondition::Fired,
            AlertEvent::Resolved => MonitorCondition::Resolved,
            AlertEvent::Closed if alert.is_fired() => MonitorCondition::Fired,
            AlertEvent::Closed => MonitorCondition::Resolved,
        };
        let context = serde_json::from_str(&alert.context).ok().filter(Value::is_object);
        let workspace = self.workspace_path();
        let notice = Notice {
            alert_id: alert.id.clone(),
            alert_path: self.alert_path(&alert.id),
            title: alert.name.clone(),
            rule_name: String::new(),
            rule_id: String::new(),
            severity: alert.severity_number(),
            signal_type: "Unknown".to_owned(),
            monitoring_service: "SCOM".to_owned(),
            condition,
            target_ids: Vec::new(),
            target_type: "managementgroup".to_owned(),
            target_group: watchkeeper_alerting::rule::resource::DEFAULT_GROUP.to_owned(),
            configuration_items: Vec::new(),
            fired_at: alert.time_raised,
            resolved_at: 0,
            description: alert.description.clone(),
            context: Value::Null,
            custom_properties: Default::default(),
            link: format!("{}/alerts?alert={}", self.console_url, alert.id),
            test: false,
        };
        match &alert.rule {
            Some(rule) => {
                let kind = RuleKind::parse(&rule.kind).unwrap_or(RuleKind::Log);
                let parsed = watchkeeper_alerting::rule::ResourceId::parse(&rule.resource_id);
                Notice {
                    rule_name: rule.rule_name.clone(),
                    rule_id: rule.resource_id.clone(),
                    signal_type: kind.signal_type().to_owned(),
                    monitoring_service: match (kind, activity::category(&rule.dimensions)) {
                        (RuleKind::Activity, "Security") => "Activity Log - Security".to_owned(),
                        _ => kind.monitoring_service().to_owned(),
                    },
                    target_ids: rule.target_ids.clone(),
                    target_type: "microsoft.operationalinsights/workspaces".to_owned(),
                    target_group: parsed.map(|id| id.group).unwrap_or_default(),
                    configuration_items: rule.configuration_items.clone(),
                    resolved_at: rule.resolved_at,
                    context: context.unwrap_or(Value::Null),
                    custom_properties: rule.custom_properties.clone(),
                    ..notice
                }
            }
            None => {
                let source = [&alert.principal_name, &alert.monitoring_object_display_name];
                let item = source.into_iter().find(|name| !name.is_empty()).cloned();
                Notice {
                    rule_name: alert.name.clone(),
                    rule_id: alert.workflow_id().to_owned(),
                    target_ids: vec![format!("{workspace}/objects/{}", alert.monitoring_object_id)],
                    configuration_items: item.into_iter().collect(),
                    resolved_at: alert.time_resolved,
                    context: json!({
                        "conditionType": if alert.is_monitor_alert { "Monitor" } else { "Rule" },
                        "objectId": alert.monitoring_object_id,
                        "objectName": alert.monitoring_object_display_name,
                        "objectPath": alert.monitoring_object_path,
                        "category": alert.category,
                        "repeatCount": alert.repeat_count,
                        "dataItem": alert.context,
                    }),
                    ..notice
                }
            }
        }
    }

    /// The workspace as a resource.
    pub(super) fn workspace_path(&self) -> String {
        let group = watchkeeper_alerting::rule::resource::DEFAULT_GROUP;
        let id = &self.workspace_id;
        format!("/subscriptions/{id}/resourceGroups/{group}/providers/Microsoft.OperationalInsights/workspaces/{id}")
    }

    /// An alert as a resource.
    pub fn alert_path(&self, id: &str) -> String {
        format!("/subscriptions/{}/providers/Microsoft.AlertsManagement/alerts/{id}", self.workspace_id)
    }

    /// Where people and programs find the rows of a query over a span.
    fn links(&self, query: &str, span: Span) -> Vec<(&'static str, String)> {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let range = encode(&format!("{}/{}", format_time(span.start()), format_time(span.end)));
        let query = encode(query);
        let ui = format!("{}/logs#query={query}&timespan={range}", self.console_url);
        let api = format!("{}/v1/workspaces/{}/query?query={query}&timespan={range}", self.url, self.workspace_id);
        vec![
            ("linkToSearchResultsUI", ui.clone()),
            ("linkToFilteredSearchResultsUI", ui),
            ("linkToSearchResultsAPI", api.clone()),
            ("linkToFilteredSearchResultsAPI", api),
        ]
    }
}
