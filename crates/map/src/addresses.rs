//! Which machine an address means, from whose mouth.

use std::collections::BTreeSet;
use std::net::IpAddr;

use smallvec::SmallVec;

use crate::hashing::FastMap;

/// Addresses of machines by index.
pub(crate) struct Addresses {
    own: Vec<BTreeSet<IpAddr>>,
    holders: FastMap<IpAddr, Machines>,
}

/// Machines that an address may mean: nearly always one.
pub(crate) type Machines = SmallVec<[usize; 1]>;

impl Addresses {
    pub fn new(machines: usize) -> Addresses {
        Addresses { own: vec![BTreeSet::new(); machines], holders: FastMap::default() }
    }

    /// The machine speaks by this address. Loopback and wildcards name nobody, link-local addresses nobody to others.
    pub fn add(&mut self, machine: usize, address: IpAddr) {
        if address.is_loopback() || address.is_unspecified() {
            return;
        }
        if self.own[machine].insert(address) && !is_link_local(address) {
            self.holders.entry(address).or_default().push(machine);
        }
    }

    pub fn of(&self, machine: usize) -> impl Iterator<Item = IpAddr> {
        self.own[machine].iter().copied()
    }

    /// Who is meant when a machine says this address. Loopback and the machine's own addresses mean itself, whoever else
    /// has them (each machine with containers has 172.17.0.1); others mean all machines that have them.
    pub fn meant_by(&self, speaker: usize, address: IpAddr) -> Machines {
        if address.is_loopback() || self.own[speaker].contains(&address) {
            return Machines::from_elem(speaker, 1);
        }
        self.holders.get(&address).cloned().unwrap_or_default()
    }

    /// As [`Self::meant_by`], where it is one machine alone.
    pub fn only(&self, speaker: usize, address: IpAddr) -> Option<usize> {
        match self.meant_by(speaker, address)[..] {
            [machine] => Some(machine),
            _ => None,
        }
    }
}

/// Addresses that mean something on one network segment only.
fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
