//! What agents and this server are to run, and for whom it may have changed.

use std::collections::BTreeSet;

use watchkeeper_model::compile::Compiled;
use watchkeeper_model::ids::ObjectId;
use watchkeeper_model::objects::{Change, ChangeKind};
use watchkeeper_model::workflow::Workflows;
use watchkeeper_state::RunAsAssociation;

use super::run_as::Profiles;
use super::{Group, Space};

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

    /// The workflows of the objects without an agent that are this server's share.
    #[must_use]
    pub fn workflows_of_pool(&self, is_mine: &dyn Fn(&str) -> bool) -> Workflows {
        let space = self.read();
        let mine: BTreeSet<ObjectId> = space
            .objects
            .iter()
            .map(|object| object.id)
            .filter(|object| space.is_of_pool(*object) && is_mine(&object.to_string()))
            .collect();
        without_notes(space.library.compile(&space.objects, &mine))
    }

    /// Of these agents those whose configurations may have changed since they were last asked for.
    pub fn take_stale<'a>(&self, agents: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut space = self.write();
        let stale = &mut space.stale;
        let all = std::mem::take(&mut stale.all);
        let agents = agents.into_iter().filter(|agent| stale.agents.remove(*agent) || all);
        agents.map(str::to_owned).collect()
    }

    /// Whether the work of the servers may have changed since this was last asked.
    pub fn take_stale_pool(&self) -> bool {
        std::mem::take(&mut self.write().stale.pool)
    }

    /// Whether objects went since this was last asked.
    pub fn take_gone(&self) -> bool {
        std::mem::take(&mut self.write().stale.gone)
    }

    /// The configurations of all agents may be others: the accounts that they depend on changed.
    pub fn all_stale(&self) {
        self.write().stale.everything();
        self.changed.notify_one();
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
                // membership matters by its overrides alone
                ChangeKind::Linked(_) | ChangeKind::Unlinked(_) => {}
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
