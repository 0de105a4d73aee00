//! Which next hops lead somewhere, as far as the decision asks.
//!
//! A next hop does if a route of others does that is not the default route, through a device that
//! is up, or if one of our own routes may: any that was received for a prefix around it, chosen or
//! not, whose next hop does in turn. Which of them is chosen plays no part, and that is on
//! purpose: the answer feeds the decision, and a decision that depends on itself goes round and
//! round (a route to a network through an address within that network is the usual case). An
//! address of our own leads nowhere: packets would come back to us (RFC 4271 §5.1.3).
//!
//! A change of the ground, or of a best path around a next hop that no route of others leads to, is
//! a reason to look again ([`Reachability::changes`]).
//!
//! Where packets really leave is worked out by [`crate::install`], of best paths alone.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use bgp::rib::{PeerId, Rejection, Rib};
use bgp::{Nlri, Prefix, ScopedAddr};
use foldhash::fast::RandomState;

use crate::ground::{Ground, prefixes_of};

/// Next hops that are remembered; beyond that all are asked about anew. Looking again at all of
/// them takes some ten milliseconds.
const KNOWN_MAX: usize = 1 << 14;

/// A next hop by way of a next hop by way of a next hop.
const DEPTH_MAX: usize = 4;

/// What was last said about next hops.
#[derive(Debug, Default)]
pub(crate) struct Reachability {
    known: HashMap<ScopedAddr, bool, RandomState>,
    /// Those of them to which no route of others leads.
    by_own_routes: BTreeSet<IpAddr>,
}

impl Reachability {
    /// Whether a next hop leads somewhere, from memory if it was asked for before.
    pub(crate) fn leads(&mut self, addr: ScopedAddr, ground: &Ground, rib: &Rib) -> bool {
        if let Some(known) = self.known.get(&addr) {
            return *known;
        }
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
            self.by_own_routes.clear();
        }
        let leads = leads(addr, ground, rib, DEPTH_MAX);
        self.known.insert(addr, leads);
        if !ground.leads(addr) && addr.zone().is_none() {
            self.by_own_routes.insert(addr.ip());
        }
        leads
    }

    /// True if a route of ours to this prefix may have a say.
    pub(crate) fn depends_on(&self, prefix: Prefix) -> bool {
        let mut behind = self.by_own_routes.range(prefix.addr()..);
        behind
            .next()
            .is_some_and(|addr| prefix.contains_addr(*addr))
    }

    /// What is different now that the ground or routes have changed.
    pub(crate) fn changes(&mut self, ground: &Ground, rib: &Rib) -> Vec<(ScopedAddr, bool)> {
        // Those that were forgotten here are still kept out there.
        for addr in rib.unreachable() {
            self.known.entry(addr).or_insert(false);
        }
        self.by_own_routes.clear();
        let mut changes = Vec::new();
        for (addr, known) in &mut self.known {
            if !ground.leads(*addr) && addr.zone().is_none() {
                self.by_own_routes.insert(addr.ip());
            }
            let leads = leads(*addr, ground, rib, DEPTH_MAX);
            if std::mem::replace(known, leads) != leads {
                changes.push((*addr, leads));
            }
        }
        changes
    }
}

fn leads(addr: ScopedAddr, ground: &Ground, rib: &Rib, depth: usize) -> bool {
    if ground.is_own(addr) {
        return false;
    }
    if ground.leads(addr) {
        return true;
    }
    // What is on a link is behind no route.
    depth > 0
        && addr.zone().is_none()
        && prefixes_of(addr.ip()).any(|prefix| {
            let route = rib.route(&Nlri::from(prefix));
            route.is_some_and(|route| {
                let candidates = route.paths.iter().filter(|path| {
                    let refused = path.rejection.as_ref();
                    let kept_out = |it| !matches!(it, &Rejection::NextHopUnreachable(_));
                    // One that goes into another table leads nobody to a next hop.
                    let here = ground.is_here(path.attributes.notes());
                    here && path.peer != PeerId::LOCAL && !refused.is_some_and(kept_out)
                });
                let mut vias = candidates.map(|it| rib.next_hop(it.peer, &it.attributes));
                vias.any(|via| via != addr && leads(via, ground, rib, depth - 1))
            })
        })
}
