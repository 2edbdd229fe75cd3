//! Alerts of monitors, and the short forms of rules that alert or collect.

use super::super::super::problem::did_you_mean;
use super::super::load::Yaml;
use super::super::table::{ALERT, PRIORITY, long};
use super::{Reader, section};
use crate::node::Node;

impl Reader<'_> {
    /// The string resource of an alert.
    fn message(&mut self, id: &str, body: &[(String, Yaml)]) -> Option<String> {
        let get = |name: &str| body.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        if let Some(value) = get("message") {
            return Some(self.text(value, "message"));
        }
        let value = get("name")?;
        let message = format!("{id}.AlertMessage");
        let name = self.text(value, "name");
        let about = get("description").map(|value| self.text(value, "description"));
        self.display(&message, None, &name, about);
        self.resources.push(Node { place: value.at.0, ..Node::new("StringResource") }.with_attribute("ID", &message));
        Some(message)
    }

    pub(super) fn alert(&mut self, id: &str, value: &Yaml, node: &mut Node) {
        let body = self.map(value, "alert");
        let mut alert = Node { place: value.at.0, ..Node::new("AlertSettings") };
        if let Some(message) = self.message(id, body) {
            alert.attributes.push(("AlertMessage".to_owned(), message));
        }
        for field in ALERT {
            let value = body.iter().find(|(key, _)| key == field.key).map(|(_, value)| value);
            self.field(field, value, &mut alert);
        }
        for (key, value) in body {
            match key.as_str() {
                "message" | "name" | "description" => {}
                "parameters" => {
                    let parameters = self.alert_parameters(value);
                    alert.children.push(parameters);
                }
                key if ALERT.iter().any(|field| field.key == key) => {}
                key => {
                    if !self.other(key, value, &mut alert) {
                        let known = ALERT.iter().map(|field| field.key);
                        let hint = did_you_mean(key, known.chain(["name", "description", "parameters", "message"]));
                        self.error(value.at, format!("an alert has no '{key}'{hint}"));
                    }
                }
            }
        }
        node.children.push(alert);
    }

    fn alert_parameters(&mut self, value: &Yaml) -> Node {
        let mut parameters = Node { place: value.at.0, ..Node::new("AlertParameters") };
        for (index, item) in self.list(value).into_iter().enumerate() {
            let text = self.text(item, "parameters");
            let name = format!("AlertParameter{}", index + 1);
            parameters.children.push(Node { place: item.at.0, ..Node::text(name, text) });
        }
        parameters
    }

    /// A write action that raises an alert.
    pub(super) fn rule_alert(&mut self, id: &str, value: &Yaml, node: &mut Node) {
        const SEVERITIES: &[(&str, &str)] = &[("information", "0"), ("warning", "1"), ("critical", "2")];
        let body = self.map(value, "alert");
        let message = self.message(id, body).unwrap_or_default();
        let get = |name: &str| body.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let word = |name: &str| get(name).and_then(Yaml::as_text);
        let priority = match long(PRIORITY, word("priority").unwrap_or("normal")) {
            "Low" => "0",
            "High" => "2",
            _ => "1",
        };
        let severity = word("severity").unwrap_or("warning");
        if !SEVERITIES.iter().any(|(known, _)| *known == severity) {
            self.error(value.at, format!("severity is '{severity}'; it is information, warning or critical"));
        }
        let mut action = Node { place: value.at.0, ..Node::new("WriteAction") }
            .with_attribute("ID", "Alert")
            .with_attribute("TypeID", format!("{}System.Health.GenerateAlert", self.health))
            .with_child(Node::text("Priority", priority))
            .with_child(Node::text("Severity", long(SEVERITIES, severity)))
            .with_child(Node::text("AlertMessageId", format!("$MPElement[Name='{message}']$")));
        if let Some(value) = get("parameters") {
            let parameters = self.alert_parameters(value);
            action.children.push(parameters);
        }
        if let Some(value) = get("suppress") {
            let mut suppression = Node::new("Suppression");
            for item in self.list(value) {
                let text = self.text(item, "suppress");
                suppression.children.push(Node::text("SuppressionValue", text));
            }
            action.children.push(suppression);
        }
        for (key, value) in body {
            let known = ["message", "name", "description", "parameters", "severity", "priority", "suppress"];
            if !known.contains(&key.as_str()) && !self.other(key, value, &mut action) {
                let hint = did_you_mean(key, known);
                self.error(value.at, format!("an alert has no '{key}'{hint}"));
            }
        }
        section(node, &["WriteActions"]).children.push(action);
    }

    /// Samples of a counter that are kept where they changed enough.
    pub(super) fn rule_collect(&mut self, value: &Yaml, node: &mut Node) {
        const KEYS: &[(&str, &str, &str)] = &[
            ("counter", "CounterName", ""),
            ("object", "ObjectName", ""),
            ("instance", "InstanceName", "*"),
            ("every", "Frequency", "300"),
            ("tolerance", "Tolerance", "5"),
            ("at_least_every", "MaximumSampleSeparation", "12"),
        ];
        let body = self.map(value, "collect");
        let mut source = Node { place: value.at.0, ..Node::new("DataSource") }
            .with_attribute("ID", "DS")
            .with_attribute("TypeID", format!("{}System.Performance.OptimizedDataProvider", self.performance));
        for (key, name, default) in KEYS {
            let text = body.iter().find(|(known, _)| known == key).map(|(_, value)| self.text(value, key));
            match text {
                Some(text) => source.children.push(Node::text(*name, text)),
                None if default.is_empty() => self.error(value.at, format!("'collect' needs '{key}'")),
                None => source.children.push(Node::text(*name, *default)),
            }
        }
        for (key, value) in body {
            if !KEYS.iter().any(|(known, ..)| known == key) && !self.other(key, value, &mut source) {
                let hint = did_you_mean(key, KEYS.iter().map(|(known, ..)| *known));
                self.error(value.at, format!("'collect' has no '{key}'{hint}"));
            }
        }
        section(node, &["DataSources"]).children.push(source);
        let action = Node { place: value.at.0, ..Node::new("WriteAction") }
            .with_attribute("ID", "Collect")
            .with_attribute("TypeID", format!("{}Microsoft.SystemCenter.CollectPerformanceData", self.collect));
        section(node, &["WriteActions"]).children.push(action);
    }
}
