//! What a peer of a speaker is to be.
//!
//! Made with [`PeerConfig::new`] and chained setters, and turned into the session's settings and
//! the tables' facts here. Values are valid by construction.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::asn::Asn;
use crate::family::{Family, PerFamily};
use crate::message::Role;
use crate::policy::Policy;
use crate::rib::{NextHopRule, PathsSent, PeerFacts, PeerFamily, PeerId, Relation};
use crate::session::{self, FamilyConfig, HoldTime, Negotiated, RemoteAs};

/// The port of BGP (RFC 4271 §8.2.1).
const BGP_PORT: u16 = 179;

/// A peer and its settings.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerConfig {
    address: IpAddr,
    remote_as: Asn,
    port: u16,
    hold_time: HoldTime,
    connect_retry: Option<(Duration, Duration)>,
    passive: bool,
    families: PerFamily<bool>,
    import: Option<Policy>,
    export: Option<Policy>,
    next_hop: NextHopRule,
    next_hop_ipv4: Option<Ipv4Addr>,
    next_hop_ipv6: Option<Ipv6Addr>,
    role: Option<(Role, bool)>,
    relation: Relation,
    enforce_first_as: bool,
    add_path: (bool, Option<PathsSent>),
}

impl PeerConfig {
    /// A peer with IPv4 unicast and otherwise the defaults named at the setters.
    pub fn new(address: IpAddr, remote_as: impl Into<Asn>) -> Self {
        Self {
            address,
            remote_as: remote_as.into(),
            port: BGP_PORT,
            hold_time: HoldTime::DEFAULT,
            connect_retry: None,
            passive: false,
            families: PerFamily {
                ipv4_unicast: true,
                ..PerFamily::default()
            },
            import: None,
            export: None,
            next_hop: NextHopRule::Auto,
            next_hop_ipv4: None,
            next_hop_ipv6: None,
            role: None,
            relation: Relation::default(),
            enforce_first_as: true,
            add_path: (false, None),
        }
    }

    /// TCP port to connect to; default 179.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Hold time to propose; default 90 s.
    pub fn hold_time(mut self, hold_time: HoldTime) -> Self {
        self.hold_time = hold_time;
        self
    }

    /// Time between connection attempts, see [`session::Config::connect_retry`]; default 1 s
    /// growing to 10 s.
    pub fn connect_retry(mut self, first: Duration, max: Duration) -> Self {
        self.connect_retry = Some((first, max));
        self
    }

    /// Wait for the peer to connect instead of connecting; default off.
    pub fn passive(mut self, passive: bool) -> Self {
        self.passive = passive;
        self
    }

    /// Families to offer, in place of IPv4 unicast alone. To a peer with an IPv6 address, IPv4
    /// unicast is offered with IPv6 next hops (RFC 8950).
    pub fn families(mut self, families: impl IntoIterator<Item = Family>) -> Self {
        self.families = PerFamily::default();
        for family in families {
            *self.families.get_mut(family) = true;
        }
        self
    }

    /// What the peer's routes go through, in every family. Default: everything passes within an
    /// AS and between private AS numbers (RFC 6996), otherwise nothing (RFC 8212).
    pub fn import(mut self, policy: Policy) -> Self {
        self.import = Some(policy);
        self
    }

    /// What routes for the peer go through, in every family. Default as for
    /// [`PeerConfig::import`].
    pub fn export(mut self, policy: Policy) -> Self {
        self.export = Some(policy);
        self
    }

    /// Reflect routes of other internal peers to this one, and its routes to them (RFC 4456);
    /// default off. The cluster has the speaker's identifier.
    pub fn reflector_client(mut self, client: bool) -> Self {
        self.relation.reflector_client = PerFamily::all(client);
        self
    }

    /// Refuse paths of an external peer that do not begin with its AS number (RFC 4271 §6.3);
    /// default on. Paths of a route server do not (RFC 7947 §2.2.2.2).
    pub fn enforce_first_as(mut self, enforce: bool) -> Self {
        self.enforce_first_as = enforce;
        self
    }

    /// Serve as route server (RFC 7947): routes go between such peers as if this speaker were not
    /// there; default off. Only for external peers.
    pub fn server_client(mut self, client: bool) -> Self {
        self.relation.server_client = PerFamily::all(client);
        self
    }

    /// The next hop in what the peer is sent; default [`NextHopRule::Auto`].
    pub fn next_hop(mut self, rule: NextHopRule) -> Self {
        self.next_hop = rule;
        self
    }

    /// Own IPv4 next hop; default the connection's own address where that is IPv4. Over IPv6 a peer
    /// that takes IPv6 next hops (RFC 8950) is told the IPv6 one; without either, IPv4 routes do not
    /// go to the peer.
    pub fn next_hop_ipv4(mut self, address: Ipv4Addr) -> Self {
        self.next_hop_ipv4 = Some(address);
        self
    }

    /// Own IPv6 next hop; default the connection's own address where that is IPv6. Without any,
    /// IPv6 routes do not go to the peer.
    pub fn next_hop_ipv6(mut self, address: Ipv6Addr) -> Self {
        self.next_hop_ipv6 = Some(address);
        self
    }

    /// Our role (RFC 9234); default none. `strict` refuses peers that do not say theirs.
    pub fn role(mut self, role: Role, strict: bool) -> Self {
        self.role = Some((role, strict));
        self
    }

    /// Several paths of a prefix (RFC 7911): take them, and send so many, in every family where
    /// the peer does its part. Default: neither.
    pub fn add_path(mut self, receive: bool, send: Option<PathsSent>) -> Self {
        self.add_path = (receive, send);
        self
    }

    /// Address of the peer.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// AS of the peer.
    pub fn remote_as(&self) -> Asn {
        self.remote_as
    }

    /// Other policies from now on.
    pub(super) fn set_policies(&mut self, import: Policy, export: Policy) {
        self.import = Some(import);
        self.export = Some(export);
    }

    /// Where to connect.
    pub(super) fn socket_address(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// Settings of the session.
    pub(super) fn session(&self, router: &Router, peer: PeerId) -> session::Config {
        let mut families = PerFamily::default();
        for (family, _) in self.families.iter().filter(|(_, wanted)| **wanted) {
            *families.get_mut(family) = Some(FamilyConfig {
                extended_next_hop: family == Family::Ipv4Unicast && self.address.is_ipv6(),
                add_path_receive: self.add_path.0,
                add_path_send: self.add_path.1.is_some(),
            });
        }
        let (role, strict) = self
            .role
            .map_or((None, false), |(role, it)| (Some(role), it));
        let remote_as = RemoteAs::Exact(self.remote_as);
        let config = session::Config::new(router.asn, remote_as, router.router_id)
            .families(families)
            .hold_time(self.hold_time)
            .passive(self.passive)
            .role(role, strict)
            .hash_seed(router.seed)
            .jitter_seed(router.seed.wrapping_add(u64::from(peer.0)));
        match self.connect_retry {
            Some((first, max)) => config.connect_retry(first, max),
            None => config,
        }
    }

    /// What the tables need to know of the Established session.
    pub(super) fn facts(&self, negotiated: &Negotiated, local: IpAddr) -> PeerFacts {
        let own = (negotiated.local_as, local);
        let remote = (negotiated.remote_as, self.address.into());
        let session = PeerFacts::new(own, remote, negotiated.router_id);
        PeerFacts {
            relation: Relation {
                role: self.role.map(|(role, _)| role),
                ..self.relation
            },
            local_ipv4: self.next_hop_ipv4.or(session.local_ipv4),
            local_ipv6: self.next_hop_ipv6.or(session.local_ipv6),
            families: self.peer_families(negotiated),
            aigp: negotiated.aigp,
            as4: negotiated.as4,
            extended_message: negotiated.extended_message,
            ..session
        }
    }

    fn peer_families(&self, negotiated: &Negotiated) -> PerFamily<Option<PeerFamily>> {
        let mut families = PerFamily::default();
        for (family, agreed) in negotiated.families.iter() {
            *families.get_mut(family) = agreed.as_ref().map(|agreed| PeerFamily {
                enforce_first_as: self.enforce_first_as,
                long_lived: agreed.peer_long_lived.is_some(),
                add_path_receive: agreed.add_path_receive,
                add_path_send: self.add_path.1.filter(|_| agreed.add_path_send),
                extended_next_hop: agreed.extended_next_hop,
                next_hop: self.next_hop,
                ..PeerFamily::new(
                    effective(self.import.as_ref(), negotiated, "import"),
                    effective(self.export.as_ref(), negotiated, "export"),
                )
            });
        }
        families
    }
}

/// What all sessions of a speaker share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Router {
    pub(super) asn: Asn,
    pub(super) router_id: Ipv4Addr,
    pub(super) seed: u64,
}

/// RFC 8212 §2.1 lets nothing pass between AS numbers without a policy. Private numbers belong to
/// one operator, who is spared the formality.
fn effective(policy: Option<&Policy>, negotiated: &Negotiated, direction: &str) -> Policy {
    if let Some(policy) = policy {
        return policy.clone();
    }
    let private = negotiated.local_as.is_private() && negotiated.remote_as.is_private();
    if private || !negotiated.external {
        return Policy::AcceptAll;
    }
    // The same words for every peer, so that those without policy stay one group.
    Policy::RejectAll(Arc::from(format!(
        "no {direction} policy (RFC 8212): give the peer one with PeerConfig::{direction}"
    )))
}
