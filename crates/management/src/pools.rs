//! Resource pools: work of the management servers that moves to another member when one dies (management group
//! specification 1.10). The work of a pool is cut into shares; who holds the lease of a share does its work. Leases lie
//! in the operational store and are timed by its clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use watchkeeper_state::{ResourcePool, Server, State, StateError};

/// Into how many shares the work of a pool is cut.
pub const SHARES: u32 = 32;

/// The pools that are always there, with every management server as a member.
pub const BUILT_IN: [&str; 3] = [ALL_SERVERS, "Notifications Resource Pool", "AD Assignment Resource Pool"];

/// The pool of what is given to no other.
pub const ALL_SERVERS: &str = "All Management Servers Resource Pool";

/// How many votes a pool of so many voters needs: more than half.
#[must_use]
pub fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

/// Whether a pool may work: enough of its members and observers are alive. The operational store has a vote where it is
/// the default observer; who can ask has it. It has none in a pool with gateways, which cannot ask.
#[must_use]
pub fn has_quorum(pool: &ResourcePool, servers: &[Server], now: i64) -> bool {
    let known: HashMap<&str, &Server> = servers.iter().map(|server| (server.server_id.as_str(), server)).collect();
    let voters: BTreeSet<&str> = pool.members.iter().chain(&pool.observers).map(String::as_str).collect();
    let gateways = voters.iter().any(|id| known.get(id).is_some_and(|server| server.kind == "gateway"));
    let store = usize::from(pool.default_observer && !gateways);
    let alive = voters.iter().filter(|id| known.get(*id).is_some_and(|server| server.alive_until > now)).count();
    alive + store >= quorum(voters.len() + store)
}

/// The share of a pool's work that something belongs to.
#[must_use]
pub fn share_of(work: &str) -> u32 {
    u32::try_from(weight(work, "") % u64::from(SHARES)).unwrap_or(0)
}

/// Who of the members that are alive should do a share: the same answer on every server, and a member that goes or
/// comes moves only its own shares.
#[must_use]
pub fn preferred<'a>(pool: &str, share: u32, alive: &[&'a str]) -> Option<&'a str> {
    let name = format!("{pool}/{share}");
    alive.iter().copied().max_by_key(|member| (weight(&name, member), *member))
}

fn weight(name: &str, member: &str) -> u64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, format!("{name}\u{1f}{member}").as_bytes());
    digest.as_ref().iter().take(8).fold(0, |weight, byte| (weight << 8) | u64::from(*byte))
}

/// The shares that a server has, until when. Cheap to ask; made anew with every turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// By the name of the pool: each share with the time since when it is held, microseconds by this server's clock.
    pools: BTreeMap<String, BTreeMap<u32, i64>>,
    /// Without a turn the leases end then, and others take them.
    until: Option<Instant>,
}

impl Held {
    /// Since when this server does a piece of work of a pool; `None`: another does it.
    #[must_use]
    pub fn since(&self, pool: &str, work: &str) -> Option<i64> {
        // what is given to a pool that is not there is everybody's
        let pool = self.pools.get(pool).or_else(|| self.pools.get(ALL_SERVERS))?;
        pool.get(&share_of(work)).copied()
    }

    /// Whether the leases have ended because they could not be renewed.
    #[must_use]
    pub fn has_lapsed(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Which shares of which pools, by name.
    pub fn shares(&self) -> impl Iterator<Item = (&str, u32)> {
        self.pools.iter().flat_map(|(pool, shares)| shares.keys().map(move |share| (pool.as_str(), *share)))
    }

    /// Whether these are the same shares, held since the same time.
    #[must_use]
    pub fn is_same(&self, other: &Held) -> bool {
        self.pools == other.pools
    }
}

/// The name of the lease of a share.
#[must_use]
pub fn lease_name(pool_id: &str, share: u32) -> String {
    format!("pool/{pool_id}/{share}")
}

/// This server's place in the pools.
pub struct PoolMember {
    state: State,
    server: Server,
    lease: Duration,
    /// By identity of the pool.
    shares: HashMap<String, BTreeSet<u32>>,
    held: Held,
}

impl PoolMember {
    /// A server that has no shares yet. A lease is to be renewed several times in its length.
    #[must_use]
    pub fn new(state: State, server_id: &str, name: &str, lease: Duration) -> Self {
        let server = Server {
            server_id: server_id.to_owned(),
            name: name.to_owned(),
            kind: "management".to_owned(),
            alive_until: 0,
        };
        Self { state, server, lease, shares: HashMap::new(), held: Held::default() }
    }

    /// Makes the built-in pools, and itself a member of the automatic ones.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn join(&mut self) -> Result<(), StateError> {
        self.beat(self.state.clock().await?).await?;
        let mut pools = self.state.pools().await?;
        for name in BUILT_IN {
            if !pools.iter().any(|pool| pool.name == name) {
                let pool = ResourcePool {
                    pool_id: watchkeeper_model::ids::ElementId::of("ResourcePool", name).to_string(),
                    name: name.to_owned(),
                    automatic: true,
                    default_observer: true,
                    ..ResourcePool::default()
                };
                pools.push(pool);
            }
        }
        for pool in pools.iter().filter(|pool| pool.automatic) {
            self.state.put_pool_member(pool, &self.server.server_id).await?;
        }
        Ok(())
    }

    /// Says that it is alive, renews its shares, gives back those that another should have and takes those that are
    /// free. `now` is the store's clock ([`State::clock`]). Called several times in the length of a lease.
    ///
    /// # Errors
    /// When the store cannot be read or written; the shares then last until [`PoolMember::holds`] says no.
    pub async fn turn(&mut self, now: i64) -> Result<(), StateError> {
        // before the store counts: this server's leases never last longer here than there
        let until = Instant::now() + self.lease;
        self.beat(now).await?;
        let servers = self.state.servers().await?;
        let me = self.server.server_id.clone();
        let mut held = Held { pools: BTreeMap::new(), until: Some(until) };
        let mut known = HashMap::new();
        for pool in self.state.pools().await? {
            let shares = self.wanted(&pool, &servers, now);
            let name = |share: &u32| lease_name(&pool.pool_id, *share);
            let before = self.shares.remove(&pool.pool_id).unwrap_or_default();
            let give: Vec<String> = before.difference(&shares).map(name).collect();
            self.state.release_leases(&give, &me).await?;
            let want: Vec<String> = shares.iter().map(name).collect();
            let taken = self.state.take_leases(&want, &me, now, now + self.lease_micros()).await?;
            let shares: BTreeSet<u32> = shares.into_iter().filter(|share| taken.contains_key(&name(share))).collect();
            let lapsed = self.held.has_lapsed();
            let old = self.held.pools.get(&pool.name).filter(|_| !lapsed);
            let since = |share: &u32| old.and_then(|old| old.get(share)).copied().unwrap_or_else(crate::clock::now);
            held.pools.insert(pool.name.clone(), shares.iter().map(|share| (*share, since(share))).collect());
            known.insert(pool.pool_id, shares);
        }
        // shares of a pool that was removed end with their leases
        self.shares = known;
        self.held = held;
        Ok(())
    }

    /// The shares of a pool that this server should have.
    fn wanted(&self, pool: &ResourcePool, servers: &[Server], now: i64) -> BTreeSet<u32> {
        let me = self.server.server_id.as_str();
        if !pool.members.iter().any(|member| member == me) || !has_quorum(pool, servers, now) {
            return BTreeSet::new();
        }
        let alive: Vec<&str> = servers
            .iter()
            .filter(|server| server.alive_until > now && pool.members.contains(&server.server_id))
            .map(|server| server.server_id.as_str())
            .collect();
        (0..SHARES).filter(|share| preferred(&pool.pool_id, *share, &alive) == Some(me)).collect()
    }

    /// Whether this server does a piece of work of a pool now. After a lease without a successful turn it does none:
    /// another has it.
    #[must_use]
    pub fn holds(&self, pool_id: &str, work: &str, now: i64) -> bool {
        now < self.server.alive_until && self.shares.get(pool_id).is_some_and(|held| held.contains(&share_of(work)))
    }

    /// How many shares of a pool it holds.
    #[must_use]
    pub fn shares(&self, pool_id: &str) -> usize {
        self.shares.get(pool_id).map_or(0, BTreeSet::len)
    }

    /// All that it holds.
    #[must_use]
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// Gives everything back: the server stops.
    ///
    /// # Errors
    /// When the store cannot be written; the leases then end by themselves.
    pub async fn leave(&mut self) -> Result<(), StateError> {
        self.held = Held::default();
        let names: Vec<String> = self
            .shares
            .drain()
            .flat_map(|(pool, shares)| shares.into_iter().map(move |share| lease_name(&pool, share)))
            .collect();
        self.state.release_leases(&names, &self.server.server_id).await?;
        self.server.alive_until = 0;
        self.state.put_server(&self.server).await
    }

    async fn beat(&mut self, now: i64) -> Result<(), StateError> {
        let alive = Server { alive_until: now + self.lease_micros(), ..self.server.clone() };
        self.state.put_server(&alive).await?;
        self.server = alive;
        Ok(())
    }

    fn lease_micros(&self) -> i64 {
        i64::try_from(self.lease.as_micros()).unwrap_or(i64::MAX / 4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_works_while_more_than_half_of_its_voters_are_alive() {
        // members, default observer, gateways: how many may be down (specification 1.10)
        for (members, observer, kind, may_be_down) in [
            (1, true, "management", 0),
            (2, true, "management", 1),
            (3, true, "management", 1),
            (4, true, "management", 2),
            (5, true, "management", 2),
            (3, true, "gateway", 1),
            (2, false, "management", 0),
        ] {
            let ids: Vec<String> = (0..members).map(|number| format!("s{number}")).collect();
            let pool = ResourcePool { members: ids.clone(), default_observer: observer, ..ResourcePool::default() };
            let works = |down: usize| {
                let server = |(number, id): (usize, &String)| Server {
                    server_id: id.clone(),
                    name: id.clone(),
                    kind: kind.to_owned(),
                    alive_until: if number < down { 5 } else { 15 },
                };
                has_quorum(&pool, &ids.iter().enumerate().map(server).collect::<Vec<_>>(), 10)
            };
            assert!(works(may_be_down), "{members} {kind}");
            assert!(!works(may_be_down + 1), "{members} {kind}");
        }
    }

    #[test]
    fn a_member_that_goes_moves_only_its_own_shares() {
        let all = ["a", "b", "c"];
        for share in 0..SHARES {
            let before = preferred("p", share, &all).unwrap_or_default();
            let after = preferred("p", share, &all[..2]).unwrap_or_default();
            assert!(before == "c" || before == after, "{share}");
        }
        assert_eq!(preferred("p", 0, &[]), None);
    }
}
