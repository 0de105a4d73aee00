//! Conditions of a route-map's entry.
//!
//! A condition looks at a route's key, at its attributes as earlier entries have left them, or at
//! the neighbour the map was bound to. It allocates nothing, unless a pattern looks at a text of
//! more than 256 octets. Its `Display` is the spelling of the configuration.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::asn::Asn;
use crate::attributes::Origin;
use crate::community::{Community, ExtendedCommunity, LargeCommunity};
use crate::evpn_route::{EvpnKey, MacAddress, RouteDistinguisher, Vni};
use crate::family::Family;
use crate::nlri::Nlri;
use crate::policy::answers::Key;
use crate::policy::community_list::Kind;
use crate::policy::pattern::Text;
use crate::policy::route::Route;
use crate::policy::{AsPathList, Check, Communities, Extent, MacList, PrefixList};
use crate::prefix::Prefix;
use crate::redistribution::{InterfaceName, SourceFilter};
use crate::rpki;

/// A condition of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Match {
    /// The list permits the route's prefix: that of a unicast route or of an EVPN type 5 route,
    /// or the host of an EVPN type 2 route with an IP address. Routes without one do not match.
    PrefixList(Arc<PrefixList>),
    /// The route's prefix, as for [`Match::PrefixList`], is of this IP version and length.
    PrefixLength {
        /// IPv6, else IPv4.
        v6: bool,
        /// Its length.
        length: u8,
    },
    /// The list permits the next hop as a host prefix.
    NextHop(Arc<PrefixList>),
    /// The next hop is one of these.
    NextHopAddress(Vec<IpAddr>),
    /// The neighbour is one of these: the one who sent the route on import, the one who is told
    /// on export. A route of our own has none before it is exported.
    Peer(Vec<IpAddr>),
    /// One of these has sent the route to us, also where it is on its way to somebody else. Routes of our
    /// own and of other tables do not match.
    Sender(Vec<IpAddr>),
    /// The map is asked of a route of our own where that begins, and of no neighbour and no VRF.
    Local,
    /// The list permits the neighbour's address, whose that is for [`Match::Peer`], as a host prefix.
    PeerList(Arc<PrefixList>),
    /// The list permits the AS path.
    AsPath(Arc<AsPathList>),
    /// The AS number stands somewhere in the path.
    AsPathContains(Asn),
    /// The length of the path as the decision process counts it lies between these.
    AsPathLength {
        /// Least length.
        min: u16,
        /// Greatest length.
        max: u16,
    },
    /// The communities are there.
    Community {
        /// Which.
        communities: Communities<Community>,
        /// How much of them.
        extent: Extent,
    },
    /// The large communities are there.
    LargeCommunity {
        /// Which.
        communities: Communities<LargeCommunity>,
        /// How much of them.
        extent: Extent,
    },
    /// The extended communities are there.
    ExtendedCommunity {
        /// Which.
        communities: Communities<ExtendedCommunity>,
        /// How much of them.
        extent: Extent,
    },
    /// LOCAL_PREF is this; a missing one counts as 100.
    LocalPref(u32),
    /// MULTI_EXIT_DISC is this; a missing one counts as 0.
    Metric(u32),
    /// The tag that an earlier entry or map gave is this; 0 is none.
    Tag(u32),
    /// The route was taken over from the host, and one of these made it.
    Source(Vec<SourceFilter>),
    /// The route was taken from the tables of this VRF on the same router; `default` is the one that is
    /// no VRF.
    SourceVrf(Arc<str>),
    /// The route was taken over from the host, where it leaves through one of these.
    Interface(Vec<InterfaceName>),
    /// ORIGIN is this.
    Origin(Origin),
    /// The route is of this family.
    Family(Family),
    /// The route is an EVPN route of this type.
    EvpnRouteType(u8),
    /// The EVPN route carries this VNI as a label or in its PMSI tunnel.
    Vni(Vni),
    /// The EVPN route has this route distinguisher.
    Rd(RouteDistinguisher),
    /// The EVPN type 2 route is about one of these.
    Mac(Vec<MacAddress>),
    /// The list permits the address of the EVPN type 2 route.
    MacList(Arc<MacList>),
    /// Origin validation of the unicast route comes to this (RFC 6811). Other routes do not match.
    Rpki(rpki::State),
}

impl Match {
    /// True if it looks at a route's key alone.
    pub(super) fn is_about_key(&self) -> bool {
        // Which key does not matter.
        let any = Nlri::from(Prefix::host(IpAddr::from([0, 0, 0, 0])));
        self.holds_for(Key(&any)).is_some()
    }

    /// Whether it holds for a key; `None` if it looks at something else.
    pub(super) fn holds_for(&self, key: Key<'_>) -> Option<bool> {
        let holds = match self {
            Match::PrefixList(list) => key.prefix().is_some_and(|prefix| list.permits(prefix)),
            Match::PrefixLength { v6, length } => key.prefix().is_some_and(|prefix| {
                matches!(prefix, Prefix::V6(_)) == *v6 && prefix.len() == *length
            }),
            Match::EvpnRouteType(wanted) => {
                key.evpn().is_some_and(|key| key.route_type() == *wanted)
            }
            Match::Rd(rd) => key.evpn().and_then(EvpnKey::rd) == Some(*rd),
            Match::Mac(wanted) => key.mac().is_some_and(|mac| wanted.contains(&mac)),
            Match::MacList(list) => key.mac().is_some_and(|mac| list.permits(mac)),
            Match::NextHop(_)
            | Match::NextHopAddress(_)
            | Match::Peer(_)
            | Match::Sender(_)
            | Match::Local
            | Match::PeerList(_)
            | Match::AsPath(_)
            | Match::AsPathContains(_)
            | Match::AsPathLength { .. }
            | Match::Community { .. }
            | Match::LargeCommunity { .. }
            | Match::ExtendedCommunity { .. }
            | Match::LocalPref(_)
            | Match::Metric(_)
            | Match::Tag(_)
            | Match::Source(_)
            | Match::SourceVrf(_)
            | Match::Interface(_)
            | Match::Origin(_)
            | Match::Family(_)
            | Match::Vni(_)
            | Match::Rpki(_) => return None,
        };
        Some(holds)
    }

    pub(super) fn holds(&self, route: &Route<'_>) -> bool {
        match self {
            Match::PrefixList(_)
            | Match::PrefixLength { .. }
            | Match::EvpnRouteType(_)
            | Match::Rd(_)
            | Match::Mac(_)
            | Match::MacList(_) => self.holds_for(route.key()).unwrap_or(false),
            Match::NextHop(list) => list.permits(Prefix::host(route.next_hop().addr())),
            Match::NextHopAddress(wanted) => wanted.contains(&route.next_hop().addr()),
            Match::Peer(wanted) => route.peer().is_some_and(|peer| wanted.contains(&peer)),
            Match::Sender(wanted) => route.sender().is_some_and(|peer| wanted.contains(&peer)),
            Match::Local => route.party().is_none(),
            Match::PeerList(list) => route
                .peer()
                .is_some_and(|peer| list.permits(Prefix::host(peer))),
            Match::AsPath(list) => list.permits_path(&route.path()),
            Match::AsPathContains(asn) => route.path().asns().any(|other| other == *asn),
            Match::AsPathLength { min, max } => (min..=max).contains(&&route.path_length()),
            Match::Community {
                communities,
                extent,
            } => communities.matches(route.communities(), *extent),
            Match::LargeCommunity {
                communities,
                extent,
            } => communities.matches(route.large_communities(), *extent),
            Match::ExtendedCommunity {
                communities,
                extent,
            } => communities.matches(route.extended_communities(), *extent),
            Match::LocalPref(value) => route.local_pref() == *value,
            Match::Metric(value) => route.metric() == *value,
            Match::Tag(value) => route.notes().tag.unwrap_or(0) == *value,
            Match::Source(wanted) => {
                let source = route.notes().source;
                source.is_some_and(|source| wanted.iter().any(|it| it.selects(source)))
            }
            Match::SourceVrf(wanted) => route.source_vrf() == Some(&**wanted),
            Match::Interface(wanted) => {
                let interface = route.notes().interface;
                interface.is_some_and(|interface| wanted.contains(&interface))
            }
            Match::Origin(origin) => route.origin() == *origin,
            Match::Family(family) => route.nlri().family() == *family,
            Match::Vni(vni) => route.vnis().contains(&Some(vni.get())),
            Match::Rpki(wanted) => route.validity().is_some_and(|found| found.state == *wanted),
        }
    }

    /// The same with what was looked at, in words.
    pub(super) fn check(&self, route: &Route<'_>) -> Check {
        let found = match self {
            Match::PrefixList(list) => found_in(list, route.key().prefix()),
            Match::PrefixLength { .. } => match route.key().prefix() {
                Some(prefix) => prefix.to_string(),
                None => "the route has no prefix".to_owned(),
            },
            Match::PeerList(list) => match route.peer() {
                Some(peer) => found_in(list, Some(Prefix::host(peer))),
                None => "no neighbor".to_owned(),
            },
            Match::NextHop(list) => found_in(list, Some(Prefix::host(route.next_hop().addr()))),
            Match::NextHopAddress(_) => route.next_hop().addr().to_string(),
            Match::Peer(_) => list_of(route.peer().into_iter()),
            Match::Sender(_) => match route.sender() {
                Some(peer) => peer.to_string(),
                None => "no neighbor".to_owned(),
            },
            Match::Local => match route.party() {
                None => "a route of our own where it begins".to_owned(),
                Some(_) => "a neighbor or another VRF".to_owned(),
            },
            Match::AsPath(_) | Match::AsPathContains(_) => or_none(&route.path().text()),
            Match::AsPathLength { .. } => route.path_length().to_string(),
            Match::Community { .. } => list_of(route.communities()),
            Match::LargeCommunity { .. } => list_of(route.large_communities()),
            Match::ExtendedCommunity { .. } => list_of(route.extended_communities()),
            Match::LocalPref(_) => route.local_pref().to_string(),
            Match::Metric(_) => route.metric().to_string(),
            Match::Tag(_) => list_of(route.notes().tag.into_iter()),
            Match::Source(_) => list_of(route.notes().source.into_iter()),
            Match::SourceVrf(_) => route.source_vrf().unwrap_or("no VRF").to_owned(),
            Match::Interface(_) => list_of(route.notes().interface.into_iter()),
            Match::Origin(_) => origin_name(route.origin()).to_owned(),
            Match::Family(_) => route.nlri().family().to_string(),
            Match::EvpnRouteType(_) => match route.key().evpn() {
                Some(key) => format!("type {}", key.route_type()),
                None => "not an EVPN route".to_owned(),
            },
            Match::Vni(_) => list_of(route.vnis().into_iter().flatten()),
            Match::Rd(_) => list_of(route.key().evpn().and_then(EvpnKey::rd).into_iter()),
            Match::Mac(_) | Match::MacList(_) => list_of(route.key().mac().into_iter()),
            Match::Rpki(_) => match route.validity() {
                Some(found) => found.to_string(),
                None => "not a unicast route".to_owned(),
            },
        };
        Check {
            condition: self.to_string(),
            found,
            holds: self.holds(route),
        }
    }
}

/// The condition as the configuration spells it.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Match::PrefixList(list) => write!(f, "prefix_list {}", list.name()),
            Match::PrefixLength { v6, length } => {
                write!(f, "{} {length}", prefix_length_key(*v6))
            }
            Match::PeerList(list) => write!(f, "peer_list {}", list.name()),
            Match::NextHop(list) => write!(f, "next_hop {}", list.name()),
            Match::NextHopAddress(wanted) => {
                write!(f, "next_hop_address {}", list_of(wanted.iter()))
            }
            Match::Peer(wanted) => write!(f, "peer {}", list_of(wanted.iter())),
            Match::Sender(wanted) => write!(f, "sender {}", list_of(wanted.iter())),
            Match::Local => f.write_str("local"),
            Match::AsPath(list) => write!(f, "as_path_list {}", list.name()),
            Match::AsPathContains(asn) => write!(f, "as_path_contains {asn}"),
            Match::AsPathLength { min, max } if min == max => write!(f, "as_path_length {min}"),
            Match::AsPathLength { min, max } => write!(f, "as_path_length {min} to {max}"),
            Match::Community {
                communities,
                extent,
            } => named(f, "community", communities, *extent),
            Match::LargeCommunity {
                communities,
                extent,
            } => named(f, "large_community", communities, *extent),
            Match::ExtendedCommunity {
                communities,
                extent,
            } => named(f, "extended_community", communities, *extent),
            Match::LocalPref(value) => write!(f, "local_preference {value}"),
            Match::Metric(value) => write!(f, "metric {value}"),
            Match::Tag(value) => write!(f, "tag {value}"),
            Match::Source(wanted) => write!(f, "source {}", list_of(wanted.iter())),
            Match::SourceVrf(wanted) => write!(f, "source_vrf {wanted}"),
            Match::Interface(wanted) => write!(f, "interface {}", list_of(wanted.iter())),
            Match::Origin(origin) => write!(f, "origin {}", origin_name(*origin)),
            Match::Family(family) => write!(f, "family {family}"),
            Match::EvpnRouteType(number) => write!(f, "evpn_route_type {number}"),
            Match::Vni(vni) => write!(f, "vni {vni}"),
            Match::Rd(rd) => write!(f, "rd {rd}"),
            Match::Mac(wanted) => write!(f, "mac {}", list_of(wanted.iter())),
            Match::MacList(list) => write!(f, "mac_list {}", list.name()),
            Match::Rpki(state) => write!(f, "rpki {state}"),
        }
    }
}

fn prefix_length_key(v6: bool) -> &'static str {
    match v6 {
        true => "ipv6_prefix_length",
        false => "ipv4_prefix_length",
    }
}

fn named<C: Kind>(
    f: &mut fmt::Formatter<'_>,
    key: &str,
    communities: &Communities<C>,
    extent: Extent,
) -> fmt::Result {
    let list = match communities {
        Communities::List(_) => "_list",
        Communities::Literal(_) => "",
    };
    let extent = match extent {
        Extent::All => "",
        Extent::Exact => " exact",
        Extent::Any => " any",
    };
    write!(f, "{key}{list} {communities}{extent}")
}

fn found_in(list: &PrefixList, prefix: Option<Prefix>) -> String {
    match prefix.map(|prefix| (prefix, list.lookup(prefix))) {
        None => "the route has no prefix".to_owned(),
        Some((prefix, Some(rule))) => format!("{prefix}: {rule}"),
        Some((prefix, None)) => format!("{prefix}: no rule"),
    }
}

/// Values with spaces between, `none` for no value.
pub(super) fn list_of<T: fmt::Display>(values: impl Iterator<Item = T>) -> String {
    or_none(&Text::of(values))
}

pub(super) fn or_none(text: &Text) -> String {
    let text = text.to_string();
    if text.is_empty() {
        "none".to_owned()
    } else {
        text
    }
}

pub(super) fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Igp => "igp",
        Origin::Egp => "egp",
        Origin::Incomplete => "incomplete",
    }
}
