//! Changes that a route-map's entry makes.
//!
//! A change opens the route's attributes and edits them in place. Lists of communities are kept
//! sorted and without duplicates, as a closed set has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::asn::Asn;
use crate::attributes::{Aggregator, AttributeSet, NextHop, Origin, Segment, SegmentKind};
use crate::community::{Community, ExtendedCommunity, LargeCommunity};
use crate::policy::community_list::{Kind, is_site_of_origin, site_of_origin};
use crate::policy::condition::{list_of, or_none, origin_name};
use crate::policy::route::Route;
use crate::policy::{AsPathList, Communities, Party, trace};

/// A change an entry makes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Set {
    /// MULTI_EXIT_DISC; a missing one counts as 0.
    Metric(Number),
    /// MULTI_EXIT_DISC becomes the metric of AIGP, as far as it has room; a missing one counts as 0.
    MetricOfAigp,
    /// LOCAL_PREF; a missing one counts as 100.
    LocalPref(Number),
    /// Metric of AIGP (RFC 7311), where sessions exchange it.
    Aigp(u64),
    /// The metric of AIGP becomes MULTI_EXIT_DISC: that of a route which was taken over is its metric.
    AigpOfMetric,
    /// Weight, for the decision of this router.
    Weight(u32),
    /// A number for later conditions of this router.
    Tag(u32),
    /// The kernel's priority of the route.
    Distance(u8),
    /// The kernel's routing table.
    Table(u32),
    /// Source address in the kernel's route, for routes of its IP version.
    Src(IpAddr),
    /// Packets are dropped.
    Blackhole,
    /// ORIGIN.
    Origin(Origin),
    /// Takes numbers out of the path.
    AsPathExclude(AsPathExclude),
    /// Puts a number in the place of others in the path.
    AsPathReplace {
        /// Which are replaced; `None` is every one.
        asns: Option<Vec<Asn>>,
        /// What stands there after.
        with: Asn,
    },
    /// Puts the leftmost number of the path in front of it, this many times.
    AsPathPrependLast(u8),
    /// Puts these numbers in front of the path, the first one leftmost.
    AsPathPrepend(Vec<Asn>),
    /// The next hop.
    NextHop(NextHopChange),
    /// Communities.
    Community(CommunityChange<Community>),
    /// Large communities.
    LargeCommunity(CommunityChange<LargeCommunity>),
    /// Extended communities of whatever kind.
    ExtendedCommunity(CommunityChange<ExtendedCommunity>),
    /// Replaces the route targets; other extended communities stay.
    RouteTargets(Vec<ExtendedCommunity>),
    /// Replaces the sites of origin, given as route targets; other extended communities stay.
    SitesOfOrigin(Vec<ExtendedCommunity>),
    /// Replaces the link bandwidth; other extended communities stay.
    Bandwidth(Bandwidth),
    /// AGGREGATOR.
    Aggregator(Aggregator),
    /// ATOMIC_AGGREGATE is there.
    AtomicAggregate,
    /// ORIGINATOR_ID (RFC 4456); leaves again towards another AS.
    OriginatorId(Ipv4Addr),
}

/// How a number changes; the result stays within 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Number {
    /// Becomes this.
    Replace(u32),
    /// Grows by this.
    Add(u32),
    /// Shrinks by this.
    Sub(u32),
}

impl Number {
    fn of(self, before: u32) -> u32 {
        match self {
            Number::Replace(value) => value,
            Number::Add(value) => before.saturating_add(value),
            Number::Sub(value) => before.saturating_sub(value),
        }
    }
}

/// `100`, `+10` or `-10`.
impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Number::Replace(value) => write!(f, "{value}"),
            Number::Add(value) => write!(f, "+{value}"),
            Number::Sub(value) => write!(f, "-{value}"),
        }
    }
}

/// Which numbers leave the path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AsPathExclude {
    /// Every one.
    All,
    /// These.
    These(Vec<Asn>),
    /// Those that the list permits as a path of their own.
    List(Arc<AsPathList>),
}

/// What the next hop becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NextHopChange {
    /// This address, for routes whose next hop is of the same IP version; others keep theirs.
    Address(IpAddr),
    /// Our own address towards the neighbour. Nothing on import.
    Myself,
    /// On import the neighbour's address, on export our own towards the neighbour.
    PeerAddress,
    /// What was learned, also where we would put ourselves.
    Unchanged,
}

/// How communities change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CommunityChange<C> {
    /// They become these.
    Replace(Vec<C>),
    /// These are added.
    Add(Vec<C>),
    /// These are removed.
    Delete(Communities<C>),
    /// All are removed.
    Clear,
}

/// A link bandwidth (draft-ietf-idr-link-bandwidth).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bandwidth {
    /// The AS that says so; beyond two octets it is AS_TRANS.
    pub asn: Asn,
    /// How much.
    pub amount: BandwidthAmount,
    /// Also for other AS.
    pub transitive: bool,
}

/// How much a link bandwidth is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BandwidthAmount {
    /// So many megabits a second.
    Mbit(u32),
    /// One megabit a second for each of the paths that forward together. Only where a neighbour is told
    /// the best of them.
    Paths,
    /// What those paths have together; nothing changes where none has any. Only there, too.
    Sum,
}

/// The paths of a prefix that forward together, for whoever is told the best of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Together {
    /// How many they are.
    pub paths: u16,
    /// Their link bandwidths, in octets a second.
    pub octets_s: f32,
}

/// What is known of a route on its way out, beside what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Leaving {
    /// What the paths of its prefix are together, where that is asked for.
    pub together: Option<Together>,
    /// Who sent it, unless it is of our own or of another table.
    pub sender: Option<IpAddr>,
}

impl Bandwidth {
    const SUBTYPE: u8 = 0x04;

    /// None where it is not known how much that is.
    fn community(self, together: Option<Together>) -> Option<ExtendedCommunity> {
        const MBIT: f32 = 125_000.0;
        let [a, b] = self.asn.two_octet().to_be_bytes();
        // Octets a second, as a float of 32 bits; a number of megabits may lose its last digits.
        #[allow(clippy::cast_precision_loss)]
        let octets_s = match (self.amount, together) {
            (BandwidthAmount::Mbit(mbit_s), _) => mbit_s as f32 * MBIT,
            (BandwidthAmount::Paths, Some(together)) => f32::from(together.paths) * MBIT,
            (BandwidthAmount::Sum, Some(together)) => {
                Some(together.octets_s).filter(|it| *it > 0.0)?
            }
            (BandwidthAmount::Paths | BandwidthAmount::Sum, None) => return None,
        };
        let [c, d, e, f] = octets_s.to_be_bytes();
        let kind = if self.transitive { 0x00 } else { 0x40 };
        Some(ExtendedCommunity([kind, Self::SUBTYPE, a, b, c, d, e, f]))
    }

    fn is(community: ExtendedCommunity) -> bool {
        let [kind, subtype, ..] = community.0;
        kind & !0x40 == 0 && subtype == Self::SUBTYPE
    }
}

impl Set {
    /// True if it asks for the neighbour or the direction.
    pub(super) fn depends_on_direction(&self) -> bool {
        matches!(
            self,
            Set::NextHop(NextHopChange::Myself | NextHopChange::PeerAddress)
        )
    }

    /// True if it asks for the paths that forward together.
    pub(super) fn counts_paths(&self) -> bool {
        matches!(self, Set::Bandwidth(it) if !matches!(it.amount, BandwidthAmount::Mbit(_)))
    }

    pub(super) fn apply(&self, route: &mut Route<'_>) {
        match self {
            Set::Metric(number) => {
                let metric = number.of(route.metric());
                route.open().med = Some(metric);
            }
            Set::MetricOfAigp => {
                let set = route.open();
                let aigp = set.aigp_metric().unwrap_or(0);
                set.med = Some(u32::try_from(aigp).unwrap_or(u32::MAX));
            }
            Set::LocalPref(number) => {
                let local_pref = number.of(route.local_pref());
                route.open().local_pref = Some(local_pref);
            }
            Set::Aigp(metric) => route.open().set_aigp_metric(*metric),
            Set::AigpOfMetric => {
                let metric = route.metric();
                route.open().set_aigp_metric(metric.into());
            }
            Set::Weight(weight) => route.open().notes.weight = Some(*weight),
            Set::Tag(tag) => route.open().notes.tag = (*tag > 0).then_some(*tag),
            Set::Distance(distance) => route.open().notes.distance = Some(*distance),
            Set::Table(table) => route.open().notes.table = Some(*table),
            Set::Src(src) => {
                let prefix = route.key().prefix();
                if prefix.is_some_and(|prefix| prefix.addr().is_ipv4() == src.is_ipv4()) {
                    route.open().notes.src = Some(*src);
                }
            }
            Set::Blackhole => route.open().notes.blackhole = true,
            Set::Origin(origin) => route.open().origin = *origin,
            Set::AsPathExclude(exclude) => exclude.apply(&mut route.open().as_path),
            Set::AsPathReplace { asns, with } => {
                let path = route.open().as_path.iter_mut();
                path.flat_map(|segment| &mut segment.asns)
                    .filter(|asn| asns.as_ref().is_none_or(|asns| asns.contains(asn)))
                    .for_each(|asn| *asn = *with);
            }
            Set::AsPathPrependLast(count) => {
                if let Some(asn) = route.first_as() {
                    route.open().prepend(asn, usize::from(*count));
                }
            }
            Set::AsPathPrepend(asns) => {
                let set = route.open();
                asns.iter().rev().for_each(|asn| set.prepend(*asn, 1));
            }
            Set::NextHop(change) => change.apply(route),
            Set::Community(change) => change.apply(&mut route.open().communities),
            Set::LargeCommunity(change) => change.apply(&mut route.open().large_communities),
            Set::ExtendedCommunity(change) => change.apply(&mut route.open().extended_communities),
            Set::RouteTargets(targets) => {
                let is = |one: &ExtendedCommunity| one.is_route_target();
                replace_kind(route.open(), is, targets.iter().copied());
            }
            Set::SitesOfOrigin(sites) => {
                let is = |one: &ExtendedCommunity| is_site_of_origin(*one);
                replace_kind(route.open(), is, sites.iter().copied().map(site_of_origin));
            }
            Set::Bandwidth(bandwidth) => {
                let is = |one: &ExtendedCommunity| Bandwidth::is(*one);
                if let Some(community) = bandwidth.community(route.together()) {
                    replace_kind(route.open(), is, [community].into_iter());
                }
            }
            Set::Aggregator(aggregator) => route.open().aggregator = Some(*aggregator),
            Set::AtomicAggregate => route.open().atomic_aggregate = true,
            Set::OriginatorId(id) => route.open().originator_id = Some(*id),
        }
    }

    pub(super) fn apply_traced(&self, route: &mut Route<'_>) -> trace::Change {
        let (name, before) = self.value(route);
        self.apply(route);
        let (_, after) = self.value(route);
        trace::Change {
            name,
            before,
            after,
        }
    }

    /// What it changes, with the value as it stands.
    fn value(&self, route: &mut Route<'_>) -> (&'static str, String) {
        match self {
            Set::Metric(_) | Set::MetricOfAigp => ("metric", list_of(route.med().into_iter())),
            Set::LocalPref(_) => ("local_preference", route.local_pref().to_string()),
            Set::Aigp(_) | Set::AigpOfMetric => {
                let metric = route.open().aigp_metric();
                ("aigp", list_of(metric.into_iter()))
            }
            Set::Weight(_) => ("weight", list_of(route.notes().weight.into_iter())),
            Set::Tag(_) => ("tag", list_of(route.notes().tag.into_iter())),
            Set::Distance(_) => ("distance", list_of(route.notes().distance.into_iter())),
            Set::Table(_) => ("table", list_of(route.notes().table.into_iter())),
            Set::Src(_) => ("src", list_of(route.notes().src.into_iter())),
            Set::Blackhole => ("blackhole", route.notes().blackhole.to_string()),
            Set::Origin(_) => ("origin", origin_name(route.origin()).to_owned()),
            Set::AsPathExclude(_)
            | Set::AsPathReplace { .. }
            | Set::AsPathPrependLast(_)
            | Set::AsPathPrepend(_) => ("as_path", or_none(&route.path().text())),
            Set::NextHop(_) => ("next_hop", shown(route.next_hop())),
            Set::Community(_) => ("community", list_of(route.communities())),
            Set::LargeCommunity(_) => ("large_community", list_of(route.large_communities())),
            Set::ExtendedCommunity(_)
            | Set::RouteTargets(_)
            | Set::SitesOfOrigin(_)
            | Set::Bandwidth(_) => ("extended_community", list_of(route.extended_communities())),
            Set::Aggregator(_) => {
                let aggregator = route.open().aggregator.into_iter();
                let shown = aggregator.map(|one| format!("{} {}", one.asn, one.router_id));
                ("aggregator", list_of(shown))
            }
            Set::AtomicAggregate => (
                "atomic_aggregate",
                route.open().atomic_aggregate.to_string(),
            ),
            Set::OriginatorId(_) => {
                let id = route.open().originator_id;
                ("originator_id", list_of(id.into_iter()))
            }
        }
    }
}

/// An unspecified next hop is filled in by whoever sends the route.
fn shown(next_hop: NextHop) -> String {
    let addr = next_hop.addr();
    if addr.is_unspecified() {
        "self".to_owned()
    } else {
        addr.to_string()
    }
}

impl AsPathExclude {
    fn apply(&self, path: &mut Vec<Segment>) {
        let alone = |asn: Asn| {
            let (kind, asns) = (SegmentKind::Sequence, vec![asn]);
            [Segment { kind, asns }]
        };
        for segment in &mut *path {
            segment.asns.retain(|asn| match self {
                AsPathExclude::All => false,
                AsPathExclude::These(asns) => !asns.contains(asn),
                AsPathExclude::List(list) => !list.permits(&alone(*asn)),
            });
        }
        path.retain(|segment| !segment.asns.is_empty());
    }
}

impl NextHopChange {
    fn apply(self, route: &mut Route<'_>) {
        let now = route.next_hop();
        let to_us = |route: &mut Route<'_>| {
            let unspecified: IpAddr = match now.addr() {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            route.choose_next_hop(NextHop::from(unspecified));
        };
        let to = |route: &mut Route<'_>, addr: IpAddr| {
            if addr.is_ipv4() == now.addr().is_ipv4() {
                route.choose_next_hop(NextHop::from(addr));
            }
        };
        match (self, route.party()) {
            (NextHopChange::Address(addr), _) => to(route, addr),
            (NextHopChange::Myself | NextHopChange::PeerAddress, Some(Party::To(_))) => {
                to_us(route);
            }
            (NextHopChange::PeerAddress, Some(Party::From(addr))) => to(route, addr),
            (NextHopChange::Myself, Some(Party::From(_) | Party::Vrf(_)) | None)
            | (NextHopChange::PeerAddress, Some(Party::Vrf(_)) | None) => {}
            (NextHopChange::Unchanged, _) => route.choose_next_hop(now),
        }
    }
}

impl<C: Kind> CommunityChange<C> {
    fn apply(&self, communities: &mut Vec<C>) {
        match self {
            CommunityChange::Replace(new) => {
                communities.clear();
                unite(communities, new.iter().copied());
            }
            CommunityChange::Add(new) => unite(communities, new.iter().copied()),
            CommunityChange::Delete(named) => communities.retain(|one| !named.contains(*one)),
            CommunityChange::Clear => communities.clear(),
        }
    }
}

fn replace_kind(
    set: &mut AttributeSet,
    is: impl Fn(&ExtendedCommunity) -> bool,
    new: impl Iterator<Item = ExtendedCommunity>,
) {
    set.extended_communities.retain(|one| !is(one));
    unite(&mut set.extended_communities, new);
}

/// Adds what is missing and keeps the order that a frozen set has.
fn unite<C: Ord>(into: &mut Vec<C>, more: impl Iterator<Item = C>) {
    into.extend(more);
    into.sort();
    into.dedup();
}
