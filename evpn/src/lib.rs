//! EVPN over VXLAN: MAC, neighbour and flood tables from routes, and routes from local addresses.
//!
//! A pipe between two tables. The best EVPN routes of other routers and what the kernel learned
//! here go in; what the kernel should have (MAC addresses behind tunnels, the flood list,
//! neighbour entries), the prefixes of tenants' tables and what BGP should advertise come out. [`Instance`] is all of it: `handle`
//! takes an [`Input`], `poll` returns each [`Output`] that differs from what was said before.
//!
//! How a fact flows: `instance` enters it into the tables of `station`; `resolve` decides, from
//! those tables alone, who has each address the fact touched (`mobility` compares the claims,
//! `duplicate` tells what moves too often); the wishes go to a `ledger` per kind, which hands out
//! the differences. Every remote route is in `routes`. `target` finds the VNIs a route belongs to, `originate` builds our own routes,
//! `vrf` does the same for the routing tables of tenants, `show` answers questions with the same
//! functions that decide; ages (`since`) are for it alone.
//!
//! What comes out is a function of what is known, not of the order in which it became known: the
//! tunnel address, VNIs, routes and local addresses may come in any order. One order does matter,
//! and is the protocol's own: whether an address was learned here before or after another site's
//! claim to it was known (RFC 7432 §15). That is remembered when it happens, whatever is
//! configured by then. There is no second opinion that could get stuck: an entry that should be
//! in the kernel is the winning route, whatever its sequence number was before. Time plays a part
//! in one thing, duplicates, and comes in as an argument.
//!
//! The crate opens no socket, reads no clock and starts no thread. It does not choose between
//! paths to the same route (BGP did), does not drain (the export policy adds the attributes), and
//! does not read or write the kernel.
//!
//! ```
//! use std::time::Instant;
//!
//! use evpn::{Config, Input, Instance, Output, VniConfig};
//!
//! let mut instance = Instance::new(Config {
//!     local_as: bgp::Asn(65001),
//!     router_id: "10.10.0.1".parse()?,
//!     vtep: Some("10.10.0.1".parse()?),
//! });
//! let vni = bgp::Vni::new(100).ok_or("VNI beyond 24 bits")?;
//! let learned = Input::LocalMac {
//!     vni,
//!     mac: "02:00:00:00:00:01".parse()?,
//!     present: true,
//!     sticky: false,
//! };
//! instance.handle(Instant::now(), learned);
//! assert_eq!(instance.poll(), None, "the VNI is not configured yet");
//! let config = VniConfig::new("production");
//! instance.handle(Instant::now(), Input::SetVni { vni, config });
//! let mut told = Vec::new();
//! while let Some(output) = instance.poll() {
//!     if let Output::Originate { key, .. } = output {
//!         told.push(key.to_string());
//!     }
//! }
//! assert_eq!(told, [
//!     "[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]",
//!     "[3]:[10.10.0.1:100]:[0]:[32]:[10.10.0.1]",
//! ]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Supported standards
//!
//! - RFC 7432 (EVPN), VLAN-based service (§6.1): types 2 (§7.2, §9, §10) and 3 (§7.3, §11) sent
//!   and used; automatic route distinguisher (§7.9); MAC mobility (§15) with static addresses
//!   (§15.2) and duplicates (§15.1); Default Gateway community (§10.1). Types 1 and 4 are kept and
//!   listed.
//! - RFC 9136 (IP prefixes, type 5): interface-less (§4.4.1) with the router's MAC, and a gateway IP
//!   as overlay index (§4.1), sent and used.
//! - RFC 9135 (integrated routing and bridging): symmetric (§5, §9.1), stations' addresses as host
//!   routes; asymmetric (§4, §6) follows from neighbour entries in every VNI.
//! - RFC 8365 (VXLAN): VNI in the label field (§5.1.3), which is the receiver's choice (§5.1.1:
//!   sites may have different numbers); automatic route targets (§5.1.2.1) taken in, ingress
//!   replication (§9), IPv4 and IPv6 tunnel addresses.
//! - RFC 9721 (extended mobility): an IP address that moves to another MAC address raises the
//!   sequence number of that MAC, and all IP addresses of a MAC share its number.
//! - RFC 9161 §3.7: an IP address that changes its MAC address again and again is a duplicate.
//!
//! # Deviations
//!
//! - RFC 7432 §7.9: the number of an automatic route distinguisher is the VNI; a VNI beyond 16
//!   bits takes its low 16 bits, or the next free number. It depends on the set of VNIs only, so
//!   it survives a restart; adding a VNI can move another one's when both have the same low bits.
//! - RFC 7432 §7.10.1, RFC 8365 §5.1.2.1: an automatic import target matches any AS, since sites
//!   with AS numbers of their own would never meet otherwise. The automatic export target is
//!   `AS:VNI` as in FRR, with the low 16 bits of a four-octet AS.
//! - RFC 8365 §5.1.3: a route without encapsulation is taken as VXLAN, the only one configured.
//! - RFC 8365 §5.1.3: a label of zero is taken for our own VNI.
//! - RFC 8365 §5.1.1: a VRF reaches a router with one VNI, since Linux keeps one for a MAC address:
//!   its own number where the router tells routes with it, else the lowest. Routes of that router
//!   with another are named and not used.
//! - RFC 7432 §7.2, §14: an Ethernet segment identifier is kept and not acted on. A multihomed
//!   address is reached through the site with the lowest tunnel address.
//! - RFC 7432 §15.1: a duplicate is only reported unless freezing is asked for. A frozen one is
//!   held where it is, its route still sent and others' still taken: the RFC stops both, and then
//!   nobody reaches either host. The hold ends with its time, by hand, or when that place has the
//!   address no more. The window slides; it is not a timer that starts with the first move.
//! - RFC 7432 §15.1, RFC 9161 §3.7: addresses of virtual routers (00:00:5e:00:01:xx, and 02 for
//!   IPv6) are never duplicates, nor is an IP address that moves to or from one: that they change
//!   their place is what they are for.
//! - RFC 9136 §4.3: a route with an Ethernet segment as overlay index is kept and not used. §3.1: a
//!   route told with a gateway IP keeps the L3 VNI in its label, as other implementations do.
//! - RFC 9135 §9.1: link-local addresses of stations are told without the L3 VNI; they mean nothing
//!   beyond their link. Nor is an address that lies in none of the subnets that its VNI has at this
//!   site: this router could not hand routed packets to it, and the host route would take the traffic
//!   of whoever has the address elsewhere.
//! - RFC 9135 §9.1: the host route of an address that our own VNI with its subnet has elsewhere, or
//!   that is our gateway, is not used, whichever VNI it was told in.
//! - RFC 7432 §6.1: an Ethernet tag equal to the VNI is taken as 0, as some senders write it.
//! - RFC 7432 §15: at sequence number 4294967295 an address can no longer become newer; the lower
//!   tunnel address keeps it until it is withdrawn.

#![forbid(unsafe_code)]

mod concern;
mod config;
mod duplicate;
mod instance;
mod known;
mod ledger;
mod mobility;
mod originate;
mod path;
mod resolve;
mod routes;
mod show;
mod since;
mod station;
mod subnets;
mod target;
mod tunnel;
mod vrf;
mod whereabouts;

pub use concern::Concern;
pub use config::{Config, VniConfig};
pub use duplicate::{
    Address, AddressError, Between, Duplicate, DuplicateAction, DuplicateDetection, DuplicateEnd,
    MoveCounts,
};
pub use instance::{Input, Instance, Output};
pub use mobility::Rule;
pub use path::{Fault, Path, Route};
pub use show::{
    Announcer, Candidate, Conflict, FloodStatus, Kind, MacStatus, NeighbourStatus, Outcome,
    Problem, Reason, ReceivedRoute, RouterStatus, Unimported, VniStatus, VrfStatus, VtepStatus,
};
pub use station::RemoteMac;
pub use target::{ImportTarget, distinguishers};
pub use tunnel::Tunnel;
pub use vrf::{Via, VrfConfig, VrfName, imported_prefix, router_mac};
