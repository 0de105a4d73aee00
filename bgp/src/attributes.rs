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

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::asn::Asn;
use crate::community::{Community, ExtendedCommunity, LargeCommunity};
use crate::evpn_route::EvpnTail;

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
    /// Unknown attributes by type code.
    pub unknown: Vec<UnknownAttribute>,
    /// What an EVPN route carries beside its key.
    pub evpn: Option<EvpnTail>,
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
            unknown: Vec::new(),
            evpn: None,
        }
    }

    /// Puts `asn` in front of the path `count` times (RFC 4271 §5.1.2).
    pub fn prepend(&mut self, asn: Asn, count: usize) {
        let _ = (asn, count);
        todo!()
    }

    /// The closed form.
    pub fn freeze(&self) -> Attributes {
        todo!()
    }
}

/// The closed form of a set of path attributes: what tables keep.
///
/// Two values are equal when their next hop, canonical bytes, EVPN tail and source are.
#[derive(Debug, Clone)]
pub struct Attributes {
    // Attributes in ascending type order, canonical flags and lengths, AS numbers of four octets,
    // without NEXT_HOP, MP_REACH_NLRI and MP_UNREACH_NLRI.
    wire: Box<[u8]>,
    hash: u64,
    next_hop: NextHop,
    local_pref: Option<u32>,
    med: Option<u32>,
    first_as: Asn,
    originator_id: Option<Ipv4Addr>,
    as_path_length: u16,
    cluster_length: u16,
    origin: Origin,
    marks: u8,
    evpn: Option<Box<EvpnTail>>,
    source: Option<Arc<Attributes>>,
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && self.next_hop == other.next_hop
            && self.wire == other.wire
            && self.evpn == other.evpn
            && match (&self.source, &other.source) {
                (None, None) => true,
                (Some(one), Some(two)) => Arc::ptr_eq(one, two) || one == two,
                (None, Some(_)) | (Some(_), None) => false,
            }
    }
}

impl Eq for Attributes {}

impl Attributes {
    /// The open form.
    pub fn thaw(&self) -> AttributeSet {
        todo!()
    }

    /// Canonical bytes, see the module's page.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// Hash of everything equality looks at, computed once with a caller-chosen seed.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Where packets go.
    pub fn next_hop(&self) -> NextHop {
        self.next_hop
    }

    /// LOCAL_PREF, if present.
    pub fn local_pref(&self) -> Option<u32> {
        self.local_pref
    }

    /// MULTI_EXIT_DISC, if present.
    pub fn med(&self) -> Option<u32> {
        self.med
    }

    /// ORIGIN.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Leftmost AS of the path's first sequence segment, 0 when the path is empty: whose MED is
    /// comparable (RFC 4271 §9.1.2.2 c).
    pub fn first_as(&self) -> Asn {
        self.first_as
    }

    /// Length as the decision process counts: a set is one, confederation segments none.
    pub fn as_path_length(&self) -> u16 {
        self.as_path_length
    }

    /// Number of cluster identifiers (RFC 4456 §9).
    pub fn cluster_length(&self) -> u16 {
        self.cluster_length
    }

    /// ORIGINATOR_ID, if present.
    pub fn originator_id(&self) -> Option<Ipv4Addr> {
        self.originator_id
    }

    /// What an EVPN route carries beside its key.
    pub fn evpn(&self) -> Option<&EvpnTail> {
        self.evpn.as_deref()
    }

    /// The set as the peer sent it, when policy made this one of it.
    pub fn source(&self) -> Option<&Arc<Attributes>> {
        self.source.as_ref()
    }
}
