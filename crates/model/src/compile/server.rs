//! What the management server needs of packs beside workflows: alerts of monitors, roll-up, texts, groups by rule.

use std::collections::BTreeSet;

use crate::expression::Expression;
use crate::groups::Rule;
use crate::health::{Algorithm, MemberRule, MonitorKind as Rollup, Monitors, RollupMonitor};
use crate::ids::{ElementId, ObjectId};
use crate::node::Node;
use crate::objects::{Classes, Objects};
use crate::pack::{self, AlertPriority, AlertSeverity, MonitorKind};
use crate::substitute::{substitute, substitute_text};
use crate::workflow::HealthState;

use super::Compiler;
use super::elements::{Element, GROUP_POPULATOR};
use super::fill::{TargetResolver, fill, fill_text};
use super::flatten::PackResolver;

/// How a monitor alerts for an object, after overrides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorAlertSettings {
    /// The health from which on it raises.
    pub on_state: HealthState,
    /// Closes when healthy.
    pub auto_resolve: bool,
    /// How urgent.
    pub priority: AlertPriority,
    /// How bad.
    pub severity: AlertSeverity,
    /// The string resource with name and description; the monitor itself where it names none ([`Compiler::texts`]).
    pub message: ElementId,
    /// Fill `{0}` to `{9}`; `$Data/Context/…$` is still in them.
    pub parameters: Vec<String>,
}

/// Name and description of an element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// For people; of an element without a text its ID.
    pub name: String,
    /// Longer; may be empty.
    pub description: String,
}

/// As packs write it.
pub(super) fn state_word(state: HealthState) -> &'static str {
    match state {
        HealthState::Uninitialized => "Uninitialized",
        HealthState::Success => "Success",
        HealthState::Warning => "Warning",
        HealthState::Error => "Error",
    }
}

fn truth(text: &str) -> bool {
    matches!(text.trim(), "true" | "1" | "True" | "TRUE")
}

impl Compiler {
    fn element(&self, id: ElementId) -> Option<&Element> {
        self.by_id.get(&id).map(|at| &self.elements[*at])
    }

    /// How a monitor alerts for an object; `None`: it does not.
    ///
    /// # Errors
    /// The parameters that cannot be filled in for this object.
    pub fn alert_settings(
        &self,
        objects: &Objects,
        monitor: ElementId,
        object: ObjectId,
    ) -> Result<Option<MonitorAlertSettings>, String> {
        let Some((element, known)) = self.element(monitor).and_then(|each| Some((each, each.monitor(&self.set)?)))
        else {
            return Ok(None);
        };
        let Some(alert) = &known.alert else { return Ok(None) };
        let overridden = |name: &str| self.overridden(monitor, objects, object, name);
        if overridden("GenerateAlert").is_some_and(|value| !truth(&value)) {
            return Ok(None);
        }
        let on_state = overridden("AlertOnState").and_then(|value| match value.as_str() {
            "Warning" => Some(HealthState::Warning),
            "Error" => Some(HealthState::Error),
            _ => None,
        });
        let priority = overridden("AlertPriority").and_then(|value| {
            [AlertPriority::Low, AlertPriority::Normal, AlertPriority::High]
                .into_iter()
                .find(|each| each.as_str() == value)
        });
        let severity = overridden("AlertSeverity").and_then(|value| {
            let all = [
                AlertSeverity::Information,
                AlertSeverity::Warning,
                AlertSeverity::Error,
                AlertSeverity::MatchMonitorHealth,
            ];
            all.into_iter().find(|each| each.as_str() == value)
        });
        let auto_resolve = overridden("AutoResolve").map(|value| truth(&value));
        let pack = element.in_pack(&self.set);
        let message = alert
            .message
            .as_ref()
            .and_then(|name| self.set.pack_of(pack, name).ok().map(|of| of.element_id(name.id())));
        let in_pack = PackResolver::of_element(&self.set, pack, monitor);
        let of_object = TargetResolver { objects, facts: self.facts(), group: &self.group, object };
        let parameter = |text: &String| {
            let text = substitute_text(text, &in_pack).map_err(|problem| problem.to_string())?;
            fill_text(&text, &of_object)
        };
        Ok(Some(MonitorAlertSettings {
            on_state: on_state.unwrap_or(alert.on_state),
            auto_resolve: auto_resolve.unwrap_or(alert.auto_resolve),
            priority: priority.unwrap_or(alert.priority),
            severity: severity.unwrap_or(alert.severity),
            message: message.unwrap_or(monitor),
            parameters: alert.parameters.iter().map(parameter).collect::<Result<_, _>>()?,
        }))
    }

    /// Name and description of any element, in a language, else in the default one, else in any. `None`: there is no
    /// such element.
    #[must_use]
    pub fn texts(&self, element: ElementId, language: &str) -> Option<Texts> {
        let (pack, id) = self.named().get(&element)?;
        let pack = self.set.packs().get(*pack)?;
        Some(match pack.display(id, None, language) {
            None => Texts { name: id.clone(), description: String::new() },
            Some(known) => {
                Texts { name: known.name.clone(), description: known.description.clone().unwrap_or_default() }
            }
        })
    }

    /// Name and description of the alerts of a rule or of a string resource.
    #[must_use]
    pub fn rule_message(&self, message: ElementId, language: &str) -> Option<Texts> {
        self.texts(message, language)
    }

    /// The monitors of all packs, for roll-up. Whether one is on for an object says [`Compiler::is_enabled`].
    #[must_use]
    pub fn rollup(&self) -> Monitors {
        Monitors::new(self.elements.iter().filter_map(|element| {
            let monitor = element.monitor(&self.set)?;
            let pack = element.in_pack(&self.set);
            let parent = monitor.parent.as_ref().and_then(|parent| self.set.monitor(pack, parent).ok());
            let parent = parent.map(|parent| parent.pack.element_id(&parent.element.id));
            let kind = match &monitor.kind {
                MonitorKind::Unit { .. } => Rollup::Unit,
                MonitorKind::Aggregate { algorithm } => Rollup::Aggregate(how(*algorithm, None)),
                MonitorKind::Dependency {
                    relationship,
                    member,
                    algorithm,
                    percentage,
                    in_maintenance,
                    unavailable,
                } => {
                    let relationship = self.set.relationship(pack, relationship).ok()?;
                    let member = self.set.monitor(pack, member).ok()?;
                    let rule = |state: &Option<HealthState>| state.map_or(MemberRule::Ignore, MemberRule::As);
                    Rollup::Dependency {
                        relationship: relationship.pack.element_id(&relationship.element.id),
                        member: member.pack.element_id(&member.element.id),
                        algorithm: how(*algorithm, *percentage),
                        in_maintenance: rule(in_maintenance),
                        unavailable: rule(unavailable),
                    }
                }
            };
            Some((element.id, RollupMonitor { target: element.target, parent, kind }))
        }))
    }

    /// The classes for whose objects a discovery makes groups: what happens to one may change rules.
    #[must_use]
    pub fn group_targets(&self) -> BTreeSet<ElementId> {
        let populates =
            |element: &&Element| element.modules(&self.set).iter().any(|module| module.type_id.id() == GROUP_POPULATOR);
        self.elements.iter().filter(populates).map(|element| element.target).collect()
    }

    /// Packs name the one object of a singleton class by the identity of the class.
    fn object_of(&self, id: ObjectId) -> ObjectId {
        let class = ElementId(id.0);
        if self.facts().is_singleton(class) { self.facts().singleton(class) } else { id }
    }

    /// The membership rules of all groups: each group with the rules of its discoveries that are on. What cannot be
    /// read is named by its discovery.
    #[must_use]
    pub fn groups(&self, objects: &Objects) -> (Vec<(ObjectId, Vec<Rule>)>, Vec<super::LeftOut>) {
        let mut groups: std::collections::BTreeMap<ObjectId, Vec<Rule>> = std::collections::BTreeMap::new();
        let mut left_out = Vec::new();
        for element in self.elements.iter().filter(|element| element.runs_on_server) {
            let modules = element.modules(&self.set);
            let Some(module) = modules.iter().find(|module| module.type_id.id() == GROUP_POPULATOR) else { continue };
            let pack = element.in_pack(&self.set);
            for object in objects.of_class(element.target, self.facts()) {
                if !self.is_enabled(objects, object, element.id) {
                    continue;
                }
                let in_pack = PackResolver::of_element(&self.set, pack, element.id);
                let of_object = TargetResolver { objects, facts: self.facts(), group: &self.group, object };
                let configuration = substitute(&module.configuration, &in_pack)
                    .map_err(|problems| problems.first().map(ToString::to_string).unwrap_or_default())
                    .and_then(|node| fill(&node, &of_object));
                match configuration.and_then(|configuration| read_rules(&configuration)) {
                    Ok((group, rules)) => {
                        let rules = rules.into_iter().map(|rule| Rule {
                            include: rule.include.iter().map(|id| self.object_of(*id)).collect(),
                            exclude: rule.exclude.iter().map(|id| self.object_of(*id)).collect(),
                            ..rule
                        });
                        groups.entry(self.object_of(group)).or_default().extend(rules);
                    }
                    Err(reason) => {
                        left_out.push(super::LeftOut { element: element.name.clone(), object: Some(object), reason })
                    }
                }
            }
        }
        (groups.into_iter().collect(), left_out)
    }
}

fn how(algorithm: pack::Algorithm, percentage: Option<u32>) -> Algorithm {
    match algorithm {
        pack::Algorithm::WorstOf => Algorithm::WorstOf,
        pack::Algorithm::BestOf => Algorithm::BestOf,
        pack::Algorithm::Percentage => {
            Algorithm::Percentage(u8::try_from(percentage.unwrap_or(100).min(100)).unwrap_or(100))
        }
    }
}

fn read_rules(configuration: &Node) -> Result<(ObjectId, Vec<Rule>), String> {
    let group = configuration.value("GroupInstanceId").ok_or("GroupInstanceId is missing")?;
    let group = ObjectId(identity("GroupInstanceId", group)?);
    let rules = configuration.child("MembershipRules").ok_or("MembershipRules is missing")?;
    let rules: Result<Vec<Rule>, String> = rules.children_named("MembershipRule").map(read_rule).collect();
    Ok((group, rules?))
}

fn read_rule(rule: &Node) -> Result<Rule, String> {
    let named = |name: &str| {
        let text = rule.value(name).ok_or_else(|| format!("MembershipRule: {name} is missing"))?;
        identity(name, text).map(ElementId)
    };
    let expression = match rule.child("Expression") {
        None => None,
        Some(expression) => Some(
            Expression::read(expression)
                .map_err(|problems| problems.first().map(ToString::to_string).unwrap_or_default())?,
        ),
    };
    let listed = |name: &str| -> Result<BTreeSet<ObjectId>, String> {
        let list = rule.child(name).into_iter().flat_map(|list| list.children_named("MonitoringObjectId"));
        list.map(|each| identity("MonitoringObjectId", each.text.trim()).map(ObjectId)).collect()
    };
    Ok(Rule {
        class: named("MonitoringClass")?,
        relationship: named("RelationshipClass")?,
        expression,
        include: listed("IncludeList")?,
        exclude: listed("ExcludeList")?,
    })
}

fn identity(name: &str, text: &str) -> Result<uuid::Uuid, String> {
    uuid::Uuid::try_parse(text).map_err(|_| format!("{name}: '{text}' is not an identity"))
}
