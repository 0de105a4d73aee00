//! `rbgpctl` and the control socket against a core that is only a table of answers.
//!
//! ```text
//! rbgpctl (the built program) ──unix socket──► server ──CoreHandle──► fake core
//! ```
//!
//! Everything but the core is what is shipped. Texts that are asserted literally are those that
//! scripts rely on.
//!
//! One program of tests, so that it is linked once. [`daemon`] has the server and its fake core,
//! [`client`] the built `rbgpctl`, [`replies`] what cores answer; each of the other modules is a
//! subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::field_reassign_with_default
)]

mod alone;
mod client;
mod daemon;
mod evpn;
mod http;
mod network;
mod orders;
mod replies;
mod routes;
mod show;
mod terminal;
mod usage;
mod vtysh;
