//! Routers in one process, over real TCP on loopback, with the kernel off.
//!
//! ```text
//! AS 65001, 127.x.n.1 ── AS 65002, 127.x.n.2 ── ..      each test n of a subject x
//! ```
//!
//! One program of tests, so that it is linked once. [`ends`] has what is at the ends of a session
//! and how a router is asked; each of the other modules is a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::wildcard_enum_match_arm
)]

mod ends;
mod frr_edits;
mod imports;
mod network;
mod route_maps;
mod router;
mod rpki;
#[path = "../../../conformance/src/lab/skip.rs"]
mod skip;
mod transport;
