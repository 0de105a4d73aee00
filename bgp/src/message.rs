//! BGP messages, decoded.
//!
//! Plain values between [`crate::wire`], which makes them from bytes and bytes from them, and
//! [`crate::session`], which acts on them. Multiprotocol attributes are folded into the routes of
//! an [`Update`]; a reader of it never sees MP_REACH_NLRI.

use std::net::Ipv4Addr;

use smallvec::SmallVec;

use crate::asn::Asn;
use crate::attributes::Attributes;
use crate::family::Family;
use crate::nlri::NlriList;

/// A message of any type (RFC 4271 §4.1, RFC 2918).
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum Message {
    /// First message of either side.
    Open(Open),
    /// Routes.
    Update(Update),
    /// Last message of a connection.
    Notification(Notification),
    /// Sign of life.
    Keepalive,
    /// Asks for all routes of a family again, or brackets them (RFC 7313).
    RouteRefresh(RouteRefresh),
}

/// OPEN (RFC 4271 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// AS number, from the four-octet capability where present (RFC 6793).
    pub asn: Asn,
    /// Hold time in seconds as proposed: 0 or at least 3.
    pub hold_time: u16,
    /// BGP identifier, never 0 (RFC 6286).
    pub router_id: Ipv4Addr,
    /// Capabilities in the order they stood.
    pub capabilities: Vec<Capability>,
}

/// A capability (RFC 5492).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capability {
    /// Multiprotocol extensions, code 1 (RFC 4760 §8): AFI and SAFI.
    Multiprotocol(u16, u8),
    /// Route refresh, code 2 (RFC 2918).
    RouteRefresh,
    /// Extended next hop encoding, code 5 (RFC 8950 §4): NLRI AFI, NLRI SAFI, next hop AFI.
    ExtendedNextHop(Vec<(u16, u16, u16)>),
    /// Extended message, code 6 (RFC 8654).
    ExtendedMessage,
    /// Role, code 9 (RFC 9234 §4.1).
    Role(Role),
    /// Graceful restart, code 64 (RFC 4724 §3).
    GracefulRestart(GracefulRestart),
    /// Four-octet AS number, code 65 (RFC 6793).
    FourOctetAs(Asn),
    /// Add-path, code 69 (RFC 7911 §4): AFI, SAFI, mode.
    AddPath(Vec<(u16, u8, AddPathMode)>),
    /// Enhanced route refresh, code 70 (RFC 7313).
    EnhancedRouteRefresh,
    /// Long-lived graceful restart, code 71 (RFC 9494 §3).
    LongLived(Vec<LongLived>),
    /// Host and domain name, code 73 (draft-walton-bgp-hostname-capability).
    Fqdn {
        /// Host name.
        hostname: String,
        /// Domain name, may be empty.
        domain: String,
    },
    /// Name and version of the program, code 75 (draft-abraitis-bgp-version-capability).
    SoftwareVersion {
        /// Name and version.
        version: String,
        /// Without a length of its own, as the draft has it from version 15 on.
        latest: bool,
    },
    /// Anything else, kept.
    Unknown {
        /// Capability code.
        code: u8,
        /// Value.
        bytes: Box<[u8]>,
    },
}

/// Role of the sender on this session (RFC 9234 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sells transit to the peer.
    Provider,
    /// A route server.
    RouteServer,
    /// A route server's client.
    RouteServerClient,
    /// Buys transit from the peer.
    Customer,
    /// Exchanges own and customers' routes.
    Peer,
}

/// A family in the long-lived graceful restart capability (RFC 9494 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LongLived {
    /// Address family.
    pub afi: u16,
    /// Subsequent address family.
    pub safi: u8,
    /// F bit: forwarding went on.
    pub preserved: bool,
    /// Seconds for which routes may stay, at most 16777215.
    pub time: u32,
}

/// Direction of add-path as the sender of the capability means it (RFC 7911 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddPathMode {
    /// Can receive several paths.
    Receive,
    /// Can send several paths.
    Send,
    /// Both.
    Both,
}

/// Graceful restart capability (RFC 4724 §3, RFC 8538 §2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GracefulRestart {
    /// The sender has restarted and End-of-RIB is awaited from others (R bit).
    pub restarting: bool,
    /// The sender keeps routes over NOTIFICATION too (N bit).
    pub notification: bool,
    /// Seconds the peer may keep routes until the session is back, 12 bits.
    pub restart_time: u16,
    /// AFI, SAFI and whether forwarding state was preserved (F bit).
    pub families: Vec<(u16, u8, bool)>,
}

/// UPDATE (RFC 4271 §4.3), after the verdicts of RFC 7606.
///
/// Withdrawals come before announcements, as in the message. The lists come from the IPv4
/// fields and one multiprotocol attribute each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Update {
    /// Routes that are gone, also those that an error turned into withdrawals (RFC 7606 §2).
    pub withdrawn: Vec<NlriList>,
    /// Routes that are there, with their attributes (next hop and EVPN tail included). EVPN lists
    /// are split into runs of routes with equal tails.
    pub announced: SmallVec<[(NlriList, Attributes); 1]>,
    /// Set when the message is an End-of-RIB marker (RFC 4724 §2).
    pub end_of_rib: Option<Family>,
    /// Errors that did not end the session: discarded attributes, treat-as-withdraw.
    pub errors: Vec<crate::wire::UpdateError>,
}

impl Update {
    /// All its lists of routes, those that are gone first.
    pub fn lists(&self) -> impl Iterator<Item = &NlriList> {
        let announced = self.announced.iter().map(|(list, _)| list);
        self.withdrawn.iter().chain(announced)
    }

    /// How many routes it withdraws and announces.
    pub fn len(&self) -> usize {
        self.lists().map(NlriList::len).sum()
    }

    /// True if it names no route, as an End-of-RIB marker.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// NOTIFICATION (RFC 4271 §4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Error code.
    pub code: u8,
    /// Error subcode.
    pub subcode: u8,
    /// Data, kind depends on the codes.
    pub data: Box<[u8]>,
}

/// ROUTE-REFRESH (RFC 2918 §3, RFC 7313 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteRefresh {
    /// AFI.
    pub afi: u16,
    /// SAFI.
    pub safi: u8,
    /// What is asked or marked.
    pub kind: RefreshKind,
}

/// Subtype of a ROUTE-REFRESH (RFC 7313 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshKind {
    /// Send all routes again.
    Request,
    /// The routes follow.
    Begin,
    /// All routes have been sent.
    End,
    /// Any other subtype: to be ignored.
    Unknown(u8),
}
