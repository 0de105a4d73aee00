//! BGP-4: wire format, sessions, routing tables and policy.
//!
//! Everything in this crate is pure: bytes, messages and a point in time go in, bytes, events and
//! deadlines come out. It opens no socket, reads no clock, starts no thread and draws no random
//! number, so the same code runs in the daemon, in a simulator, under a fuzzer and inside other
//! programs.
//!
//! How a route flows: [`wire`] turns bytes into a [`message::Update`]; [`session`] decides whether
//! the peer may send it; [`rib`] keeps it, applies [`policy`], chooses the best path and encodes
//! what the other peers are to be told. [`Speaker`] is all of it in one value for programs that
//! bring their own sockets.
//!
//! The crate does not know kernels, configuration files or EVPN's meaning: an EVPN route is a key
//! and attributes here, and the `evpn` crate makes MAC tables of them.
//!
//! # Supported standards
//!
//! - RFC 4271 (BGP-4): messages (§4), attributes (§5), errors (§6), collisions (§6.8), the state
//!   machine with IdleHold and damping of oscillations (§8), decision (§9.1), dissemination (§9.2),
//!   timers with jitter (§10). RFC 6608: subcodes for messages in the wrong state.
//! - RFC 4760 (multiprotocol): IPv4 and IPv6 unicast, EVPN. RFC 2545: IPv6 next hops, with a
//!   link-local address beside it on a shared link. RFC 8950: IPv6 next hops of IPv4 unicast.
//! - RFC 5492 (capabilities), RFC 9072 (long optional parameters of OPEN).
//! - RFC 6793 (four-octet AS numbers), RFC 6286 (BGP identifiers), RFC 7607 (AS 0), RFC 5396
//!   (asplain).
//! - RFC 7606 (error handling of UPDATE): treat-as-withdraw, attribute discard, AFI/SAFI disable.
//! - RFC 8654 (messages up to 65,535 octets).
//! - RFC 2918 (route refresh), RFC 7313 (enhanced route refresh).
//! - RFC 4724 (graceful restart) on both sides, RFC 8538 (over NOTIFICATION, Hard Reset).
//! - RFC 4486 (Cease subcodes), RFC 9003 (shutdown communication), RFC 9384 (BFD Down), RFC 9687
//!   (send hold timer), RFC 5882 §4 (BFD beside BGP).
//! - RFC 7911 (add-path): receiving, and sending all paths, the best so many or that of each AS ([`rib::PathsSent`]).
//! - RFC 1997, RFC 4360, RFC 8092: communities, extended and large ones. RFC 8326: graceful
//!   shutdown, received and sent. RFC 7999: BLACKHOLE, honored where a peer's settings say so.
//! - RFC 7311 (AIGP): exchanged within the AS or where that is asked for, compared, set by policy.
//! - draft-ietf-idr-link-bandwidth: read; what is made of it is up to whoever forwards.
//! - RFC 4456 (route reflection): reflecting (§6), ORIGINATOR_ID and CLUSTER_LIST (§8), the tie
//!   breakers (§9).
//! - RFC 7432, RFC 8365, RFC 9136: encoding of route types 1 to 5, their communities (RFC 9135 §8.1
//!   among them) and the PMSI tunnel attribute (RFC 6514 §5). Their meaning is in the `evpn` crate.
//! - RFC 5065 (confederations): paths (§4), errors (§5), preference and MED (§5.2), decision (§5.3).
//! - RFC 7947 (route servers): attribute transparency (§2.2).
//! - RFC 6811 (origin validation): the states (§2), policy that asks for them and is asked again when
//!   VRPs change (§3), also for routes of our own and at export (RFC 8481, RFC 8893).
//! - RFC 8210, RFC 6810 (RPKI to router): the router's side, versions 1 and 0 ([`rpki::rtr`]).
//! - RFC 6890 (special addresses): what is of one host, one link or a group is refused from another
//!   AS.
//! - RFC 9234 (roles): the capability and its check (§4), the only-to-customer attribute (§5).
//! - RFC 8212 (no routes between AS numbers without policy): [`Speaker`] does so but between
//!   private AS numbers (RFC 6996); with the tables alone it is up to their owner.
//!
//! # Deviations
//!
//! Sessions (each with its reason in [`session`]):
//!
//! - RFC 4271 §10: attempts to connect are 1 s apart, growing to 10 s, and not 120 s: a cable that
//!   is back should not have to wait.
//! - RFC 4271 §8.2.2: the peer's OPEN is awaited for one minute and not four; a start in Active
//!   connects at once; only a disagreement leads to Idle, everything else to Active and another
//!   attempt.
//! - RFC 4271 §8.1.1: DelayOpen is not offered. The hold timer rests while the owner does not read.
//!
//! Wire:
//!
//! - RFC 7606 §5.4: EVPN routes of an unknown type are kept and shown, and not discarded; whoever
//!   acts on routes skips them.
//! - RFC 4271 §4.3: the order and duplicates of communities are not kept. They mean nothing, and
//!   peers that list the same ones share memory.
//!
//! Tables:
//!
//! - RFC 4271 §9.1.2.1: whether a next hop can be reached is not asked, and the interior cost
//!   (§9.1.2.2 e) takes no part: the tables know no other routing protocol. Whoever forwards
//!   resolves next hops.
//! - RFC 4271 §9.2.1.1 (MinRouteAdvertisementInterval) is not kept: what is at hand is packed
//!   together and sent, since waiting delays every change.
//! - RFC 4271 §5.1.3: towards another AS the next hop of a learned route is always the own address;
//!   that of a third router on a shared network is not passed on, as it would bypass this router's
//!   policy. That of a route taken over from the host is, to peers on that network; all others are
//!   told our own address, internal ones too, which always leads here.
//! - RFC 4271 §9.2.2.2: what is aggregated is configured. The path has no set unless that is asked
//!   for (RFC 9774), and then no other attributes of the routes but communities either.
//! - RFC 9774 §3: a path with a set that somebody else made is taken in and passed on, as FRR and BIRD
//!   do; origin validation never finds it valid.
//! - RFC 4456 §10: export policy applies to reflected routes too and may change what a reflector
//!   leaves as it is.
//! - RFC 7947 §2.3: one table for all clients of a route server, so the best path of all may be
//!   hidden from a client whose policy refuses it.
//! - RFC 7311 §3.4.3 and §4: the distance to a next hop is not known here, and neither added to AIGP
//!   nor compared with it.
//! - RFC 7999 §3.3: that a neighbor may ask for a prefix is the import policy's business; nobody
//!   else knows.
//! - RFC 8210 §5.1: when a cache says that it does not know our session any more, everything is asked
//!   for at once, and what it said stays until the answer: a restart of the cache is no reason to
//!   take every route for unknown. One that changes its session without a word is flushed.
//! - RFC 8210 §6: a connection that was lost is tried again sooner than after the retry interval.
//! - RFC 9494 (long-lived graceful restart): the communities have names and no effect of their own.
//! - [`Speaker`] does not restart gracefully itself (it has no forwarding state to preserve), and
//!   has no BFD.

#![forbid(unsafe_code)]

pub mod asn;
pub mod attributes;
pub mod community;
pub mod evpn_route;
pub mod family;
pub mod message;
pub mod nlri;
pub mod packed;
pub mod policy;
pub mod prefix;
pub mod redistribution;
pub mod rib;
pub mod rpki;
pub mod scoped_addr;
pub mod session;
pub mod speaker;
pub mod wire;

pub use asn::Asn;
pub use attributes::{AttributeSet, Attributes};
pub use community::{Community, ExtendedCommunity, LargeCommunity};
pub use evpn_route::{Esi, EvpnKey, EvpnTail, MacAddress, RouteDistinguisher, Vni};
pub use family::Family;
pub use nlri::{Nlri, PathId};
pub use packed::Packed;
pub use prefix::{Prefix, Prefix4, Prefix6};
pub use redistribution::{InterfaceName, RouteSource, SourceFilter};
pub use scoped_addr::ScopedAddr;
pub use speaker::Speaker;
