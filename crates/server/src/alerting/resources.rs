//! Alert rules, action groups and processing rules as resources: checked when they are saved, listed, removed.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use watchkeeper_alerting::action_group::{self, How, read_action_group, shown, with_secrets};
use watchkeeper_alerting::processing::{self, read_processing_rule};
use watchkeeper_alerting::rule::{
    AlertRule, Resource, ResourceId, RuleKind, read_activity_rule, read_log_rule, read_metric_rule,
};
use watchkeeper_alerting::work_item::WorkItemError;
use watchkeeper_alerting::{Problem, Problems};
use watchkeeper_management::clock;
use watchkeeper_state::{AlertingKind, AlertingResource, StateError};

use super::Alerting;
use super::measure::MeasureError;
use super::rules::{Health, Loaded, Remembered};
use crate::computer_groups::{self, FindError};

/// A stored resource with what the server knows of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub resource: Resource,
    pub modified_at: i64,
    pub modified_by: String,
}

/// How a rule does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleStatus {
    pub health: Health,
    /// The end of its newest window, microseconds since 1970; 0: it has not run.
    pub evaluated_until: i64,
    /// Alerts of a stateful rule that are fired.
    pub fired: usize,
}

/// Why a resource was not saved.
#[derive(Debug, thiserror::Error)]
pub enum RefusedResource {
    #[error(transparent)]
    Problems(#[from] Problems),
    #[error("properties.criteria.allOf[0].query {0}")]
    Query(String),
    #[error("properties.scopes cannot be used: {0}")]
    Scopes(FindError),
    #[error(transparent)]
    State(#[from] StateError),
}

/// Reads a stored document.
pub(super) fn parsed(document: &Value) -> Option<Resource> {
    Some(Resource {
        id: ResourceId::parse(document["id"].as_str()?)?,
        location: document["location"].as_str().unwrap_or("global").to_owned(),
        tags: document["tags"].as_object().cloned().unwrap_or_default(),
        properties: document["properties"].clone(),
    })
}

/// The kind of a resource by its type.
pub fn kind_of(resource_type: &str) -> Option<AlertingKind> {
    if RuleKind::parse(resource_type).is_some() {
        return Some(AlertingKind::AlertRule);
    }
    match () {
        () if resource_type.eq_ignore_ascii_case(action_group::RESOURCE_TYPE) => Some(AlertingKind::ActionGroup),
        () if resource_type.eq_ignore_ascii_case(processing::RESOURCE_TYPE) => Some(AlertingKind::ProcessingRule),
        () => None,
    }
}

impl Alerting {
    /// All resources of a kind, by key. Secrets are hidden.
    pub async fn list(&self, kind: AlertingKind) -> Result<Vec<Stored>, StateError> {
        Ok(self.state.alerting_resources(kind).await?.iter().filter_map(stored).map(|one| hidden(kind, one)).collect())
    }

    /// One resource by its key. Secrets are hidden.
    pub async fn show(&self, kind: AlertingKind, key: &str) -> Result<Option<Stored>, StateError> {
        let found = self.state.alerting_resource(kind, key).await?;
        Ok(found.as_ref().and_then(stored).map(|one| hidden(kind, one)))
    }

    /// Checks a resource and saves it; true where it was not there before.
    pub async fn save(&self, mut resource: Resource, who: &str) -> Result<(Stored, bool), RefusedResource> {
        let Some(kind) = kind_of(&resource.id.resource_type) else {
            return Err(problem("type", format!("{:?} is not a resource of alerts", resource.id.resource_type)).into());
        };
        let key = resource.id.key();
        let before = self.state.alerting_resource(kind, &key).await?;
        if let Some(before) = before.as_ref().and_then(|before| parsed(&before.document)) {
            // a resource keeps the identity that it was made with
            resource.id = before.id;
            if kind == AlertingKind::ActionGroup {
                resource.properties = with_secrets(&resource.properties, &before.properties);
            }
        }
        let mut document = resource.body();
        match kind {
            AlertingKind::AlertRule => {
                let rule = self.read_rule(&resource)?;
                if let Some(column) = self.checked_queries(&rule).await? {
                    document["timeColumn"] = json!(column);
                }
            }
            AlertingKind::ActionGroup => self.check_group(&resource).await?,
            AlertingKind::ProcessingRule => drop(read_processing_rule(&resource)?),
        }
        let now = clock::now();
        let modified_at = before.as_ref().map_or(now, |before| now.max(before.modified_at + 1));
        let stored = AlertingResource { key, document, modified_at, modified_by: who.to_owned() };
        self.state.put_alerting_resource(kind, &stored).await?;
        if kind == AlertingKind::AlertRule {
            self.after_change(&stored.key, resource.properties["enabled"] != false).await?;
        }
        let saved = hidden(kind, Stored { resource, modified_at, modified_by: who.to_owned() });
        Ok((saved, before.is_none()))
    }

    /// Removes a resource; false where there is none.
    pub async fn remove(&self, kind: AlertingKind, key: &str) -> Result<bool, StateError> {
        if !self.state.delete_alerting_resource(kind, key).await? {
            return Ok(false);
        }
        if kind == AlertingKind::AlertRule {
            self.after_change(key, false).await?;
        }
        Ok(true)
    }

    /// A rule that is no longer evaluated has no alerts that are fired.
    async fn after_change(&self, key: &str, is_enabled: bool) -> Result<(), StateError> {
        if !is_enabled {
            let run = self.state.alert_rule_run(key).await?;
            let remembered = Remembered::read(run.as_ref());
            let ids = remembered.state.series.into_iter().map(|series| series.alert_id).filter(|id| !id.is_empty());
            let ids: Vec<String> = ids.collect();
            let reason = "resolved: its rule was disabled or removed";
            self.operations.operational.forget_rule(key, &ids, reason, clock::now()).await?;
        }
        self.changed.notify_one();
        Ok(())
    }

    /// Reads and checks a rule, without a look at its query.
    pub fn read_rule(&self, resource: &Resource) -> Result<AlertRule, Problems> {
        match RuleKind::parse(&resource.id.resource_type) {
            Some(RuleKind::Log) => read_log_rule(resource, self.allowed),
            Some(RuleKind::Metric) => read_metric_rule(resource, self.allowed),
            Some(RuleKind::Activity) => read_activity_rule(resource, self.allowed),
            None => Err(problem("type", format!("{:?} is not a rule", resource.id.resource_type))),
        }
    }

    pub(super) fn load_rule(&self, stored: &AlertingResource) -> Result<Loaded, Problems> {
        let resource = parsed(&stored.document).ok_or_else(|| problem("id", "cannot be read".to_owned()))?;
        let rule = self.read_rule(&resource)?;
        let column = match rule.kind {
            RuleKind::Metric | RuleKind::Activity => Some("TimeGenerated".to_owned()),
            RuleKind::Log => stored.document["timeColumn"].as_str().map(str::to_owned),
        };
        Ok(Loaded::new(rule, stored.modified_at, column))
    }

    async fn checked_queries(&self, rule: &AlertRule) -> Result<Option<String>, RefusedResource> {
        if rule.skip_validation {
            return Ok(self.check_queries(rule).await.unwrap_or_else(|error| {
                tracing::info!(rule = rule.resource.name, %error, "a rule is saved without a look at its query");
                // what nearly every table has
                Some("TimeGenerated".to_owned())
            }));
        }
        self.check_queries(rule).await.map_err(|error| match error {
            MeasureError::State(error) | MeasureError::Group(FindError::State(error)) => RefusedResource::State(error),
            MeasureError::Group(error) => RefusedResource::Scopes(error),
            other => RefusedResource::Query(format!("cannot be used: {other}")),
        })
    }

    /// Looks at the columns of a rule's queries: those that it names are there and of types that it can use. Gives the
    /// column of time.
    pub(super) async fn check_queries(&self, rule: &AlertRule) -> Result<Option<String>, MeasureError> {
        if rule.kind == RuleKind::Metric {
            for group in rule.computer_groups() {
                computer_groups::find(&self.state, &self.workspace_id, group).await?;
            }
            return Ok(Some("TimeGenerated".to_owned()));
        }
        let loaded = Loaded::new(rule.clone(), 0, None);
        let mut time = None;
        for (condition, text) in rule.conditions.iter().zip(&loaded.texts) {
            let columns = self.columns(rule, text, clock::now()).await?;
            let of = |name: &str| columns.iter().find(|(known, _)| known == name).map(|(_, of)| of.as_str());
            let names = || columns.iter().map(|(name, _)| name.as_str()).take(50).collect::<Vec<_>>().join(", ");
            let refuse = |message: String| Err(MeasureError::Query(watchkeeper_query::QueryError::execution(message)));
            for name in rule.dimension_names() {
                match of(name) {
                    None => {
                        return refuse(format!("its result has no column {name:?} to split by; it has {}", names()));
                    }
                    Some("string" | "int" | "long" | "real" | "decimal" | "guid") => {}
                    Some(other) => {
                        return refuse(format!("{name:?} is a {other}; split by texts or numbers (use tostring())"));
                    }
                }
            }
            if let Some(measure) = &condition.measure {
                match of(measure) {
                    None => {
                        return refuse(format!("its result has no column {measure:?} to measure; it has {}", names()));
                    }
                    Some("int" | "long" | "real" | "decimal") => {}
                    Some(other) => return refuse(format!("{measure:?} is a {other}; a measure is a number")),
                }
            }
            let first = columns.iter().find(|(_, of)| of == "datetime").map(|(name, _)| name.clone());
            time = if of("TimeGenerated") == Some("datetime") { Some("TimeGenerated".to_owned()) } else { first };
            if time.is_none() && condition.failing.periods > 1 {
                return refuse(
                    "its result has no column of time, which failingPeriods need to tell periods apart; keep TimeGenerated"
                        .to_owned(),
                );
            }
        }
        Ok(time)
    }

    async fn check_group(&self, resource: &Resource) -> Result<(), RefusedResource> {
        let group = read_action_group(resource)?;
        let mut problems = Vec::new();
        for receiver in &group.receivers {
            let How::Itsm(itsm) = &receiver.how else { continue };
            let checked = match self.work_items.get() {
                Some(work_items) => work_items.check(itsm).await,
                None => Err(WorkItemError::NoConnection(itsm.connection.clone())),
            };
            if let Err(error) = checked {
                let path = format!("properties.itsmReceivers[{:?}].connectionId", receiver.name);
                problems.push(Problem { path, message: format!("cannot be used: {error}") });
            }
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Problems(problems).into()),
        }
    }

    /// An action group as it is used, with its secrets.
    pub async fn action_group(&self, key: &str) -> Result<Option<action_group::ActionGroup>, StateError> {
        Ok(self.action_groups().await?.into_iter().find(|group| group.resource.key() == key))
    }

    /// How a rule does.
    pub async fn rule_status(&self, key: &str) -> Result<RuleStatus, StateError> {
        Ok(status_of(&Remembered::read(self.state.alert_rule_run(key).await?.as_ref())))
    }

    /// How all rules do, by key.
    pub async fn rule_statuses(&self) -> Result<HashMap<String, RuleStatus>, StateError> {
        let runs = self.state.alert_rule_runs().await?;
        Ok(runs.iter().map(|run| (run.rule_key.clone(), status_of(&Remembered::read(Some(run))))).collect())
    }

    /// A resource of this workspace by its kind, group and name.
    pub fn resource_id(
        &self,
        resource_type: &str,
        subscription: Option<&str>,
        group: Option<&str>,
        name: &str,
    ) -> ResourceId {
        let known = RuleKind::ALL
            .map(RuleKind::resource_type)
            .into_iter()
            .chain([action_group::RESOURCE_TYPE, processing::RESOURCE_TYPE]);
        let proper = known.into_iter().find(|known| known.eq_ignore_ascii_case(resource_type)).unwrap_or(resource_type);
        ResourceId {
            resource_type: proper.to_owned(),
            subscription: subscription.unwrap_or(&self.workspace_id).to_owned(),
            group: group.unwrap_or(watchkeeper_alerting::rule::resource::DEFAULT_GROUP).to_owned(),
            name: name.to_owned(),
        }
    }
}

fn status_of(remembered: &Remembered) -> RuleStatus {
    RuleStatus {
        health: remembered.health.clone(),
        evaluated_until: remembered.state.last_end,
        fired: remembered.state.series.iter().filter(|series| !series.alert_id.is_empty()).count(),
    }
}

fn stored(found: &AlertingResource) -> Option<Stored> {
    let resource = parsed(&found.document)?;
    Some(Stored { resource, modified_at: found.modified_at, modified_by: found.modified_by.clone() })
}

fn hidden(kind: AlertingKind, mut stored: Stored) -> Stored {
    if kind == AlertingKind::ActionGroup {
        stored.resource.properties = shown(&stored.resource.properties);
    }
    stored
}

fn problem(path: &str, message: String) -> Problems {
    Problems(vec![Problem { path: path.to_owned(), message }])
}

/// Properties with changes laid over them, as a PATCH does.
pub fn patched(properties: &Value, changes: &Map<String, Value>) -> Value {
    let mut whole = properties.clone();
    for (name, value) in changes {
        whole[name] = value.clone();
    }
    whole
}
