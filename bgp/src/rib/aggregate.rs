//! Aggregates: what one route says that stands for many (RFC 4271 §9.2.2.2).
//!
//! An [`Aggregate`] is configured; a [`Sum`] counts what the more specific routes beneath it carry:
//! how many there are, how many of each ORIGIN, each MED, each AS path. A route that comes or goes
//! adds to the counts or takes from them, so one of a million costs as much as one of ten: a few
//! look-ups in ordered maps of *different* values, and never a walk over the routes.
//! [`Sum::attributes`] reads the aggregate's attributes off the counts, so what comes out depends
//! on what is there and not on the order in which it came.
//!
//! Decisions:
//! - Without `as_set` the aggregate is a route of this AS: an empty path, ATOMIC_AGGREGATE, no
//!   communities. RFC 9774 §3 forbids AS_SET, so this is what to use. Whether one of the routes has a
//!   path that is left out is not asked: the attribute would come and go with it.
//! - With `as_set` the path is the longest common beginning and a set of the other numbers, as RFC
//!   4271 appendix F.6 has it, and the communities are those of all routes (RFC 1997). Those that
//!   speak of one route's state (a shutdown, a restart, a black hole) are left out, and so are
//!   confederation segments, which are of no meaning to whoever is told the whole.
//! - MED 0, whatever those of the routes are: it compares entrances of one AS, and the aggregate is
//!   ours. Routes with different MEDs are not aggregated while `match_med` is set, as the RFC demands.
//!
//! Which routes are beneath an aggregate, who is told, and what is held back in its favour is the
//! business of [`super::dependent`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::decision::{LOCAL_WEIGHT, OWN_MED};
use crate::asn::Asn;
use crate::attributes::{
    Aggregator, AttributeSet, Attributes, NextHop, Origin, Segment, SegmentKind,
};
use crate::community::{Community, ExtendedCommunity, LargeCommunity};
use crate::nlri::PathId;
use crate::policy::RouteMap;
use crate::prefix::Prefix;

/// Identifier of an aggregate among the paths of this router: a network of the same prefix may stand
/// beside it.
pub(super) const PATH_ID: PathId = PathId::MAX;

/// A route of our own that is there while more specific ones are.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// What it covers.
    pub prefix: Prefix,
    /// Our AS number, for AGGREGATOR.
    pub asn: Asn,
    /// Which of the more specific routes are told to nobody while it is there.
    pub suppress: Suppress,
    /// Put the AS numbers of the more specific routes into the path (deprecated by RFC 9774).
    pub as_set: bool,
    /// ORIGIN, where it is not the highest one of the more specific routes.
    pub origin: Option<Origin>,
    /// Only while all more specific routes have the same MED, or all have none.
    pub match_med: bool,
    /// Packets that no more specific route takes are dropped here, and do not come back by a
    /// default route.
    pub blackhole: bool,
    /// Changes it, or holds it back.
    pub route_map: Option<Arc<RouteMap>>,
}

impl Aggregate {
    /// A plain aggregate: it drops what nothing else takes and suppresses nothing.
    pub fn new(prefix: Prefix, asn: Asn) -> Self {
        Self {
            prefix,
            asn,
            suppress: Suppress::None,
            as_set: false,
            origin: None,
            match_med: true,
            blackhole: true,
            route_map: None,
        }
    }

    /// True if the same routes count the same for both.
    pub(super) fn counts_as(&self, other: &Self) -> bool {
        let counted = |it: &Self| (it.prefix, it.as_set, it.suppress.clone());
        counted(self) == counted(other)
    }
}

/// More specific routes that an aggregate stands for alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Suppress {
    /// None: they are told beside it.
    #[default]
    None,
    /// All of them.
    All,
    /// Those that a route-map permits; its changes mean nothing here.
    Matching(Arc<RouteMap>),
}

/// Why there is no aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idle {
    /// No more specific route is in use.
    NoRoutes,
    /// The more specific routes have different MEDs (RFC 4271 §9.2.2.2).
    DifferentMeds,
    /// Its route-map holds it back.
    Policy,
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Idle::NoRoutes => "no more specific route is in use",
            Idle::DifferentMeds => {
                "its more specific routes have different MEDs (match_med = false aggregates them)"
            }
            Idle::Policy => "its route-map holds it back",
        })
    }
}

/// A number of an AS path with the kind of segment it stands in.
type Tuple = (SegmentKind, Asn);

/// How many of each value there are; a value of which there is none is gone.
#[derive(Debug)]
struct Tally<T>(BTreeMap<T, usize>);

impl<T: Ord> Tally<T> {
    /// True if it is the first.
    fn add(&mut self, value: T) -> bool {
        let count = self.0.entry(value).or_default();
        *count += 1;
        *count == 1
    }

    /// True if it was the last.
    fn remove(&mut self, value: &T) -> bool {
        let Some(count) = self.0.get_mut(value) else {
            return false;
        };
        *count -= 1;
        let last = *count == 0;
        if last {
            self.0.remove(value);
        }
        last
    }

    fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.keys()
    }
}

impl<T> Default for Tally<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

/// What the routes beneath an aggregate carry.
#[derive(Debug, Default)]
pub(super) struct Sum {
    routes: usize,
    origins: Tally<Origin>,
    /// RFC 4271 §9.1.2.2 (c): a route without MED has the lowest, which is 0.
    meds: Tally<u32>,
    /// Of the routes, those with ATOMIC_AGGREGATE.
    atomic: usize,
    /// Counted for an aggregate with `as_set` alone.
    whole: Option<Whole>,
}

/// What only an aggregate with `as_set` says.
#[derive(Debug, Default)]
struct Whole {
    /// Different paths in their order: the longest beginning common to all is that of the first
    /// and the last.
    paths: Tally<Vec<Tuple>>,
    /// In how many different paths a number stands.
    numbers: Tally<Asn>,
    communities: Tally<Community>,
    extended: Tally<ExtendedCommunity>,
    large: Tally<LargeCommunity>,
}

impl Sum {
    pub(super) fn new(as_set: bool) -> Self {
        Self {
            whole: as_set.then(Whole::default),
            ..Self::default()
        }
    }

    /// Number of routes.
    pub(super) fn routes(&self) -> usize {
        self.routes
    }

    pub(super) fn add(&mut self, route: &Attributes) {
        self.routes += 1;
        self.origins.add(route.origin());
        self.meds.add(route.med().unwrap_or(OWN_MED));
        self.atomic += usize::from(is_atomic(route));
        if let Some(whole) = &mut self.whole {
            whole.add(route);
        }
    }

    /// Takes back what [`Sum::add`] has added.
    pub(super) fn remove(&mut self, route: &Attributes) {
        self.routes -= 1;
        self.origins.remove(&route.origin());
        self.meds.remove(&route.med().unwrap_or(OWN_MED));
        self.atomic -= usize::from(is_atomic(route));
        if let Some(whole) = &mut self.whole {
            whole.remove(route);
        }
    }

    /// The aggregate's attributes before its route-map, or why there is none.
    pub(super) fn attributes(
        &self,
        aggregate: &Aggregate,
        router_id: Ipv4Addr,
    ) -> Result<AttributeSet, Idle> {
        // RFC 4271 §9.2.2.2: "if at least one route [..] has ORIGIN with the value INCOMPLETE, then
        // the aggregated route MUST have" it; "otherwise, if at least one [..] EGP": the highest.
        let Some(origin) = self.origins.values().next_back() else {
            return Err(Idle::NoRoutes);
        };
        // "Routes that have different MULTI_EXIT_DISC attributes SHALL NOT be aggregated."
        if aggregate.match_med && self.meds.0.len() > 1 {
            return Err(Idle::DifferentMeds);
        }
        // Different next hops, or one that is ours: the one who aggregates is the next hop.
        let next_hop = match aggregate.prefix {
            Prefix::V4(_) => NextHop::V4(Ipv4Addr::UNSPECIFIED),
            Prefix::V6(_) => NextHop::V6(std::net::Ipv6Addr::UNSPECIFIED),
        };
        let mut set = AttributeSet::new(next_hop);
        set.origin = aggregate.origin.unwrap_or(*origin);
        // "If at least one of the routes to be aggregated has ATOMIC_AGGREGATE [..], then the
        // aggregated route SHALL have this attribute as well", and §5.1.6 where numbers are left out.
        set.atomic_aggregate = self.atomic > 0 || self.whole.is_none();
        set.med = Some(OWN_MED);
        // "Any AGGREGATOR attributes from the routes to be aggregated MUST NOT be included": ours.
        set.aggregator = Some(Aggregator {
            asn: aggregate.asn,
            router_id,
        });
        set.notes.blackhole = aggregate.blackhole;
        // Before what is learned, behind a network of the same prefix.
        set.notes.weight = Some(LOCAL_WEIGHT - 1);
        if let Some(whole) = &self.whole {
            set.as_path = whole.path();
            set.communities = whole.communities.values().copied().collect();
            set.extended_communities = whole.extended.values().copied().collect();
            set.large_communities = whole.large.values().copied().collect();
        }
        Ok(set)
    }
}

impl Whole {
    fn add(&mut self, route: &Attributes) {
        let path = tuples(route);
        let numbers = numbers(&path);
        if self.paths.add(path) {
            for asn in numbers {
                self.numbers.add(asn);
            }
        }
        lasting(route).for_each(|it| {
            self.communities.add(it);
        });
        shared(route).for_each(|it| {
            self.extended.add(it);
        });
        route.large_communities().for_each(|it| {
            self.large.add(it);
        });
    }

    fn remove(&mut self, route: &Attributes) {
        let path = tuples(route);
        if self.paths.remove(&path) {
            for asn in numbers(&path) {
                self.numbers.remove(&asn);
            }
        }
        lasting(route).for_each(|it| {
            self.communities.remove(&it);
        });
        shared(route).for_each(|it| {
            self.extended.remove(&it);
        });
        route.large_communities().for_each(|it| {
            self.large.remove(&it);
        });
    }

    /// RFC 4271 §9.2.2.2: identical paths stay as they are; else what all have in front, and a set
    /// of the other numbers, none of them twice (appendix F.6).
    fn path(&self) -> Vec<Segment> {
        let mut ends = self.paths.values();
        let Some(first) = ends.next() else {
            return Vec::new();
        };
        let Some(last) = ends.next_back() else {
            return segments(first);
        };
        let common = first.iter().zip(last);
        let common = common.take_while(|(one, two)| one == two && one.0 == SegmentKind::Sequence);
        let lead: Vec<Tuple> = common.map(|(tuple, _)| *tuple).collect();
        let others = self.numbers.values();
        let others = others.filter(|asn| !lead.iter().any(|(_, known)| known == *asn));
        let others: Vec<Tuple> = others.map(|asn| (SegmentKind::Set, *asn)).collect();
        segments(&[lead, others].concat())
    }
}

/// The numbers of a path with their kinds; those of a set in ascending order.
fn tuples(route: &Attributes) -> Vec<Tuple> {
    let mut path = Vec::new();
    for segment in route.as_path().filter(|it| !it.kind.is_confederation()) {
        let from = path.len();
        path.extend(segment.asns().map(|asn| (segment.kind, asn)));
        if segment.kind == SegmentKind::Set {
            path.get_mut(from..).unwrap_or_default().sort_unstable();
        }
    }
    path
}

fn segments(path: &[Tuple]) -> Vec<Segment> {
    let same = path.chunk_by(|one, two| one.0 == two.0);
    same.filter_map(|tuples| {
        let kind = tuples.first()?.0;
        let asns = tuples.iter().map(|(_, asn)| *asn).collect();
        Some(Segment { kind, asns })
    })
    .collect()
}

/// The numbers of a path, each once.
fn numbers(path: &[Tuple]) -> Vec<Asn> {
    let mut numbers: Vec<Asn> = path.iter().map(|(_, asn)| *asn).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn is_atomic(route: &Attributes) -> bool {
    let code = crate::wire::attribute::code::ATOMIC_AGGREGATE;
    route.attributes().find(code).is_some()
}

/// Communities that are not about the state of one route.
fn lasting(route: &Attributes) -> impl Iterator<Item = Community> + '_ {
    const STATE: [Community; 4] = [
        Community::GRACEFUL_SHUTDOWN,
        Community::LLGR_STALE,
        Community::NO_LLGR,
        Community::BLACKHOLE,
    ];
    route.communities().filter(|it| !STATE.contains(it))
}

/// Extended communities that are not about one route's link.
fn shared(route: &Attributes) -> impl Iterator<Item = ExtendedCommunity> + '_ {
    let routes = route.extended_communities();
    routes.filter(|it| it.as_link_bandwidth().is_none())
}

#[cfg(test)]
mod tests;
