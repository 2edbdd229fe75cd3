//! Names of resources as Azure Resource Manager writes them. One workspace holds them all: subscription and group are
//! kept as a client gave them, and tell resources of equal names apart.

use serde_json::{Map, Value, json};

use crate::reading::{Found, Problems};

/// The group of resources that were made without one.
pub const DEFAULT_GROUP: &str = "watchkeeper";

/// Which resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceId {
    /// For instance `Microsoft.Insights/actionGroups`.
    pub resource_type: String,
    pub subscription: String,
    pub group: String,
    pub name: String,
}

impl ResourceId {
    /// The whole identity.
    #[must_use]
    pub fn path(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/{}/{}",
            self.subscription, self.group, self.resource_type, self.name
        )
    }

    /// What tells resources apart: the type's last word, the group and the name, in lower case.
    #[must_use]
    pub fn key(&self) -> String {
        let kind = self.resource_type.rsplit('/').next().unwrap_or_default();
        format!("{kind}/{}/{}", self.group, self.name).to_lowercase()
    }

    /// Reads a whole identity.
    #[must_use]
    pub fn parse(path: &str) -> Option<ResourceId> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let [subscriptions, subscription, groups, group, providers, provider, kind, name] = parts.as_slice() else {
            return None;
        };
        let words = subscriptions.eq_ignore_ascii_case("subscriptions")
            && groups.eq_ignore_ascii_case("resourceGroups")
            && providers.eq_ignore_ascii_case("providers");
        words.then(|| ResourceId {
            resource_type: format!("{provider}/{kind}"),
            subscription: (*subscription).to_owned(),
            group: (*group).to_owned(),
            name: (*name).to_owned(),
        })
    }

    /// Whether a reference means this resource: its whole identity in any subscription, or its name alone.
    #[must_use]
    pub fn is_meant_by(&self, reference: &str) -> bool {
        match ResourceId::parse(reference) {
            Some(other) => other.key() == self.key(),
            None => reference.trim().eq_ignore_ascii_case(&self.name),
        }
    }
}

/// A resource as it was sent, with what the server adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub id: ResourceId,
    pub location: String,
    pub tags: Map<String, Value>,
    /// The documented properties, as sent.
    pub properties: Value,
}

impl Resource {
    /// Reads a body: `properties` and beside them `location`, `tags`.
    ///
    /// # Errors
    /// When the body is not a resource or its name cannot be one.
    pub fn read(id: ResourceId, body: &Value) -> Result<Resource, Problems> {
        let found = Found::default();
        let forbidden = |letter: char| letter.is_control() || "*<>%&:\\?/{}#+".contains(letter);
        if id.name.trim().is_empty() || id.name.len() > 260 || id.name.contains(forbidden) || id.name.ends_with(' ') {
            found.add(
                "name",
                format!("{:?} has to be 1 to 260 letters, without any of * < > % & : \\ ? / {{ }} # +", id.name),
            );
        }
        if !body["properties"].is_object() {
            found.add("properties", "is missing; the resource's settings stand in it");
        }
        let resource = Resource {
            id,
            location: body["location"].as_str().unwrap_or("global").to_owned(),
            tags: body["tags"].as_object().cloned().unwrap_or_default(),
            properties: body["properties"].clone(),
        };
        found.checked(Some(resource))
    }

    /// As it is answered.
    #[must_use]
    pub fn body(&self) -> Value {
        json!({
            "id": self.id.path(),
            "name": self.id.name,
            "type": self.id.resource_type,
            "location": self.location,
            "tags": self.tags,
            "properties": self.properties,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_meant_by_its_identity_in_any_case_or_by_its_name() {
        let path = "/subscriptions/S/resourceGroups/RG1/providers/Microsoft.Insights/actionGroups/On call";
        let id = ResourceId::parse(path).unwrap();
        assert_eq!(id.path(), path);
        assert!(
            id.is_meant_by("/subscriptions/other/resourcegroups/rg1/providers/microsoft.insights/actiongroups/on call")
        );
        assert!(id.is_meant_by("on call"));
        assert!(
            !id.is_meant_by("/subscriptions/S/resourceGroups/RG2/providers/Microsoft.Insights/actionGroups/On call")
        );
        assert!(!id.is_meant_by("else"));
        assert_eq!(ResourceId::parse("/subscriptions/S/x"), None);
    }

    #[test]
    fn a_body_without_properties_or_with_a_bad_name_is_refused() {
        let id = |name: &str| ResourceId {
            resource_type: "Microsoft.Insights/actionGroups".into(),
            subscription: "s".into(),
            group: "g".into(),
            name: name.into(),
        };
        let text = Resource::read(id("a/b"), &json!({})).unwrap_err().to_string();
        assert!(text.contains("name") && text.contains("properties is missing"), "{text}");
        assert!(Resource::read(id("a"), &json!({"properties": {}})).is_ok());
    }
}
