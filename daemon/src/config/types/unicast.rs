//! What is announced of a unicast family, and how many paths it uses.

use std::sync::Arc;

use bgp::attributes::Origin;
use bgp::policy::RouteMap;
use bgp::rib::Suppress;
use bgp::{Prefix, SourceFilter};

use super::Keyword;

/// A unicast family.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Unicast {
    /// Networks we announce.
    pub networks: Vec<Network>,
    /// Networks of others that an interior protocol or a static route leads to, and what eBGP says of them only
    /// where that does not.
    pub backdoors: Vec<Prefix>,
    /// Routes of other programs in the kernel that we announce. The first that fits a route counts.
    pub redistribute: Vec<Redistribution>,
    /// Networks we announce in place of, or beside, what is known within them; no prefix twice.
    pub aggregates: Vec<Aggregate>,
    /// Equal-cost paths.
    pub multipath: Multipath,
    /// Which best routes stand in the kernel, and with which source address and distance.
    pub kernel_route_map: Option<Arc<RouteMap>>,
}

impl Unicast {
    /// The route-maps of what we announce, and of what the kernel has.
    pub fn route_maps(&self) -> impl Iterator<Item = &Arc<RouteMap>> {
        let networks = self.networks.iter().map(|it| &it.route_map);
        let redistributed = self.redistribute.iter().map(|it| &it.route_map);
        let aggregates = self.aggregates.iter().flat_map(Aggregate::maps);
        let maps = networks.chain(redistributed).flatten().chain(aggregates);
        maps.chain(&self.kernel_route_map)
    }

    pub(in crate::config) fn route_maps_mut(
        &mut self,
    ) -> impl Iterator<Item = &mut Arc<RouteMap>> {
        let networks = self.networks.iter_mut().map(|it| &mut it.route_map);
        let redistributed = self.redistribute.iter_mut().map(|it| &mut it.route_map);
        let aggregates = self.aggregates.iter_mut().flat_map(Aggregate::maps_mut);
        let maps = networks.chain(redistributed).flatten().chain(aggregates);
        maps.chain(&mut self.kernel_route_map)
    }
}

/// Routes of other programs in the kernel that we announce.
#[derive(Debug, Clone, PartialEq)]
pub struct Redistribution {
    /// Who made them.
    pub source: SourceFilter,
    /// The routing table they are in; `None` is the one that ours go into.
    pub table: Option<u32>,
    /// Changes their attributes, or holds them back, as they enter the table.
    pub route_map: Option<Arc<RouteMap>>,
    /// MED instead of the kernel's metric.
    pub metric: Option<u32>,
}

/// A network we announce.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The prefix.
    pub prefix: Prefix,
    /// When it is announced.
    pub require_route: RequireRoute,
    /// Changes its attributes, or holds it back, as it enters the table.
    pub route_map: Option<Arc<RouteMap>>,
}

/// A network that is announced while a more specific one is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// The prefix.
    pub prefix: Prefix,
    /// Which more specific routes are told to nobody meanwhile.
    pub suppress: Suppress,
    /// The AS path has the numbers of the more specific routes (deprecated by RFC 9774).
    pub as_set: bool,
    /// ORIGIN, where it is not the highest one of the more specific routes.
    pub origin: Option<Origin>,
    /// Only while the more specific routes have one MED (RFC 4271 §9.2.2.2).
    pub match_med: bool,
    /// What no more specific route takes is dropped by the kernel.
    pub blackhole: bool,
    /// Changes its attributes, or holds it back.
    pub route_map: Option<Arc<RouteMap>>,
}

impl Aggregate {
    /// An aggregate of defaults.
    pub fn new(prefix: Prefix) -> Self {
        Self {
            prefix,
            suppress: Suppress::None,
            as_set: false,
            origin: None,
            match_med: true,
            blackhole: true,
            route_map: None,
        }
    }

    /// The same, to replace them.
    pub(in crate::config) fn maps_mut(&mut self) -> impl Iterator<Item = &mut Arc<RouteMap>> {
        let suppress = match &mut self.suppress {
            Suppress::None | Suppress::All => None,
            Suppress::Matching(map) => Some(map),
        };
        suppress.into_iter().chain(&mut self.route_map)
    }

    /// The route-maps it refers to.
    pub fn maps(&self) -> impl Iterator<Item = &Arc<RouteMap>> {
        let suppress = match &self.suppress {
            Suppress::None | Suppress::All => None,
            Suppress::Matching(map) => Some(map),
        };
        suppress.into_iter().chain(&self.route_map)
    }
}

/// When a network is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequireRoute {
    /// Always.
    #[default]
    No,
    /// While the kernel has a route to exactly this prefix that is not ours.
    Exact,
    /// While the kernel has a route, not ours, to this prefix or to one within it.
    OrMoreSpecific,
}

/// Equal-cost paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Multipath {
    /// How many paths a prefix may use, 1 to 1024.
    pub paths: u16,
    /// Paths through different AS numbers may share (their lengths must be equal).
    pub as_path_relax: bool,
}

impl Default for Multipath {
    fn default() -> Self {
        Self {
            paths: 1,
            as_path_relax: false,
        }
    }
}

/// What link bandwidths are used for where paths share the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BandwidthUse {
    /// For the shares, if all paths have one.
    #[default]
    All,
    /// For nothing.
    Ignore,
    /// For the shares; a path without one takes nothing.
    SkipMissing,
    /// For the shares; a path without one takes the least.
    DefaultWeight,
}

impl Keyword for BandwidthUse {
    const WORDS: &'static [(Self, &'static str)] = &[
        (BandwidthUse::All, "all"),
        (BandwidthUse::Ignore, "ignore"),
        (BandwidthUse::SkipMissing, "skip_missing"),
        (BandwidthUse::DefaultWeight, "default_weight"),
    ];
}
