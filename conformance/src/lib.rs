//! Proof for rbgpd: the rules of the RFCs, the lab, and later simulation and replay.
//!
//! The crate is a library so that tests, the demo and other tools share one set of parts:
//!
//! - [`lab`] builds networks out of namespaces on the machine it runs on, starts rbgpd and
//!   FRRouting in them, asks both and the kernel what they hold, and measures traffic.
//! - [`mod@bench`] measures rbgpd and other daemons under the same load.
//! - [`blackbox`] plays BGP peers by script against a speaker on loopback; [`rules`] compares the
//!   list of rules in `rules.toml` with the tests that do so.
//! - [`verdicts`] makes a page of what the same tests say about FRR and BIRD.
//! - [`interop`] finds out what rbgpd and each other daemon do together, and keeps
//!   `daemon/docs/interop.md`.
//!
//! Nothing in here is linked into the daemon.
//!
//! # Supported standards
//!
//! The lab speaks one protocol itself: ICMP echo (RFC 792), to count lost packets exactly. The
//! scripted peer builds and reads BGP messages of IPv4 unicast (RFC 4271) without the codec of
//! rbgpd. Everything else is spoken by the programs under test.
//!
//! # Deviations
//!
//! None known.

pub mod bench;
pub mod blackbox;
pub mod interop;
pub mod lab;
pub mod rules;
pub mod verdicts;
