//! The configuration: from text to a typed, checked value, and from two of those to a difference.
//!
//! ```text
//! text ──file──► File (every value with its place) ──accept──► Config ──diff──► Diff
//!                     ▲                                          │
//!                frr.conf reader                               print ──► text
//! ```
//!
//! `file` reads TOML into a `File` and checks one value at a time; `accept` checks
//! what several values mean together, resolves names to route-maps and fills in defaults;
//! `diff` says what changes from one accepted configuration to another, and whether a session
//! restarts for it. Every error of every step is reported at once, each with its place.
//!
//! Nothing here touches the system: whether an interface exists or an address can be bound is
//! found out by those who use it. Nothing is applied here either.

mod policy;
mod types;

pub use policy::Direction;
pub use types::*;
