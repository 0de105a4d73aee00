//! Operations on the kernel, and how they are refused.
//!
//! [`Table::plan`](super::Table::plan) gives them, somebody carries them out, and
//! [`Table::done`](super::Table::done) takes the results. How they are encoded is not known here.

use std::fmt;
use std::sync::Arc;

use super::{Object, RouteShape};
use crate::overlay::DeviceOp;
use crate::state::{FdbKey, FloodKey, Neighbour, NeighbourKey, RemoteMac, RouteKey, Tunnel};

/// One operation on the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A step towards an overlay; `None` removes leftovers that belong to no overlay.
    Device(Option<u32>, DeviceOp),
    /// Creates or replaces a nexthop object.
    SetNextHop(u32, Object),
    /// Creates a route, which must not exist, or replaces ours.
    SetRoute {
        /// Table and prefix.
        key: RouteKey,
        /// Content.
        shape: Arc<RouteShape>,
        /// A route of ours with this metric is there.
        replace: bool,
    },
    /// Writes a remote MAC address to the VXLAN device and to the bridge.
    SetFdb {
        /// Device and address.
        key: FdbKey,
        /// The device's number.
        index: u32,
        /// Where it is.
        remote: RemoteMac,
    },
    /// Appends to the flood list.
    SetFlood {
        /// Device and endpoint.
        key: FloodKey,
        /// The device's number.
        index: u32,
    },
    /// Writes a neighbour.
    SetNeighbour {
        /// Device and address.
        key: NeighbourKey,
        /// The device's number.
        index: u32,
        /// Its content.
        neighbour: Neighbour,
    },
    /// Removes a route of ours.
    UnsetRoute {
        /// Table and prefix.
        key: RouteKey,
        /// Content.
        shape: Arc<RouteShape>,
    },
    /// Removes one of several routes of ours with this metric, by all that it says.
    UnsetTwin {
        /// Table and prefix.
        key: RouteKey,
        /// Content.
        shape: Arc<RouteShape>,
    },
    /// Removes a remote MAC address.
    UnsetFdb {
        /// Device and address.
        key: FdbKey,
        /// The device's number.
        index: u32,
        /// The entry on the VXLAN device, if it is there.
        tunnel: Option<Tunnel>,
        /// There is an entry on the bridge, or may be.
        master: bool,
    },
    /// Removes an endpoint from the flood list.
    UnsetFlood {
        /// Device and endpoint.
        key: FloodKey,
        /// The device's number.
        index: u32,
    },
    /// Removes a neighbour.
    UnsetNeighbour {
        /// Device and address.
        key: NeighbourKey,
        /// The device's number.
        index: u32,
    },
    /// Removes a nexthop object.
    UnsetNextHop(u32),
    /// Has the host forward packets of an IP version, or not.
    SetForwarding {
        /// IPv6, or IPv4.
        ipv6: bool,
        /// It does.
        on: bool,
    },
}

impl Op {
    /// The device that this removes.
    pub(crate) fn deletes(&self) -> Option<u32> {
        if let Self::Device(_, DeviceOp::Delete { index, .. }) = self {
            return Some(*index);
        }
        None
    }

    /// It is about a nexthop object alone.
    pub(crate) fn is_of_next_hop(&self) -> bool {
        matches!(self, Self::SetNextHop(..) | Self::UnsetNextHop(_))
    }
}

/// Why the kernel refused an operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct OpError {
    /// The error number, positive.
    pub errno: i32,
    /// The kernel's explanation, if it gave one.
    pub explanation: Option<String>,
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.errno)
            .to_string()
            .to_lowercase();
        match &self.explanation {
            Some(explanation) => write!(f, "{explanation} ({text})")?,
            None => f.write_str(&text)?,
        }
        match self.errno {
            libc::EPERM => f.write_str(": rbgpd needs CAP_NET_ADMIN"),
            _ => Ok(()),
        }
    }
}

impl OpError {
    /// What was to be removed is not there.
    pub(super) fn is_absent(&self) -> bool {
        [libc::ENOENT, libc::ESRCH, libc::ENODEV].contains(&self.errno)
    }
}

/// The error of a removal, unless it says that there was nothing to remove.
pub(super) fn refused(result: &Result<(), OpError>) -> Option<&OpError> {
    result.as_ref().err().filter(|error| !error.is_absent())
}
