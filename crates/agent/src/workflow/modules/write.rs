//! Write actions: alerts, rows, discovery data.

use std::sync::Arc;

use uuid::Uuid;
use watchkeeper_model::item::{DISCOVERY, EVENT, PERFORMANCE, WINDOWS_EVENT};
use watchkeeper_model::node::Node;
use watchkeeper_model::workflow::{Purpose, Workflow};
use watchkeeper_wire::proto::Alert;
use watchkeeper_wire::proto::operational_item::Item as Up;

use super::text::{fill_node, xml};
use crate::workflow::module::{Context, Failure, Item, Module, Owner, Setup};

/// What of a text of an alert is sent.
const TEXT_LIMIT: usize = 32 * 1024;

struct GenerateAlert {
    owner: Owner,
    configuration: Node,
}

/// `System.Health.GenerateAlert`
///
/// # Errors
/// When priority or severity cannot be.
pub fn alert(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    for name in ["Priority", "Severity"] {
        let text = setup.configuration.value(name).unwrap_or("1");
        if !text.contains('$') && !matches!(text, "0" | "1" | "2") {
            return Err(format!("{name} is {text:?}; 0, 1 or 2 are allowed"));
        }
    }
    Ok(Box::new(GenerateAlert { owner: setup.owner.clone(), configuration: setup.configuration.clone() }))
}

impl Module for GenerateAlert {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        for item in items {
            let filled = fill_node(&self.configuration, Some(item), context.accounts)?;
            let text = |name: &str| filled.value(name).unwrap_or_default().chars().take(TEXT_LIMIT).collect::<String>();
            let level = |name: &str| text(name).parse::<u32>().ok().filter(|level| *level <= 2).unwrap_or(1);
            let numbered = |node: Option<&Node>, prefix: &str| {
                let mut values: Vec<String> = (1..=10)
                    .map(|number| {
                        let name = format!("{prefix}{number}");
                        let found = node.and_then(|node| node.child(&name));
                        found.map(|value| value.text.chars().take(TEXT_LIMIT).collect()).unwrap_or_default()
                    })
                    .collect();
                while values.last().is_some_and(String::is_empty) {
                    values.pop();
                }
                values
            };
            let suppression = filled.child("Suppression").map(|node| {
                node.children_named("SuppressionValue").map(|value| value.text.clone()).collect::<Vec<String>>()
            });
            let alert = Alert {
                rule: self.owner.element_id.to_string(),
                element: self.owner.element.clone(),
                object: self.owner.object.to_string(),
                name: text("AlertName"),
                description: text("AlertDescription"),
                priority: level("Priority"),
                severity: level("Severity"),
                parameters: numbered(filled.child("AlertParameters"), "AlertParameter"),
                suppression: suppression.unwrap_or_default(),
                custom: numbered(Some(&filled), "Custom"),
                owner: text("AlertOwner"),
                message_id: text("AlertMessageId"),
                context: xml(&item.body),
                id: Uuid::new_v4().to_string(),
            };
            context.outbox.put(item.time.min(context.now), Up::Alert(alert));
        }
        Ok(())
    }
}

struct CollectPerformance {
    owner: Owner,
}

/// `Microsoft.SystemCenter.CollectPerformanceData` and `…DataWarehouse.PublishPerformanceData`: rows of `Perf`. A rule
/// that has both gives each row once.
///
/// # Errors
/// Never.
pub fn performance(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(CollectPerformance { owner: setup.owner.clone() }))
}

impl Module for CollectPerformance {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        for item in items {
            if item.kind != PERFORMANCE {
                return Err(Failure::new(format!("samples are collected, not {}", item.kind)));
            }
            if !context.outbox.is_first(item, &self.owner) {
                continue;
            }
            let text = |name: &str| item.body.value(name).unwrap_or_default();
            let Ok(value) = text("Value").parse::<f64>() else { continue };
            let (object, counter, instance) = (text("ObjectName"), text("CounterName"), text("InstanceName"));
            let computer = &context.origin.computer;
            let path = format!("\\\\{computer}\\{object}({instance})\\{counter}");
            context
                .outbox
                .performance
                .table("Perf")
                .row()
                .datetime("TimeGenerated", item.time)
                .string("Computer", computer)
                .string("ObjectName", object)
                .string("CounterName", counter)
                .string("InstanceName", instance)
                .real("CounterValue", value)
                .string("CounterPath", &path)
                .string("SourceSystem", "OpsManager");
        }
        Ok(())
    }
}

struct CollectEvent {
    owner: Owner,
}

/// `Microsoft.SystemCenter.CollectEvent` and `…DataWarehouse.PublishEventData`: rows of `Event`, each once.
///
/// # Errors
/// Never.
pub fn event(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(CollectEvent { owner: setup.owner.clone() }))
}

impl Module for CollectEvent {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        for item in items {
            if item.kind != EVENT && item.kind != WINDOWS_EVENT {
                return Err(Failure::new(format!("events are collected, not {}", item.kind)));
            }
            if !context.outbox.is_first(item, &self.owner) {
                continue;
            }
            let text = |name: &str| item.body.value(name).unwrap_or_default();
            let level: i32 = text("EventLevel").parse().unwrap_or(4);
            let level_name = match level {
                1 => "Error",
                2 => "Warning",
                8 => "Success Audit",
                16 => "Failure Audit",
                _ => "Information",
            };
            let params = item.body.child("Params").map(xml).unwrap_or_default();
            let computer = item.body.value("LoggingComputer").unwrap_or(&context.origin.computer);
            let row = context.outbox.events.table("Event").row();
            row.datetime("TimeGenerated", item.time)
                .string("Computer", computer)
                .string("EventLog", text("Channel"))
                .string("Source", text("PublisherName"))
                .int("EventID", text("EventDisplayNumber").parse().unwrap_or(0))
                .int("EventLevel", level)
                .string("EventLevelName", level_name)
                .int("EventCategory", text("EventCategory").parse().unwrap_or(0))
                .string("RenderedDescription", text("EventDescription"))
                .string("ParameterXml", &params)
                .string("SourceSystem", "OpsManager");
            if let Some(user) = item.body.value("UserName") {
                row.string("UserName", user);
            }
            if let Some(data) = item.body.child("EventData") {
                row.string("EventData", &xml(data));
            }
        }
        Ok(())
    }
}

struct Discovery {
    owner: Owner,
}

/// `System.Discovery.WriteAction`: discovery data of a rule.
///
/// # Errors
/// Never.
pub fn discovery(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(Discovery { owner: setup.owner.clone() }))
}

impl Module for Discovery {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let workflow = Workflow {
            element: self.owner.element.clone(),
            element_id: self.owner.element_id,
            object: self.owner.object,
            class: String::new(),
            purpose: Purpose::Discovery,
            modules: Vec::new(),
            timeout_seconds: 0,
        };
        for item in items.iter().filter(|item| item.kind == DISCOVERY).map(Arc::as_ref) {
            let data = super::discovery::from_item(item, &workflow).map_err(Failure::new)?;
            context.outbox.put(context.now, Up::Discovery(data));
        }
        Ok(())
    }
}
