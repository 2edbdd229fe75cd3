//! Performance: sources of samples, and conditions on them.

pub mod baseline;
pub mod condition;
pub mod provider;

use std::collections::BTreeMap;
use std::sync::Arc;

use watchkeeper_model::item::{DataItem, Sample};
use watchkeeper_model::node::Node;

use crate::workflow::module::Item;

/// Instances that a condition keeps apart.
pub(super) const MAX_INSTANCES: usize = 10_000;

/// The value of a performance item, and which instance it is of.
pub(super) fn value(item: &DataItem) -> Option<(String, f64)> {
    let text = |name: &str| item.body.value(name).unwrap_or_default();
    let value = text("Value").parse::<f64>().ok().filter(|value| value.is_finite())?;
    Some((format!("{}\u{1f}{}\u{1f}{}", text("ObjectName"), text("CounterName"), text("InstanceName")), value))
}

/// The same sample with another value; the measured one is in `SampleValue`.
pub(super) fn with_value(item: &DataItem, value: f64, extra: Vec<Node>) -> Item {
    let text = |name: &str| item.body.value(name).unwrap_or_default().to_owned();
    let sample = Sample {
        object: text("ObjectName"),
        counter: text("CounterName"),
        instance: text("InstanceName"),
        value: Some(value),
    };
    let mut changed = DataItem::performance(item.time, item.source, &sample);
    changed.body.children.push(Node::text("SampleValue", text("Value")));
    changed.body.children.extend(extra);
    Arc::new(changed)
}

/// What is kept of each instance, with a limit.
#[derive(Debug)]
pub(super) struct Instances<T>(BTreeMap<String, T>);

impl<T> Default for Instances<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Default> Instances<T> {
    pub(super) fn of(&mut self, key: String) -> &mut T {
        if self.0.len() >= MAX_INSTANCES && !self.0.contains_key(&key) {
            self.0.pop_first();
        }
        self.0.entry(key).or_default()
    }
}

impl<T: serde::Serialize + serde::de::DeserializeOwned> Instances<T> {
    pub(super) fn save(&self) -> Option<serde_json::Value> {
        if self.0.is_empty() { None } else { serde_json::to_value(&self.0).ok() }
    }

    pub(super) fn restore(&mut self, saved: &serde_json::Value) {
        if let Ok(kept) = serde_json::from_value(saved.clone()) {
            self.0 = kept;
        }
    }
}
