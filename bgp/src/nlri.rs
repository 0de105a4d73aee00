//! What a route is about: a prefix or an EVPN key, with the identifier of its path.

use std::fmt;

use smallvec::SmallVec;

use crate::evpn_route::EvpnKey;
use crate::family::Family;
use crate::prefix::{Prefix, Prefix4, Prefix6};

/// Path identifier of RFC 7911; 0 where add-path was not negotiated.
pub type PathId = u32;

/// The key of a route in its family's table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nlri {
    /// IPv4 unicast.
    V4(Prefix4),
    /// IPv6 unicast.
    V6(Prefix6),
    /// L2VPN EVPN.
    Evpn(EvpnKey),
}

impl Nlri {
    /// The family the key belongs to.
    pub fn family(&self) -> Family {
        match self {
            Nlri::V4(_) => Family::Ipv4Unicast,
            Nlri::V6(_) => Family::Ipv6Unicast,
            Nlri::Evpn(_) => Family::Evpn,
        }
    }

    /// The IP prefix of a unicast route or of an EVPN type 5 route.
    pub fn prefix(&self) -> Option<Prefix> {
        match self {
            Nlri::V4(prefix) => Some(Prefix::V4(*prefix)),
            Nlri::V6(prefix) => Some(Prefix::V6(*prefix)),
            Nlri::Evpn(EvpnKey::IpPrefix { prefix, .. }) => Some(*prefix),
            Nlri::Evpn(_) => None,
        }
    }
}

impl From<Prefix> for Nlri {
    fn from(prefix: Prefix) -> Self {
        match prefix {
            Prefix::V4(prefix) => Nlri::V4(prefix),
            Prefix::V6(prefix) => Nlri::V6(prefix),
        }
    }
}

impl fmt::Display for Nlri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Nlri::V4(prefix) => prefix.fmt(f),
            Nlri::V6(prefix) => prefix.fmt(f),
            Nlri::Evpn(key) => key.fmt(f),
        }
    }
}

/// IPv4 routes of a message. Seven share their attributes on average, so most lists need no memory
/// of their own; what one thread allocates and another frees makes both wait for the heap.
pub type List4 = SmallVec<[(PathId, Prefix4); 16]>;

/// Routes of one family in one UPDATE, as they arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NlriList {
    /// IPv4 unicast.
    V4(List4),
    /// IPv6 unicast.
    V6(Vec<(PathId, Prefix6)>),
    /// L2VPN EVPN; ESI, labels and gateway stand in the attributes ([`crate::EvpnTail`]).
    Evpn(Vec<(PathId, EvpnKey)>),
}

impl NlriList {
    /// The family of the list.
    pub fn family(&self) -> Family {
        match self {
            NlriList::V4(_) => Family::Ipv4Unicast,
            NlriList::V6(_) => Family::Ipv6Unicast,
            NlriList::Evpn(_) => Family::Evpn,
        }
    }

    /// Number of routes.
    pub fn len(&self) -> usize {
        match self {
            NlriList::V4(list) => list.len(),
            NlriList::V6(list) => list.len(),
            NlriList::Evpn(list) => list.len(),
        }
    }

    /// True without any route.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
