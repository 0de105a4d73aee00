//! Desired kernel state for Linux: routes, VXLAN overlays, and the WireGuard underlay.
//!
//! Say what should be in the kernel, and a thread of its own makes it so and keeps it so:
//!
//! ```no_run
//! use std::sync::Arc;
//! use fib::{Entry, Kernel, NextHop, Options, Route, RouteKey, Sweep};
//!
//! let kernel = Kernel::spawn(Options::default(), Box::new(|event| println!("{event:?}")))?;
//! let route = Arc::new(Route::via([NextHop::gateway("10.10.0.2".parse()?).dev("wg0")]));
//! kernel.want(Entry::Route(RouteKey::main("10.100.0.0/16".parse()?), route));
//! kernel.sweep(Sweep::All);
//! assert!(kernel.verify()?.is_empty());
//! kernel.stop(true);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Data flows `KernelHandle` → [`Pending`] (latest per key wins) → [`Table`] (want, have, plan;
//! pure) → netlink, and back as [`Event`]s. A start reads what a previous run left, keeps it in
//! use, replaces it as wishes come, and removes the rest when told to [`KernelHandle::sweep`].
//! Lost notifications, changes by hand and the periodic audit take the same path: read, compare,
//! repair.
//!
//! Several owners may share the thread ([`KernelHandle::join`]): each has its entries, its leftovers
//! and its events, and two of them may want the same prefix in one table, with different metrics.
//!
//! [`wireguard`] stands beside this: it plans which prefixes belong to which peer and talks to
//! WireGuard interfaces; its caller decides when.
//!
//! Devices of the host have their addresses ([`addressing`]) and are up, and the host forwards, if that is
//! asked for.
//!
//! A VRF is a device and a table ([`vrf`]); overlays stand in VRFs, and routes of their tables lead
//! to tunnel endpoints ([`NextHop::through`]).
//!
//! This crate does not know what a routing protocol is. It resolves no next hops, chooses no
//! paths, and creates no WireGuard devices.
//!
//! # Supported standards
//!
//! - RFC 7348 (VXLAN): devices, FDB entries, head-end replication lists, MTU.
//! - RFC 9135 §4, RFC 4291 §2.5.5.2: bridges of L3VNIs, IPv4-mapped gateways of IPv6 routes there.
//! - RFC 8950: IPv6 gateways for IPv4 routes.
//! - RFC 4861 §7.2.2, RFC 4291 §2.5.1: link-local address of an IPv6 gateway.
//! - rtnetlink with nexthop objects (Linux 5.3 and later), `IFA_PROTO` (5.18 and later) and
//!   extended acknowledgements; WireGuard's generic netlink family and cross-platform text
//!   protocol.
//!
//! # Deviations
//!
//! - A route of another program that was put under one of our nexthop objects goes with the
//!   object; the kernel has no way to ask.
//! - The kernel keeps no stamp per flood entry, so every entry with a zero MAC address on the
//!   VXLAN device of a wanted overlay counts as ours (FRR's leftovers among them).
//! - A remote MAC address or neighbour replaces what the kernel learned. It waits for a static
//!   entry of somebody else's, except one for another port of the bridge: that one says that the
//!   host is on this side, which the owner is told and decides about.
//! - `sticky` of a remote MAC address is written but not compared: Linux does not keep it together
//!   with `extern_learn`.
//! - On kernels older than 5.18 addresses carry no stamp and are not removed.
//! - An IPv4 address that nobody wants any longer stays where the kernel would drop one of others' of the
//!   same network with it (`net.ipv4.conf.DEV.promote_secondaries`), whichever of them came first.
//! - Weights over 256 are taken as 256; the kernel's larger ones are newer than most kernels.

pub mod addressing;
pub mod debug;
mod event;
mod kernel;
mod links;
#[cfg(feature = "model")]
pub mod model;
mod netlink;
mod overlay;
mod pending;
#[cfg(test)]
#[path = "../../conformance/src/lab/skip.rs"]
mod skip;
mod state;
mod table;
pub mod vrf;
pub mod wireguard;

pub use event::{Difference, Differences, Event, ForeignRoute};
pub use kernel::{BATCH, Kernel, KernelError, KernelHandle, Options, device_kind, left_behind};
pub use links::{Address, Bridge, BridgePort, Link, LinkKind, Links, Vlan, Vlans, Vxlan};
pub use netlink::dump::host_now;
pub use netlink::now::{DeviceFacts, devices_now, routes_now};
pub use overlay::{DeviceOp, LinkChange, Part, STAMP};
pub use pending::Pending;
pub use state::{
    Addressing, Change, Claim, Device, Entry, FdbKey, FloodKey, Interface, Key, Lane, Mac,
    MacError, Neighbour, NeighbourKey, NextHop, Overlay, OwnAddress, RemoteMac, Route, RouteKey,
    RouteKind, Segment, Share, Tunnel, Vrf, overlay_mtu, tunnel_gateway,
};
pub use table::{
    AuditScope, Hop, Object, Observation, Op, OpError, Parting, Place, RouteShape, Status, Sweep,
    Table, Theirs, Via,
};
