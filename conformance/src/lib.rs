//! Proof for rbgpd: the lab, and later the rules of the RFCs, simulation and replay.
//!
//! The crate is a library so that tests, the demo and other tools share one set of parts:
//!
//! - [`lab`] builds networks out of namespaces on the machine it runs on, starts rbgpd and
//!   FRRouting in them, asks both and the kernel what they hold, and measures traffic.
//!
//! Nothing in here is linked into the daemon.
//!
//! # Supported standards
//!
//! The lab speaks one protocol itself: ICMP echo (RFC 792), to count lost packets exactly.
//! Everything else is spoken by the programs under test.
//!
//! # Deviations
//!
//! None known.

pub mod blackbox;
pub mod lab;
