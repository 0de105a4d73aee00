//! Whose entries are whose, where several owners share one kernel thread.
//!
//! An owner claims metrics of routing tables, and a route found there with one of them is its; the
//! first owner has whatever nobody claimed. By other metrics an owner has a second set of routes,
//! beside the first ([`RouteKey::beside`]). What stands on devices belongs to the owner of the
//! overlay that names the device. Each owner says for itself when what a previous run left may go
//! ([`Table::sweep`]): routes go with their owner's word; entries on devices, objects and devices are
//! not told apart before they are wanted, and go when all owners have given it.
//!
//! Not here: who is told what happened ([`crate::kernel`]).

use std::collections::BTreeMap;

use super::{Sweep, Table};
use crate::state::{Claim, Device, Key, RouteKey, Share, Vrf};

/// All owners. The first one is always there.
pub(super) struct Shares(BTreeMap<Share, Owned>);

#[derive(Debug, Default)]
struct Owned {
    claim: Option<Claim>,
    swept: Swept,
}

/// Which leftovers an owner has no use for any more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Swept {
    pub(super) ipv4: bool,
    pub(super) ipv6: bool,
    pub(super) layer2: bool,
    pub(super) rest: bool,
}

impl Default for Shares {
    fn default() -> Self {
        Self(BTreeMap::from([(Share::FIRST, Owned::default())]))
    }
}

impl Shares {
    /// Another owner, or another claim of one. Returns whether routes may change hands by it.
    pub(super) fn join(&mut self, share: Share, claim: Claim) -> bool {
        let owned = self.0.entry(share).or_default();
        let before = owned.claim.replace(claim);
        before != owned.claim
    }

    /// An owner is gone, and with it its claim.
    pub(super) fn leave(&mut self, share: Share) {
        if share != Share::FIRST {
            self.0.remove(&share);
        }
    }

    /// A route's name as its owner has it, by this metric.
    pub(super) fn name(&self, key: RouteKey, metric: u32) -> RouteKey {
        let found = (key.table(), metric);
        let beside = |owned: &Owned| {
            let claim = owned.claim.as_ref();
            claim.is_some_and(|it| it.beside.contains(&found))
        };
        match self.0.iter().find(|(_, owned)| beside(owned)) {
            Some((share, _)) => key.of(*share).beside(),
            None => key.of(self.of_route(key.table(), metric)),
        }
    }

    fn of_route(&self, table: u32, metric: u32) -> Share {
        if metric == Vrf::CLOSING_METRIC {
            return Share::VRFS;
        }
        let claims = |owned: &Owned| {
            let claim = owned.claim.as_ref();
            claim.is_some_and(|it| it.tables.contains(&table) && it.metrics.contains(&metric))
        };
        let owner = self.0.iter().find(|(_, owned)| claims(owned));
        owner.map_or(Share::FIRST, |(share, _)| *share)
    }

    /// An owner's leftovers may go.
    pub(super) fn sweep(&mut self, share: Share, what: Sweep) {
        let Some(Owned { swept, .. }) = self.0.get_mut(&share) else {
            return;
        };
        swept.ipv4 |= matches!(what, Sweep::Ipv4Routes | Sweep::All);
        swept.ipv6 |= matches!(what, Sweep::Ipv6Routes | Sweep::All);
        swept.layer2 |= matches!(what, Sweep::Layer2 | Sweep::All);
        swept.rest |= what == Sweep::All;
    }

    /// Everybody's routes and objects may go, and leftover devices stay: they may belong to the
    /// next start.
    pub(super) fn withdraw(&mut self) {
        for owned in self.0.values_mut() {
            owned.swept = Swept {
                ipv4: true,
                ipv6: true,
                layer2: true,
                rest: false,
            };
        }
    }

    /// Whether leftovers under this name may go. Those of an owner that is gone may.
    pub(super) fn route_swept(&self, key: &RouteKey) -> bool {
        if key.share() == Share::VRFS {
            // It stays as long as its VRF may.
            return self.swept().rest;
        }
        self.0.get(&key.share()).is_none_or(|owned| {
            if key.prefix().is_ipv4() {
                owned.swept.ipv4
            } else {
                owned.swept.ipv6
            }
        })
    }

    /// What all owners have said.
    pub(super) fn swept(&self) -> Swept {
        let all = |of: fn(&Swept) -> bool| self.0.values().all(|owned| of(&owned.swept));
        Swept {
            ipv4: all(|it| it.ipv4),
            ipv6: all(|it| it.ipv6),
            layer2: all(|it| it.layer2),
            rest: all(|it| it.rest),
        }
    }
}

impl Table {
    /// Another owner wants entries from now on, and what is found of its claim is its. Returns true
    /// if routes that were found before may be its, so that they have to be read again.
    pub fn join(&mut self, share: Share, claim: Claim) -> bool {
        self.shares.join(share, claim)
    }

    /// An owner wants nothing any more: its routes are to leave the kernel. Its overlays and what
    /// stands on them it has given up one by one.
    pub fn leave(&mut self, share: Share) {
        for id in self.routes.clear_wants(|key| key.share() == share) {
            self.shapes.release(id, &mut self.objects);
        }
        self.shares.leave(share);
        self.sweep_all();
    }

    /// The name of a route as its owner has it.
    pub fn sharing(&self, key: RouteKey, metric: u32) -> RouteKey {
        self.shares.name(key, metric)
    }

    /// Whose an entry is; `None` when nothing says so any longer.
    pub fn share_of(&self, key: &Key) -> Option<Share> {
        let on = |device: &Device| {
            let mut slots = self.overlays.values();
            let slot = slots.find(|it| it.want.bridge == *device || it.want.vxlan == *device);
            slot.map(|slot| slot.want.share)
        };
        match key {
            Key::Route(key) => Some(key.share()),
            Key::Fdb(key) => on(&key.device),
            Key::Flood(key) => on(&key.device),
            Key::Neighbour(key) => on(&key.device),
            Key::Overlay(vni) => self.overlays.get(vni).map(|slot| slot.want.share),
            Key::Vrf(share, _) => Some(*share),
            // They are the host's, and there once.
            Key::Addressing(_) | Key::Forwarding { .. } => Some(Share::FIRST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_its_claimants_and_else_the_first_owners() {
        let mut shares = Shares::default();
        let claim = |metrics: &[u32]| Claim {
            tables: vec![254, 500],
            metrics: metrics.to_vec(),
            beside: vec![(254, 1)],
        };
        assert!(shares.join(Share(1), claim(&[30, 200])));
        assert!(!shares.join(Share(1), claim(&[30, 200])), "nothing new");
        assert_eq!(shares.of_route(254, 200), Share(1));
        assert_eq!(shares.of_route(500, 30), Share(1));
        assert_eq!(shares.of_route(254, 20), Share::FIRST);
        assert_eq!(shares.of_route(7, 30), Share::FIRST);
        let key = RouteKey::main("10.0.0.0/8".parse().unwrap());
        assert_eq!(shares.name(key, 200), key.of(Share(1)));
        assert_eq!(shares.name(key, 1), key.of(Share(1)).beside());
        assert_eq!(shares.name(key, 2), key);
        shares.leave(Share(1));
        assert_eq!(shares.of_route(254, 30), Share::FIRST);
    }

    #[test]
    fn routes_go_with_their_owners_word_and_the_rest_with_everybodys() {
        let mut shares = Shares::default();
        let claim = Claim {
            tables: vec![7],
            metrics: vec![20],
            beside: Vec::new(),
        };
        shares.join(Share(1), claim);
        let key = RouteKey::new(7, "10.0.0.0/8".parse().unwrap());
        shares.sweep(Share::FIRST, Sweep::All);
        assert!(shares.route_swept(&key));
        assert!(!shares.route_swept(&key.of(Share(1))));
        assert!(!shares.swept().layer2 && !shares.swept().rest);
        shares.sweep(Share(1), Sweep::Ipv4Routes);
        assert!(shares.route_swept(&key.of(Share(1))));
        assert!(shares.swept().ipv4 && !shares.swept().ipv6);
        shares.leave(Share(1));
        assert!(shares.swept().rest, "nobody else is left to ask");
    }
}
