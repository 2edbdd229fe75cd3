//! What other servers over the same store change and hear of, as soon as this one can know it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use watchkeeper_management::clock;
use watchkeeper_management::watchers::HEARTBEAT_MONITOR;
use watchkeeper_state::StateError;

use super::Operations;

/// How soon a change of another server is seen here.
const FOLLOW: Duration = Duration::from_millis(500);
/// How often servers tell one another which agents they have heard of; a heartbeat is allowed to be missed for longer.
const HEAR: Duration = Duration::from_secs(10);
/// How far back is looked for what others have heard: their clocks may be behind.
const HEAR_BACK_SECONDS: i64 = 120;

/// Agents that were heard of since the others were told, with the time in seconds since 1970.
#[derive(Default)]
pub struct Heard(Mutex<BTreeMap<String, i64>>);

impl Operations {
    /// An agent has said something to this server.
    pub(super) fn heard_of(&self, agent_id: &str) {
        if self.group.state().is_shared() {
            let mut heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
            heard.insert(agent_id.to_owned(), clock::now() / 1_000_000);
        }
    }

    /// Takes over what other servers change.
    pub(super) async fn follow_others(self: Arc<Self>) {
        let mut turns = tokio::time::interval(FOLLOW);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut times, mut failing) = (0, false);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = turns.tick() => {}
            }
            let followed = async {
                self.group.follow().await?;
                let now = self.group.times_followed();
                if now != times {
                    self.watch_followed().await?;
                    times = now;
                }
                Ok::<_, StateError>(())
            };
            match followed.await {
                Ok(()) => failing = false,
                // once, not twice a second
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(%error, "what other servers change is not followed for now");
                }
                Err(_) => {}
            }
        }
    }

    /// Agents that came to other servers are watched here too, in case that one dies; those that went are not.
    async fn watch_followed(&self) -> Result<(), StateError> {
        let known: HashMap<String, String> = {
            let space = self.group.read();
            let name = |objects: &watchkeeper_management::group::AgentObjects| space.display_name(objects.computer);
            space.known_agents().map(|(agent, objects)| (agent.to_owned(), name(objects))).collect()
        };
        let watched: HashSet<String> = self.watchers.watched().into_iter().collect();
        for agent in watched.iter().filter(|agent| !known.contains_key(*agent)) {
            self.watchers.forget(agent);
        }
        for (agent, computer) in known.iter().filter(|(agent, _)| !watched.contains(*agent)) {
            let Some(objects) = self.group.read().agent(agent).copied() else { continue };
            let states = self.group.state().monitor_states_of(&objects.watcher.to_string()).await?;
            let lost = states.iter().any(|state| state.of.monitor_id == HEARTBEAT_MONITOR && state.health == 3);
            self.watch(agent, computer, lost);
        }
        Ok(())
    }

    /// Tells the others whom this server has heard of, and counts whom they have: an agent is lost when no server hears
    /// of it.
    pub(super) async fn hear_others(self: Arc<Self>) {
        let mut turns = tokio::time::interval(HEAR);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // what was heard before this server began is no news
        let mut known: Option<HashMap<String, i64>> = None;
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = turns.tick() => {}
            }
            let heard = std::mem::take(&mut *self.heard.0.lock().unwrap_or_else(PoisonError::into_inner));
            let told: Vec<(String, i64)> = heard.into_iter().collect();
            let exchanged = async {
                self.group.state().agents_seen(&told).await?;
                self.group.state().agents_seen_since(clock::now() / 1_000_000 - HEAR_BACK_SECONDS).await
            };
            match exchanged.await {
                Ok(seen) => {
                    let mut now_known = HashMap::with_capacity(seen.len());
                    for (agent, at) in seen {
                        if known.as_ref().is_some_and(|known| known.get(&agent) != Some(&at)) {
                            self.watchers.heartbeat(&agent, None, self.now());
                        }
                        now_known.insert(agent, at);
                    }
                    known = Some(now_known);
                }
                Err(error) => {
                    tracing::warn!(%error, "servers cannot tell one another which agents they hear");
                    let mut heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
                    for (agent, at) in told {
                        heard.entry(agent).or_insert(at);
                    }
                }
            }
        }
    }
}
