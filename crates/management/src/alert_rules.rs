//! The rules of an alert's life (management group specification 6.2, 6.3). Pure: what is open and what happened come
//! in, the changed alert goes out. Times are microseconds since the Unix epoch.

use watchkeeper_model::workflow::HealthState;
use watchkeeper_state::{Alert, Priority, ResolutionState, Severity};

/// Who changes alerts by itself.
pub const SYSTEM: &str = "System";

/// The severity of a monitor's alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorSeverity {
    /// Warning while the monitor is warning, error while it is critical.
    MatchMonitorHealth,
    /// Always this.
    Fixed(Severity),
}

/// How a monitor alerts (specification 4.11), with its overrides applied and its texts ready for parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorAlert {
    /// The name, with `{0}` to `{9}` for parameters.
    pub name: String,
    /// The description, likewise.
    pub description: String,
    /// Values of the parameters.
    pub parameters: Vec<String>,
    /// The least bad state that alerts: warning or error.
    pub on_state: HealthState,
    /// Closes when the monitor is healthy.
    pub auto_resolve: bool,
    /// Its priority.
    pub priority: Priority,
    /// Its severity.
    pub severity: MonitorSeverity,
    /// `AvailabilityHealth`, …
    pub category: String,
}

/// What an alert says of the object that it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertSource {
    /// Identity of its class.
    pub class_id: String,
    /// Its name.
    pub name: String,
    /// Its display name.
    pub display_name: String,
    /// Its hosts.
    pub path: String,
    /// `Class:Path;Name`.
    pub full_name: String,
    /// The computer that it is on.
    pub computer: String,
    /// The agent that manages it; empty: none.
    pub agent_id: String,
}

/// A monitor changed, or said its state again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorChange<'a> {
    /// Identity of the monitor.
    pub monitor: &'a str,
    /// Identity of the object.
    pub object: &'a str,
    /// Before.
    pub old: HealthState,
    /// Now.
    pub new: HealthState,
    /// When.
    pub at: i64,
    /// The data item that led to it.
    pub context: &'a str,
    /// The monitor was started anew and found its state again.
    pub started: bool,
}

/// An alert of a rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleAlert {
    /// Identity of the alert, if no duplicate is open.
    pub id: String,
    /// Identity of the rule.
    pub rule: String,
    /// Identity of the object.
    pub object: String,
    /// The name, with `{0}` to `{9}` for parameters.
    pub name: String,
    /// The description, likewise.
    pub description: String,
    /// Values of the parameters.
    pub parameters: Vec<String>,
    /// Values that make two alerts of the rule for the object the same; none: every one is an alert of its own.
    pub suppression: Vec<String>,
    /// Its priority.
    pub priority: Priority,
    /// Its severity.
    pub severity: Severity,
    /// `Alert`, `EventCollection`, …
    pub category: String,
    /// Custom fields 1 to 10.
    pub custom: Vec<String>,
    /// Its owner.
    pub owner: String,
    /// When.
    pub at: i64,
    /// The data item that led to it.
    pub context: String,
}

/// The key under which a monitor's alert for an object is open at most once.
#[must_use]
pub fn monitor_key(monitor: &str, object: &str) -> String {
    format!("m/{monitor}/{object}")
}

/// The key under which equal alerts of a rule are counted; empty where the rule suppresses nothing. An empty value is a
/// value like another.
#[must_use]
pub fn rule_key(rule: &str, object: &str, suppression: &[String]) -> String {
    if suppression.is_empty() {
        return String::new();
    }
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    for value in suppression {
        digest.update(&(value.len() as u64).to_be_bytes());
        digest.update(value.as_bytes());
    }
    let hash: String = digest.finish().as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("r/{rule}/{object}/{hash}")
}

/// What a change of a monitor does to its alert: the alert after it and why, or nothing. `new_id` names a new alert.
#[must_use]
pub fn monitor_changed(
    open: Option<&Alert>,
    change: &MonitorChange<'_>,
    settings: &MonitorAlert,
    source: &AlertSource,
    in_maintenance: bool,
    new_id: &str,
) -> Option<(Alert, String)> {
    let MonitorChange { new, at, .. } = *change;
    match open {
        Some(open) if new == HealthState::Success => {
            if !open.auto_resolve {
                return None;
            }
            let mut alert = touched(open, at, SYSTEM);
            alert.monitoring_object_health_state = new as u8;
            close(&mut alert, at, SYSTEM);
            Some((alert, "closed: the monitor is healthy".to_owned()))
        }
        Some(open) if new >= HealthState::Warning && !in_maintenance => {
            let severity = match open.match_monitor_health {
                true => severity_of(new),
                false => open.severity,
            };
            let follows = severity != open.severity || new as u8 != open.monitoring_object_health_state;
            if !follows && !change.started {
                return None;
            }
            let mut alert = touched(open, at, SYSTEM);
            alert.monitoring_object_health_state = new as u8;
            alert.severity = severity;
            alert.state_last_modified = at;
            if change.started {
                alert.repeat_count = alert.repeat_count.saturating_add(1);
            }
            let comment = match follows {
                true => format!("the monitor is now {}", word(new)),
                false => "the monitor was started anew and is still unhealthy".to_owned(),
            };
            Some((alert, comment))
        }
        // an unchanged state is the same episode: its alert was closed by somebody and does not come back
        None if new >= settings.on_state
            && new >= HealthState::Warning
            && !in_maintenance
            && (change.old != new || change.started) =>
        {
            let severity = match settings.severity {
                MonitorSeverity::MatchMonitorHealth => severity_of(new),
                MonitorSeverity::Fixed(severity) => severity,
            };
            let alert = Alert {
                is_monitor_alert: true,
                problem_id: change.monitor.to_owned(),
                monitoring_object_health_state: new as u8,
                severity,
                priority: settings.priority,
                category: settings.category.clone(),
                name: fill(&settings.name, &settings.parameters),
                description: fill(&settings.description, &settings.parameters),
                unformatted_description: settings.description.clone(),
                parameters: settings.parameters.clone(),
                context: change.context.to_owned(),
                suppression_key: monitor_key(change.monitor, change.object),
                auto_resolve: settings.auto_resolve,
                match_monitor_health: settings.severity == MonitorSeverity::MatchMonitorHealth,
                ..raised(new_id, change.object, source, at)
            };
            Some((alert, "raised by the monitor".to_owned()))
        }
        _ => None,
    }
}

/// What an alert of a rule does: one more of the open one, or a new one. Nothing while the object is in maintenance.
#[must_use]
pub fn rule_raised(
    open: Option<&Alert>,
    rule: &RuleAlert,
    source: &AlertSource,
    in_maintenance: bool,
) -> Option<(Alert, String)> {
    if in_maintenance {
        return None;
    }
    if let Some(open) = open {
        let mut alert = touched(open, rule.at, SYSTEM);
        alert.repeat_count = alert.repeat_count.saturating_add(1);
        alert.context.clone_from(&rule.context);
        return Some((alert, String::new()));
    }
    let mut alert = Alert {
        rule_id: rule.rule.clone(),
        severity: rule.severity,
        priority: rule.priority,
        category: rule.category.clone(),
        name: fill(&rule.name, &rule.parameters),
        description: fill(&rule.description, &rule.parameters),
        unformatted_description: rule.description.clone(),
        parameters: rule.parameters.clone(),
        owner: rule.owner.clone(),
        context: rule.context.clone(),
        suppression_key: rule_key(&rule.rule, &rule.object, &rule.suppression),
        ..raised(&rule.id, &rule.object, source, rule.at)
    };
    for (field, value) in alert.custom_fields.iter_mut().zip(&rule.custom) {
        field.clone_from(value);
    }
    Some((alert, "raised by the rule".to_owned()))
}

/// What an operator or connector changes; `None` leaves a field as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertEdit {
    /// The new resolution state.
    pub resolution_state: Option<ResolutionState>,
    /// The new owner.
    pub owner: Option<String>,
    /// The ticket.
    pub ticket_id: Option<String>,
    /// Custom fields by their index from 0.
    pub custom_fields: Vec<(usize, String)>,
    /// For the history.
    pub comment: String,
}

/// What closing the alert of an unhealthy monitor does (a setting of the management group).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClosePolicy {
    /// It is refused.
    #[default]
    Refuse,
    /// The monitor is set healthy and the alert closes.
    ResetMonitor,
}

/// Why an alert cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Closing would hide a problem.
    #[error(
        "alert {id} cannot be closed: its monitor is {health}; repair the cause, reset the monitor, or set the closing \
         of alerts to reset monitors"
    )]
    MonitorUnhealthy {
        /// The alert.
        id: String,
        /// `Warning` or `Critical`.
        health: &'static str,
    },
    /// It is closed already.
    #[error("alert {0} is closed, and a closed alert stays as it is; only comments can be added")]
    Closed(String),
    /// There is no such field.
    #[error("custom field {0} does not exist; there are 1 to 10")]
    CustomField(usize),
}

/// An alert after an operator's change, and whether its monitor is to be reset. `health` is the monitor's.
///
/// # Errors
/// When the change is not allowed.
pub fn edited(
    alert: &Alert,
    edit: &AlertEdit,
    who: &str,
    at: i64,
    health: HealthState,
    policy: ClosePolicy,
) -> Result<(Alert, bool), EditError> {
    let fields = edit.resolution_state.is_some()
        || edit.owner.is_some()
        || edit.ticket_id.is_some()
        || !edit.custom_fields.is_empty();
    // an alert of a rule over tables can be taken up again: nothing else opens it
    let reopens = alert.rule.is_some() && edit.resolution_state.is_some_and(|state| state != ResolutionState::CLOSED);
    if !alert.is_open() && fields && !reopens {
        return Err(EditError::Closed(alert.id.clone()));
    }
    let mut changed = touched(alert, at, who);
    changed.last_modified_by_non_connector = at;
    if let Some(owner) = &edit.owner {
        changed.owner.clone_from(owner);
    }
    if let Some(ticket) = &edit.ticket_id {
        changed.ticket_id.clone_from(ticket);
    }
    for (index, value) in &edit.custom_fields {
        let field = changed.custom_fields.get_mut(*index).ok_or(EditError::CustomField(index + 1))?;
        field.clone_from(value);
    }
    let mut reset = false;
    match edit.resolution_state {
        Some(ResolutionState::CLOSED) => {
            if alert.is_monitor_alert && health >= HealthState::Warning {
                if policy == ClosePolicy::Refuse {
                    return Err(EditError::MonitorUnhealthy { id: alert.id.clone(), health: word(health) });
                }
                reset = true;
            }
            close(&mut changed, at, who);
        }
        Some(state) if state != alert.resolution_state => {
            if !alert.is_open() {
                changed.time_resolved = 0;
                changed.resolved_by.clear();
            }
            changed.resolution_state = state;
            changed.time_resolution_state_last_modified = at;
        }
        _ => {}
    }
    Ok((changed, reset))
}

/// When open alerts close by their age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ageing {
    /// Days since the resolution state changed; 0: never.
    pub days: u32,
    /// The same for alerts whose source is healthy; 0: never.
    pub healthy_days: u32,
}

impl Default for Ageing {
    fn default() -> Self {
        Self { days: 30, healthy_days: 7 }
    }
}

/// The alert closed by its age, if it is old enough. Age counts from the last change of the resolution state: repeats
/// do not keep an alert open. The alert of a monitor that is unhealthy never ages out: that would hide the problem.
#[must_use]
pub fn aged(alert: &Alert, source_health: HealthState, ageing: Ageing, now: i64) -> Option<(Alert, String)> {
    const DAY: i64 = 86_400_000_000;
    if !alert.is_open() || (alert.is_monitor_alert && source_health >= HealthState::Warning) {
        return None;
    }
    let older = |days: u32| days > 0 && now - alert.time_resolution_state_last_modified >= i64::from(days) * DAY;
    let source_health = match &alert.rule {
        // a condition that is met is a problem that is there; one that is over is like a healthy source
        Some(rule) if rule.stateful && rule.resolved_at == 0 => return None,
        Some(rule) if rule.resolved_at > 0 => HealthState::Success,
        _ => source_health,
    };
    let days = match source_health {
        HealthState::Success if older(ageing.healthy_days) => ageing.healthy_days,
        _ if older(ageing.days) => ageing.days,
        _ => return None,
    };
    let mut closed = touched(alert, now, SYSTEM);
    close(&mut closed, now, SYSTEM);
    Some((closed, format!("closed: its resolution state has not changed for {days} days")))
}

/// The alert of an object that is no longer there, closed.
#[must_use]
pub fn orphaned(alert: &Alert, now: i64) -> Option<(Alert, String)> {
    if !alert.is_open() || alert.monitoring_object_id.is_empty() {
        return None;
    }
    let mut closed = touched(alert, now, SYSTEM);
    close(&mut closed, now, SYSTEM);
    Some((closed, "closed: its object is no longer discovered".to_owned()))
}

fn raised(id: &str, object: &str, source: &AlertSource, at: i64) -> Alert {
    Alert {
        id: id.to_owned(),
        class_id: source.class_id.clone(),
        monitoring_object_id: object.to_owned(),
        monitoring_object_name: source.name.clone(),
        monitoring_object_display_name: source.display_name.clone(),
        monitoring_object_path: source.path.clone(),
        monitoring_object_full_name: source.full_name.clone(),
        principal_name: source.computer.clone(),
        netbios_computer_name: source.computer.split('.').next().unwrap_or_default().to_uppercase(),
        resolution_state: ResolutionState::NEW,
        time_raised: at,
        time_added: at,
        last_modified: at,
        last_modified_by: SYSTEM.to_owned(),
        state_last_modified: at,
        time_resolution_state_last_modified: at,
        ..Alert::default()
    }
}

fn touched(alert: &Alert, at: i64, who: &str) -> Alert {
    let last_modified = at.max(alert.last_modified);
    Alert { last_modified, last_modified_by: who.to_owned(), ..alert.clone() }
}

fn close(alert: &mut Alert, at: i64, who: &str) {
    alert.resolution_state = ResolutionState::CLOSED;
    alert.resolved_by = who.to_owned();
    alert.time_resolved = at;
    alert.time_resolution_state_last_modified = at;
}

fn severity_of(health: HealthState) -> Severity {
    match health {
        HealthState::Error => Severity::Error,
        HealthState::Warning => Severity::Warning,
        HealthState::Success | HealthState::Uninitialized => Severity::Information,
    }
}

/// The word that people see for a health.
#[must_use]
pub fn word(health: HealthState) -> &'static str {
    match health {
        HealthState::Uninitialized => "Not monitored",
        HealthState::Success => "Healthy",
        HealthState::Warning => "Warning",
        HealthState::Error => "Critical",
    }
}

/// A text with `{0}` to `{9}` replaced; a number without a parameter stays as it is.
#[must_use]
pub fn fill(text: &str, parameters: &[String]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        let tail = &rest[start..];
        let number = match tail.as_bytes() {
            [b'{', digit @ b'0'..=b'9', b'}', ..] => parameters.get(usize::from(digit - b'0')),
            _ => None,
        };
        match number {
            Some(value) => {
                out.push_str(value);
                rest = &tail[3..];
            }
            None => {
                out.push('{');
                rest = &tail[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use HealthState::{Error, Success, Uninitialized, Warning};

    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn settings(on_state: HealthState, severity: MonitorSeverity, auto_resolve: bool) -> MonitorAlert {
        MonitorAlert {
            name: "Disk {0}".into(),
            description: "{0} has {1} left, {2}".into(),
            parameters: vec!["sda".into(), "5 %".into()],
            on_state,
            auto_resolve,
            priority: Priority::High,
            severity,
            category: "AvailabilityHealth".into(),
        }
    }

    /// Runs a monitor through states; gives for each step what became of alerts.
    fn run(settings: &MonitorAlert, states: &[(HealthState, bool, bool)]) -> (Vec<String>, Option<Alert>) {
        let mut open: Option<Alert> = None;
        let mut old = Uninitialized;
        let mut seen = Vec::new();
        for (at, (new, started, maintenance)) in states.iter().enumerate() {
            let change = MonitorChange {
                monitor: "m",
                object: "o",
                old,
                new: *new,
                at: at as i64,
                context: "",
                started: *started,
            };
            let id = format!("a{at}");
            let source = AlertSource::default();
            let outcome = monitor_changed(open.as_ref(), &change, settings, &source, *maintenance, &id);
            old = *new;
            seen.push(match &outcome {
                None => "-".to_owned(),
                Some((alert, _)) if !alert.is_open() => format!("{} closed", alert.id),
                Some((alert, _)) => format!("{} {:?} {}", alert.id, alert.severity, alert.repeat_count),
            });
            if let Some((alert, _)) = outcome {
                open = Some(alert).filter(Alert::is_open);
            }
        }
        (seen, open)
    }

    #[test]
    fn a_monitor_alerts_once_for_each_unhealthy_episode() {
        use MonitorSeverity::{Fixed, MatchMonitorHealth};
        let warning = settings(Warning, MatchMonitorHealth, true);
        let error = settings(Error, MatchMonitorHealth, true);
        let fixed = settings(Warning, Fixed(Severity::Information), true);
        let manual = settings(Warning, MatchMonitorHealth, false);
        let plain = |states: &[HealthState]| states.iter().map(|state| (*state, false, false)).collect::<Vec<_>>();
        for (name, settings, states, expected) in [
            (
                "severity follows and health closes",
                &warning,
                plain(&[Success, Warning, Error, Warning, Success, Error]),
                vec!["-", "a1 Warning 0", "a1 Error 0", "a1 Warning 0", "a1 closed", "a5 Error 0"],
            ),
            (
                "below the state that alerts",
                &error,
                plain(&[Warning, Error, Warning, Success]),
                vec!["-", "a1 Error 0", "a1 Warning 0", "a1 closed"],
            ),
            (
                "a fixed severity stays",
                &fixed,
                plain(&[Warning, Error, Success]),
                vec!["a0 Information 0", "a0 Information 0", "a0 closed"],
            ),
            (
                "without auto-resolve it stays open, and the next episode is the same alert",
                &manual,
                plain(&[Error, Success, Error]),
                vec!["a0 Error 0", "-", "-"],
            ),
            (
                "starting anew counts, saying it again does not",
                &warning,
                vec![(Error, false, false), (Error, false, false), (Error, true, false)],
                vec!["a0 Error 0", "-", "a0 Error 1"],
            ),
            (
                "maintenance keeps quiet, and the start after it alerts",
                &warning,
                vec![(Error, false, true), (Error, false, false), (Error, true, false), (Success, false, true)],
                vec!["-", "-", "a2 Error 0", "a2 closed"],
            ),
            ("not monitored is not healthy", &warning, plain(&[Error, Uninitialized]), vec!["a0 Error 0", "-"]),
        ] {
            assert_eq!(run(settings, &states).0, expected, "{name}");
        }
    }

    #[test]
    fn a_closed_warning_comes_again_as_critical_only() {
        let settings = settings(Warning, MonitorSeverity::MatchMonitorHealth, true);
        let change =
            |old, new| MonitorChange { monitor: "m", object: "o", old, new, at: 1, context: "<x/>", started: false };
        let source = AlertSource { display_name: "web".into(), computer: "web.example".into(), ..Default::default() };
        assert_eq!(monitor_changed(None, &change(Warning, Warning), &settings, &source, false, "n"), None);
        let (alert, _) = monitor_changed(None, &change(Warning, Error), &settings, &source, false, "n").unwrap();
        assert_eq!((alert.name.as_str(), alert.description.as_str()), ("Disk sda", "sda has 5 % left, {2}"));
        assert_eq!(alert.unformatted_description, "{0} has {1} left, {2}");
        assert_eq!((alert.netbios_computer_name.as_str(), alert.context.as_str()), ("WEB", "<x/>"));
        assert_eq!(alert.suppression_key, "m/m/o");
    }

    #[test]
    fn equal_alerts_of_a_rule_are_counted_while_the_first_is_open() {
        let rule = |suppression: &[&str]| RuleAlert {
            id: "n".into(),
            rule: "r".into(),
            object: "o".into(),
            suppression: suppression.iter().map(|value| (*value).to_owned()).collect(),
            custom: vec!["one".into()],
            at: 5,
            ..RuleAlert::default()
        };
        let source = AlertSource::default();
        let (first, _) = rule_raised(None, &rule(&["x"]), &source, false).unwrap();
        assert_eq!((first.repeat_count, first.custom_fields[0].as_str()), (0, "one"));
        let (second, _) = rule_raised(Some(&first), &RuleAlert { at: 9, ..rule(&["x"]) }, &source, false).unwrap();
        assert_eq!((second.id.as_str(), second.repeat_count, second.last_modified), ("n", 1, 9));
        assert_eq!(second.time_resolution_state_last_modified, 5, "a repeat does not make it younger");
        assert_eq!(rule_raised(None, &rule(&["x"]), &source, true), None, "maintenance");
        let key = |values: &[&str]| rule(values).suppression.clone();
        assert_eq!(rule_key("r", "o", &[]), "");
        assert_ne!(rule_key("r", "o", &key(&[""])), "", "an empty value suppresses too");
        assert_ne!(rule_key("r", "o", &key(&["a", "bc"])), rule_key("r", "o", &key(&["ab", "c"])));
        assert_ne!(rule_key("r", "o", &key(&["a"])), rule_key("r", "p", &key(&["a"])));
    }

    #[test]
    fn closing_while_unhealthy_is_refused_or_resets_the_monitor() {
        let monitor = Alert { id: "a".into(), is_monitor_alert: true, ..Alert::default() };
        let rule = Alert { is_monitor_alert: false, ..monitor.clone() };
        let close = AlertEdit { resolution_state: Some(ResolutionState::CLOSED), ..AlertEdit::default() };
        for (alert, health, policy, outcome) in [
            (&monitor, Error, ClosePolicy::Refuse, None),
            (&monitor, Warning, ClosePolicy::Refuse, None),
            (&monitor, Error, ClosePolicy::ResetMonitor, Some(true)),
            (&monitor, Success, ClosePolicy::Refuse, Some(false)),
            (&monitor, Uninitialized, ClosePolicy::Refuse, Some(false)),
            (&rule, Error, ClosePolicy::Refuse, Some(false)),
        ] {
            match edited(alert, &close, "anna", 7, health, policy) {
                Ok((closed, reset)) => {
                    assert_eq!(Some(reset), outcome);
                    assert_eq!((closed.resolved_by.as_str(), closed.time_resolved), ("anna", 7));
                    let again = edited(&closed, &close, "bert", 8, health, policy).unwrap_err();
                    assert_eq!(again, EditError::Closed("a".into()));
                    let comment = AlertEdit { comment: "it was the fan".into(), ..AlertEdit::default() };
                    assert!(edited(&closed, &comment, "bert", 8, health, policy).is_ok());
                }
                Err(error) => assert_eq!((outcome, error.to_string().contains("cannot be closed")), (None, true)),
            }
        }
        let edit = AlertEdit {
            resolution_state: Some(ResolutionState(249)),
            owner: Some("anna".into()),
            custom_fields: vec![(9, "ten".into())],
            ..AlertEdit::default()
        };
        let (changed, _) = edited(&monitor, &edit, "anna", 7, Error, ClosePolicy::Refuse).unwrap();
        assert_eq!((changed.owner.as_str(), changed.custom_fields[9].as_str()), ("anna", "ten"));
        assert_eq!(changed.time_resolution_state_last_modified, 7);
        let wrong = AlertEdit { custom_fields: vec![(10, String::new())], ..AlertEdit::default() };
        assert!(edited(&monitor, &wrong, "anna", 7, Error, ClosePolicy::Refuse).is_err());
    }

    #[test]
    fn alerts_age_by_their_resolution_state() {
        let alert = |is_monitor_alert, changed_days_ago: i64| Alert {
            is_monitor_alert,
            time_resolution_state_last_modified: (100 - changed_days_ago) * DAY,
            last_modified: 100 * DAY,
            ..Alert::default()
        };
        for (monitor, days, health, closes) in [
            (false, 29, Error, false),
            (false, 30, Error, true),
            (false, 6, Success, false),
            (false, 7, Success, true),
            (true, 90, Error, false),
            (true, 7, Success, true),
            (true, 30, Uninitialized, true),
        ] {
            let closed = aged(&alert(monitor, days), health, Ageing::default(), 100 * DAY);
            assert_eq!(closed.is_some(), closes, "{monitor} {days} {health:?}");
        }
        let never = Ageing { days: 0, healthy_days: 0 };
        assert_eq!(aged(&alert(false, 99), Success, never, 100 * DAY), None);
    }
}
