//! What overrides make of the monitors of an object, for roll-up.

use watchkeeper_model::health::{Algorithm, Kind, MemberRule, Settings};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::overrides::{Effective, Setting};
use watchkeeper_model::workflow::HealthState;

use super::Space;

impl Settings for Space {
    fn is_on(&self, object: ObjectId, monitor: ElementId) -> bool {
        Space::is_on(self, object, monitor)
    }

    fn kind(&self, object: ObjectId, monitor: ElementId, kind: Kind) -> Kind {
        let Kind::Rollup { algorithm, in_maintenance, unavailable } = kind else { return kind };
        if self.library.overrides.of(monitor).next().is_none() {
            return kind;
        }
        let effective = self.library.overrides.effective(monitor, &self.standing(object));
        let value = |wanted: &str| {
            let named = |(setting, _): &(&&Setting, &Effective<'_>)| matches!(setting, Setting::Property(name) if name.eq_ignore_ascii_case(wanted));
            effective.iter().find(named).map(|(_, found)| found.wins.value.trim())
        };
        Kind::Rollup {
            algorithm: algorithm_of(value("Algorithm"), value("AlgorithmParameter"), algorithm),
            in_maintenance: member_rule(
                value("IgnoreMemberInMaintenance"),
                value("MemberInMaintenance"),
                in_maintenance,
            ),
            unavailable: member_rule(value("IgnoreMemberUnavailable"), value("MemberUnavailable"), unavailable),
        }
    }
}

/// A word that is none leaves things as the monitor has them.
fn algorithm_of(word: Option<&str>, percentage: Option<&str>, own: Algorithm) -> Algorithm {
    let own_percentage = match own {
        Algorithm::Percentage(percentage) => percentage,
        Algorithm::WorstOf | Algorithm::BestOf => 100,
    };
    let given = percentage.and_then(|text| text.parse().ok()).filter(|percentage| *percentage <= 100);
    let percentage = given.unwrap_or(own_percentage);
    match (word, own) {
        (Some("WorstOf"), _) => Algorithm::WorstOf,
        (Some("BestOf"), _) => Algorithm::BestOf,
        (Some("Percentage"), _) | (_, Algorithm::Percentage(_)) => Algorithm::Percentage(percentage),
        _ => own,
    }
}

fn member_rule(ignore: Option<&str>, state: Option<&str>, own: MemberRule) -> MemberRule {
    if matches!(ignore, Some("true" | "1")) {
        return MemberRule::Ignore;
    }
    match state {
        Some("Uninitialized") => MemberRule::As(HealthState::Uninitialized),
        Some("Success") => MemberRule::As(HealthState::Success),
        Some("Warning") => MemberRule::As(HealthState::Warning),
        Some("Error") => MemberRule::As(HealthState::Error),
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_change_how_a_monitor_rolls_up() {
        for (word, percentage, own, wanted) in [
            (None, None, Algorithm::WorstOf, Algorithm::WorstOf),
            (Some("BestOf"), None, Algorithm::WorstOf, Algorithm::BestOf),
            (Some("Percentage"), Some("60"), Algorithm::WorstOf, Algorithm::Percentage(60)),
            (None, Some("30"), Algorithm::Percentage(60), Algorithm::Percentage(30)),
            (Some("Median"), Some("300"), Algorithm::Percentage(60), Algorithm::Percentage(60)),
        ] {
            assert_eq!(algorithm_of(word, percentage, own), wanted, "{word:?} {percentage:?}");
        }
        let error = MemberRule::As(HealthState::Error);
        for (ignore, state, wanted) in [
            (None, None, error),
            (Some("true"), Some("Warning"), MemberRule::Ignore),
            (Some("false"), Some("Warning"), MemberRule::As(HealthState::Warning)),
            (None, Some("Purple"), error),
        ] {
            assert_eq!(member_rule(ignore, state, error), wanted, "{ignore:?} {state:?}");
        }
    }
}
