//! The built programs as an operator runs them: `rbgpd` as a process, asked through `rbgpctl`.
//!
//! ```text
//! test ──spawn, signals──► rbgpd ──► log, state directory, kernel of its namespace
//!   └───── rbgpctl ──unix socket──►──┘
//! ```
//!
//! One program of tests, so that it is linked once. [`daemon`] has a running daemon and its folder,
//! [`site`] one in a network namespace; each of the other modules is a subject and says what it
//! needs. Where that is missing a test says "skipped", is counted as that
//! and returns.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod daemon;
#[path = "../../../conformance/uml/elsewhere.rs"]
mod elsewhere;
mod explain;
mod fib_pending;
mod instances;
mod interfaces;
mod link_local;
mod link_loss;
mod network;
mod redistribution;
mod restart;
mod service;
mod site;
#[path = "../../../conformance/src/lab/skip.rs"]
mod skip;
mod vnis;
mod vrf;
