//! How a connection is, as its monitors see it, and the settings of its rule.

use watchkeeper_model::civil;
use watchkeeper_model::ids::ElementId;
use watchkeeper_model::overrides::Setting;
use watchkeeper_servicemap::Kind;
use watchkeeper_state::MapConnection;

use super::ServiceMaps;
use super::objects::{PACK, RULE, connection_object};

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const DAY: i64 = 24 * 60 * MINUTE;
/// Days that are left of a secret of which nobody said when it ends.
const NO_END: &str = "1000000";

/// A synchronization that failed is tried again after a quarter of the time for which it has been failing, within these.
const SOONEST_AGAIN: i64 = 5 * SECOND;
const LATEST_AGAIN: i64 = 15 * MINUTE;

/// The settings of the rule for a connection, with overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleSettings {
    pub enabled: bool,
    pub interval_minutes: u32,
    pub timeout_seconds: u64,
    pub window_minutes: u32,
}

impl Default for RuleSettings {
    fn default() -> Self {
        Self { enabled: true, interval_minutes: 60, timeout_seconds: 300, window_minutes: 60 }
    }
}

impl ServiceMaps {
    /// The rule's settings for a connection.
    pub fn rule_of(&self, connection_id: &str) -> RuleSettings {
        let space = self.group.read();
        let values =
            space.library.effective(&space.objects, ElementId::of(PACK, RULE), connection_object(connection_id));
        let value = |wanted: &str| {
            let is_wanted = |setting: &Setting| match setting {
                Setting::Property(name) | Setting::Parameter { name, .. } => name == wanted,
            };
            values.iter().find(|one| is_wanted(&one.setting)).and_then(|one| one.value.clone())
        };
        let default = RuleSettings::default();
        RuleSettings {
            enabled: value("Enabled").is_none_or(|text| !matches!(text.trim(), "false" | "0")),
            interval_minutes: value("IntervalMinutes")
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(default.interval_minutes)
                .max(1),
            timeout_seconds: value("TimeoutSeconds")
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(default.timeout_seconds)
                .clamp(1, 3_600),
            window_minutes: value("TimeWindowMinutes")
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(default.window_minutes)
                .max(1),
        }
    }

    /// What the probe of the pack says of a connection.
    pub(super) fn standing(&self, connection: &MapConnection, now: i64) -> Vec<(&'static str, String)> {
        standing(connection, self.rule_of(&connection.connection_id), now)
    }
}

/// Whether a synchronization that failed is to be tried before the rule's next time: not where a secret is refused, as
/// signing in again and again locks a service principal.
pub(super) fn is_due_again(connection: &MapConnection, now: i64) -> bool {
    let Some(last) = &connection.last_sync else { return false };
    let kind = Kind::of_code(&last.code);
    let is_for_a_person = |kind: Kind| (Kind::Tenant..=Kind::SecretExpired).contains(&kind);
    if last.ended == 0 || kind.is_none_or(is_for_a_person) {
        return false;
    }
    let fails_since = last.succeeded.max(connection.changed_at);
    now >= last.ended + ((last.ended - fails_since) / 4).clamp(SOONEST_AGAIN, LATEST_AGAIN)
}

fn standing(connection: &MapConnection, rule: RuleSettings, now: i64) -> Vec<(&'static str, String)> {
    let last = connection.last_sync.clone().unwrap_or_default();
    let kind = Kind::of_code(&last.code);
    let is_known = kind.is_some() || last.succeeded > 0;
    // the way of a request: what comes before the step that failed is right, what comes after it is not known
    let step = |first: Kind, last: Kind| match kind {
        _ if !is_known => "",
        None => "yes",
        Some(Kind::Answer) => "",
        Some(kind) if kind < first => "",
        Some(kind) if kind <= last => "no",
        Some(_) => "yes",
    };
    let reached = match kind {
        Some(Kind::Answer) => "no",
        _ => step(Kind::Address, Kind::Busy),
    };
    let accepted = step(Kind::Tenant, Kind::SecretExpired);
    let expires = connection.settings.secret_expires;
    let days_left = match expires {
        0 => NO_END.to_owned(),
        expires => format!("{:.2}", (expires - now) as f64 / DAY as f64),
    };
    let secret_error = match accepted {
        "no" => last.error.clone(),
        _ if expires > 0 => format!("the secret ends on {}", civil::format_time(expires)),
        _ => String::new(),
    };
    let missed = match rule.enabled {
        true => {
            (now - last.succeeded.max(connection.changed_at)) as f64
                / (i64::from(rule.interval_minutes) * MINUTE) as f64
        }
        false => 0.0,
    };
    vec![
        ("Reached", reached.to_owned()),
        ("SecretAccepted", accepted.to_owned()),
        ("RoleGranted", step(Kind::Role, Kind::Role).to_owned()),
        ("WorkspaceFound", step(Kind::Subscription, Kind::MachineGroup).to_owned()),
        ("SecretDaysLeft", days_left),
        ("SecretError", secret_error),
        ("IntervalsMissed", format!("{:.1}", missed.max(0.0))),
        ("Error", last.error),
    ]
}

#[cfg(test)]
mod tests {
    use watchkeeper_state::{MapSettings, MapSync};

    use super::super::new_connection;
    use super::*;

    #[test]
    fn what_failed_is_no_what_came_before_is_yes_and_the_rest_is_not_known() {
        let answers = |code: &str, succeeded: i64| {
            let mut connection = new_connection("c".into(), MapSettings::default());
            connection.last_sync = Some(MapSync { code: code.to_owned(), succeeded, ..MapSync::default() });
            let all = standing(&connection, RuleSettings::default(), connection.changed_at);
            all.into_iter().take(4).map(|(_, answer)| answer).collect::<Vec<String>>()
        };
        for (code, succeeded, wanted) in [
            ("", 0, ["", "", "", ""]),
            ("", 5, ["yes", "yes", "yes", "yes"]),
            ("AddressNotReached", 5, ["no", "", "", ""]),
            ("CertificateNotTrusted", 0, ["no", "", "", ""]),
            ("AnswerNotUnderstood", 5, ["no", "", "", ""]),
            ("TenantNotFound", 5, ["yes", "no", "", ""]),
            ("SecretExpired", 5, ["yes", "no", "", ""]),
            ("RoleMissing", 5, ["yes", "yes", "no", ""]),
            ("WorkspaceNotFound", 5, ["yes", "yes", "yes", "no"]),
            ("MachineGroupNotFound", 5, ["yes", "yes", "yes", "no"]),
        ] {
            assert_eq!(answers(code, succeeded), wanted, "{code}");
        }
    }

    #[test]
    fn what_failed_is_tried_again_soon_and_then_more_seldom_but_never_a_secret() {
        let due = |code: &str, fails_for: i64, after: i64| {
            let mut connection = new_connection("c".into(), MapSettings::default());
            connection.changed_at = 1;
            let ended = 1 + fails_for;
            connection.last_sync = Some(MapSync { code: code.to_owned(), ended, ..MapSync::default() });
            is_due_again(&connection, ended + after)
        };
        for (code, fails_for, after, wanted) in [
            ("AddressNotReached", SECOND, 4 * SECOND, false),
            ("AddressNotReached", SECOND, 5 * SECOND, true),
            ("RoleMissing", 40 * MINUTE, 9 * MINUTE, false),
            ("RoleMissing", 40 * MINUTE, 10 * MINUTE, true),
            ("WorkspaceNotFound", 10 * DAY, LATEST_AGAIN, true),
            ("SecretWrong", SECOND, DAY, false),
            ("SecretExpired", SECOND, DAY, false),
            ("", SECOND, DAY, false),
        ] {
            assert_eq!(due(code, fails_for, after), wanted, "{code} {fails_for} {after}");
        }
    }

    #[test]
    fn the_age_of_views_counts_in_intervals_while_the_rule_is_on() {
        let mut connection =
            new_connection("c".into(), MapSettings { secret_expires: 3 * DAY, ..MapSettings::default() });
        connection.changed_at = 0;
        let get = |rule: RuleSettings, name: &str| {
            let all = standing(&connection, rule, 2 * 60 * MINUTE);
            all.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value).unwrap()
        };
        assert_eq!(get(RuleSettings::default(), "IntervalsMissed"), "2.0");
        assert_eq!(get(RuleSettings { enabled: false, ..RuleSettings::default() }, "IntervalsMissed"), "0.0");
        assert_eq!(get(RuleSettings::default(), "SecretDaysLeft"), "2.92");
    }
}
