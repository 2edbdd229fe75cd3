//! What agents and this server are to run, and for whom it may have changed.

use std::collections::BTreeSet;

use watchkeeper_model::compile::Compiled;
use watchkeeper_model::ids::{ElementId, ObjectId};
use watchkeeper_model::objects::{Change, ChangeKind, Classes};
use watchkeeper_model::workflow::Workflows;
use watchkeeper_state::{RunAsAssociation, StateError};

use super::run_as::Profiles;
use super::{Group, Space};
use crate::pools::{ALL_SERVERS, BUILT_IN};

/// Whose configurations have to be computed again.
#[derive(Debug, Default)]
pub(super) struct Stale {
    all: bool,
    pub(super) agents: BTreeSet<String>,
    pool: bool,
    /// Objects went: their alerts are to be closed.
    gone: bool,
}

impl Stale {
    /// Packs or overrides changed.
    pub(super) fn everything(&mut self) {
        self.all = true;
        self.pool = true;
        self.gone = true;
    }
}

impl Group {
    /// The workflows of an agent, for all objects that it manages, and the Run As accounts that they need. Its watcher
    /// is this server's.
    #[must_use]
    pub fn workflows_of(&self, agent_id: &str, run_as: &[RunAsAssociation]) -> (Workflows, BTreeSet<String>) {
        let space = self.read();
        let Some(own) = space.agent(agent_id) else { return Default::default() };
        let of_agent: BTreeSet<ObjectId> =
            space.managed_by(agent_id).into_iter().filter(|object| *object != own.watcher).collect();
        let mut workflows = without_notes(space.library.compile(&space.objects, &of_agent));
        let accounts = Profiles::new(&space, run_as).assign(&space, &mut workflows);
        (workflows, accounts)
    }

    /// The workflows of the objects without an agent that are this server's, and the Run As accounts that they need.
    /// `is_mine` says of a pool by name and the work in it whether this server does it.
    #[must_use]
    pub fn workflows_of_pool(
        &self,
        run_as: &[RunAsAssociation],
        is_mine: &dyn Fn(&str, &str) -> bool,
    ) -> (Workflows, BTreeSet<String>) {
        let space = self.read();
        let mine: BTreeSet<ObjectId> = space
            .objects
            .iter()
            .map(|object| object.id)
            .filter(|object| space.pool_work(*object).is_some_and(|(pool, work)| is_mine(&pool, &work)))
            .collect();
        let mut workflows = without_notes(space.library.compile(&space.objects, &mine));
        let accounts = Profiles::new(&space, run_as).assign(&space, &mut workflows);
        (workflows, accounts)
    }

    /// Of the agents that are connected those whose configurations may have changed since they were last asked for.
    /// `connected` is called where that may be all.
    pub fn take_stale(
        &self,
        connected: impl FnOnce() -> Vec<String>,
        is_connected: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let mut space = self.write();
        let stale = &mut space.stale;
        let taken: Vec<String> = if std::mem::take(&mut stale.all) {
            connected()
        } else {
            stale.agents.iter().filter(|agent| is_connected(agent)).cloned().collect()
        };
        for agent in &taken {
            stale.agents.remove(agent);
        }
        taken
    }

    /// Whether the work of the servers may have changed since this was last asked.
    pub fn take_stale_pool(&self) -> bool {
        std::mem::take(&mut self.write().stale.pool)
    }

    /// Whether objects went since this was last asked.
    pub fn take_gone(&self) -> bool {
        std::mem::take(&mut self.write().stale.gone)
    }

    /// Accounts, or who uses or has them, changed: the configurations of all agents and servers may be others.
    ///
    /// # Errors
    /// When other servers cannot be told.
    pub async fn accounts_changed(&self) -> Result<(), StateError> {
        self.write().stale.everything();
        self.changed.notify_one();
        let mut changes = self.state.change().await?;
        changes.accounts_changed().await?;
        changes.commit().await
    }

    /// An agent needs its configuration computed: it has come.
    pub fn needs_configuration(&self, agent_id: &str) {
        self.write().stale.agents.insert(agent_id.to_owned());
        self.changed.notify_one();
    }
}

fn without_notes(compiled: Compiled) -> Workflows {
    for left in &compiled.left_out {
        tracing::debug!(element = left.element, reason = left.reason, "left out");
    }
    compiled.workflows
}

impl Space {
    /// Whether an identity is this server's.
    pub(super) fn is_own(&self, agent_id: &str) -> bool {
        !self.server_id.is_empty() && self.server_id == agent_id
    }

    /// Whether the servers run the workflows of an object: no agent manages it, or it watches one.
    #[must_use]
    pub fn is_of_pool(&self, object: ObjectId) -> bool {
        match self.agent_of(object) {
            None => self.objects.get(object).is_some(),
            Some(agent) => self.agents.get(agent).is_some_and(|own| own.watcher == object),
        }
    }

    /// The pool whose servers run the workflows of an object, by name, and the work in it that they are part of: an
    /// object goes with all that it hosts. `None`: an agent runs them.
    #[must_use]
    pub fn pool_work(&self, object: ObjectId) -> Option<(String, String)> {
        if !self.is_of_pool(object) {
            return None;
        }
        let root = self.root(object);
        Some((self.pool_of(root), root.to_string()))
    }

    /// The pool that a relationship gives an object to, else the one of all servers.
    fn pool_of(&self, root: ObjectId) -> String {
        let center = |id: &str| ElementId::of("Microsoft.SystemCenter.Library", id);
        let gives = [
            center("Microsoft.SystemCenter.ManagementActionPointShouldManageEntity"),
            center("Microsoft.SystemCenter.HealthServiceShouldManageEntity"),
        ];
        let pool_class = center("Microsoft.SystemCenter.ManagementServicePool");
        let mut pools = self.objects.links_to(root).filter(|link| {
            let kinds = self.library.ancestry(link.kind);
            gives.iter().any(|kind| kinds.contains(kind))
                && self.objects.is_a(link.source, pool_class, self.library.as_ref())
        });
        match pools.next() {
            Some(link) => self.pool_name(link.source),
            None => ALL_SERVERS.to_owned(),
        }
    }

    /// The resource pool that an object stands for: the built-in ones by their classes, others by their names.
    fn pool_name(&self, object: ObjectId) -> String {
        let classes = ["AllManagementServersPool", "NotificationServerPool", "ADAssignmentPool"];
        let known = classes.iter().zip(BUILT_IN).find(|(class, _)| {
            let class = format!("Microsoft.SystemCenter.{class}");
            self.objects.is_a(object, ElementId::of("Microsoft.SystemCenter.Library", &class), self.library.as_ref())
        });
        known.map_or_else(|| self.display_name(object), |(_, name)| name.to_owned())
    }

    /// Notes whose configurations these changes touch; `overridden`: the objects for which other overrides may hold.
    pub(super) fn note_stale(&mut self, changes: &[Change], overridden: &BTreeSet<ObjectId>) {
        let mut touched = overridden.clone();
        let mut stale = std::mem::take(&mut self.stale);
        for change in changes {
            match &change.kind {
                ChangeKind::Added { object } | ChangeKind::Classes { object } | ChangeKind::Property { object, .. } => {
                    touched.insert(*object);
                }
                ChangeKind::Removed { host, .. } => {
                    stale.gone = true;
                    touched.extend(*host);
                    // who found it managed it, unless its host tells
                    match change.source.and_then(|source| self.finders.get(&source)) {
                        Some(agent) if !agent.is_empty() => {
                            stale.agents.insert(agent.clone());
                        }
                        _ => stale.pool = true,
                    }
                }
                // membership matters by its overrides alone; a relationship may give an object to another pool
                ChangeKind::Linked(link) | ChangeKind::Unlinked(link) => {
                    stale.pool |= self.is_of_pool(link.target);
                }
            }
        }
        for object in touched {
            match self.agent_of(object) {
                Some(agent) => {
                    stale.agents.insert(agent.to_owned());
                }
                None => stale.pool = true,
            }
            stale.pool |= self.is_of_pool(object);
        }
        self.stale = stale;
    }
}
