//! Debug messages about the tables: why a path is the best one, and who is told the same.
//!
//! Nothing here is done unless somebody asks for it ([`crate::debug`]).

use bgp::rib::PeerId;
use bgp::{Nlri, ScopedAddr};
use tracing::Level;

use super::Core;
use super::neighbor::Neighbor;
use crate::debug;

impl Core {
    /// All paths, with the step in which each lost.
    pub(super) fn decision(&self, nlri: &Nlri) -> String {
        let route = self.rib.route(nlri);
        let paths = route.iter().flat_map(|route| &route.paths);
        let told = paths.map(|path| {
            let from = self.neighbors.get(&path.peer);
            let from = from.map_or("here".to_owned(), |it| it.address().to_string());
            match (&path.rejection, &path.lost) {
                (Some(why), _) => format!("{from}: {why}"),
                (None, Some(step)) => format!("{from}: lost by {step}"),
                (None, None) if path.best => format!("{from}: best"),
                (None, None) => format!("{from}: as good"),
            }
        });
        told.collect::<Vec<_>>().join("; ")
    }

    /// Tells with whom a neighbour shares what it is told.
    pub(super) fn tell_groups(&self, peer: PeerId) {
        if !tracing::enabled!(target: debug::BGP_UPDATE_GROUPS, Level::DEBUG) {
            return;
        }
        let Some(neighbor) = self.neighbors.get(&peer).map(Neighbor::address) else {
            return;
        };
        tracing::debug!(target: debug::BGP_UPDATE_GROUPS, %neighbor, "looked at");
        for (family, members) in self.rib.update_groups(peer) {
            let names = members.iter().filter_map(|it| self.neighbors.get(it));
            let names: Vec<String> = names.map(|it| it.address().to_string()).collect();
            let members = names.join(" ");
            tracing::debug!(
                target: debug::BGP_UPDATE_GROUPS, %neighbor, %family, members, "update group"
            );
        }
    }
}

/// Tells which next hops lead somewhere now, and which do not any more.
pub(super) fn next_hops(changes: &[(ScopedAddr, bool)]) {
    for (next_hop, leads) in changes {
        tracing::debug!(target: debug::BGP_NHT, %next_hop, leads, "next hop");
    }
}
