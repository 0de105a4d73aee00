//! Desired kernel state for Linux.
#![warn(missing_docs)]

mod event;
mod links;
mod overlay;
mod pending;
mod state;
mod table;

pub use event::{Difference, Differences, Event, ForeignRoute};
pub use links::{Address, BridgePort, Link, LinkKind, Links, Vxlan};
pub use overlay::{DeviceOp, LinkChange, STAMP};
pub use pending::Pending;
pub use state::*;
pub use table::*;
