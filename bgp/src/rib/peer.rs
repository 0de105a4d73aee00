//! What the table knows of a peer: negotiated facts, policy, and how far it has been told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU8, NonZeroU32};
use std::sync::Arc;

use super::decision::Source;
use super::handling::Handling;
use super::several::Extent;
use crate::asn::Asn;
use crate::attributes::Attributes;
use crate::family::{Family, PerFamily};
use crate::message::Role;
use crate::policy::{Difference, Policy, RouteMap};
use crate::prefix::Prefix;
use crate::redistribution::InterfaceName;
use crate::scoped_addr::ScopedAddr;

/// Facts of an Established session that decide what is sent to the peer and how.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerFacts {
    /// Address of the peer.
    pub address: ScopedAddr,
    /// AS of the peer.
    pub remote_as: Asn,
    /// Own AS on this session.
    pub local_as: Asn,
    /// Set where that is another than everywhere else.
    pub alias: Option<Alias>,
    /// What the peer is to this router beside its AS number.
    pub relation: Relation,
    /// BGP identifier of the peer.
    pub router_id: Ipv4Addr,
    /// Own address of the session: the IPv4 next hop of what is advertised, if it is IPv4.
    pub local_address: IpAddr,
    /// Own IPv6 next hop; the session's address where that is IPv6.
    pub local_ipv6: Option<Ipv6Addr>,
    /// Own IPv4 next hop; the session's address where that is IPv4.
    pub local_ipv4: Option<Ipv4Addr>,
    /// Own link-local address on a link that the peer is on, too: it stands beside our own IPv6 next
    /// hop (RFC 2545 §3).
    pub local_link: Option<Ipv6Addr>,
    /// Families negotiated, with their settings.
    pub families: PerFamily<Option<PeerFamily>>,
    /// AIGP is exchanged (RFC 7311 §3.3).
    pub aigp: bool,
    /// Four-octet AS numbers were negotiated.
    pub as4: bool,
    /// Messages up to 65,535 octets were negotiated (RFC 8654).
    pub extended_message: bool,
    /// Networks that the peer is on as this router is: a next hop there, in what is taken over from
    /// the host, is told as it is (RFC 4271 §5.1.3). Where that is empty more peers are alike.
    pub shared_networks: Vec<Prefix>,
    /// All next hops that the peer names are on this device, and need no route to lead there.
    pub link: Option<InterfaceName>,
}

/// What a peer is to this router, beside its AS number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Relation {
    /// A client of this route reflector (RFC 4456 §4) in these families. Only of internal peers.
    pub reflector_client: PerFamily<bool>,
    /// In another member AS of our confederation (RFC 5065).
    pub member: bool,
    /// Our role towards the peer (RFC 9234). Only of external peers, and IP unicast.
    pub role: Option<Role>,
    /// A client of this route server (RFC 7947): what comes from one such peer goes to the others as
    /// if this router were not there, in these families. Only of external peers.
    pub server_client: PerFamily<bool>,
    /// Another table of this router: that of another instance, or EVPN. What comes from there is
    /// neither external nor internal, and goes on like a route of our own. Its next hop is on the
    /// device in its notes ([`crate::attributes::Notes::interface`]), if they name one. What goes
    /// there keeps its next hop.
    pub instance: bool,
    /// EVPN, or what another table has from there: such routes do not go to an `instance`, since
    /// what two routers hand to each other would stay for ever.
    pub overlay: bool,
}

/// What stands behind an AS number that is ours on one session only (FRR's `local-as`): the peer
/// still knows us by it, while the network takes another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alias {
    /// Our AS number everywhere else.
    pub own_as: Asn,
    /// Put the AS number of the session in front of received paths, as if there were another AS
    /// between.
    pub prepend: bool,
    /// Leave out our own AS number towards the peer.
    pub replace: bool,
}

impl PeerFacts {
    /// A session between two ends, each with its AS number and address, to a peer with this
    /// identifier. Next hops are the session's own address, AS numbers have four octets; no family
    /// and nothing else is negotiated, and the peer is nothing to us beside its AS number.
    ///
    /// ```
    /// use std::net::{IpAddr, Ipv4Addr};
    ///
    /// use bgp::policy::Policy;
    /// use bgp::rib::{PeerFacts, PeerFamily};
    /// use bgp::{Asn, Family};
    ///
    /// let identifier = Ipv4Addr::new(10, 10, 0, 2);
    /// let own = (Asn(65001), IpAddr::from([10, 10, 0, 1]));
    /// let peer = PeerFacts::new(own, (Asn(65002), identifier.into()), identifier)
    ///     .family(Family::Ipv4Unicast, PeerFamily::new(Policy::AcceptAll, Policy::AcceptAll));
    /// assert!(peer.external());
    /// ```
    pub fn new(
        (local_as, local_address): (Asn, IpAddr),
        (remote_as, address): (Asn, ScopedAddr),
        router_id: Ipv4Addr,
    ) -> Self {
        let (local_ipv4, local_ipv6) = match local_address {
            IpAddr::V4(local) => (Some(local), None),
            IpAddr::V6(local) => (None, Some(local)),
        };
        Self {
            address,
            remote_as,
            local_as,
            alias: None,
            relation: Relation::default(),
            router_id,
            local_address,
            local_ipv6,
            local_ipv4,
            local_link: None,
            families: PerFamily::default(),
            aigp: false,
            as4: true,
            extended_message: false,
            shared_networks: Vec::new(),
            link: None,
        }
    }

    /// One more family that was negotiated, with its settings.
    #[must_use]
    pub fn family(mut self, family: Family, settings: PeerFamily) -> Self {
        *self.families.get_mut(family) = Some(settings);
        self
    }

    /// Another AS (eBGP), and not one of our confederation.
    pub fn external(&self) -> bool {
        self.remote_as != self.local_as && !self.relation.member && !self.relation.instance
    }

    /// This AS (iBGP).
    pub fn internal(&self) -> bool {
        self.remote_as == self.local_as && !self.relation.member && !self.relation.instance
    }

    /// What the peer means by the next hop of these attributes.
    pub(super) fn leads_to(&self, attributes: &Attributes) -> ScopedAddr {
        let noted = self.relation.instance && attributes.has_notes();
        let device = noted.then(|| attributes.notes().interface).flatten();
        self.names(attributes.next_hop().addr(), device)
    }

    /// What the peer means by a next hop, which may be on a device of its choice.
    pub(super) fn names(&self, next_hop: IpAddr, device: Option<InterfaceName>) -> ScopedAddr {
        match device.filter(|_| self.relation.instance).or(self.link) {
            Some(link) => ScopedAddr::on_link(next_hop, link),
            None => self.address.names(next_hop),
        }
    }

    /// Our role towards the peer, where it says something about routes: RFC 9234 §5 "MUST NOT be
    /// applied to other address families by default".
    pub(super) fn role(&self, family: Family) -> Option<Role> {
        let role = self.relation.role.filter(|_| self.external());
        match family {
            Family::Ipv4Unicast | Family::Ipv6Unicast => role,
            Family::Evpn => None,
        }
    }

    pub(super) fn source(&self) -> Source {
        let nowhere = PerFamily::default();
        let within = |families: PerFamily<bool>, holds: bool| match holds {
            true => families,
            false => nowhere,
        };
        Source {
            external: self.external(),
            internal: self.internal(),
            client: within(self.relation.reflector_client, self.internal()),
            server_client: within(self.relation.server_client, self.external()),
            instance: self.relation.instance,
            overlay: self.relation.overlay,
            router_id: self.router_id,
            address: self.address,
        }
    }
}

/// Settings of one family on a session.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerFamily {
    /// Policy for what the peer sends.
    pub import: Policy,
    /// Policy for what the peer is sent.
    pub export: Policy,
    /// The peer is told a default route of our own, whatever export policy says. Only IP unicast.
    pub default_originate: Option<DefaultOriginate>,
    /// Some routes are told only while others are there, or are not. Only IP unicast.
    pub advertise_if: Option<AdvertiseIf>,
    /// Of the routes that an aggregate stands for, those that this map permits are told all the same.
    pub unsuppress: Option<Arc<RouteMap>>,
    /// The peer is told no more prefixes than this: our own first, then the lowest ones.
    pub maximum_prefixes_out: Option<NonZeroU32>,
    /// Paths of an external peer have to begin with its AS number (RFC 4271 §6.3).
    pub enforce_first_as: bool,
    /// What happens to AS numbers and communities on the way.
    pub handling: Handling,
    /// Weight of what the peer sends, unless policy gives another one.
    pub weight: Option<u32>,
    /// Packets to what the peer sends with BLACKHOLE are dropped (RFC 7999).
    pub honor_blackhole: bool,
    /// The peer sends path identifiers (RFC 7911).
    pub add_path_receive: bool,
    /// The peer takes several paths of a prefix (RFC 7911), and is sent so many.
    pub add_path_send: Option<PathsSent>,
    /// The peer knows what LLGR_STALE means (RFC 9494 §4.3), and is told such routes.
    pub long_lived: bool,
    /// IPv4 routes may carry an IPv6 next hop (RFC 8950).
    pub extended_next_hop: bool,
    /// The next hop in what the peer is sent.
    pub next_hop: NextHopRule,
    /// The peer's traffic is being moved away: see [`Drain`].
    pub drain: Option<Drain>,
    /// MED of whatever the peer is told, whatever policy says (FRR's `bgp max-med`).
    pub max_med: Option<u32>,
}

impl PeerFamily {
    /// A family with these policies, in which paths have to begin with the AS number of an external
    /// peer and everything else is as in BGP without extensions: one path of a prefix, all prefixes
    /// that policy lets through and only these, next hops by [`NextHopRule::Auto`], no drain.
    pub fn new(import: Policy, export: Policy) -> Self {
        Self {
            import,
            export,
            default_originate: None,
            advertise_if: None,
            unsuppress: None,
            maximum_prefixes_out: None,
            enforce_first_as: true,
            handling: Handling::default(),
            weight: None,
            honor_blackhole: false,
            add_path_receive: false,
            add_path_send: None,
            long_lived: false,
            extended_next_hop: false,
            next_hop: NextHopRule::Auto,
            drain: None,
            max_med: None,
        }
    }

    /// How the peer is served by itself, if it is.
    pub(super) fn alone(&self) -> Option<(Extent, Option<NonZeroU32>)> {
        let extent = match self.add_path_send {
            Some(count) => Extent::Several(count),
            None if self.maximum_prefixes_out.is_some() => Extent::Best,
            None => return None,
        };
        Some((extent, self.maximum_prefixes_out))
    }

    /// Import policy finds what it asks for in routes as they were received, and not in what other
    /// settings make of them.
    pub(super) fn shows_policy_what_came(
        &self,
        facts: &PeerFacts,
        config: &super::Config,
    ) -> bool {
        let extended = facts.alias.is_some_and(|alias| alias.prepend);
        !extended
            && !self.handling.whole_bandwidths
            && !self.honor_blackhole
            && config.default_local_pref.is_none()
    }

    /// Of which received routes these settings may make something else than others do.
    pub(super) fn takes_differently(&self, other: &Self) -> Difference {
        let beside = |it: &Self| {
            let whole = it.handling.whole_bandwidths;
            let checks = (it.enforce_first_as, it.handling.own_as, whole);
            let draining = it.drain.is_some();
            let marks = (it.handling.site_of_origin, it.handling.distance);
            (checks, it.weight, it.honor_blackhole, draining, marks)
        };
        match beside(self) == beside(other) {
            true => Difference::between(&self.import, &other.import),
            false => Difference::everywhere(),
        }
    }
}

/// When a peer is told a default route of our own.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultOriginate {
    /// Always.
    Always,
    /// While the map permits any best path of the family; what it sets for the first of them, in the
    /// order of prefixes, is set in the default route.
    While(Arc<RouteMap>),
}

/// Routes that are told only while others are there, or are not.
#[derive(Debug, Clone, PartialEq)]
pub struct AdvertiseIf {
    /// The map permits the routes that depend on it; all others are told as ever.
    pub routes: Arc<RouteMap>,
    /// What is asked of the routes below.
    pub presence: Presence,
    /// The map permits the routes that are looked for among the best paths.
    pub condition: Arc<RouteMap>,
}

/// What a condition asks of the routes that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// At least one is there.
    Exist,
    /// None is there.
    Absent,
}

/// How many paths of a prefix a peer is sent that takes several (RFC 7911). Its own are left out
/// and do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathsSent {
    /// All that take part in the decision.
    All,
    /// The best so many.
    Best(NonZeroU8),
    /// The best of each neighboring AS, and whatever begins in none.
    BestPerAs,
}

/// The next hop in what a peer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NextHopRule {
    /// eBGP unicast: own address. iBGP and EVPN: unchanged (RFC 4271 §5.1.3).
    #[default]
    Auto,
    /// Own address, but unchanged in what is reflected (RFC 4456 §10).
    Myself,
    /// Own address, in what is reflected too.
    MyselfAlways,
    /// Unchanged.
    Unchanged,
}

/// How advertisements look while draining (RFC 8326, with what peers that ignore it understand).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// Own AS is prepended this many times more.
    pub prepend: usize,
    /// MED of everything advertised; `None` leaves it as it is.
    pub med: Option<u32>,
}

impl Drain {
    /// GRACEFUL_SHUTDOWN and the local preference alone, which is all of RFC 8326.
    pub const ANNOUNCED: Self = Self {
        prepend: 0,
        med: None,
    };
}

impl Default for Drain {
    fn default() -> Self {
        // Longer than any detour in a mesh of sites; MED as FRR's `bgp max-med`.
        Self {
            prepend: 3,
            med: Some(4_294_967_294),
        }
    }
}
