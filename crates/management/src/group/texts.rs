//! What alerts say: names, descriptions and parameters from packs, with overrides and the object filled in.

use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::item::DataItem;
use watchkeeper_model::node::Node;
use watchkeeper_model::objects::Classes;
use watchkeeper_model::overrides::Setting;
use watchkeeper_model::pack::{AlertPriority, AlertSeverity, xml};
use watchkeeper_model::substitute::{Resolved, Resolver, TargetValue, Variable, VariableKind, substitute_text};
use watchkeeper_model::workflow::HealthState;
use watchkeeper_state::{Priority, Severity};

use super::Space;
use crate::alert_rules::{AlertSource, MonitorAlert, MonitorSeverity};
use crate::watchers::{HEARTBEAT_MONITOR, REACHABLE_MONITOR};

impl Space {
    pub(super) fn monitor_alert(&self, key: &str, object: ObjectId, context: &str) -> Option<MonitorAlert> {
        if let Some(alert) = self.watcher_alert(key, object) {
            return Some(alert);
        }
        let id = self.library.monitor_id(key)?;
        let (pack, monitor) = self.library.monitor(id)?;
        let standing = self.standing(object);
        let effective = self.library.overrides.effective(id, &standing);
        let overridden = |name: &str| {
            effective.get(&Setting::Property(name.to_owned())).map(|effective| effective.wins.value.trim())
        };
        let settings = monitor.alert.clone();
        match overridden("GenerateAlert") {
            Some("false" | "0") => return None,
            Some(_) => {}
            None => drop(settings.as_ref()?),
        }
        let settings = settings.unwrap_or_default();
        let message = settings.message.as_ref().and_then(|message| self.library.id_of(pack, message));
        let (name, description) = message
            .and_then(|message| self.message(message))
            .unwrap_or_else(|| (self.library.display_name(id), String::new()));
        let filler = Filler { space: self, object, context: item(context) };
        let parameters = settings.parameters.iter();
        let parameters = parameters.map(|text| substitute_text(text, &filler).unwrap_or_else(|_| text.to_string()));
        Some(MonitorAlert {
            name,
            description,
            parameters: parameters.collect(),
            on_state: match overridden("AlertOnState").unwrap_or_default() {
                "Warning" => HealthState::Warning,
                "Error" => HealthState::Error,
                _ if settings.on_state < HealthState::Warning => HealthState::Warning,
                _ => settings.on_state,
            },
            auto_resolve: overridden("AutoResolve")
                .map_or(settings.auto_resolve, |value| matches!(value, "true" | "1")),
            priority: match overridden("AlertPriority").unwrap_or(settings.priority.as_str()) {
                text if text == AlertPriority::Low.as_str() => Priority::Low,
                text if text == AlertPriority::High.as_str() => Priority::High,
                _ => Priority::Normal,
            },
            severity: match overridden("AlertSeverity").unwrap_or(settings.severity.as_str()) {
                text if text == AlertSeverity::Information.as_str() => MonitorSeverity::Fixed(Severity::Information),
                text if text == AlertSeverity::Warning.as_str() => MonitorSeverity::Fixed(Severity::Warning),
                text if text == AlertSeverity::Error.as_str() => MonitorSeverity::Fixed(Severity::Error),
                _ => MonitorSeverity::MatchMonitorHealth,
            },
            category: monitor.category.clone(),
        })
    }

    /// The alerts of the watchers, whose monitors this server feeds itself.
    fn watcher_alert(&self, key: &str, object: ObjectId) -> Option<MonitorAlert> {
        let name = self.objects.get(object)?.properties.get("HealthServiceName").cloned().unwrap_or_default();
        let (title, text) = match key {
            HEARTBEAT_MONITOR => (
                "Health Service Heartbeat Failure",
                "The agent on {0} sends no heartbeats. The computer may be down, the network cut, or the agent stopped.",
            ),
            REACHABLE_MONITOR => {
                ("Failed to Connect to Computer", "{0} sends no heartbeats and does not answer on the network either.")
            }
            _ => return None,
        };
        Some(MonitorAlert {
            name: title.to_owned(),
            description: text.to_owned(),
            parameters: vec![name],
            on_state: HealthState::Error,
            auto_resolve: true,
            priority: Priority::High,
            severity: MonitorSeverity::Fixed(Severity::Error),
            category: "AvailabilityHealth".to_owned(),
        })
    }

    pub(super) fn message(&self, id: ElementId) -> Option<(String, String)> {
        let (pack, _, element) = self.library.element(id)?;
        let text = pack.display(element, None, "ENU")?;
        Some((text.name.clone(), text.description.clone().unwrap_or_default()))
    }

    pub(super) fn alert_source(&self, object: ObjectId) -> Option<AlertSource> {
        let found = self.objects.get(object)?;
        let class = found.classes.first().copied();
        let name = self.key_name(object);
        let path = self.path(object);
        let class_name = class.map(|class| self.library.name(class)).unwrap_or_default();
        let short = class_name.rsplit('!').next().unwrap_or_default();
        let full_name = match path.is_empty() {
            true => format!("{short}:{name}"),
            false => format!("{short}:{path};{name}"),
        };
        let root = self.root(object);
        let agent_id = self.agent_of(object).unwrap_or_default().to_owned();
        let computer = match self.agent(&agent_id) {
            Some(agent) => self.key_name(agent.computer),
            None => self.key_name(root),
        };
        Some(AlertSource {
            class_id: class.map(|class| class.to_string()).unwrap_or_default(),
            display_name: self.display_name(object),
            name,
            path,
            full_name,
            computer,
            agent_id,
        })
    }

    /// The values of an object's own keys.
    #[must_use]
    pub fn key_name(&self, object: ObjectId) -> String {
        let Some(found) = self.objects.get(object) else { return String::new() };
        let keys = found.classes.first().map(|class| self.library.keys(*class)).unwrap_or_default();
        let values: Vec<&str> =
            keys.iter().filter_map(|(_, key)| found.properties.get(key).map(String::as_str)).collect();
        values.join(";")
    }

    /// What an object is called.
    #[must_use]
    pub fn display_name(&self, object: ObjectId) -> String {
        let Some(found) = self.objects.get(object) else { return object.to_string() };
        if let Some(name) = found.properties.get("DisplayName").filter(|name| !name.is_empty()) {
            return name.clone();
        }
        let key = self.key_name(object);
        match (key.is_empty(), found.classes.first()) {
            (true, Some(class)) => self.library.display_name(*class),
            _ => key,
        }
    }

    /// The names of an object's hosts, the outermost first.
    #[must_use]
    pub fn path(&self, object: ObjectId) -> String {
        let mut hosts: Vec<String> =
            self.objects.hosts(object).map(|host| self.key_name(host)).filter(|name| !name.is_empty()).collect();
        hosts.reverse();
        hosts.join(";")
    }
}

/// The data item of an alert's context.
fn item(context: &str) -> Option<DataItem> {
    let body: Node = xml::read_element(context)?;
    let kind = body.attribute("type").unwrap_or_default().to_owned();
    let cause = DataItem { kind, time: 0, source: ObjectId(uuid::Uuid::nil()), body };
    // alerts of monitors ask for `$Data/Context/…$`: the item that led to the state
    let state = HealthState::Uninitialized;
    Some(DataItem::state_change(0, cause.source, state, state, &cause))
}

struct Filler<'a> {
    space: &'a Space,
    object: ObjectId,
    context: Option<DataItem>,
}

impl Resolver for Filler<'_> {
    fn resolve(&self, variable: &Variable) -> Resolved<'_> {
        match &variable.kind {
            VariableKind::Data { query, default } => {
                let value = self.context.as_ref().and_then(|item| item.value(query));
                match value.or_else(|| default.clone()) {
                    Some(value) => Resolved::Outside(value),
                    None => Resolved::Outside(String::new()),
                }
            }
            VariableKind::Target { hosts, value } => {
                let mut line = std::iter::once(self.object).chain(self.space.objects.hosts(self.object));
                let Some(object) = line.nth(*hosts).and_then(|id| self.space.objects.get(id)) else {
                    return Resolved::Unknown("the object has no such host".to_owned());
                };
                match value {
                    TargetValue::Id => Resolved::Text(object.id.to_string()),
                    TargetValue::Property { property, .. } => {
                        Resolved::Outside(object.properties.get(property).cloned().unwrap_or_default())
                    }
                    _ => Resolved::Unknown("is not known in alerts".to_owned()),
                }
            }
            _ => Resolved::Unknown("is not known in alerts".to_owned()),
        }
    }

    fn is_last(&self) -> bool {
        true
    }
}
