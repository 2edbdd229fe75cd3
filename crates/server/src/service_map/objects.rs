//! The objects of the pack: their classes and identities, and those of a connection itself.

use watchkeeper_management::pools::ALL_SERVERS;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::{Discovered, End, Instance, LinkInstance, Mode, Setting, Source};
use watchkeeper_state::{MapConnection, StateError};

use super::{Computers, ServiceMaps};

pub const PACK: &str = "Microsoft.SystemCenter.ServiceMap";
pub const RULE: &str = "Microsoft.SystemCenter.ServiceMapImport.Rule";
pub const CONNECTION_CLASS: &str = "Workspace";
pub const SERVER_VIEW_CLASS: &str = "ServerDependencyView";
pub const GROUP_VIEW_CLASS: &str = "MachineGroupDependencyView";
pub const MEMBER: &str = "DependencyViewContainsMember";
pub(super) const MACHINE_CLASS: &str = "Machine";
pub(super) const PROCESS_CLASS: &str = "Process";
pub(super) const CLIENTS_CLASS: &str = "Clients";
const POOL_CLASS: &str = "ResourcePool";
const SERVERS_GROUP: &str = "ServersGroup";
const CENTER: &str = "Microsoft.SystemCenter.Library";

/// An element of the pack by the last part of its name.
pub fn class(name: &str) -> ElementId {
    ElementId::of(PACK, &format!("{PACK}.{name}"))
}

/// The object of a connection.
pub fn connection_object(connection_id: &str) -> ObjectId {
    ObjectId::of(class(CONNECTION_CLASS), [connection_id])
}

/// An object of a class whose keys are these.
pub(super) fn object(of: &str, keys: &[&str]) -> ObjectId {
    ObjectId::of(class(of), keys.iter().copied())
}

pub(super) fn instance(of: &str, display_name: &str, properties: &[(&str, &str)]) -> Instance {
    let setting = |name: &str, value: &str| Setting { class: None, name: name.to_owned(), value: value.to_owned() };
    let all = properties.iter().map(|(name, value)| setting(name, value));
    Instance { class: class(of), properties: all.chain([setting("DisplayName", display_name)]).collect() }
}

/// A view contains an object.
pub(super) fn membership(view: ObjectId, member: ObjectId) -> LinkInstance {
    LinkInstance { kind: class(MEMBER), source: End::Object(view), target: End::Object(member) }
}

/// Who says that a connection is there.
fn of_connection(connection_id: &str) -> Source {
    let target = ObjectId::of(ElementId::of("Watchkeeper", "ServiceMapConnection"), [connection_id]);
    Source { discovery: ElementId::of("Watchkeeper", "ServiceMapConnections"), target }
}

/// Who says what is on the maps of a connection: the rule.
pub(super) fn of_import(connection_id: &str) -> Source {
    Source { discovery: ElementId::of(PACK, RULE), target: connection_object(connection_id) }
}

/// Who says what people put into a view.
pub(super) fn of_edits(view: ObjectId) -> Source {
    Source { discovery: ElementId::of("Watchkeeper", "ServiceMapEdits"), target: view }
}

impl ServiceMaps {
    /// Makes the objects of a connection, or brings them up to date: itself, the pool that it is given to, and the
    /// computers of the Servers group.
    pub async fn put_objects(&self, connection: &MapConnection) -> Result<(), StateError> {
        let settings = &connection.settings;
        let own = connection_object(&connection.connection_id);
        let mut found = Discovered::default();
        found.instances.push(instance(
            CONNECTION_CLASS,
            &connection.name,
            &[
                ("ConnectionId", &connection.connection_id),
                ("Workspace", &settings.workspace),
                ("ResourceGroup", &settings.resource_group),
                ("Subscription", &settings.subscription),
                ("Tenant", &settings.tenant),
                ("ApplicationId", &settings.application_id),
                ("Endpoint", &settings.endpoint),
            ],
        ));
        if settings.resource_pool != ALL_SERVERS {
            let pool = &settings.resource_pool;
            found.instances.push(instance(POOL_CLASS, pool, &[("Name", pool)]));
            found.links.push(LinkInstance {
                kind: ElementId::of(CENTER, "Microsoft.SystemCenter.ManagementActionPointShouldManageEntity"),
                source: End::Object(object(POOL_CLASS, &[pool])),
                target: End::Object(own),
            });
        }
        let computers = Computers::of(&self.group.read());
        let group = ObjectId::of(class(SERVERS_GROUP), []);
        let contains = ElementId::of(CENTER, "Microsoft.SystemCenter.ComputerGroupContainsComputer");
        let members = settings.servers.iter().filter_map(|server| computers.named(server));
        found.links.extend(members.map(|computer| LinkInstance {
            kind: contains,
            source: End::Object(group),
            target: End::Object(computer.object),
        }));
        self.apply(vec![(of_connection(&connection.connection_id), found, Mode::Snapshot)]).await
    }

    /// Removes the objects of a connection with all its views.
    pub async fn remove_objects(&self, connection_id: &str) -> Result<(), StateError> {
        let nothing = |source| (source, Discovered::default(), Mode::Snapshot);
        self.apply(vec![nothing(of_import(connection_id)), nothing(of_connection(connection_id))]).await
    }

    pub(super) async fn apply(&self, finds: Vec<(Source, Discovered, Mode)>) -> Result<(), StateError> {
        let intake = self.group.found_here(&finds).await?;
        for rejected in intake.rejected {
            tracing::warn!(rejected, "something of a service map is not taken");
        }
        self.operational.rolled_up(intake.states).await
    }
}
