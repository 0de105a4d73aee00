//! The benchmark: rbgpd and its peers under the same load on the same machine in the same hour.
//!
//! ```text
//! Scenario ─► Plan (what the daemon is told, who the neighbours are)
//!          ─► Bout (one daemon, once, in namespaces of its own)
//!               Daemon  start, CPU and memory of its processes
//!               Fleet   all neighbours on one thread; each has a View of what it holds
//!          ─► Record (figures) ─► Sheet (all daemons, ratios, targets)
//! ```
//!
//! The tables are generated or read from a file, encoded before the clock starts, and every route
//! that comes out is counted by itself: a daemon that loses one fails the scenario by name. Daemons
//! take turns (A B C A B C), because a shared machine is faster at one time than at another.
//!
//! What it does not do: it does not tune the machine, and it does not hide that the neighbours
//! take their part of it. Wall times are the machine's, CPU seconds the daemon's.

pub mod arena;
pub mod bout;
pub mod daemon;
mod edit;
pub mod fleet;
pub mod kernel;
pub mod mrt;
pub mod report;
pub mod scenario;
pub mod table;
pub mod usage;
pub mod view;
pub mod wire;

mod config;
mod policy;

pub use crate::lab::Interrupt;

/// Why a measurement did not come to its end.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;
