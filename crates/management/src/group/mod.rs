//! The management group in memory: the loaded packs, the instance space and health, over the operational store. It
//! tells [`crate::Operational`] what alerts say and how states roll up, and takes discovery data in.

mod configuration;
mod definition;
mod following;
mod intake;
mod library;
mod membership;
mod run_as;
mod settings;
mod texts;
mod view;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::Notify;
use uuid::Uuid;
use watchkeeper_model::compile::ManagementGroup;
use watchkeeper_model::groups::Groups;
use watchkeeper_model::health::{Health, Key, Overlay};
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::{Classes, Discovered, LinkKind, Mode, Objects, Source};
use watchkeeper_model::overrides::{Setting, Standing};
use watchkeeper_model::pack::{ManagementPack, Problem, xml, yaml};
use watchkeeper_model::workflow::HealthState;
use watchkeeper_state::{Changes, MonitorOf, MonitorState, Relationship, State, StateChange, StateError};

use crate::alert_rules::{AlertSource, MonitorAlert};
use crate::operational::{Catalogue, health};

use configuration::Stale;
pub use definition::{Condition, GroupDefinition, Join};
pub use intake::AgentMachine;
pub use library::{Library, names_account};
pub use membership::GroupView;
pub use view::{ASPECTS, AgentObjects, ExplainedMonitor, MonitorTree, ObjectView};

/// What an object of the space is known by where no class has it.
const ENABLED: &str = "Enabled";

/// The management group. Cheap to clone.
#[derive(Clone)]
pub struct Group {
    state: State,
    space: Arc<RwLock<Space>>,
    /// Told when agents may need another configuration.
    pub changed: Arc<Notify>,
    /// One that changes packs, objects or overrides at a time.
    writing: Arc<tokio::sync::Mutex<()>>,
    own: Arc<Own>,
    /// The change of the store up to which those of other servers were taken over.
    seen: Arc<AtomicI64>,
    /// How often something of other servers was taken over.
    followed: Arc<AtomicU64>,
}

/// Who this is.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// The name of the management group.
    pub management_group: String,
    /// The identity of this server: under it come the items of the workflows that it runs itself.
    pub server_id: String,
}

/// Everything that is known, as of now.
#[derive(Default)]
pub struct Space {
    /// Packs and overrides.
    pub library: Arc<Library>,
    /// The instance space.
    pub objects: Objects,
    /// States.
    pub health: Health,
    /// Agents by the objects that stand for their computers.
    computers: HashMap<ObjectId, String>,
    /// The objects of agents.
    agents: HashMap<String, AgentObjects>,
    /// Agents by what they found, where no host tells.
    finders: HashMap<Source, String>,
    /// Agents that may speak for objects of others.
    proxies: HashSet<String>,
    /// What is kept of each source.
    documents: HashMap<Source, String>,
    /// Sources by the agents to which they belong.
    sources: HashMap<String, BTreeSet<Source>>,
    /// Groups by rule.
    groups: Groups,
    /// For whom configurations have to be computed again.
    stale: Stale,
    /// This server.
    server_id: String,
    /// Which reading of the store this is.
    reading: u64,
    /// Counts the changes of objects since then.
    changes: u64,
}

impl Group {
    /// Reads packs, objects and states from the store. Problems of packs are logged: they were shown at the import.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(state: State, own: Own) -> Result<Self, StateError> {
        let group = Self {
            own: Arc::new(own),
            state,
            space: Arc::default(),
            changed: Arc::new(Notify::new()),
            writing: Arc::new(tokio::sync::Mutex::new(())),
            seen: Arc::default(),
            followed: Arc::default(),
        };
        group.reload().await?;
        Ok(group)
    }

    /// The operational store.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Who this is.
    #[must_use]
    pub fn own(&self) -> &Own {
        &self.own
    }

    /// Looks at the group. Not to be held while something else is waited for.
    pub fn read(&self) -> RwLockReadGuard<'_, Space> {
        self.space.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Space> {
        self.space.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The imported packs, as they are kept.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn imported(&self) -> Result<Vec<ManagementPack>, StateError> {
        let packs = self.state.packs().await?;
        Ok(packs.iter().filter_map(|pack| read_pack(&pack.pack_id, &pack.form, pack.content.as_bytes()).0).collect())
    }

    /// Reads everything from the store again: at the start, after an import, and when a transaction failed half-way.
    /// Gives the states of roll-ups as they are now; what of them differs from the store is for the caller to write.
    ///
    /// # Errors
    /// When the store cannot be read; the group then stays as it was.
    pub async fn reload(&self) -> Result<Vec<StateChange>, StateError> {
        // nothing is changed between the reading and the taking over, by nobody
        let mut changes = self.state.change().await?;
        let (space, rolled_up) = self.read_space().await?;
        self.write_relationships(&space, &mut changes).await?;
        self.take_over(space, &changes);
        changes.commit().await?;
        Ok(rolled_up)
    }

    /// The group as the store has it.
    async fn read_space(&self) -> Result<(Space, Vec<StateChange>), StateError> {
        let name = &self.own.management_group;
        let group = ManagementGroup { name: name.clone(), id: ElementId::of("ManagementGroup", name).0 };
        let (library, problems) = Library::load_for(self.imported().await?, &self.state.overrides().await?, group);
        for problem in &problems {
            tracing::debug!(%problem, "management pack");
        }
        let server_id = self.own.server_id.clone();
        let mut space = Space { library: Arc::new(library), server_id, ..Space::default() };
        space.proxies.extend(self.state.proxies().await?);
        space.fill(&self.state.discovery_records().await?);
        let now = crate::clock::now();
        space.fill_groups(now);
        let library = Arc::clone(&space.library);
        let monitors = &library.monitors;
        let mut health = monitors.build(&space.objects, library.as_ref(), &space, now);
        let mut states = self.state.monitor_states().await?;
        states.sort_by_key(|state| state.changed_at);
        for state in &states {
            if let Some(key) = library.key_of(&state.of) {
                health.set_state(key, crate::operational::health(state.health), state.changed_at);
            }
        }
        space.health = health;
        let rolled_up = space.rolled_up(&states, now);
        space.stale.everything();
        Ok((space, rolled_up))
    }

    /// The store's relationships become those of the space: with packs and overrides, rules of groups change.
    async fn write_relationships(&self, space: &Space, changes: &mut Changes) -> Result<(), StateError> {
        let mut missing: HashMap<String, Relationship> = space
            .objects
            .links()
            .map(|link| intake::relationship(&space.library, link))
            .map(|relationship| (relationship.relationship_id.clone(), relationship))
            .collect();
        let mut gone = Vec::new();
        for stored in self.state.relationships().await? {
            if missing.remove(&stored.relationship_id).is_none() {
                gone.push(stored.relationship_id);
            }
        }
        if missing.is_empty() && gone.is_empty() {
            return Ok(());
        }
        changes.delete_relationships(&gone).await?;
        changes.put_relationships(&missing.into_values().collect::<Vec<_>>()).await
    }

    /// Says which objects are in maintenance and which agents are out of contact; gives roll-ups that changed by it.
    pub fn overlay(&self, in_maintenance: &dyn Fn(&str) -> bool, now: i64) -> Vec<StateChange> {
        let mut space = self.write();
        let space = &mut *space;
        let lost = space.lost_agents();
        let objects: Vec<ObjectId> = space.objects.iter().map(|object| object.id).collect();
        let mut changes = Vec::new();
        for object in objects {
            let agent = space.agent_of(object);
            let overlay = Overlay {
                maintenance: in_maintenance(&object.to_string()),
                out_of_contact: agent.is_some_and(|agent| lost.contains(agent)),
            };
            changes.extend(space.health.set_overlay(object, overlay, now));
        }
        changes.into_iter().map(|change| space.library.state_change(change)).collect()
    }

    /// Sets the states of unit monitors again, as the store has them: while an object was in maintenance they were not
    /// followed.
    pub fn restate(&self, states: &[MonitorState]) -> Vec<StateChange> {
        let mut space = self.write();
        let space = &mut *space;
        let mut changes = Vec::new();
        for state in states.iter().filter(|state| !state.rolled_up) {
            if let Some(key) = space.library.key_of(&state.of) {
                changes.extend(space.health.set_state(key, health(state.health), state.changed_at));
            }
        }
        changes.retain(|change| change.cause.is_some());
        changes.into_iter().map(|change| space.library.state_change(change)).collect()
    }
}

/// The form of a pack by the name of its file: `yaml` or `xml`.
#[must_use]
pub fn form_of(file: &str) -> &'static str {
    let name = file.to_ascii_lowercase();
    if name.ends_with(".yaml") || name.ends_with(".yml") { "yaml" } else { "xml" }
}

/// Reads a pack from its document, in one of the forms.
#[must_use]
pub fn read_pack(file: &str, form: &str, content: &[u8]) -> (Option<ManagementPack>, Vec<Problem>) {
    let reading = match form {
        "yaml" => yaml::read(file, content),
        _ => xml::read(file, content),
    };
    (reading.pack, reading.problems)
}

impl Library {
    /// What a state in the store is about.
    #[must_use]
    pub fn key_of(&self, of: &MonitorOf) -> Option<Key> {
        let object = Uuid::try_parse(&of.object_id).ok().map(ObjectId)?;
        Some(Key { object, monitor: self.monitor_id(&of.monitor_id)? })
    }

    fn state_change(&self, change: watchkeeper_model::health::StateChange) -> StateChange {
        StateChange {
            of: MonitorOf {
                object_id: change.key.object.to_string(),
                monitor_id: self.monitor_key(change.key.monitor),
            },
            changed_at: change.time,
            old_health: change.before as u8,
            new_health: change.after as u8,
            state: word(change.after).to_owned(),
            context: String::new(),
        }
    }
}

/// The name of a health state.
#[must_use]
pub fn word(state: HealthState) -> &'static str {
    match state {
        HealthState::Uninitialized => "Uninitialized",
        HealthState::Success => "Success",
        HealthState::Warning => "Warning",
        HealthState::Error => "Error",
    }
}

impl Space {
    /// Whether a monitor is on for an object, with its overrides.
    #[must_use]
    pub fn is_on(&self, object: ObjectId, monitor: ElementId) -> bool {
        let default = if self.library.is_on_by_default(monitor) { "true" } else { "false" };
        if self.library.overrides.of(monitor).next().is_none() {
            return default == "true";
        }
        let setting = Setting::Property(ENABLED.to_owned());
        let value = self.library.overrides.value(monitor, &setting, &self.standing(object), default);
        !matches!(value.trim(), "false" | "0")
    }

    /// Where an object stands, for overrides.
    #[must_use]
    pub fn standing(&self, object: ObjectId) -> Standing {
        let mut standing = Standing { objects: vec![object], ..Standing::default() };
        standing.objects.extend(self.objects.hosts(object));
        for class in self.objects.get(object).into_iter().flat_map(|object| &object.classes) {
            for (distance, class) in self.library.ancestry(*class).into_iter().enumerate() {
                let known = standing.classes.entry(class).or_insert(distance);
                *known = (*known).min(distance);
            }
        }
        let group = ElementId::of("System.Library", "System.Group");
        let mut next = standing.objects.clone();
        let mut seen: BTreeSet<ObjectId> = next.iter().copied().collect();
        // what is for a group is for the group itself too
        if self.objects.is_a(object, group, self.library.as_ref()) {
            standing.groups.insert(object);
        }
        while let Some(object) = next.pop() {
            for link in self.objects.links_to(object) {
                let contains =
                    self.library.relationship(link.kind).is_some_and(|facts| facts.kind == LinkKind::Containment);
                if contains && seen.insert(link.source) {
                    if self.objects.is_a(link.source, group, self.library.as_ref()) {
                        standing.groups.insert(link.source);
                    }
                    next.push(link.source);
                }
            }
        }
        standing
    }

    /// The object that hosts an object in the end, or the object itself.
    #[must_use]
    pub fn root(&self, object: ObjectId) -> ObjectId {
        self.objects.hosts(object).last().unwrap_or(object)
    }

    /// The agent that manages an object: the one of its computer, else the one that found it.
    #[must_use]
    pub fn agent_of(&self, object: ObjectId) -> Option<&str> {
        let root = self.root(object);
        if let Some(agent) = self.computers.get(&root) {
            return Some(agent);
        }
        let finder = self.objects.sources(root).filter_map(|source| self.finders.get(&source));
        finder.map(String::as_str).find(|agent| !agent.is_empty())
    }

    /// The objects that stand for an agent and its computer.
    #[must_use]
    pub fn agent(&self, agent_id: &str) -> Option<&AgentObjects> {
        self.agents.get(agent_id)
    }

    /// All objects that an agent manages.
    #[must_use]
    pub fn managed_by(&self, agent_id: &str) -> Vec<ObjectId> {
        let found =
            self.sources.get(agent_id).into_iter().flatten().flat_map(|source| self.objects.objects_of(*source));
        let computer = self.agents.get(agent_id).map(|own| own.computer);
        let roots: BTreeSet<ObjectId> = found.chain(computer).map(|object| self.root(object)).collect();
        let own = roots.into_iter().filter(|root| self.agent_of(*root) == Some(agent_id));
        own.flat_map(|root| self.objects.with_hosted(root)).collect()
    }

    /// Remembers to whom a source belongs.
    fn note_source(&mut self, source: Source, agent_id: &str) {
        if let Some(before) = self.finders.insert(source, agent_id.to_owned())
            && before != agent_id
            && let Some(sources) = self.sources.get_mut(&before)
        {
            sources.remove(&source);
        }
        self.sources.entry(agent_id.to_owned()).or_default().insert(source);
    }

    /// The agents that send no heartbeats, and which state of the space this is: what overlays of health depend on,
    /// besides maintenance.
    #[must_use]
    pub fn overlay_causes(&self) -> (BTreeSet<String>, [u64; 2]) {
        (self.lost_agents().into_iter().collect(), self.state_of_objects())
    }

    /// Another pair after every change of objects.
    #[must_use]
    pub fn state_of_objects(&self) -> [u64; 2] {
        [self.reading, self.changes]
    }

    /// Agents whose heartbeats are missed.
    fn lost_agents(&self) -> HashSet<String> {
        let Some(heartbeat) = self.library.monitor_id(crate::watchers::HEARTBEAT_MONITOR) else {
            return HashSet::new();
        };
        let lost = |objects: &AgentObjects| {
            let key = Key { object: objects.watcher, monitor: heartbeat };
            self.health.state(key).is_some_and(|(state, _)| state == HealthState::Error)
        };
        self.agents.iter().filter(|(_, objects)| lost(objects)).map(|(id, _)| id.clone()).collect()
    }

    /// Applies what discoveries found, in the order in which they first did; what waits for an object that another
    /// brings is tried again.
    fn fill(&mut self, records: &[watchkeeper_state::DiscoveryRecord]) {
        let library = Arc::clone(&self.library);
        let now = crate::clock::now();
        let mut singletons: Vec<ElementId> = library.singletons().collect();
        singletons.sort_unstable();
        for class in singletons {
            self.objects.add_singleton(library.as_ref(), class, now);
        }
        let mut waiting: Vec<(Source, &watchkeeper_state::DiscoveryRecord, Discovered)> = Vec::new();
        for record in records {
            let source = source_of(&record.discovery, &record.target);
            match (source, serde_json::from_str(&record.document)) {
                (Some(source), Ok(found)) => waiting.push((source, record, found)),
                _ => tracing::warn!(discovery = record.discovery, "what a discovery had found cannot be read"),
            }
        }
        loop {
            let before = waiting.len();
            waiting.retain(|(source, record, found)| {
                let applied = self.objects.apply(library.as_ref(), *source, found, Mode::Snapshot, record.found_at);
                self.note_source(*source, &record.agent_id);
                self.documents.insert(*source, record.document.clone());
                !applied.rejected.is_empty()
            });
            if waiting.is_empty() || waiting.len() == before {
                break;
            }
        }
        for (source, record, _) in waiting {
            tracing::info!(discovery = %source.discovery, agent = record.agent_id, "some objects found before are not known");
        }
        let own = intake::agent_discovery();
        for record in records.iter().filter(|record| record.discovery == own.to_string()) {
            self.note_agent(&record.agent_id);
        }
    }

    /// The states above those that changed, and those that are known to differ from the store.
    fn rolled_up(&self, stored: &[MonitorState], now: i64) -> Vec<StateChange> {
        let known: HashMap<Key, u8> =
            stored.iter().filter_map(|state| Some((self.library.key_of(&state.of)?, state.health))).collect();
        let units: HashSet<Key> =
            stored.iter().filter(|state| !state.rolled_up).filter_map(|state| self.library.key_of(&state.of)).collect();
        let mut changes = Vec::new();
        for object in self.objects.iter() {
            for (monitor, state, _) in self.health.states(object.id) {
                let key = Key { object: object.id, monitor };
                let before = known.get(&key).copied().unwrap_or(0);
                if before != state as u8 && !units.contains(&key) {
                    let (before, after) = (health(before), state);
                    let change = watchkeeper_model::health::StateChange {
                        key,
                        before,
                        after,
                        time: now,
                        cause: None,
                        suppressed: false,
                    };
                    changes.push(self.library.state_change(change));
                }
            }
        }
        changes
    }
}

fn source_of(discovery: &str, target: &str) -> Option<Source> {
    let discovery = ElementId(Uuid::try_parse(discovery).ok()?);
    Some(Source { discovery, target: ObjectId(Uuid::try_parse(target).ok()?) })
}

fn object_id(text: &str) -> Option<ObjectId> {
    Uuid::try_parse(text).ok().map(ObjectId)
}

impl Catalogue for Group {
    fn monitor_alert(&self, monitor: &str, object: &str, context: &str) -> Option<MonitorAlert> {
        self.read().monitor_alert(monitor, object_id(object)?, context)
    }

    fn message(&self, id: &str) -> Option<(String, String)> {
        self.read().message(ElementId(Uuid::try_parse(id).ok()?))
    }

    fn source(&self, object: &str) -> Option<AlertSource> {
        self.read().alert_source(object_id(object)?)
    }

    fn may_speak_for(&self, agent_id: &str, object: &str) -> bool {
        let space = self.read();
        if space.is_own(agent_id) {
            return object_id(object).is_some_and(|object| space.is_of_pool(object));
        }
        space.proxies.contains(agent_id)
            || object_id(object).is_some_and(|object| space.agent_of(object) == Some(agent_id))
    }

    fn computer_of(&self, agent_id: &str) -> Option<String> {
        self.read().agent(agent_id).map(|objects| objects.computer.to_string())
    }

    fn roll_up(&self, changes: &[StateChange]) -> Vec<StateChange> {
        let mut space = self.write();
        let space = &mut *space;
        let mut above = Vec::new();
        let mut seen = HashSet::new();
        for change in changes {
            let Some(key) = space.library.key_of(&change.of) else { continue };
            space.health.set_state(key, health(change.new_health), change.changed_at);
            // all that lies above, not only what changed: a transaction that is repeated has to find it again
            above.extend(space.health.above(key).into_iter().map(|(key, ..)| (key, change.changed_at)));
        }
        let mut list = Vec::new();
        for (key, at) in above {
            if seen.insert(key)
                && let Some((state, _)) = space.health.state(key)
            {
                let change = watchkeeper_model::health::StateChange {
                    key,
                    before: HealthState::Uninitialized,
                    after: state,
                    time: at,
                    cause: None,
                    suppressed: false,
                };
                list.push(space.library.state_change(change));
            }
        }
        list
    }
}
