//! What an agent is to run.

use watchkeeper_model::workflow::Workflows;

use super::Group;

impl Group {
    /// The workflows of an agent, for all objects that it manages.
    #[must_use]
    pub fn workflows_of(&self, agent_id: &str) -> Workflows {
        let _ = self.read().managed_by(agent_id);
        Workflows::default()
    }
}
