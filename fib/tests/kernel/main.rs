//! The kernel thread against the real kernel, each test in a network namespace of its own.
//!
//! Needs root. The thread of a test enters a new namespace, so everything it starts, `ip` and
//! `bridge` included, lives there, and everything is gone with the thread. Assertions on the
//! kernel's state go through `ip` and `bridge`, not through the code under test.
//!
//! One program of tests, so that it is linked once. [`namespace`] has the host and commands in it,
//! [`thread`] the kernel thread and what it tells, [`entries`] what tests want of it; each of the
//! other modules is a subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod audit;
mod downstream;
#[path = "../../../conformance/uml/elsewhere.rs"]
mod elsewhere;
mod entries;
mod handover;
mod hosts;
mod interfaces;
mod misfits;
mod namespace;
mod others;
mod overlays;
mod routes;
mod single;
#[path = "../../../conformance/src/lab/skip.rs"]
mod skip;
mod symmetric;
mod thread;
mod twins;
mod vrfs;
