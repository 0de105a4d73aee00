//! Which prefixes belong to which peer: want, have, plan.
//!
//! Every peer has a *base*: what stood in its AllowedIPs when it was first seen. The base says
//! which tunnel addresses the peer has, so it decides which peer a next hop leads to, and it is
//! never removed. Wishes are prefixes with a next hop; the wished peer is the one whose base has
//! the longest match for it. A prefix belongs to one peer at a time (WireGuard enforces this), so
//! a wish that changes its peer is a single addition to the new one.
//!
//! After a restart the AllowedIPs hold the base and what the previous run added, and nothing in
//! WireGuard tells them apart. Therefore the rule of the base after a restart: **host routes
//! (`/32`, `/128`), everything when a peer has no host route, and everything named by
//! [`AllowedIps::keep`] are base; other prefixes are leftovers.** A leftover that is wished for is
//! adopted, one that is not goes at [`AllowedIps::sweep`]; a program that never calls `sweep`
//! removes only what it added itself. An operator who gives a peer both a host route and a site
//! prefix, and wants the latter always, names it with `keep`.
//!
//! The planner neither reads nor writes; see [`super::Device`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::{Peer, PeerChange, PublicKey};

/// Wished and observed AllowedIPs of one interface.
#[derive(Clone, Debug, Default)]
pub struct AllowedIps {
    peers: BTreeMap<PublicKey, Allowed>,
    wishes: BTreeMap<IpNetwork, IpAddr>,
    keep: BTreeSet<IpNetwork>,
    swept: bool,
}

#[derive(Clone, Debug, Default)]
struct Allowed {
    base: BTreeSet<IpNetwork>,
    /// There at the first sight, neither base nor wished for since.
    leftover: BTreeSet<IpNetwork>,
    have: BTreeSet<IpNetwork>,
}

impl AllowedIps {
    /// Knows no peers and no wishes.
    pub fn new() -> Self {
        Self::default()
    }

    /// This prefix is never removed from the peer that has it, although it is no host route.
    pub fn keep(&mut self, prefix: IpNetwork) {
        let prefix = masked(prefix);
        self.keep.insert(prefix);
        for allowed in self.peers.values_mut() {
            if allowed.leftover.remove(&prefix) {
                allowed.base.insert(prefix);
            }
        }
    }

    /// Packets to this prefix go to the peer that has this next hop; `None` takes the wish back.
    pub fn set(&mut self, prefix: IpNetwork, next_hop: Option<IpAddr>) {
        let prefix = masked(prefix);
        match next_hop {
            Some(next_hop) => self.wishes.insert(prefix, next_hop),
            None => self.wishes.remove(&prefix),
        };
        // Whoever mentions a leftover has taken it over.
        for allowed in self.peers.values_mut() {
            allowed.leftover.remove(&prefix);
        }
    }

    /// Takes all peers of the interface as they are now.
    pub fn observe(&mut self, peers: &[Peer]) {
        let present: BTreeSet<PublicKey> = peers.iter().map(|peer| peer.public_key).collect();
        self.peers.retain(|key, _| present.contains(key));
        for peer in peers {
            let have: BTreeSet<_> = peer.allowed_ips.iter().copied().map(masked).collect();
            let allowed = match self.peers.get_mut(&peer.public_key) {
                Some(allowed) => allowed,
                None => {
                    let first = self.first_sight(&have);
                    self.peers.entry(peer.public_key).or_insert(first)
                }
            };
            allowed.have = have;
        }
    }

    fn first_sight(&self, have: &BTreeSet<IpNetwork>) -> Allowed {
        let is_host =
            |prefix: &IpNetwork| prefix.prefix() == if prefix.is_ipv4() { 32 } else { 128 };
        let any_host = have.iter().any(is_host);
        let is_base = |prefix: &&IpNetwork| {
            let wished = self.wishes.contains_key(*prefix);
            (is_host(prefix) && !wished) || self.keep.contains(*prefix) || (!any_host && !wished)
        };
        let base: BTreeSet<IpNetwork> = have.iter().filter(is_base).copied().collect();
        let wished = |prefix: &&IpNetwork| self.wishes.contains_key(*prefix);
        let leftover = have
            .difference(&base)
            .filter(|prefix| !wished(prefix))
            .copied()
            .collect();
        Allowed {
            base,
            leftover,
            have: have.clone(),
        }
    }

    /// Leftovers of a previous run that nobody wished for since are to be removed.
    pub fn sweep(&mut self) {
        self.swept = true;
        for allowed in self.peers.values_mut() {
            allowed.leftover.clear();
        }
    }

    /// The peer that a next hop leads to: the one whose base has the longest match.
    pub fn peer_of(&self, next_hop: IpAddr) -> Option<PublicKey> {
        let matches = self.peers.iter().filter_map(|(key, allowed)| {
            let longest = allowed
                .base
                .iter()
                .filter(|prefix| prefix.contains(next_hop));
            longest
                .map(IpNetwork::prefix)
                .max()
                .map(|length| (length, *key))
        });
        matches
            .max_by_key(|(length, _)| *length)
            .map(|(_, key)| key)
    }

    /// Wishes whose next hop leads to no peer.
    pub fn homeless(&self) -> impl Iterator<Item = (IpNetwork, IpAddr)> {
        let homeless = |(_, next_hop): &(&IpNetwork, &IpAddr)| self.peer_of(**next_hop).is_none();
        self.wishes
            .iter()
            .filter(homeless)
            .map(|(prefix, next_hop)| (*prefix, *next_hop))
    }

    /// The changes that make the interface as wished: additions first, because a prefix moves to
    /// its new peer with the addition and needs no removal.
    pub fn plan(&self) -> Vec<PeerChange> {
        let goals = self.goals();
        let mut changes = Vec::new();
        let mut moved = BTreeMap::new();
        for (key, goal) in &goals {
            let Some(allowed) = self.peers.get(key) else {
                continue;
            };
            let add: Vec<IpNetwork> = goal.difference(&allowed.have).copied().collect();
            moved.extend(add.iter().map(|prefix| (*prefix, *key)));
            if !add.is_empty() {
                let result = allowed.have.union(goal).copied().collect();
                changes.push(PeerChange {
                    public_key: *key,
                    add,
                    remove: Vec::new(),
                    result,
                });
            }
        }
        for (key, goal) in &goals {
            let Some(allowed) = self.peers.get(key) else {
                continue;
            };
            let gone = |prefix: &&IpNetwork| !moved.contains_key(*prefix);
            let remove: Vec<_> = allowed
                .have
                .difference(goal)
                .filter(gone)
                .copied()
                .collect();
            if !remove.is_empty() {
                let (add, result) = (Vec::new(), goal.iter().copied().collect());
                changes.push(PeerChange {
                    public_key: *key,
                    add,
                    remove,
                    result,
                });
            }
        }
        changes
    }

    /// What each peer should have: its base unless that is wished for elsewhere, its leftovers,
    /// and its wishes. A wish whose next hop leads nowhere changes nothing.
    fn goals(&self) -> BTreeMap<PublicKey, BTreeSet<IpNetwork>> {
        let bases = self
            .peers
            .iter()
            .flat_map(|(key, allowed)| allowed.base.iter().map(move |prefix| (*prefix, *key)));
        let owners_of_base: BTreeMap<IpNetwork, PublicKey> = bases.collect();
        let mut goals: BTreeMap<PublicKey, BTreeSet<IpNetwork>> = BTreeMap::new();
        for (key, allowed) in &self.peers {
            let kept = allowed.base.union(&allowed.leftover).copied();
            goals.insert(*key, kept.collect());
        }
        for (prefix, next_hop) in &self.wishes {
            // A tunnel address stays with its peer whatever is learned about it.
            if owners_of_base.contains_key(prefix) {
                continue;
            }
            match self.peer_of(*next_hop) {
                Some(key) => {
                    goals.entry(key).or_default().insert(*prefix);
                }
                None => self.leave(*prefix, &mut goals),
            }
        }
        goals
    }

    /// A prefix stays where it is.
    fn leave(&self, prefix: IpNetwork, goals: &mut BTreeMap<PublicKey, BTreeSet<IpNetwork>>) {
        for (key, allowed) in &self.peers {
            if allowed.have.contains(&prefix) {
                goals.entry(*key).or_default().insert(prefix);
            }
        }
    }
}

fn masked(prefix: IpNetwork) -> IpNetwork {
    IpNetwork::new(prefix.network(), prefix.prefix()).unwrap_or(prefix)
}

#[cfg(test)]
mod tests;
