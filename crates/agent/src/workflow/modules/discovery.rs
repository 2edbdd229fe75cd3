//! Discovery data: from the item's element to what goes to the server.
//!
//! `DiscoveryType` 0 is a snapshot, 1 is incremental. Instances are `ClassInstances/ClassInstance[@TypeId]` with
//! `Settings/Setting{Name,Value}`; relationships `RelationshipInstances/RelationshipInstance[@TypeId]` with `Source` and
//! `Target`, each with `@TypeId` and `Settings`. `Removed="true"` marks what incremental data takes away.

use watchkeeper_model::item::{DISCOVERY, DataItem};
use watchkeeper_model::node::Node;
use watchkeeper_model::workflow::Workflow;
use watchkeeper_wire::proto::{DiscoveredInstance, DiscoveredProperty, DiscoveredRelationship, DiscoveryData};

/// Instances of one item; more is a mistake of a script.
const MAX_INSTANCES: usize = 50_000;

/// Reads an item.
///
/// # Errors
/// When it is not discovery data, or something in it has no type.
pub fn from_item(item: &DataItem, workflow: &Workflow) -> Result<DiscoveryData, String> {
    if item.kind != DISCOVERY {
        return Err(format!("the discovery gave {} in place of discovery data", item.kind));
    }
    let of = |name: &str| item.body.child(name).map(|node| node.children.as_slice()).unwrap_or_default();
    let (instances, relationships) = (of("ClassInstances"), of("RelationshipInstances"));
    if instances.len() + relationships.len() > MAX_INSTANCES {
        return Err(format!("the discovery gave more than {MAX_INSTANCES} instances"));
    }
    Ok(DiscoveryData {
        discovery: workflow.element_id.to_string(),
        element: workflow.element.clone(),
        target: workflow.object.to_string(),
        snapshot: item.body.value("DiscoveryType").unwrap_or("0") == "0",
        instances: instances.iter().map(instance).collect::<Result<_, _>>()?,
        relationships: relationships
            .iter()
            .map(|node| {
                let end = |name: &str| {
                    node.child(name).ok_or_else(|| format!("a relationship has no {name}")).and_then(instance).map(Some)
                };
                Ok::<_, String>(DiscoveredRelationship {
                    relationship: type_of(node)?,
                    source: end("Source")?,
                    target: end("Target")?,
                    removed: is_removed(node),
                })
            })
            .collect::<Result<_, _>>()?,
    })
}

fn instance(node: &Node) -> Result<DiscoveredInstance, String> {
    let settings = node.child("Settings").map(|settings| settings.children.as_slice()).unwrap_or_default();
    let property = |setting: &Node| {
        let name = setting.value("Name").ok_or("a setting of an instance has no Name")?.to_owned();
        let value = setting.child("Value").map(|value| value.text.clone()).unwrap_or_default();
        Ok::<_, String>(DiscoveredProperty { name, value })
    };
    Ok(DiscoveredInstance {
        class: type_of(node)?,
        properties: settings.iter().map(property).collect::<Result<_, _>>()?,
        removed: is_removed(node),
    })
}

fn type_of(node: &Node) -> Result<String, String> {
    let name = node.attribute("TypeId").filter(|name| !name.is_empty());
    name.map(str::to_owned).ok_or_else(|| format!("a {} has no TypeId", node.name))
}

fn is_removed(node: &Node) -> bool {
    node.attribute("Removed").is_some_and(|text| text.eq_ignore_ascii_case("true"))
}
