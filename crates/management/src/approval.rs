//! What happens to new agents, as an administrator sets it for the management group (specification 1.3). The setting
//! in the operational store goes before the one that the server was started with, and holds at once on every server.

use watchkeeper_state::{State, StateError};

use crate::enrolment::Approval;

const SETTING: &str = "management.approval";

impl Approval {
    /// The word that is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pending => "pending",
            Self::Reject => "reject",
        }
    }

    /// From the word; `None` for any other.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Auto, Self::Pending, Self::Reject].into_iter().find(|approval| approval.as_str() == word)
    }
}

/// What an administrator has set; `None`: nothing. A word that this version does not know rejects.
///
/// # Errors
/// When the store cannot be read.
pub async fn approval_setting(state: &State) -> Result<Option<Approval>, StateError> {
    Ok(state.setting(SETTING).await?.map(|word| Approval::from_word(&word).unwrap_or(Approval::Reject)))
}

/// Sets what happens to new agents.
///
/// # Errors
/// When the store cannot be written.
pub async fn set_approval(state: &State, approval: Approval) -> Result<(), StateError> {
    state.put_setting(SETTING, approval.as_str()).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_setting_is_kept_and_a_word_of_another_version_rejects() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::open_embedded(dir.path()).await.unwrap();
        assert_eq!(approval_setting(&state).await.unwrap(), None);
        for approval in [Approval::Auto, Approval::Pending, Approval::Reject] {
            set_approval(&state, approval).await.unwrap();
            assert_eq!(approval_setting(&state).await.unwrap(), Some(approval));
        }
        state.put_setting(SETTING, "perhaps").await.unwrap();
        assert_eq!(approval_setting(&state).await.unwrap(), Some(Approval::Reject));
    }
}
