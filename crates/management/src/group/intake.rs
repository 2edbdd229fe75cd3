//! Discovery data, from agents and of agents themselves: into the instance space, and with history into the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::{
    Change, ChangeKind, Classes, Discovered, End, Instance, Link, LinkInstance, Mode, Setting, Source,
};
use watchkeeper_model::overrides::Setting as OverrideSetting;
use watchkeeper_state::{Changes, DiscoveryRecord, Object, ObjectHistory, Relationship, StateChange, StateError};
use watchkeeper_wire::proto::{DiscoveredInstance, DiscoveredRelationship, DiscoveryData};

use super::view::AgentObjects;
use super::{Group, Library, Space};
use crate::operational::{DiscoveryIntake, Intake};

/// The identity under which this server finds computers and watchers of agents.
pub(super) fn agent_discovery() -> ElementId {
    ElementId::of("Watchkeeper", "AgentDiscovery")
}

fn agent_source(agent_id: &str) -> Source {
    let target = ObjectId::of(ElementId::of("Watchkeeper", "Agent"), [agent_id]);
    Source { discovery: agent_discovery(), target }
}

/// What an agent says of its machine.
#[derive(Debug, Clone, Default)]
pub struct AgentMachine {
    /// The computer's name.
    pub computer: String,
    /// The operating system's full name.
    pub os_name: String,
    /// Version of the agent.
    pub agent_version: String,
}

impl Group {
    /// Makes the objects of an agent: its computer with the operating system, and its watcher. Nothing where they are
    /// there as they should be. Gives roll-ups that changed.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn agent_seen(&self, agent_id: &str, machine: &AgentMachine) -> Result<Vec<StateChange>, StateError> {
        let found = agent_instances(agent_id, machine);
        self.apply_own(agent_id, &found).await
    }

    /// Removes the objects of an agent that was removed, with all that lives on its computer.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn agent_removed(&self, agent_id: &str) -> Result<Vec<StateChange>, StateError> {
        let states = self.apply_own(agent_id, &Discovered::default()).await?;
        let mut space = self.write();
        if let Some(objects) = space.agents.remove(agent_id) {
            space.computers.remove(&objects.computer);
        }
        space.stale.agents.remove(agent_id);
        Ok(states)
    }

    /// Takes what this server found itself, other than by a workflow: all of it, or nothing where the store fails.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn found_here(&self, finds: &[(Source, Discovered, Mode)]) -> Result<Intake, StateError> {
        let _writing = self.writing.lock().await;
        let now = crate::clock::now();
        let apply = |space: &mut Space| {
            let each = finds.iter().map(|(source, found, mode)| space.apply("", *source, found, *mode, now));
            let outcomes: Vec<Outcome> = each.collect();
            (outcomes, space.reading)
        };
        let (mut outcomes, reading) = apply(&mut self.write());
        let intake = |outcomes: Vec<Outcome>| {
            let mut intake = Intake::default();
            for outcome in outcomes {
                intake.states.extend(outcome.states);
                intake.rejected.extend(outcome.rejected);
            }
            intake
        };
        if outcomes.iter().all(Outcome::is_empty) {
            return Ok(intake(outcomes));
        }
        let mut changes = self.state.change().await?;
        self.catch_up_if_behind(&mut changes).await?;
        {
            // the group was read again meanwhile: this is not in it
            let mut space = self.write();
            if space.reading != reading {
                outcomes = apply(&mut space).0;
            }
        }
        let written = async {
            for outcome in &outcomes {
                outcome.write(&mut changes, now).await?;
            }
            changes.commit().await
        };
        if let Err(error) = written.await {
            self.reload().await?;
            return Err(error);
        }
        self.changed.notify_one();
        Ok(intake(outcomes))
    }

    /// Removes what discoveries have found that are switched off for the object they ran for: by themselves they find
    /// nothing any more, and what they found stays. Gives how many objects went, and roll-ups that changed.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn remove_disabled(&self) -> Result<(usize, Vec<StateChange>), StateError> {
        let disabled: Vec<(Source, String)> = {
            let space = self.read();
            let is_off = |source: &Source| {
                let values = space.library.effective(&space.objects, source.discovery, source.target);
                values.iter().any(|value| {
                    let is_enabled = matches!(&value.setting, OverrideSetting::Property(name) if name == "Enabled");
                    is_enabled && value.value.as_deref() == Some("false")
                })
            };
            let finders = space.finders.iter().filter(|(source, _)| is_off(source));
            finders.map(|(source, agent_id)| (*source, agent_id.clone())).collect()
        };
        let before = self.read().objects.len();
        let mut states = Vec::new();
        for (source, agent_id) in disabled {
            states.extend(self.apply_source(&agent_id, source, &Discovered::default()).await?);
        }
        Ok((before.saturating_sub(self.read().objects.len()), states))
    }

    /// Which agents may speak for other computers is read again.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn follow_proxies(&self) -> Result<(), StateError> {
        let proxies = self.state.proxies().await?.into_iter().collect();
        self.write().proxies = proxies;
        Ok(())
    }

    async fn apply_own(&self, agent_id: &str, found: &Discovered) -> Result<Vec<StateChange>, StateError> {
        self.apply_source(agent_id, agent_source(agent_id), found).await
    }

    async fn apply_source(
        &self,
        agent_id: &str,
        source: Source,
        found: &Discovered,
    ) -> Result<Vec<StateChange>, StateError> {
        let _writing = self.writing.lock().await;
        let now = crate::clock::now();
        let apply = |space: &mut Space| {
            let outcome = space.apply(agent_id, source, found, Mode::Snapshot, now);
            (outcome, space.reading)
        };
        let (mut outcome, reading) = apply(&mut self.write());
        if outcome.is_empty() {
            return Ok(Vec::new());
        }
        let mut changes = self.state.change().await?;
        self.catch_up_if_behind(&mut changes).await?;
        {
            // the group was read again meanwhile: this is not in it
            let mut space = self.write();
            if space.reading != reading {
                outcome = apply(&mut space).0;
            }
        }
        let written = async {
            outcome.write(&mut changes, now).await?;
            changes.commit().await
        };
        if let Err(error) = written.await {
            self.reload().await?;
            return Err(error);
        }
        self.changed.notify_one();
        Ok(outcome.states)
    }
}

fn agent_instances(agent_id: &str, machine: &AgentMachine) -> Discovered {
    let computer = machine.computer.as_str();
    let setting = |class: Option<ElementId>, name: &str, value: &str| Setting {
        class,
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let short = computer.split('.').next().unwrap_or(computer);
    let windows = machine.os_name.contains("Windows");
    let mut instances = Vec::new();
    if windows {
        let class = ElementId::of("Microsoft.Windows.Library", "Microsoft.Windows.Computer");
        let key = setting(Some(class), "PrincipalName", computer);
        let properties = vec![
            key.clone(),
            setting(None, "DisplayName", computer),
            setting(None, "DNSName", computer),
            setting(None, "NetbiosComputerName", &short.to_uppercase()),
        ];
        instances.push(Instance { class, properties });
        let os = ElementId::of("Microsoft.Windows.Library", "Microsoft.Windows.OperatingSystem");
        instances.push(Instance {
            class: os,
            properties: vec![key.clone(), setting(None, "DisplayName", &machine.os_name)],
        });
        let service = ElementId::of("Microsoft.SystemCenter.Library", "Microsoft.SystemCenter.HealthService");
        let version = setting(None, "Version", &machine.agent_version);
        instances
            .push(Instance { class: service, properties: vec![key, version, setting(None, "DisplayName", computer)] });
    } else {
        let class = ElementId::of("Microsoft.Linux.Universal.Library", "Microsoft.Linux.Universal.Computer");
        let unix = ElementId::of("Microsoft.Unix.Library", "Microsoft.Unix.Computer");
        let key = setting(Some(unix), "PrincipalName", computer);
        let properties = vec![
            key.clone(),
            setting(None, "DisplayName", computer),
            setting(None, "DNSName", computer),
            setting(None, "NetworkName", short),
            setting(None, "AgentVersion", &machine.agent_version),
        ];
        instances.push(Instance { class, properties });
        let os = ElementId::of("Microsoft.Linux.Universal.Library", "Microsoft.Linux.Universal.OperatingSystem");
        instances.push(Instance { class: os, properties: vec![key, setting(None, "DisplayName", &machine.os_name)] });
    }
    let watcher = ElementId::of("Microsoft.SystemCenter.Library", "Microsoft.SystemCenter.AgentWatcher");
    let properties = vec![
        setting(None, "HealthServiceId", agent_id),
        setting(None, "HealthServiceName", computer),
        setting(None, "DisplayName", computer),
    ];
    instances.push(Instance { class: watcher, properties });
    Discovered { instances, links: Vec::new() }
}

/// What applying discovery data changed, as it is written.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    put: Vec<Object>,
    history: Vec<ObjectHistory>,
    gone: Vec<String>,
    linked: BTreeMap<String, Relationship>,
    unlinked: BTreeSet<String>,
    record: Option<DiscoveryRecord>,
    forgotten: bool,
    states: Vec<StateChange>,
    /// What was not taken, with the reason.
    rejected: Vec<String>,
}

impl Outcome {
    /// Whether something of it was not taken.
    pub(super) fn was_cut_short(&self) -> bool {
        !self.rejected.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.put.is_empty()
            && self.gone.is_empty()
            && self.linked.is_empty()
            && self.unlinked.is_empty()
            && self.record.is_none()
    }

    async fn write(&self, changes: &mut Changes, now: i64) -> Result<(), StateError> {
        if !self.gone.is_empty() {
            changes.delete_objects(&self.gone).await?;
        }
        if !self.unlinked.is_empty() {
            changes.delete_relationships(&self.unlinked.iter().cloned().collect::<Vec<_>>()).await?;
        }
        if !self.put.is_empty() {
            changes.put_objects(&self.put).await?;
        }
        if !self.linked.is_empty() {
            changes.put_relationships(&self.linked.values().cloned().collect::<Vec<_>>()).await?;
        }
        if !self.history.is_empty() {
            changes.add_object_history(&self.history).await?;
        }
        if let Some(record) = &self.record {
            let mut record = record.clone();
            record.found_at = now;
            match self.forgotten {
                true => changes.delete_discovery_records(&[(record.discovery, record.target)]).await?,
                false => changes.put_discovery_records(&[record]).await?,
            }
        }
        Ok(())
    }

    fn link(&mut self, relationship: Relationship) {
        self.unlinked.remove(&relationship.relationship_id);
        self.linked.insert(relationship.relationship_id.clone(), relationship);
    }

    fn unlink(&mut self, id: String) {
        self.linked.remove(&id);
        self.unlinked.insert(id);
    }

    /// Two that happened one after the other.
    fn then(mut self, next: Outcome) -> Outcome {
        self.put.retain(|object| !next.gone.contains(&object.object_id));
        self.gone.retain(|gone| !next.put.iter().any(|object| object.object_id == *gone));
        self.put.extend(next.put);
        self.history.extend(next.history);
        self.gone.extend(next.gone);
        for id in next.unlinked {
            self.unlink(id);
        }
        for relationship in next.linked.into_values() {
            self.link(relationship);
        }
        self.states.extend(next.states);
        self.rejected.extend(next.rejected);
        Outcome { record: next.record.or(self.record), forgotten: next.forgotten, ..self }
    }
}

impl Space {
    /// Takes what a source found into the space and into health.
    pub(super) fn apply(
        &mut self,
        agent_id: &str,
        source: Source,
        found: &Discovered,
        mode: Mode,
        now: i64,
    ) -> Outcome {
        let library = Arc::clone(&self.library);
        let before: BTreeMap<ObjectId, Object> =
            self.objects.objects_of(source).map(|object| (object, self.row(object, now))).collect();
        let mut applied = self.objects.apply(library.as_ref(), source, found, mode, now);
        self.note_source(source, agent_id);
        if source.discovery == agent_discovery() {
            self.note_agent(agent_id);
        }
        let mut outcome =
            Outcome { rejected: applied.rejected.iter().map(ToString::to_string).collect(), ..Outcome::default() };
        if !applied.changes.is_empty() {
            self.changes += 1;
        }
        let joined = self.follow_groups(&applied.changes, now);
        applied.changes.extend(joined);
        self.follow(&applied.changes, now, &mut outcome);
        let mut put = BTreeSet::new();
        for change in &applied.changes {
            match &change.kind {
                ChangeKind::Added { object } => {
                    put.insert(*object);
                    outcome.history.push(self.history(*object, "added", now));
                }
                ChangeKind::Classes { object } => {
                    put.insert(*object);
                    outcome.history.push(self.history(*object, "changed", now));
                }
                ChangeKind::Property { object, name, .. } => {
                    put.insert(*object);
                    outcome.history.push(self.history(*object, &format!("changed {name}"), now));
                }
                ChangeKind::Removed { object, .. } => {
                    put.remove(object);
                    outcome.gone.push(object.to_string());
                    let known = before.get(object).cloned();
                    let row = known.unwrap_or_else(|| Object { object_id: object.to_string(), ..Object::default() });
                    outcome.history.push(ObjectHistory { changed_at: now, change: "removed".to_owned(), object: row });
                }
                ChangeKind::Linked(link) => outcome.link(relationship(&library, *link)),
                ChangeKind::Unlinked(link) => outcome.unlink(link_id(*link)),
            }
        }
        outcome.put = put.into_iter().map(|object| self.row(object, now)).collect();
        let kept = self.objects.found_by(source);
        outcome.forgotten = kept.is_none();
        let document = kept.as_ref().and_then(|kept| serde_json::to_string(kept).ok()).unwrap_or_default();
        if self.documents.get(&source) != Some(&document) {
            outcome.record = Some(DiscoveryRecord {
                discovery: source.discovery.to_string(),
                target: source.target.to_string(),
                agent_id: agent_id.to_owned(),
                document: document.clone(),
                found_at: now,
            });
            self.documents.insert(source, document);
        }
        outcome
    }

    /// Health follows the changes of the space.
    fn follow(&mut self, changes: &[Change], now: i64, outcome: &mut Outcome) {
        if changes.is_empty() {
            return;
        }
        let library = Arc::clone(&self.library);
        let mut health = std::mem::take(&mut self.health);
        let mut states = library.monitors.follow(&mut health, changes, &self.objects, library.as_ref(), self, now);
        let overridden = self.overridden_by_membership(changes);
        for object in &overridden {
            let refreshed = library.monitors.refresh(&mut health, *object, &self.objects, library.as_ref(), self, now);
            states.extend(refreshed);
        }
        self.health = health;
        self.note_stale(changes, &overridden);
        let there: Vec<_> = states.into_iter().filter(|change| self.objects.get(change.key.object).is_some()).collect();
        outcome.states = there.into_iter().map(|change| library.state_change(change)).collect();
    }

    /// Remembers which objects stand for an agent.
    pub(super) fn note_agent(&mut self, agent_id: &str) {
        let source = agent_source(agent_id);
        if let Some(objects) = self.agents.remove(agent_id) {
            self.computers.remove(&objects.computer);
        }
        let system_computer = ElementId::of("System.Library", "System.Computer");
        let watcher_class =
            ElementId::of("Microsoft.SystemCenter.Library", "Microsoft.SystemCenter.HealthServiceWatcher");
        let library = Arc::clone(&self.library);
        let found = |class: ElementId| {
            self.objects.objects_of(source).filter(|object| self.objects.is_a(*object, class, library.as_ref())).min()
        };
        if let (Some(computer), Some(watcher)) = (found(system_computer), found(watcher_class)) {
            self.computers.insert(computer, agent_id.to_owned());
            self.agents.insert(agent_id.to_owned(), AgentObjects { computer, watcher });
        }
    }

    /// An object as the store has it.
    pub(super) fn row(&self, object: ObjectId, now: i64) -> Object {
        let Some(found) = self.objects.get(object) else {
            return Object { object_id: object.to_string(), ..Object::default() };
        };
        Object {
            object_id: object.to_string(),
            class: found.classes.first().map(|class| self.library.name(*class)).unwrap_or_default(),
            name: self.display_name(object),
            path: self.path(object),
            agent_id: self.agent_of(object).unwrap_or_default().to_owned(),
            properties: found.properties.clone(),
            discovered_at: found.since,
            modified_at: now,
        }
    }

    fn history(&self, object: ObjectId, change: &str, now: i64) -> ObjectHistory {
        ObjectHistory { changed_at: now, change: change.to_owned(), object: self.row(object, now) }
    }

    /// Whether an instance lives on, or is, a computer that is not the agent's.
    fn is_foreign(&self, agent_id: &str, instance: &Instance) -> bool {
        // the servers manage what no agent does, wherever it lives
        if agent_id.is_empty() {
            return false;
        }
        let hosts = std::iter::successors(Some(instance.class), |class| self.library.host(*class)).take(32);
        let Some(root) = hosts.last() else { return false };
        let computer = ElementId::of("System.Library", "System.Computer");
        let Some(own) = self.agents.get(agent_id).and_then(|agent| self.objects.get(agent.computer)) else {
            return true;
        };
        self.library.is_a(root, computer)
            && self.library.keys(root).iter().any(|(declared, key)| {
                let own = own.properties.get(key).map(String::as_str).unwrap_or_default();
                let named = instance.properties.iter().find(|setting| {
                    let class = setting.class;
                    setting.name == *key
                        && class.is_none_or(|class| class == *declared || self.library.is_a(root, class))
                });
                named.is_some_and(|setting| !setting.value.trim().eq_ignore_ascii_case(own))
            })
    }

    /// Reads the data of an agent, without what it may not say.
    fn read_data(&self, agent_id: &str, data: &DiscoveryData, rejected: &mut Vec<String>) -> [Discovered; 2] {
        let mut found = [Discovered::default(), Discovered::default()];
        let proxy = self.proxies.contains(agent_id);
        for each in &data.instances {
            match self.read_instance(each) {
                Some(instance) if proxy || !self.is_foreign(agent_id, &instance) => {
                    found[usize::from(each.removed)].instances.push(instance);
                }
                Some(instance) => rejected.push(format!(
                    "{}: it lives on another computer, and the agent is no proxy",
                    self.library.name(instance.class)
                )),
                None => rejected.push(format!("the class {:?} is not an identity", each.class)),
            }
        }
        for each in &data.relationships {
            match self.read_link(each) {
                Some(link) => found[usize::from(each.removed)].links.push(link),
                None => rejected.push(format!("the relationship {:?} cannot be read", each.relationship)),
            }
        }
        found
    }

    fn read_instance(&self, instance: &DiscoveredInstance) -> Option<Instance> {
        let properties = instance.properties.iter().map(|property| {
            let known = Uuid::try_parse(&property.name).ok().and_then(|id| self.library.property(ElementId(id)));
            let (class, name) = match known {
                Some((class, name)) => (Some(class), name),
                None => (None, property.name.clone()),
            };
            Setting { class, name, value: property.value.clone() }
        });
        Some(Instance { class: ElementId(Uuid::try_parse(&instance.class).ok()?), properties: properties.collect() })
    }

    fn read_link(&self, link: &DiscoveredRelationship) -> Option<LinkInstance> {
        let end = |end: &Option<DiscoveredInstance>| -> Option<End> {
            let instance = self.read_instance(end.as_ref()?)?;
            // an end that is named by the identity of an object
            match self.objects.get(ObjectId(instance.class.0)) {
                Some(object) => Some(End::Object(object.id)),
                None => Some(End::Instance(instance)),
            }
        };
        let kind = ElementId(Uuid::try_parse(&link.relationship).ok()?);
        Some(LinkInstance { kind, source: end(&link.source)?, target: end(&link.target)? })
    }
}

fn link_id(link: Link) -> String {
    ObjectId::of(link.kind, [link.source.to_string().as_str(), link.target.to_string().as_str()]).to_string()
}

pub(super) fn relationship(library: &Library, link: Link) -> Relationship {
    Relationship {
        relationship_id: link_id(link),
        class: library.name(link.kind),
        source: link.source.to_string(),
        target: link.target.to_string(),
    }
}

#[async_trait]
impl DiscoveryIntake for Group {
    async fn begun(&self, changes: &mut Changes) -> Result<(), StateError> {
        self.catch_up_if_behind(changes).await
    }

    async fn discovered(
        &self,
        changes: &mut Changes,
        agent_id: &str,
        data: &DiscoveryData,
        at: i64,
    ) -> Result<Intake, StateError> {
        let ids = (Uuid::try_parse(&data.discovery), Uuid::try_parse(&data.target));
        let (Ok(discovery), Ok(target)) = ids else {
            return Ok(Intake {
                rejected: vec!["discovery or target is not an identity".to_owned()],
                ..Intake::default()
            });
        };
        let source = Source { discovery: ElementId(discovery), target: ObjectId(target) };
        let outcome = {
            let mut space = self.write();
            // what a server found belongs to all of them
            let agent_id = if space.is_own(agent_id) { "" } else { agent_id };
            let mut rejected = Vec::new();
            let [found, gone] = space.read_data(agent_id, data, &mut rejected);
            let mode = if data.snapshot { Mode::Snapshot } else { Mode::Add };
            let mut outcome = space.apply(agent_id, source, &found, mode, at);
            let takes_away = !gone.instances.is_empty() || !gone.links.is_empty();
            if takes_away && !data.snapshot {
                outcome = outcome.then(space.apply(agent_id, source, &gone, Mode::Remove, at));
            }
            outcome.rejected.extend(rejected);
            outcome
        };
        outcome.write(changes, at).await?;
        if !outcome.is_empty() {
            self.changed.notify_one();
        }
        Ok(Intake { states: outcome.states, rejected: outcome.rejected })
    }

    async fn failed(&self) {
        if let Err(error) = self.reload().await {
            tracing::error!(%error, "the management group could not be read again; it may show what was not kept");
        }
    }
}
