//! The lists of the resource manager that lead to a workspace: subscriptions, resource groups, workspaces.

use serde::Deserialize;
use serde_json::Value;

use crate::answer::Asked;
use crate::client::Client;
use crate::problem::{Kind, Problem};

/// A subscription that the application may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Its id, as in paths.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// A resource group with its workspaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceGroup {
    /// Its name.
    pub name: String,
    /// In the order of their names.
    pub workspaces: Vec<Workspace>,
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its name.
    pub name: String,
    /// Its id, as agents and queries name it.
    pub customer_id: String,
}

/// Where a workspace is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The subscription's id.
    pub subscription: String,
    /// The resource group's name.
    pub resource_group: String,
    /// The workspace's name.
    pub workspace: String,
}

impl Place {
    /// The path of the workspace below the resource manager.
    pub(crate) fn path(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.OperationalInsights/workspaces/{}",
            segment(&self.subscription),
            segment(&self.resource_group),
            segment(&self.workspace)
        )
    }

    pub(crate) fn asked(&self) -> Asked<'_> {
        Asked::Workspace {
            subscription: &self.subscription,
            resource_group: &self.resource_group,
            workspace: &self.workspace,
        }
    }
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    // a space is %20 in paths; in forms it is +
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FoundSubscription {
    subscription_id: String,
    #[serde(default)]
    display_name: String,
}

#[derive(Deserialize)]
struct FoundGroup {
    name: String,
}

#[derive(Deserialize)]
struct FoundWorkspace {
    id: String,
    name: String,
    #[serde(default)]
    properties: WorkspaceProperties,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct WorkspaceProperties {
    #[serde(default)]
    customer_id: String,
}

impl Client {
    /// The subscriptions, by name.
    ///
    /// # Errors
    /// What of the connection is wrong; the application's role where it may see none.
    pub async fn subscriptions(&self) -> Result<Vec<Subscription>, Problem> {
        let found: Vec<FoundSubscription> =
            read(self.list("/subscriptions?api-version=2022-12-01", Asked::Subscriptions).await?)?;
        let subscription = |one: FoundSubscription| {
            let name = if one.display_name.is_empty() { one.subscription_id.clone() } else { one.display_name };
            Subscription { id: one.subscription_id, name }
        };
        let mut all: Vec<Subscription> = found.into_iter().map(subscription).collect();
        if all.is_empty() {
            return Err(Problem::new(
                Kind::Role,
                format!(
                    "the application {:?} may see no subscription. Give it the role Reader in the subscription of the \
                     workspace, or in the workspace",
                    self.settings.application_id
                ),
            ));
        }
        all.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Ok(all)
    }

    /// The resource groups of a subscription with their workspaces, by name.
    ///
    /// # Errors
    /// As above, and where the subscription is not there.
    pub async fn resource_groups(&self, subscription: &str) -> Result<Vec<ResourceGroup>, Problem> {
        let (base, asked) = (format!("/subscriptions/{}", segment(subscription)), Asked::Subscription(subscription));
        let groups: Vec<FoundGroup> =
            read(self.list(&format!("{base}/resourcegroups?api-version=2021-04-01"), asked).await?)?;
        let path = format!("{base}/providers/Microsoft.OperationalInsights/workspaces?api-version=2022-10-01");
        let workspaces: Vec<FoundWorkspace> = read(self.list(&path, asked).await?)?;
        let mut all: Vec<ResourceGroup> =
            groups.into_iter().map(|group| ResourceGroup { name: group.name, workspaces: Vec::new() }).collect();
        for found in workspaces {
            let name = group_of(&found.id).unwrap_or_default().to_owned();
            let workspace = Workspace { name: found.name, customer_id: found.properties.customer_id };
            match all.iter_mut().find(|group| group.name.eq_ignore_ascii_case(&name)) {
                Some(group) => group.workspaces.push(workspace),
                // who may see the workspace alone does not see its group
                None => all.push(ResourceGroup { name, workspaces: vec![workspace] }),
            }
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        for group in &mut all {
            group.workspaces.sort_by(|one, other| one.name.cmp(&other.name));
        }
        Ok(all)
    }
}

/// The resource group in the id of a resource.
fn group_of(id: &str) -> Option<&str> {
    let mut parts = id.split('/').skip_while(|part| !part.eq_ignore_ascii_case("resourceGroups"));
    parts.nth(1)
}

/// Resources as this crate knows them.
pub(crate) fn read<T: serde::de::DeserializeOwned>(items: Vec<Value>) -> Result<Vec<T>, Problem> {
    let read = |item| {
        serde_json::from_value(item)
            .map_err(|error| Problem::new(Kind::Answer, format!("a list has something else than it should: {error}")))
    };
    items.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_into_paths_whole() {
        let place = Place { subscription: "a/b".into(), resource_group: "my group".into(), workspace: "ü".into() };
        assert_eq!(
            place.path(),
            "/subscriptions/a%2Fb/resourceGroups/my%20group/providers/Microsoft.OperationalInsights/workspaces/%C3%BC"
        );
        assert_eq!(group_of("/subscriptions/x/resourcegroups/rg/providers/y"), Some("rg"));
    }
}
