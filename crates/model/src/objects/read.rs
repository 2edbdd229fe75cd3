//! Discovery data from its data item:
//!
//! ```xml
//! <DataItem type="System.Discovery.Data">
//!   <DiscoveryType>0</DiscoveryType>            0 snapshot, 1 add, 2 remove
//!   <ClassInstances>
//!     <ClassInstance TypeId="{class}">
//!       <Settings><Setting><Name>{property}</Name><Value>…</Value></Setting></Settings>
//!   <RelationshipInstances>
//!     <RelationshipInstance TypeId="{relationship}">
//!       <Source TypeId="{class}"><Settings>…</Settings></Source>    or <Source Id="{object}"/>
//!       <Target …>
//! ```

use uuid::Uuid;

use super::{Classes, Discovered, End, Instance, LinkInstance, Mode, Setting};
use crate::ids::{ElementId, ObjectId};
use crate::node::Node;

impl Discovered {
    /// Reads the body of a data item.
    ///
    /// # Errors
    /// The first thing that cannot be read, with its element.
    pub fn read(body: &Node, classes: &impl Classes) -> Result<(Self, Mode), String> {
        let mode = match body.value("DiscoveryType").unwrap_or("0") {
            "0" => Mode::Snapshot,
            "1" => Mode::Add,
            "2" => Mode::Remove,
            other => return Err(format!("DiscoveryType: '{other}' is none of 0 snapshot, 1 add, 2 remove")),
        };
        let mut discovered = Discovered::default();
        for element in children(body, "ClassInstances", "ClassInstance") {
            discovered.instances.push(instance(element, classes)?);
        }
        for element in children(body, "RelationshipInstances", "RelationshipInstance") {
            discovered.links.push(LinkInstance {
                kind: ElementId(identity(element, "TypeId")?),
                source: end(element, "Source", classes)?,
                target: end(element, "Target", classes)?,
            });
        }
        Ok((discovered, mode))
    }
}

fn children<'a>(body: &'a Node, list: &'a str, name: &'a str) -> impl Iterator<Item = &'a Node> {
    body.children_named(list).flat_map(move |list| list.children_named(name))
}

fn instance(element: &Node, classes: &impl Classes) -> Result<Instance, String> {
    let class = ElementId(identity(element, "TypeId")?);
    let mut properties = Vec::new();
    for setting in children(element, "Settings", "Setting") {
        let name = setting.value("Name").ok_or("Setting: 'Name' is missing")?;
        let value = setting.child("Value").map(|value| value.text.clone()).unwrap_or_default();
        let (class, name) = match Uuid::try_parse(name) {
            // a name as it is, from those who know none better
            Err(_) => (None, name.to_owned()),
            Ok(id) => match classes.property(ElementId(id)) {
                Some((class, name)) => (Some(class), name),
                None => return Err(format!("Setting: there is no property '{name}'")),
            },
        };
        properties.push(Setting { class, name, value });
    }
    Ok(Instance { class, properties })
}

fn end(element: &Node, name: &str, classes: &impl Classes) -> Result<End, String> {
    let end = element.child(name).ok_or_else(|| format!("RelationshipInstance: '{name}' is missing"))?;
    if end.attribute("Id").is_some() {
        return Ok(End::Object(ObjectId(identity(end, "Id")?)));
    }
    instance(end, classes).map(End::Instance)
}

fn identity(element: &Node, attribute: &str) -> Result<Uuid, String> {
    let text = element.attribute(attribute).unwrap_or_default();
    Uuid::try_parse(text).map_err(|_| format!("{}: '{text}' in '{attribute}' is not an identity", element.name))
}
