//! The group in memory follows what other servers over the same store change.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use watchkeeper_model::objects::{Discovered, Mode};
use watchkeeper_state::{Changes, DiscoveryRecord, MonitorState, News, StateError};

use super::{Group, Space, intake, source_of};
use crate::operational::health;

impl Group {
    /// Takes over what other servers have changed, if anything; whether there was something.
    ///
    /// # Errors
    /// When the store cannot be read; what was not taken over is by the next call.
    pub async fn follow(&self) -> Result<bool, StateError> {
        if !self.state.is_behind().await? {
            return Ok(false);
        }
        let mut changes = self.state.follow().await?;
        let any = self.catch_up(&mut changes).await?;
        changes.commit().await?;
        Ok(any)
    }

    /// How often something of other servers was taken over: who looks at the group in intervals sees whether to.
    #[must_use]
    pub fn times_followed(&self) -> u64 {
        self.followed.load(Ordering::Acquire)
    }

    /// Before changes are worked out: what other servers have changed counts.
    pub(super) async fn catch_up_if_behind(&self, changes: &mut Changes) -> Result<(), StateError> {
        if self.state.is_shared() && changes.is_behind() {
            self.catch_up(changes).await?;
        }
        Ok(())
    }

    async fn catch_up(&self, changes: &mut Changes) -> Result<bool, StateError> {
        let news = changes.news(self.seen.load(Ordering::Acquire)).await?;
        let any = !news.is_empty();
        if news.library {
            let (space, _) = self.read_space().await?;
            self.take_over(space, changes);
        } else if any {
            tracing::debug!(
                gone = news.gone.len(),
                found = news.found.len(),
                states = news.states.len(),
                "changes of the store are followed"
            );
            let accounts = news.accounts;
            let mut space = self.write();
            space.take_news(news, crate::clock::now());
            if accounts {
                space.stale.everything();
            }
        }
        self.seen.fetch_max(changes.settled(), Ordering::AcqRel);
        changes.caught_up();
        if any {
            self.followed.fetch_add(1, Ordering::AcqRel);
            self.changed.notify_one();
        }
        Ok(any)
    }

    /// From now on this is the group.
    pub(super) fn take_over(&self, mut space: Space, changes: &Changes) {
        {
            let mut known = self.write();
            space.reading = known.reading + 1;
            *known = space;
        }
        self.seen.fetch_max(changes.settled(), Ordering::AcqRel);
        changes.caught_up();
        self.changed.notify_one();
    }
}

impl Space {
    fn take_news(&mut self, news: News, now: i64) {
        for (discovery, target) in &news.gone {
            let Some(source) = source_of(discovery, target) else { continue };
            let agent_id = self.finders.get(&source).cloned().unwrap_or_default();
            // what was found again since is among what is found
            self.apply(&agent_id, source, &Discovered::default(), Mode::Snapshot, now);
            if source.discovery == intake::agent_discovery()
                && let Some(objects) = self.agents.remove(&agent_id)
            {
                self.computers.remove(&objects.computer);
            }
        }
        self.take_found(news.found);
        self.take_states(&news.states);
    }

    /// What waits for an object that another brings is tried again.
    fn take_found(&mut self, found: Vec<DiscoveryRecord>) {
        let mut waiting = Vec::new();
        for record in found {
            let source = source_of(&record.discovery, &record.target);
            match (source, serde_json::from_str::<Discovered>(&record.document)) {
                (Some(source), Ok(found)) if self.documents.get(&source) != Some(&record.document) => {
                    waiting.push((source, record, found));
                }
                (Some(_), Ok(_)) => {}
                _ => tracing::warn!(discovery = record.discovery, "what a discovery had found cannot be read"),
            }
        }
        loop {
            let before = waiting.len();
            waiting.retain(|(source, record, found)| {
                let outcome = self.apply(&record.agent_id, *source, found, Mode::Snapshot, record.found_at);
                outcome.was_cut_short()
            });
            if waiting.is_empty() || waiting.len() == before {
                break;
            }
        }
        for (source, record, _) in waiting {
            tracing::info!(discovery = %source.discovery, agent = record.agent_id, "some objects found elsewhere are not known");
        }
    }

    fn take_states(&mut self, states: &[MonitorState]) {
        let library = Arc::clone(&self.library);
        for state in states {
            if let Some(key) = library.key_of(&state.of)
                && self.objects.get(key.object).is_some()
            {
                self.health.set_state(key, health(state.health), state.changed_at);
            }
        }
    }
}
