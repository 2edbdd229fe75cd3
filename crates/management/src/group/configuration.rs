//! What an agent is to run.

use std::collections::BTreeSet;

use watchkeeper_model::ids::ObjectId;
use watchkeeper_model::workflow::Workflows;

use super::Group;

impl Group {
    /// The workflows of an agent, for all objects that it manages. Its watcher is this server's.
    #[must_use]
    pub fn workflows_of(&self, agent_id: &str) -> Workflows {
        let space = self.read();
        let Some(own) = space.agent(agent_id) else { return Workflows::default() };
        let of_agent: BTreeSet<ObjectId> =
            space.managed_by(agent_id).into_iter().filter(|object| *object != own.watcher).collect();
        let compiled = space.library.compile(&space.objects, &of_agent);
        for left in &compiled.left_out {
            tracing::debug!(element = left.element, reason = left.reason, "not for this agent");
        }
        compiled.workflows
    }
}
