//! Policy in the configuration, and the one in effect for a neighbour.
//!
//! `file` reads lists and route-maps, `resolve` makes them of names and values, `print` writes
//! them again, and [`review`] remarks what is there and does nothing. What applies to a neighbour
//! is its route-map, bound to it where the map asks for that, or what stands in for a missing one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bgp::Asn;
use bgp::family::Family;
use bgp::policy::{Entry, Party, Policy, RouteMap};

use super::types::{Config, EbgpRequiresPolicy, Neighbor, Unicast, is_internal};

pub mod file;
pub(super) mod print;
pub(super) mod resolve;
pub mod review;

pub use print::words;

/// What kind of policy a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PolicyKind {
    /// A prefix list.
    PrefixList,
    /// A list of communities.
    CommunityList,
    /// A list of large communities.
    LargeCommunityList,
    /// A list of extended communities.
    ExtendedCommunityList,
    /// A list of AS paths.
    AsPathList,
    /// A list of MAC addresses.
    MacList,
    /// A route-map.
    RouteMap,
}

impl PolicyKind {
    /// All kinds.
    pub(super) const ALL: [Self; 7] = [
        PolicyKind::PrefixList,
        PolicyKind::CommunityList,
        PolicyKind::LargeCommunityList,
        PolicyKind::ExtendedCommunityList,
        PolicyKind::AsPathList,
        PolicyKind::MacList,
        PolicyKind::RouteMap,
    ];

    /// As the configuration spells it.
    pub fn word(self) -> &'static str {
        match self {
            PolicyKind::PrefixList => "prefix_list",
            PolicyKind::CommunityList => "community_list",
            PolicyKind::LargeCommunityList => "large_community_list",
            PolicyKind::ExtendedCommunityList => "extended_community_list",
            PolicyKind::AsPathList => "as_path_list",
            PolicyKind::MacList => "mac_list",
            PolicyKind::RouteMap => "route_map",
        }
    }
}

/// Which way routes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the neighbour to us.
    Import,
    /// From us to the neighbour.
    Export,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Import => "import",
            Direction::Export => "export",
        })
    }
}

impl Config {
    /// The policy in effect for one neighbour, family and direction.
    ///
    /// A route-map decides if there is one, and inside our AS everything passes. Between AS
    /// numbers, RFC 8212 §2.1 lets nothing pass without a policy; `ebgp_requires_policy` says
    /// whether that holds.
    pub fn effective_policy(
        &self,
        neighbor: &Neighbor,
        remote_as: Option<Asn>,
        family: Family,
        direction: Direction,
    ) -> Policy {
        let map = neighbor
            .families
            .get(family)
            .as_ref()
            .and_then(|family| match direction {
                Direction::Import => family.import.as_ref(),
                Direction::Export => family.export.as_ref(),
            });
        if let Some(map) = map {
            let bound = map.bound(match direction {
                Direction::Import => Party::From(neighbor.address.ip()),
                Direction::Export => Party::To(Some(neighbor.address.ip())),
            });
            // One and the same for neighbours that the map does not tell apart.
            return Policy::Map(match bound == **map {
                true => map.clone(),
                false => Arc::new(bound),
            });
        }
        let own = self.asn_towards(neighbor);
        let private = own.is_private() && remote_as.is_some_and(Asn::is_private);
        // RFC 8212 is about other AS: not our own, nor the one that the neighbour is in with us.
        let within = is_internal(neighbor.remote_as, neighbor.local_as, self.asn);
        let open = remote_as == Some(self.asn)
            || remote_as == Some(own)
            || within
            || self.is_member(neighbor)
            || match self.ebgp_requires_policy {
                EbgpRequiresPolicy::Auto => private,
                EbgpRequiresPolicy::Yes => false,
                EbgpRequiresPolicy::No => true,
            };
        if open {
            return Policy::AcceptAll;
        }
        // The same words for every neighbour, so that those without policy stay one group.
        Policy::RejectAll(Arc::from(format!(
            "no {direction} policy (RFC 8212): set {direction} = \"ROUTE-MAP\" in the \
             neighbor's {family}, or ebgp_requires_policy = false"
        )))
    }

    /// Takes over the route-maps of a former configuration that are equal, so that what they have
    /// counted goes on and the tables see at once that nothing has changed.
    pub fn keep_route_maps(&mut self, former: &Config) {
        let mut kept = Kept {
            former: former
                .route_maps
                .iter()
                .map(|map| (map.name(), map))
                .collect(),
            known: BTreeMap::new(),
        };
        let unicast = [&mut self.ipv4_unicast, &mut self.ipv6_unicast];
        let originated = unicast.into_iter().flat_map(Unicast::route_maps_mut);
        let ranges = self
            .listen_ranges
            .iter_mut()
            .map(|range| &mut range.settings);
        let interfaces = self.interfaces.iter_mut().map(|it| &mut it.settings);
        let all = self.neighbors.iter_mut().chain(ranges).chain(interfaces);
        let families = all.flat_map(|neighbor| {
            let families = &mut neighbor.families;
            [
                &mut families.ipv4_unicast,
                &mut families.ipv6_unicast,
                &mut families.evpn,
            ]
        });
        let of_neighbors = families.flatten().flat_map(|family| family.maps_mut());
        let of_overlay = self.l3vni.iter_mut().flat_map(super::L3Vni::maps_mut);
        let of_instances = self.imports.iter_mut().flat_map(|it| &mut it.route_map);
        for map in self
            .route_maps
            .iter_mut()
            .chain(originated)
            .chain(of_neighbors)
            .chain(of_overlay)
            .chain(of_instances)
        {
            *map = kept.of(map);
        }
    }
}

/// Route-maps of a former configuration, and what stands for those of the new one.
struct Kept<'c> {
    former: BTreeMap<&'c str, &'c Arc<RouteMap>>,
    known: BTreeMap<String, Arc<RouteMap>>,
}

impl Kept<'_> {
    /// The former map if it is equal, else the new one with what it calls kept. The depth of calls
    /// is bounded.
    fn of(&mut self, map: &Arc<RouteMap>) -> Arc<RouteMap> {
        if let Some(known) = self.known.get(map.name()) {
            return known.clone();
        }
        let equal = self.former.get(map.name()).filter(|former| **former == map);
        let kept = match equal {
            Some(former) => Arc::clone(former),
            None if map.entries().iter().all(|entry| entry.call.is_none()) => map.clone(),
            None => {
                let entries = map.entries().iter().map(|entry| Entry {
                    call: entry.call.as_ref().map(|called| self.of(called)),
                    ..entry.clone()
                });
                // What was a map before is one again.
                RouteMap::new(map.name(), entries.collect()).map_or_else(|_| map.clone(), Arc::new)
            }
        };
        self.known.insert(map.name().to_owned(), kept.clone());
        kept
    }
}

#[cfg(test)]
mod tests;
