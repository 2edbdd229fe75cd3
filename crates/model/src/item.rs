//! Data items: what flows between the modules of a workflow. Their bodies have the shape that packs' queries expect.

use serde::{Deserialize, Serialize};

use crate::civil;
use crate::ids::ObjectId;
use crate::node::Node;
use crate::workflow::HealthState;
use crate::xpath::XPath;

/// A trigger without content, as schedulers give.
pub const TRIGGER: &str = "System.TriggerData";
/// Named values, as scripts give.
pub const PROPERTY_BAG: &str = "System.PropertyBagData";
/// One sample of a counter.
pub const PERFORMANCE: &str = "System.Performance.Data";
/// An event of any log.
pub const EVENT: &str = "System.Event.Data";
/// An event with the fields of the Windows event log.
pub const WINDOWS_EVENT: &str = "Microsoft.Windows.EventData";
/// A line of a log file.
pub const LOG_LINE: &str = "System.ApplicationLog.GenericLogEntryData";
/// What a command wrote.
pub const COMMAND_OUTPUT: &str = "System.CommandOutput";
/// Discovered objects and relationships.
pub const DISCOVERY: &str = "System.Discovery.Data";
/// A monitor's change of state, with the item that caused it as context.
pub const STATE_CHANGE: &str = "System.Health.StateChangeData";
/// How many items of the same key came in a window.
pub const CONSOLIDATED: &str = "System.ConsolidatorData";

/// One item of data. Equality is of content; queries go to the body, an element `DataItem`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataItem {
    /// The data type (`System.PropertyBagData`).
    pub kind: String,
    /// Microseconds since 1970 UTC.
    pub time: i64,
    /// The object that it is about.
    pub source: ObjectId,
    /// `DataItem` with the attributes `type`, `time`, `sourceHealthServiceId`.
    pub body: Node,
}

/// An event, before it is an item. `None` leaves the element out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// `EventDisplayNumber`; also `EventNumber`.
    pub number: u32,
    /// `PublisherName`; also `EventSourceName`.
    pub publisher: String,
    /// `EventLevel`: 1 error, 2 warning, 4 information, 8 audit success, 16 audit failure.
    pub level: u32,
    /// `EventCategory`.
    pub category: u32,
    /// `LoggingComputer`.
    pub computer: String,
    /// `Channel`: the log.
    pub channel: String,
    /// `EventDescription`.
    pub description: String,
    /// `UserName`.
    pub user: Option<String>,
    /// `Params/Param`.
    pub params: Vec<String>,
    /// `EventData`: elements of the source's own.
    pub data: Vec<Node>,
}

/// One sample of a counter, before it is an item.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// `ObjectName`.
    pub object: String,
    /// `CounterName`.
    pub counter: String,
    /// `InstanceName`; empty: the counter has none.
    pub instance: String,
    /// `Value`; `None` gives `IsNull` true and no value.
    pub value: Option<f64>,
}

impl DataItem {
    /// An item with the given children in its body.
    #[must_use]
    pub fn new(kind: &str, time: i64, source: ObjectId, children: Vec<Node>) -> Self {
        let body = Node::new("DataItem")
            .with_attribute("type", kind)
            .with_attribute("time", civil::format_time(time))
            .with_attribute("sourceHealthServiceId", source.to_string());
        Self { kind: kind.to_owned(), time, source, body: Node { children, ..body } }
    }

    /// A trigger.
    #[must_use]
    pub fn trigger(time: i64, source: ObjectId) -> Self {
        Self::new(TRIGGER, time, source, Vec::new())
    }

    /// A property bag: `Property[@Name='X']`.
    #[must_use]
    pub fn property_bag<N: Into<String>, V: Into<String>>(
        time: i64,
        source: ObjectId,
        properties: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let property = |(name, value): (N, V)| Node::text("Property", value).with_attribute("Name", name);
        Self::new(PROPERTY_BAG, time, source, properties.into_iter().map(property).collect())
    }

    /// A performance sample.
    #[must_use]
    pub fn performance(time: i64, source: ObjectId, sample: &Sample) -> Self {
        let mut children = vec![
            Node::text("TimeSampled", civil::format_time(time)),
            Node::text("ObjectName", &sample.object),
            Node::text("CounterName", &sample.counter),
            Node::text("InstanceName", &sample.instance),
            Node::text("IsNull", if sample.value.is_none() { "true" } else { "false" }),
        ];
        children.extend(sample.value.map(|value| Node::text("Value", value.to_string())));
        Self::new(PERFORMANCE, time, source, children)
    }

    /// An event; `kind` is [`EVENT`], [`WINDOWS_EVENT`] or a source's own type.
    #[must_use]
    pub fn event(kind: &str, time: i64, source: ObjectId, event: Event) -> Self {
        let params = event.params.into_iter().map(|param| Node::text("Param", param)).collect();
        let mut children = vec![
            Node::text("PublisherName", &event.publisher),
            Node::text("EventSourceName", event.publisher),
            Node::text("Channel", event.channel),
            Node::text("LoggingComputer", event.computer),
            Node::text("EventNumber", event.number.to_string()),
            Node::text("EventDisplayNumber", event.number.to_string()),
            Node::text("EventCategory", event.category.to_string()),
            Node::text("EventLevel", event.level.to_string()),
        ];
        children.extend(event.user.map(|user| Node::text("UserName", user)));
        if !event.data.is_empty() {
            children.push(Node { children: event.data, ..Node::new("EventData") });
        }
        children.push(Node { children: params, ..Node::new("Params") });
        children.push(Node::text("EventDescription", event.description));
        Self::new(kind, time, source, children)
    }

    /// What a command wrote; its code as `ExitCode` and, as the UNIX probes call it, `ReturnCode`.
    #[must_use]
    pub fn command_output(time: i64, source: ObjectId, stdout: &str, stderr: &str, code: i32) -> Self {
        let children = vec![
            Node::text("StdOut", stdout),
            Node::text("StdErr", stderr),
            Node::text("ExitCode", code.to_string()),
            Node::text("ReturnCode", code.to_string()),
        ];
        Self::new(COMMAND_OUTPUT, time, source, children)
    }

    /// A line of a log file as `Params/Param[1]`; with columns (CSV), one parameter each.
    #[must_use]
    pub fn log_line<P: Into<String>>(
        time: i64,
        source: ObjectId,
        directory: &str,
        file: &str,
        columns: impl IntoIterator<Item = P>,
    ) -> Self {
        let params = columns.into_iter().map(|column| Node::text("Param", column)).collect();
        let children = vec![
            Node::text("LogFileType", "Text"),
            Node::text("LogFileDirectory", directory),
            Node::text("LogFileName", file),
            Node { children: params, ..Node::new("Params") },
        ];
        Self::new(LOG_LINE, time, source, children)
    }

    /// A change of a monitor's state; the cause is its context.
    #[must_use]
    pub fn state_change(time: i64, source: ObjectId, old: HealthState, new: HealthState, cause: &DataItem) -> Self {
        let children = vec![
            Node::text("OldHealthState", (old as u8).to_string()),
            Node::text("NewHealthState", (new as u8).to_string()),
            Node::new("Context").with_child(cause.body.clone()),
        ];
        Self::new(STATE_CHANGE, time, source, children)
    }

    /// The text that a query selects; `None` where it selects nothing. Packs leave the inner `DataItem` of a context
    /// out (`Context/Property[…]`), so a query that selects nothing and starts with `Context` is tried with it.
    #[must_use]
    pub fn value(&self, query: &XPath) -> Option<String> {
        query.value(&self.body).or_else(|| query.within_context()?.value(&self.body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ElementId;

    fn source() -> ObjectId {
        ObjectId::of(ElementId::of("Test", "Class"), ["one"])
    }

    fn get(item: &DataItem, query: &str) -> Option<String> {
        item.value(&XPath::parse(query).unwrap())
    }

    #[test]
    fn items_have_the_shapes_that_packs_query() {
        let bag = DataItem::property_bag(0, source(), [("State", "4"), ("Say", "it's")]);
        let event = Event {
            number: 7036,
            publisher: "sshd".into(),
            level: 1,
            params: vec!["a".into(), "b".into()],
            ..Event::default()
        };
        let event = DataItem::event(WINDOWS_EVENT, 0, source(), event);
        let sample = Sample { object: "Processor".into(), value: Some(12.5), ..Sample::default() };
        let sample = DataItem::performance(0, source(), &sample);
        let missing = DataItem::performance(0, source(), &Sample::default());
        let output = DataItem::command_output(0, source(), "out\n", "", 3);
        let line = DataItem::log_line(0, source(), "/var/log", "x.log", ["error: no"]);
        let change = DataItem::state_change(0, source(), HealthState::Success, HealthState::Error, &bag);
        for (item, query, expected) in [
            (&bag, "Property[@Name='State']", Some("4")),
            (&bag, "Property[@Name=\"Say\"]", Some("it's")),
            (&bag, "/DataItem/Property[2]", Some("it's")),
            (&bag, "Property[@Name='None']", None),
            (&bag, "@type", Some(PROPERTY_BAG)),
            (&event, "EventDisplayNumber", Some("7036")),
            (&event, "Params/Param[2]", Some("b")),
            (&event, "UserName", None),
            (&sample, "Value", Some("12.5")),
            (&missing, "Value", None),
            (&missing, "IsNull", Some("true")),
            (&output, "//*[local-name()=\"StdOut\"]", Some("out\n")),
            (&output, "//*[local-name()='ReturnCode']", Some("3")),
            (&line, "Params/Param[1]", Some("error: no")),
            (&change, "Context/Property[@Name='State']", Some("4")),
            (&change, "Context/DataItem/Property[@Name='State']", Some("4")),
            (&change, "NewHealthState", Some("3")),
        ] {
            assert_eq!(get(item, query).as_deref(), expected, "{query}");
        }
    }
}
