//! Mappers: items become samples, events, discovery data.

use std::sync::Arc;

use watchkeeper_model::expression::Expression;
use watchkeeper_model::item::{DISCOVERY, DataItem, EVENT, Event, Sample};
use watchkeeper_model::node::Node;
use watchkeeper_model::xpath::XPath;

use super::filter;
use super::text::{fill, fill_node};
use crate::workflow::module::{Context, Failure, Item, Module, Setup};

struct Performance {
    object: String,
    counter: String,
    instance: String,
    value: String,
}

/// `System.Performance.DataGenericMapper`: `ObjectName`, `CounterName`, `InstanceName`, `Value`.
///
/// # Errors
/// When a parameter is missing.
pub fn performance(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(Performance {
        object: setup.required("ObjectName")?.to_owned(),
        counter: setup.required("CounterName")?.to_owned(),
        instance: setup.configuration.value("InstanceName").unwrap_or_default().to_owned(),
        value: setup.required("Value")?.to_owned(),
    }))
}

impl Module for Performance {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let mut mapped = Vec::new();
        let mut problem = None;
        for item in items {
            let get = |text: &str| fill(text, Some(item), context.accounts);
            let text = get(&self.value)?;
            // scripts write numbers as people of their country do
            let Ok(value) = text.trim().replace(',', ".").parse::<f64>() else {
                problem = Some(Failure::new(format!("the value {:?} is not a number", text.trim())));
                continue;
            };
            let sample = Sample {
                object: get(&self.object)?,
                counter: get(&self.counter)?,
                instance: get(&self.instance)?,
                value: Some(value),
            };
            mapped.push(Arc::new(DataItem::performance(item.time, item.source, &sample)));
        }
        context.emit_all(mapped);
        problem.map_or(Ok(()), Err)
    }
}

struct EventMapper {
    configuration: Node,
}

/// `System.Event.GenericDataMapper`: `EventOriginId`, `PublisherId`, `PublisherName`, `Channel`, `LoggingComputer`,
/// `EventNumber`, `EventCategory`, `EventLevel`, `UserName`, `Params`.
///
/// # Errors
/// Never.
pub fn event(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    Ok(Box::new(EventMapper { configuration: setup.configuration.clone() }))
}

impl Module for EventMapper {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let mut mapped = Vec::new();
        for item in items {
            let filled = fill_node(&self.configuration, Some(item), context.accounts)?;
            let text = |name: &str| filled.value(name).unwrap_or_default().to_owned();
            let number = |name: &str| text(name).parse().unwrap_or(0);
            let params = filled.child("Params").map_or_else(Vec::new, |params| {
                params.children.iter().map(|param| param.text.clone()).collect::<Vec<String>>()
            });
            let event = Event {
                number: number("EventNumber"),
                publisher: text("PublisherName"),
                level: number("EventLevel"),
                category: number("EventCategory"),
                computer: filled.value("LoggingComputer").unwrap_or(&context.origin.computer).to_owned(),
                channel: text("Channel"),
                description: filled
                    .value("EventDescription")
                    .or_else(|| filled.value("Description"))
                    .map_or_else(|| params.join(" "), str::to_owned),
                user: filled.value("UserName").map(str::to_owned),
                params,
                data: vec![item.body.clone()],
            };
            mapped.push(Arc::new(DataItem::event(EVENT, item.time, item.source, event)));
        }
        context.emit_all(mapped);
        Ok(())
    }
}

struct ClassSnapshot {
    expression: Option<Expression<XPath>>,
    class: String,
    settings: Node,
}

/// `System.Discovery.ClassSnapshotDataMapper`: `ClassId`, `InstanceSettings/Settings/Setting{Name,Value}`.
///
/// # Errors
/// When a parameter is missing.
pub fn class_snapshot(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    snapshot(setup, None)
}

/// `System.Discovery.FilteredClassSnapshotDataMapper`: the same for items that fulfil `Expression`; the others leave an
/// empty snapshot, so that what was found before is gone.
///
/// # Errors
/// As [`class_snapshot`].
pub fn filtered_class_snapshot(setup: &Setup<'_>) -> Result<Box<dyn Module>, String> {
    let expression = filter::read(setup.configuration)?.ok_or("the parameter Expression is missing")?;
    snapshot(setup, Some(expression))
}

fn snapshot(setup: &Setup<'_>, expression: Option<Expression<XPath>>) -> Result<Box<dyn Module>, String> {
    let instance = setup.configuration.child("InstanceSettings").ok_or("the parameter InstanceSettings is missing")?;
    let settings = instance.child("Settings").unwrap_or(instance);
    Ok(Box::new(ClassSnapshot {
        expression,
        class: setup.required("ClassId")?.to_owned(),
        settings: Node { children: settings.children.clone(), ..Node::new("Settings") },
    }))
}

impl Module for ClassSnapshot {
    fn take(&mut self, _: usize, items: &[Item], context: &mut Context<'_>) -> Result<(), Failure> {
        let Some(last) = items.last() else { return Ok(()) };
        let mut instances = Node::new("ClassInstances");
        for item in items {
            if self.expression.as_ref().is_some_and(|one| !filter::matches(one, item, context.now)) {
                continue;
            }
            let settings = fill_node(&self.settings, Some(item), context.accounts)?;
            let instance = Node::new("ClassInstance").with_attribute("TypeId", self.class.clone());
            instances.children.push(instance.with_child(settings));
        }
        let children = vec![Node::text("DiscoveryType", "0"), instances];
        context.emit(DataItem::new(DISCOVERY, context.now, last.source, children));
        Ok(())
    }
}
