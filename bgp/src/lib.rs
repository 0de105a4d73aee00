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
//! # Deviations

#![forbid(unsafe_code)]

pub mod asn;
pub mod attributes;
pub mod community;
pub mod evpn_route;
pub mod family;
pub mod message;
pub mod nlri;
pub mod policy;
pub mod prefix;
pub mod rib;
pub mod session;
pub mod speaker;
pub mod wire;

pub use asn::Asn;
pub use attributes::{AttributeSet, Attributes};
pub use community::{Community, ExtendedCommunity, LargeCommunity};
pub use evpn_route::{Esi, EvpnKey, EvpnTail, MacAddress, RouteDistinguisher, Vni};
pub use family::Family;
pub use nlri::{Nlri, PathId};
pub use prefix::{Prefix, Prefix4, Prefix6};
pub use speaker::Speaker;
