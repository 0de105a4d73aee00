//! Path attributes in two forms.
//!
//! [`AttributeSet`] is the open form: plain fields that a program or a route-map edits.
//! [`Attributes`] is the closed form that tables keep: canonical wire bytes plus the few decoded
//! values the decision process compares, so that comparing two paths never parses. `freeze` makes
//! one from the other, `thaw` goes back. Equal sets have equal canonical bytes, which is what
//! interning and the packing of UPDATEs rest on.
//!
//! MP_REACH_NLRI, MP_UNREACH_NLRI and NEXT_HOP are not part of the canonical bytes: they belong to
//! the message; the next hop stands in the header. What an attribute means is decided elsewhere.
//!
//! Canonical means: ascending type codes, flags as the attribute's document gives them (Partial
//! as received), the shorter header, AS numbers of four octets, and the three kinds of community
//! sorted without duplicates, since their order says nothing. So two peers that list the same
//! communities differently share one set.

mod canonical;
mod closed;
mod header;
mod notes;
mod outgoing;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::asn::Asn;
use crate::community::{Community, ExtendedCommunity, LargeCommunity};
use crate::evpn_route::EvpnTail;
use crate::wire::attribute::aigp;

pub use crate::wire::attribute::as_path::{SegmentView, Segments};
pub use closed::Attributes;
pub(crate) use closed::{Canonical, Closed};
pub use notes::Notes;
pub use outgoing::Announced;
pub use outgoing::Omitted;
pub(crate) use outgoing::PathChange;
pub(crate) use outgoing::{Departure, External, Internal, Member, Outgoing, Reflection};

/// ORIGIN (RFC 4271 §5.1.1); lower is preferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Origin {
    /// Learned inside the AS.
    #[default]
    Igp,
    /// Learned by EGP.
    Egp,
    /// Learned by other means.
    Incomplete,
}

/// Where packets go: one address, with IPv6 optionally a link-local beside it (RFC 2545 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NextHop {
    /// IPv4.
    V4(Ipv4Addr),
    /// IPv6, global or link-local.
    V6(Ipv6Addr),
    /// IPv6 global and link-local.
    V6LinkLocal {
        /// Global address.
        global: Ipv6Addr,
        /// Link-local address.
        link_local: Ipv6Addr,
    },
}

impl NextHop {
    /// The address that decides (the global one of a pair).
    pub fn addr(self) -> IpAddr {
        match self {
            NextHop::V4(addr) => IpAddr::V4(addr),
            NextHop::V6(addr) | NextHop::V6LinkLocal { global: addr, .. } => IpAddr::V6(addr),
        }
    }
}

impl From<IpAddr> for NextHop {
    fn from(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(addr) => NextHop::V4(addr),
            IpAddr::V6(addr) => NextHop::V6(addr),
        }
    }
}

/// Kind of an AS path segment (RFC 4271 §4.3, RFC 5065 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentKind {
    /// Unordered, counts as one.
    Set,
    /// Ordered.
    Sequence,
    /// Ordered, within a confederation; counts as none.
    ConfedSequence,
    /// Unordered, within a confederation; counts as none.
    ConfedSet,
}

/// One segment of an AS path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Segment {
    /// Ordered or not.
    pub kind: SegmentKind,
    /// The numbers, nearest first.
    pub asns: Vec<Asn>,
}

/// AGGREGATOR (RFC 4271 §5.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Aggregator {
    /// AS that aggregated.
    pub asn: Asn,
    /// Router that aggregated.
    pub router_id: Ipv4Addr,
}

/// PMSI tunnel (RFC 6514 §5) of an EVPN type 3 route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PmsiTunnel {
    /// Flags octet.
    pub flags: u8,
    /// Tunnel type; 6 is ingress replication.
    pub tunnel_type: u8,
    /// 24-bit label field as it stands: the VNI with VXLAN.
    pub label: u32,
    /// Tunnel identifier; the address with ingress replication.
    pub identifier: Box<[u8]>,
}

/// Which of the optional transitive attributes this crate knows arrived with the Partial bit: a
/// router on the way did not know them (RFC 4271 §5). The bit stays when the route goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Partial(u64);

impl Partial {
    /// Notes the bit for an attribute of type `code`; codes above 63 have none here.
    pub fn insert(&mut self, code: u8) {
        self.0 |= 1_u64.checked_shl(code.into()).unwrap_or(0);
    }

    /// True if the bit was noted for `code`.
    pub fn contains(self, code: u8) -> bool {
        self.0 & 1_u64.checked_shl(code.into()).unwrap_or(0) != 0
    }
}

/// An optional attribute this crate does not know, kept byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnknownAttribute {
    /// Flags octet as received, extended length bit cleared.
    pub flags: u8,
    /// Type code.
    pub code: u8,
    /// Value.
    pub bytes: Box<[u8]>,
}

/// The open form of a set of path attributes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttributeSet {
    /// ORIGIN.
    pub origin: Origin,
    /// AS_PATH, four-octet numbers, AS4_PATH merged in (RFC 6793 §4.2.3).
    pub as_path: Vec<Segment>,
    /// Where packets go.
    pub next_hop: NextHop,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// LOCAL_PREF.
    pub local_pref: Option<u32>,
    /// ATOMIC_AGGREGATE.
    pub atomic_aggregate: bool,
    /// AGGREGATOR.
    pub aggregator: Option<Aggregator>,
    /// Communities, sorted and without duplicates once frozen.
    pub communities: Vec<Community>,
    /// ORIGINATOR_ID (RFC 4456).
    pub originator_id: Option<Ipv4Addr>,
    /// CLUSTER_LIST (RFC 4456), nearest first.
    pub cluster_list: Vec<Ipv4Addr>,
    /// Extended communities, sorted and without duplicates once frozen.
    pub extended_communities: Vec<ExtendedCommunity>,
    /// Large communities, sorted and without duplicates once frozen.
    pub large_communities: Vec<LargeCommunity>,
    /// PMSI tunnel.
    pub pmsi_tunnel: Option<PmsiTunnel>,
    /// Only to customer (RFC 9234 §5).
    pub only_to_customer: Option<Asn>,
    /// AIGP (RFC 7311 §3): its TLVs, empty without one.
    pub aigp: Vec<u8>,
    /// Unknown attributes by type code. Only optional transitive ones can be frozen.
    pub unknown: Vec<UnknownAttribute>,
    /// Known attributes that arrived with the Partial bit.
    pub partial: Partial,
    /// What an EVPN route carries beside its key.
    pub evpn: Option<EvpnTail>,
    /// What this router notes for itself; no attribute, and told to nobody.
    pub notes: Notes,
}

impl AttributeSet {
    /// An empty path of origin IGP towards `next_hop`: what a route of one's own starts from.
    pub fn new(next_hop: NextHop) -> Self {
        Self {
            origin: Origin::Igp,
            as_path: Vec::new(),
            next_hop,
            med: None,
            local_pref: None,
            atomic_aggregate: false,
            aggregator: None,
            communities: Vec::new(),
            originator_id: None,
            cluster_list: Vec::new(),
            extended_communities: Vec::new(),
            large_communities: Vec::new(),
            pmsi_tunnel: None,
            only_to_customer: None,
            aigp: Vec::new(),
            unknown: Vec::new(),
            partial: Partial::default(),
            evpn: None,
            notes: Notes::default(),
        }
    }

    /// The metric of AIGP (RFC 7311 §3.1).
    pub fn aigp_metric(&self) -> Option<u64> {
        aigp::metric(&self.aigp)
    }

    /// Gives AIGP another metric; other TLVs stay.
    pub fn set_aigp_metric(&mut self, metric: u64) {
        self.aigp = aigp::with_metric(&self.aigp, metric);
    }

    /// Puts `asn` in front of the path `count` times (RFC 4271 §5.1.2).
    pub fn prepend(&mut self, asn: Asn, count: usize) {
        self.prepend_to(SegmentKind::Sequence, asn, count);
    }

    /// Puts `asn` in front of the path as a confederation's member does (RFC 5065 §4 b).
    pub fn prepend_confederation(&mut self, asn: Asn) {
        self.prepend_to(SegmentKind::ConfedSequence, asn, 1);
    }

    fn prepend_to(&mut self, kind: SegmentKind, asn: Asn, count: usize) {
        let added = std::iter::repeat_n(asn, count);
        match self.as_path.first_mut() {
            // A segment holds up to 255 numbers.
            Some(first) if first.kind == kind && first.asns.len() + count <= 255 => {
                first.asns.splice(..0, added);
            }
            Some(_) | None if count == 0 => {}
            Some(_) | None => {
                let asns = added.collect();
                self.as_path.insert(0, Segment { kind, asns });
            }
        }
    }

    /// Removes the confederation segments: what leaves a confederation (RFC 5065 §4 c).
    pub fn remove_confederation(&mut self) {
        self.as_path
            .retain(|segment| !segment.kind.is_confederation());
    }

    /// Length as the decision process counts: a set is one, confederation segments none.
    pub fn as_path_length(&self) -> usize {
        let weight = |segment: &Segment| segment.kind.weight(segment.asns.len());
        self.as_path.iter().map(weight).sum()
    }

    /// True if `asn` stands anywhere in the path.
    pub fn contains_as(&self, asn: Asn) -> bool {
        self.as_path
            .iter()
            .any(|segment| segment.asns.contains(&asn))
    }

    /// The closed form with the hash seed 0: for tests and programs without hostile peers.
    pub fn freeze(&self) -> Attributes {
        self.freeze_with(0)
    }

    /// The closed form, hashed with the seed of the process ([`crate::wire::Context::hash_seed`]).
    ///
    /// Lists are cut after what an attribute of 65535 octets can hold, which is more than any
    /// message can carry. Unknown attributes that are not optional transitive, or whose type code
    /// this crate knows, are left out.
    pub fn freeze_with(&self, seed: u64) -> Attributes {
        Closed::of(self, seed).attributes(self.next_hop, self.evpn)
    }
}

#[cfg(test)]
pub(crate) mod tests;
