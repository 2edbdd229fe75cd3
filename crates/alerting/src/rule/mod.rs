//! Alert rules: log alert rules (`Microsoft.Insights/scheduledQueryRules`), metric alert rules
//! (`Microsoft.Insights/metricAlerts`) and activity log alert rules (`Microsoft.Insights/activityLogAlerts`), read from the
//! documented resources.

pub mod activity;
mod log;
mod metric;
pub mod resource;
#[cfg(test)]
pub mod testing;

use std::collections::BTreeMap;

use crate::{Period, limits};

pub use activity::read_activity_rule;
pub use log::read_log_rule;
pub use metric::{WORKSPACE_NAMESPACE, read_metric_rule, samples as metric_samples};
pub use resource::{Resource, ResourceId};

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleKind {
    Log,
    Metric,
    /// Of changes and sign-ins.
    Activity,
}

impl RuleKind {
    pub const ALL: [RuleKind; 3] = [RuleKind::Log, RuleKind::Metric, RuleKind::Activity];

    /// The resource type.
    #[must_use]
    pub const fn resource_type(self) -> &'static str {
        match self {
            RuleKind::Log => "Microsoft.Insights/scheduledQueryRules",
            RuleKind::Metric => "Microsoft.Insights/metricAlerts",
            RuleKind::Activity => "Microsoft.Insights/activityLogAlerts",
        }
    }

    /// As the API and the store write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            RuleKind::Log => "log",
            RuleKind::Metric => "metric",
            RuleKind::Activity => "activity",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<RuleKind> {
        RuleKind::ALL
            .into_iter()
            .find(|kind| kind.word().eq_ignore_ascii_case(word) || kind.resource_type().eq_ignore_ascii_case(word))
    }

    /// As the common alert schema writes it.
    #[must_use]
    pub const fn signal_type(self) -> &'static str {
        match self {
            RuleKind::Log => "Log",
            RuleKind::Metric => "Metric",
            RuleKind::Activity => "Activity Log",
        }
    }

    /// As the common alert schema writes it.
    #[must_use]
    pub const fn monitoring_service(self) -> &'static str {
        match self {
            RuleKind::Log => "Log Alerts V2",
            RuleKind::Metric => "Platform",
            RuleKind::Activity => "Activity Log - Administrative",
        }
    }

    /// Who found it, in the words of the filter of the API of alerts.
    #[must_use]
    pub const fn service_word(self) -> &'static str {
        match self {
            RuleKind::Log => "Log Analytics",
            RuleKind::Metric => "Platform",
            RuleKind::Activity => "ActivityLog Administrative",
        }
    }
}

/// A rule that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    pub kind: RuleKind,
    pub resource: ResourceId,
    pub display_name: String,
    pub description: String,
    /// 0 critical, 1 error, 2 warning, 3 informational, 4 verbose.
    pub severity: u8,
    pub enabled: bool,
    pub scopes: Vec<String>,
    /// How often it is evaluated.
    pub frequency: Period,
    /// The rows of one point: the aggregation granularity.
    pub window: Period,
    /// Rows that the query sees, where not those of the windows.
    pub query_range: Option<Period>,
    /// All have to hold.
    pub conditions: Vec<Condition>,
    /// Stateful: fires once and resolves; otherwise it fires whenever the condition is met.
    pub auto_resolve: bool,
    /// How long it has to be healthy before it resolves, where the rule says so.
    pub resolve_after: Option<Period>,
    /// After an alert fired, actions rest so long.
    pub mute: Option<Period>,
    /// Resource identities or names of action groups.
    pub action_groups: Vec<String>,
    pub custom_properties: BTreeMap<String, String>,
    /// Saved without a look at its query.
    pub skip_validation: bool,
    pub target_resource_types: Vec<String>,
}

impl AlertRule {
    /// How many healthy evaluations in a row resolve an alert (alerts overview, stateful alerts).
    #[must_use]
    pub fn checks_to_resolve(&self) -> u32 {
        let frequency = self.frequency.micros().max(1);
        let cover =
            |time: Period| u32::try_from((time.micros() + frequency - 1) / frequency).unwrap_or(u32::MAX).max(1);
        if let Some(time) = self.resolve_after {
            return cover(time);
        }
        let minutes = |minutes: i64| Period::seconds(minutes * 60);
        match self.kind {
            RuleKind::Metric => 3,
            RuleKind::Log if self.frequency < minutes(5) => match self.frequency < minutes(1) {
                // an own extension: ten evaluations, as for a minute
                true => 10,
                false => cover(minutes(10)),
            },
            RuleKind::Log if self.frequency <= minutes(15) => 3,
            RuleKind::Log if self.frequency <= minutes(11 * 60) => 2,
            RuleKind::Log | RuleKind::Activity => 1,
        }
    }

    /// The computer groups among its scopes, by name, alias or id: `computerGroups/NAME`, or as saved searches of Azure.
    #[must_use]
    pub fn computer_groups(&self) -> Vec<&str> {
        self.scopes.iter().filter_map(|scope| computer_group(scope)).collect()
    }

    /// The longest row of points that a condition looks back over.
    #[must_use]
    pub fn points(&self) -> i64 {
        self.conditions.iter().map(|condition| i64::from(condition.failing.periods)).max().unwrap_or(1)
    }

    /// The name that people see.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        if self.display_name.is_empty() { &self.resource.name } else { &self.display_name }
    }

    /// Names of the series' parts: the dimensions, then the column of the resource.
    #[must_use]
    pub fn dimension_names(&self) -> Vec<&str> {
        let Some(condition) = self.conditions.first() else { return Vec::new() };
        let dimensions = condition.dimensions.iter().map(|dimension| dimension.name.as_str());
        dimensions.chain(condition.resource_id_column.as_deref()).collect()
    }
}

/// The name of a computer group in a scope.
fn computer_group(scope: &str) -> Option<&str> {
    let (before, name) = scope.trim_end_matches('/').rsplit_once('/')?;
    let kind = before.rsplit('/').next()?;
    let is_group = ["computerGroups", "savedSearches"].iter().any(|known| known.eq_ignore_ascii_case(kind));
    (is_group && !name.is_empty()).then_some(name)
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub name: String,
    pub source: Source,
    pub aggregation: Aggregation,
    /// The column with the number; nothing: rows are counted.
    pub measure: Option<String>,
    pub resource_id_column: Option<String>,
    pub dimensions: Vec<Dimension>,
    pub test: Test,
    pub failing: FailingPeriods,
}

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    Query(String),
    Metric { namespace: String, name: String },
}

/// How the rows of a point become its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    Count,
    Average,
    Minimum,
    Maximum,
    Total,
}

impl Aggregation {
    pub const WORDS: [(&'static str, Aggregation); 5] = [
        ("Count", Aggregation::Count),
        ("Average", Aggregation::Average),
        ("Minimum", Aggregation::Minimum),
        ("Maximum", Aggregation::Maximum),
        ("Total", Aggregation::Total),
    ];

    #[must_use]
    pub fn word(self) -> &'static str {
        word(&Self::WORDS, self)
    }
}

/// A column that splits the rows into series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    pub name: String,
    pub operator: DimensionOperator,
    /// `*`: all, also those that come later.
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DimensionOperator {
    Include,
    Exclude,
}

/// When the value of a point is a violation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Test {
    Static { operator: Operator, threshold: f64 },
    Dynamic { operator: DynamicOperator, sensitivity: Sensitivity, ignore_before: Option<i64> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Equals,
    NotEquals,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
}

impl Operator {
    pub const WORDS: [(&'static str, Operator); 6] = [
        ("Equals", Operator::Equals),
        ("GreaterThan", Operator::GreaterThan),
        ("GreaterThanOrEqual", Operator::GreaterThanOrEqual),
        ("LessThan", Operator::LessThan),
        ("LessThanOrEqual", Operator::LessThanOrEqual),
        ("NotEquals", Operator::NotEquals),
    ];

    #[must_use]
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Operator::Equals => value == threshold,
            Operator::NotEquals => value != threshold,
            Operator::GreaterThan => value > threshold,
            Operator::GreaterThanOrEqual => value >= threshold,
            Operator::LessThan => value < threshold,
            Operator::LessThanOrEqual => value <= threshold,
        }
    }

    #[must_use]
    pub fn word(self) -> &'static str {
        word(&Self::WORDS, self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DynamicOperator {
    GreaterThan,
    LessThan,
    GreaterOrLessThan,
}

impl DynamicOperator {
    pub const WORDS: [(&'static str, DynamicOperator); 3] = [
        ("GreaterThan", DynamicOperator::GreaterThan),
        ("LessThan", DynamicOperator::LessThan),
        ("GreaterOrLessThan", DynamicOperator::GreaterOrLessThan),
    ];

    #[must_use]
    pub fn word(self) -> &'static str {
        word(&Self::WORDS, self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitivity {
    High,
    Medium,
    Low,
}

impl Sensitivity {
    pub const WORDS: [(&'static str, Sensitivity); 3] =
        [("High", Sensitivity::High), ("Medium", Sensitivity::Medium), ("Low", Sensitivity::Low)];

    #[must_use]
    pub fn word(self) -> &'static str {
        word(&Self::WORDS, self)
    }
}

fn word<T: PartialEq + Copy>(words: &[(&'static str, T)], of: T) -> &'static str {
    words.iter().find(|(_, value)| *value == of).map_or("", |(word, _)| *word)
}

/// How many of the last points have to be violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailingPeriods {
    pub periods: u32,
    pub violations: u32,
}

impl Default for FailingPeriods {
    fn default() -> FailingPeriods {
        FailingPeriods { periods: 1, violations: 1 }
    }
}

/// How often rules may run on this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    pub shortest_frequency: Period,
}

impl Default for Allowed {
    fn default() -> Allowed {
        Allowed { shortest_frequency: limits::SHORTEST_FREQUENCY }
    }
}

#[cfg(test)]
mod tests {
    use super::computer_group;

    #[test]
    fn a_scope_can_be_a_computer_group() {
        let whole = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w";
        for (scope, name) in [
            ("computerGroups/web servers", Some("web servers")),
            (format!("{whole}/computerGroups/5f3c").as_str(), Some("5f3c")),
            (format!("{whole}/savedsearches/by-api/").as_str(), Some("by-api")),
            (whole, None),
            ("computerGroups", None),
            ("computerGroups/", None),
            ("", None),
        ] {
            assert_eq!(computer_group(scope), name, "{scope}");
        }
    }
}
