//! Which next hops lead nowhere.
//!
//! RFC 4271 §9.1.2: a route whose next hop cannot be resolved takes no part in the decision; it
//! would be told to others and draw traffic that goes nowhere. Whoever knows the ground says so
//! ([`super::Input::NextHops`]); a next hop that nobody spoke of is taken for reachable, so a router
//! that does not forward asks nobody. It concerns IP routes: the next hop of an EVPN route is a
//! tunnel's end, and a reflector need not reach it.

use std::collections::HashSet;
use std::net::IpAddr;

use super::path::Path;
use super::peer::PeerFacts;
use crate::family::Family;
use crate::scoped_addr::ScopedAddr;

/// Next hops that lead nowhere.
#[derive(Debug, Default)]
pub(super) struct NextHops {
    unreachable: HashSet<ScopedAddr>,
}

impl NextHops {
    pub(super) fn leads(&self, family: Family, addr: ScopedAddr) -> bool {
        family == Family::Evpn || !self.unreachable.contains(&addr)
    }

    pub(super) fn unreachable(&self) -> impl Iterator<Item = ScopedAddr> + '_ {
        self.unreachable.iter().copied()
    }

    /// Forgets those that no route names any more.
    pub(super) fn keep(&mut self, named: &HashSet<IpAddr>) {
        self.unreachable.retain(|addr| named.contains(&addr.ip()));
        self.unreachable.shrink_to_fit();
    }

    /// Takes in what is known now; returns those of which something else was known.
    pub(super) fn learn(&mut self, known: Vec<(ScopedAddr, bool)>) -> HashSet<ScopedAddr> {
        let changed = known
            .into_iter()
            .filter(|(addr, reachable)| match reachable {
                true => self.unreachable.remove(addr),
                false => self.unreachable.insert(*addr),
            });
        changed.map(|(addr, _)| addr).collect()
    }
}

/// True if a path may take part now and did not, or the other way around, when these change. What
/// policy would make of a refused path's next hop is not known without asking it.
pub(super) fn concerns(
    changed: &HashSet<ScopedAddr>,
    path: &Path,
    from: &PeerFacts,
    policy_may_choose: bool,
) -> bool {
    let named = |attributes| changed.contains(&from.leads_to(attributes));
    named(&path.attributes)
        || named(path.received())
        || policy_may_choose && !path.standing.takes_part()
}
