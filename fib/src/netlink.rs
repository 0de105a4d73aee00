//! Talking to the kernel: three sockets with one job each.
//!
//! - [`writer`] sends batches of changes and reads their results;
//! - [`dump`] reads whole tables;
//! - [`watch`] receives notifications.
//!
//! They are separate because a change made on a socket that listens comes back in the middle of
//! the answers to it. Messages that are written or read by the hundred thousand (routes, nexthop
//! objects, neighbours, FDB) are encoded in [`encode`] and decoded in [`notice`] by hand, without
//! an allocation per attribute; devices and addresses, which are few and rich, go through the
//! types of `netlink-packet-route` and the builders of `rtnetlink` in [`device`]. VLANs of bridges
//! and VNI filters, for which those have no types, are bytes again ([`vlans`]). What netlink cannot set is a
//! file ([`sysctl`]).
//!
//! Nothing here decides what is written.

pub(crate) mod device;
pub(crate) mod dump;
pub(crate) mod encode;
pub(crate) mod message;
pub(crate) mod notice;
pub(crate) mod now;
pub(crate) mod sysctl;
pub(crate) mod vlans;
pub(crate) mod watch;
pub(crate) mod writer;
