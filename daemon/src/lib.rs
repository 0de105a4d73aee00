//! rbgpd: BGP, BFD and EVPN for a self-hosted cloud, with the kernel programmed to match.
//!
//! [`Router`] is the whole daemon as a library; the programs `rbgpd` and `rbgpctl` are thin. A
//! configuration ([`config`]) goes in, questions and orders ([`control`]) are answered.
//!
//! Inside: neighbours' tasks run sessions, one core owns the tables, threads of their own write
//! to the kernel and keep BFD's time. `docs/architecture.md` is the map.

mod advertisements;
pub mod bfd_io;
mod bfd_share;
pub mod config;
pub mod control;
mod core;
pub mod ctl;
mod datagram;
mod debug;
mod exchange;
mod forwarding;
pub mod frr;
mod ground;
mod install;
mod instances;
mod interface;
mod log;
mod memory;
pub mod metrics;
mod own_routes;
mod peer_io;
mod plain_file;
mod reachability;
mod repeats;
mod router;
mod rpki_io;
pub mod service;
mod shares;
pub mod snoop;
mod sole_writer;
mod state;
mod statics;
mod stations;
mod tasks;
mod vtysh;
mod wireguard_io;

#[cfg(test)]
#[path = "../../conformance/src/lab/skip.rs"]
mod skip;

pub use router::{Options, Router, StartError};
