//! Desired kernel state for Linux.
#![warn(missing_docs)]

mod event;
mod kernel;
mod links;
mod netlink;
mod overlay;
mod pending;
mod state;
mod table;
pub mod wireguard;

pub use event::{Difference, Differences, Event, ForeignRoute};
pub use kernel::{BATCH, Kernel, KernelError, KernelHandle, Options};
pub use links::{Address, BridgePort, Link, LinkKind, Links, Vxlan};
pub use overlay::{DeviceOp, LinkChange, STAMP};
pub use pending::Pending;
pub use state::*;
pub use table::*;
