//! Alert processing rules (`Microsoft.AlertsManagement/actionRules`, 2021-08-08): they take all action groups from
//! alerts as they fire, or add some, within their scope, filters and schedule. Taking away wins over adding.

use chrono_tz::Tz;
use watchkeeper_model::civil::{self, DAY_SECONDS, SECOND};
use watchkeeper_model::maintenance::Zone;

use crate::common_schema::Notice;
use crate::limits;
use crate::reading::{Fields, Found, Problems};
use crate::rule::{Resource, ResourceId};
use crate::zones::zone;

pub const RESOURCE_TYPE: &str = "Microsoft.AlertsManagement/actionRules";

/// A processing rule that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessingRule {
    pub resource: ResourceId,
    pub description: String,
    pub enabled: bool,
    /// Subscriptions, groups or resources; an alert is within when one of its targets begins with one.
    pub scopes: Vec<String>,
    pub conditions: Vec<Filter>,
    pub schedule: Option<Schedule>,
    pub actions: Vec<Action>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    RemoveAllActionGroups,
    AddActionGroups(Vec<String>),
}

/// All filters hold; of the values of one, any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub field: Field,
    pub operator: Match,
    pub values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Severity,
    MonitorService,
    MonitorCondition,
    SignalType,
    TargetResourceType,
    TargetResource,
    TargetResourceGroup,
    AlertRuleId,
    AlertRuleName,
    Description,
    AlertContext,
}

const FIELDS: [(&str, Field); 11] = [
    ("Severity", Field::Severity),
    ("MonitorService", Field::MonitorService),
    ("MonitorCondition", Field::MonitorCondition),
    ("SignalType", Field::SignalType),
    ("TargetResourceType", Field::TargetResourceType),
    ("TargetResource", Field::TargetResource),
    ("TargetResourceGroup", Field::TargetResourceGroup),
    ("AlertRuleId", Field::AlertRuleId),
    ("AlertRuleName", Field::AlertRuleName),
    ("Description", Field::Description),
    ("AlertContext", Field::AlertContext),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    Equals,
    NotEquals,
    Contains,
    DoesNotContain,
}

const MATCHES: [(&str, Match); 4] = [
    ("Equals", Match::Equals),
    ("NotEquals", Match::NotEquals),
    ("Contains", Match::Contains),
    ("DoesNotContain", Match::DoesNotContain),
];

/// When a rule works, in local times of a zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    pub zone: Tz,
    /// Local, seconds since 1970.
    pub from: Option<i64>,
    pub until: Option<i64>,
    /// Any of them; none: the whole time.
    pub recurrences: Vec<Recurrence>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurrence {
    pub days: Days,
    /// Seconds of the day; an end before the start is on the next day.
    pub start: i64,
    pub end: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Days {
    Every,
    /// 0 Sunday to 6 Saturday.
    OfWeek(Vec<u32>),
    /// 1 to 31; -1 the last.
    OfMonth(Vec<i32>),
}

/// Reads and checks a processing rule.
///
/// # Errors
/// Everything that is wrong with it, each with its place.
pub fn read_processing_rule(resource: &Resource) -> Result<ProcessingRule, Problems> {
    let found = Found::default();
    let properties = Fields::of(&resource.properties, "properties", &found);
    let description = properties.text("description").unwrap_or_default();
    if description.chars().count() > limits::MOST_DESCRIPTION {
        properties.problem("description", format!("is longer than {} letters", limits::MOST_DESCRIPTION));
    }
    let actions: Vec<Action> = properties.objects("actions").iter().filter_map(action).collect();
    if actions.is_empty() && properties.list("actions").is_empty() {
        properties.problem("actions", "is empty; it says RemoveAllActionGroups or AddActionGroups");
    }
    let rule = ProcessingRule {
        resource: resource.id.clone(),
        description,
        enabled: properties.boolean("enabled").unwrap_or(true),
        scopes: properties.texts("scopes"),
        conditions: properties.objects("conditions").iter().filter_map(filter).collect(),
        schedule: properties.object("schedule").and_then(|schedule| read_schedule(&schedule)),
        actions,
    };
    found.checked(Some(rule))
}

fn action(fields: &Fields<'_>) -> Option<Action> {
    let kinds = [("RemoveAllActionGroups", true), ("AddActionGroups", false)];
    if fields.needed("actionType", fields.one_of("actionType", &kinds))? {
        return Some(Action::RemoveAllActionGroups);
    }
    let groups = fields.texts("actionGroupIds");
    if groups.is_empty() {
        fields.problem("actionGroupIds", "is empty");
    }
    Some(Action::AddActionGroups(groups))
}

fn filter(fields: &Fields<'_>) -> Option<Filter> {
    let field = fields.needed("field", fields.one_of("field", &FIELDS));
    let operator = fields.needed("operator", fields.one_of("operator", &MATCHES));
    let values = fields.texts("values");
    if values.is_empty() || values.len() > limits::MOST_FILTER_VALUES {
        fields.problem("values", format!("are {}; there can be 1 to {}", values.len(), limits::MOST_FILTER_VALUES));
    }
    let whole = [Field::Severity, Field::MonitorCondition, Field::SignalType, Field::MonitorService];
    if let (Some(field), Some(Match::Contains | Match::DoesNotContain)) = (field, operator)
        && whole.contains(&field)
    {
        fields.problem("operator", "has to be Equals or NotEquals for this field");
    }
    Some(Filter { field: field?, operator: operator?, values })
}

fn read_schedule(fields: &Fields<'_>) -> Option<Schedule> {
    let name = fields.text("timeZone").unwrap_or_else(|| "UTC".to_owned());
    let zone = zone(&name);
    if zone.is_none() {
        fields.problem(
            "timeZone",
            format!("{name:?} is not known; use a name like Europe/Berlin or W. Europe Standard Time"),
        );
    }
    let local = |name: &str| {
        let text = fields.text(name)?;
        let time = civil::parse_time(&text).filter(|_| text.len() >= 19 && !text[10..].contains(['Z', 'z', '+', '-']));
        if time.is_none() {
            fields.problem(name, format!("is {text:?}; a local time like 2026-01-31T22:00:00 is needed"));
        }
        time.map(|micros| micros.div_euclid(SECOND))
    };
    let (from, until) = (local("effectiveFrom"), local("effectiveUntil"));
    if let (Some(from), Some(until)) = (from, until)
        && until <= from
    {
        fields.problem("effectiveUntil", "is not after effectiveFrom");
    }
    let recurrences = fields.objects("recurrences").iter().filter_map(recurrence).collect();
    Some(Schedule { zone: zone?, from, until, recurrences })
}

fn recurrence(fields: &Fields<'_>) -> Option<Recurrence> {
    let clock = |name: &str, default: i64| {
        let Some(text) = fields.text(name) else { return default };
        let parts: Vec<Option<i64>> =
            text.split(':').map(|part| part.parse().ok().filter(|_| part.len() == 2)).collect();
        match parts.as_slice() {
            [Some(hour @ 0..24), Some(minute @ 0..60), Some(second @ 0..60)] => hour * 3600 + minute * 60 + second,
            _ => {
                fields.problem(name, format!("is {text:?}; a time like 17:00:00 is needed"));
                default
            }
        }
    };
    let (start, end) = (clock("startTime", 0), clock("endTime", DAY_SECONDS));
    let kinds = [("Daily", 0), ("Weekly", 1), ("Monthly", 2)];
    let days = match fields.needed("recurrenceType", fields.one_of("recurrenceType", &kinds))? {
        0 => Days::Every,
        1 => {
            const WEEK: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
            let mut days = Vec::new();
            for day in fields.texts("daysOfWeek") {
                match (0..).zip(WEEK).find(|(_, name)| name.eq_ignore_ascii_case(&day)) {
                    Some((number, _)) => days.push(number),
                    None => fields.problem("daysOfWeek", format!("has {day:?}; days are {}", WEEK.join(", "))),
                }
            }
            if days.is_empty() {
                fields.problem("daysOfWeek", "is empty");
            }
            Days::OfWeek(days)
        }
        _ => {
            let mut days = Vec::new();
            for day in fields.list("daysOfMonth") {
                match day.as_i64().and_then(|day| i32::try_from(day).ok()) {
                    Some(day @ (1..=31 | -1)) => days.push(day),
                    _ => fields.problem("daysOfMonth", format!("has {day}; days are 1 to 31, and -1 for the last")),
                }
            }
            if days.is_empty() {
                fields.problem("daysOfMonth", "is empty");
            }
            Days::OfMonth(days)
        }
    };
    Some(Recurrence { days, start, end })
}

impl Schedule {
    /// Whether a rule works at a time, microseconds since 1970.
    #[must_use]
    pub fn is_on(&self, at: i64) -> bool {
        let local = self.zone.to_local(at.div_euclid(SECOND));
        if self.from.is_some_and(|from| local < from) || self.until.is_some_and(|until| local >= until) {
            return false;
        }
        self.recurrences.is_empty() || self.recurrences.iter().any(|recurrence| recurrence.is_on(local))
    }
}

impl Recurrence {
    fn is_on(&self, local: i64) -> bool {
        let (day, second) = (local.div_euclid(DAY_SECONDS), local.rem_euclid(DAY_SECONDS));
        if self.start < self.end {
            return self.is_day(day) && (self.start..self.end).contains(&second);
        }
        // over midnight: the evening of a day, or the morning after one
        (self.is_day(day) && second >= self.start) || (self.is_day(day - 1) && second < self.end)
    }

    fn is_day(&self, day: i64) -> bool {
        match &self.days {
            Days::Every => true,
            Days::OfWeek(days) => days.contains(&civil::weekday_from_days(day)),
            Days::OfMonth(days) => {
                let (year, month, of_month) = civil::date_from_days(day);
                let last = civil::days_in_month(year, month);
                let of_month = i32::try_from(of_month).unwrap_or(0);
                days.contains(&of_month) || (days.contains(&-1) && i32::try_from(last) == Ok(of_month))
            }
        }
    }
}

impl ProcessingRule {
    /// Whether the rule is about an alert now.
    #[must_use]
    pub fn applies(&self, notice: &Notice, now: i64) -> bool {
        self.enabled
            && self.schedule.as_ref().is_none_or(|schedule| schedule.is_on(now))
            && (self.scopes.is_empty() || self.scopes.iter().any(|scope| is_within(scope, notice)))
            && self.conditions.iter().all(|filter| filter.holds(notice))
    }
}

/// Everything is in one workspace: a subscription, or a scope that the alert's resources begin with.
fn is_within(scope: &str, notice: &Notice) -> bool {
    let scope = scope.trim_end_matches('/').to_lowercase();
    let parts: Vec<&str> = scope.trim_matches('/').split('/').collect();
    if scope.is_empty() || matches!(parts.as_slice(), ["subscriptions", _]) {
        return true;
    }
    if let ["subscriptions", _, "resourcegroups", group] = parts.as_slice() {
        return notice.target_group.eq_ignore_ascii_case(group);
    }
    let names = notice.target_ids.iter().chain(&notice.configuration_items);
    names
        .map(|name| name.trim_end_matches('/').to_lowercase())
        .any(|name| name == scope || name.strip_prefix(scope.as_str()).is_some_and(|rest| rest.starts_with('/')))
}

impl Filter {
    fn holds(&self, notice: &Notice) -> bool {
        let one = |text: &str| vec![text.to_owned()];
        let found: Vec<String> = match self.field {
            Field::Severity => one(&format!("Sev{}", notice.severity)),
            Field::MonitorService => one(&notice.monitoring_service),
            Field::MonitorCondition => one(notice.condition.word()),
            Field::SignalType => one(&notice.signal_type),
            Field::TargetResourceType => one(&notice.target_type),
            Field::TargetResource => notice.target_ids.iter().chain(&notice.configuration_items).cloned().collect(),
            Field::TargetResourceGroup => one(&notice.target_group),
            Field::AlertRuleId => one(&notice.rule_id),
            Field::AlertRuleName => one(&notice.rule_name),
            Field::Description => one(&notice.description),
            Field::AlertContext => one(&notice.context.to_string()),
        };
        let found: Vec<String> = found.iter().map(|text| text.to_lowercase()).collect();
        let any = |holds: fn(&str, &str) -> bool| {
            self.values.iter().any(|value| found.iter().any(|text| holds(text, &value.to_lowercase())))
        };
        match self.operator {
            Match::Equals => any(|text, value| text == value),
            Match::NotEquals => !any(|text, value| text == value),
            Match::Contains => any(|text, value| text.contains(value)),
            Match::DoesNotContain => !any(|text, value| text.contains(value)),
        }
    }
}

/// What rules make of an alert's action groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Processed {
    /// Resource identities or names, each once.
    pub action_groups: Vec<String>,
    /// The rule that took them all away.
    pub suppressed_by: Option<String>,
    /// Rules that added some.
    pub added_by: Vec<String>,
}

/// Applies all rules to an alert that fires or resolves now.
#[must_use]
pub fn process(rules: &[ProcessingRule], notice: &Notice, own: &[String], now: i64) -> Processed {
    let mut processed = Processed { action_groups: own.to_vec(), ..Processed::default() };
    for rule in rules.iter().filter(|rule| rule.applies(notice, now)) {
        for action in &rule.actions {
            match action {
                Action::RemoveAllActionGroups => processed.suppressed_by = Some(rule.resource.name.clone()),
                Action::AddActionGroups(groups) => {
                    processed.added_by.push(rule.resource.name.clone());
                    processed.action_groups.extend(groups.iter().cloned());
                }
            }
        }
    }
    if processed.suppressed_by.is_some() {
        processed.action_groups.clear();
    }
    processed
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::common_schema::tests::notice;
    use crate::rule::testing::resource;

    fn rule(properties: Value) -> Result<ProcessingRule, Problems> {
        read_processing_rule(&resource(RESOURCE_TYPE, properties))
    }

    fn at(text: &str) -> i64 {
        civil::parse_time(text).unwrap()
    }

    #[test]
    fn outside_business_hours_as_documented() {
        let rule = rule(json!({
            "scopes": ["/subscriptions/subId1"],
            "actions": [{"actionType": "RemoveAllActionGroups"}],
            "schedule": {
                "timeZone": "Eastern Standard Time",
                "recurrences": [
                    {"recurrenceType": "Daily", "startTime": "17:00:00", "endTime": "09:00:00"},
                    {"recurrenceType": "Weekly", "daysOfWeek": ["Saturday", "Sunday"]},
                ],
            },
        }))
        .unwrap();
        for (time, on) in [
            ("2026-01-14T13:59:59Z", true), // Wednesday 08:59 in New York
            ("2026-01-14T14:00:00Z", false),
            ("2026-01-14T21:59:59Z", false),
            ("2026-01-14T22:00:00Z", true),
            ("2026-01-17T17:00:00Z", true),  // Saturday noon
            ("2026-07-15T13:00:00Z", false), // 09:00 in summer
            ("2026-07-15T12:59:59Z", true),
        ] {
            assert_eq!(rule.applies(&notice(), at(time)), on, "{time}");
        }
    }

    #[test]
    fn a_window_of_one_night_and_days_of_the_month() {
        let schedule = |schedule: Value| {
            let rule =
                rule(json!({"scopes": [], "actions": [{"actionType": "RemoveAllActionGroups"}], "schedule": schedule}));
            rule.unwrap().schedule.unwrap()
        };
        let night = schedule(json!({"timeZone": "Europe/Berlin",
            "effectiveFrom": "2026-02-01T22:00:00", "effectiveUntil": "2026-02-02T06:00:00"}));
        assert!(!night.is_on(at("2026-02-01T20:59:59Z")) && night.is_on(at("2026-02-01T21:00:00Z")));
        assert!(night.is_on(at("2026-02-02T04:59:59Z")) && !night.is_on(at("2026-02-02T05:00:00Z")));
        let month = schedule(json!({"recurrences": [
            {"recurrenceType": "Monthly", "daysOfMonth": [1, -1], "startTime": "23:00:00", "endTime": "01:00:00"}]}));
        for (time, on) in [
            ("2026-02-28T23:30:00Z", true),
            ("2026-03-01T00:30:00Z", true),
            ("2026-03-01T22:59:00Z", false),
            ("2026-03-02T00:59:00Z", true),
            ("2026-03-30T23:30:00Z", false),
        ] {
            assert_eq!(month.is_on(at(time)), on, "{time}");
        }
    }

    #[test]
    fn filters_are_all_of_any() {
        let holds = |field: &str, operator: &str, values: &[&str]| {
            let conditions = json!([{"field": field, "operator": operator, "values": values}]);
            let actions = json!([{"actionType": "AddActionGroups", "actionGroupIds": ["a"]}]);
            rule(json!({"scopes": ["/subscriptions/x"], "conditions": conditions, "actions": actions}))
                .unwrap()
                .applies(&notice(), 0)
        };
        assert!(holds("Severity", "Equals", &["Sev0", "sev1"]));
        assert!(!holds("Severity", "NotEquals", &["Sev0", "Sev1"]));
        assert!(holds("MonitorCondition", "Equals", &["Fired"]));
        assert!(holds("SignalType", "Equals", &["Log"]));
        assert!(holds("AlertRuleName", "Contains", &["oa"]));
        assert!(holds("TargetResource", "Equals", &["WEB1"]));
        assert!(holds("Description", "DoesNotContain", &["little"]));
        assert!(holds("AlertContext", "Contains", &["metricvalue"]));
    }

    #[test]
    fn scopes_are_subscriptions_groups_and_resources() {
        let within = |scope: &str| is_within(scope, &notice());
        assert!(within("/subscriptions/any") && within("/subscriptions/any/resourceGroups/G"));
        assert!(!within("/subscriptions/any/resourceGroups/other"));
        assert!(within("web1") && within("/w") && !within("web") && !within("/w/x"));
    }

    #[test]
    fn taking_away_wins_over_adding() {
        let add =
            rule(json!({"scopes": [], "actions": [{"actionType": "AddActionGroups", "actionGroupIds": ["b", "c"]}]}));
        let remove = rule(json!({"scopes": [], "actions": [{"actionType": "RemoveAllActionGroups"}]}));
        let (add, remove) = (add.unwrap(), remove.unwrap());
        let own = vec!["a".to_owned()];
        assert_eq!(process(std::slice::from_ref(&add), &notice(), &own, 0).action_groups, ["a", "b", "c"]);
        let both = process(&[remove, add], &notice(), &own, 0);
        assert!(both.action_groups.is_empty() && both.suppressed_by.is_some());
    }

    #[test]
    fn mistakes_are_named() {
        let error = rule(json!({
            "scopes": "x", "actions": [],
            "conditions": [{"field": "Severity", "operator": "Contains", "values": []}],
            "schedule": {"timeZone": "Mars", "effectiveFrom": "2026-01-01T00:00:00Z",
                         "recurrences": [{"recurrenceType": "Weekly", "startTime": "25:00"}]},
        }))
        .unwrap_err()
        .to_string();
        for part in ["scopes", "actions", "values", "operator", "Mars", "effectiveFrom", "startTime", "daysOfWeek"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
