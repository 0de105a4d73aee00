//! What the kernel thread tells its owner.
//!
//! Events describe state, not history: after lost notifications the differences to what was told
//! before are told, so a receiver that applies every event has the kernel's state.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::links::{Address, Link};
use crate::state::{Device, Key, Mac, NeighbourKey, NextHop, RouteKey, RouteKind};

/// Something happened in the kernel.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A device appeared or changed.
    Link(Link),
    /// A device is gone.
    LinkRemoved {
        /// Its number.
        index: u32,
        /// Its last name.
        name: Device,
    },
    /// An address appeared, changed or went.
    Address {
        /// The address and its device.
        address: Address,
        /// It is gone.
        removed: bool,
    },
    /// An address was learned, or forgotten, on a port of a VNI's bridge other than the VXLAN
    /// device.
    LocalMac {
        /// The overlay.
        vni: u32,
        /// Its bridge.
        bridge: Device,
        /// The address.
        mac: Mac,
        /// The port's number.
        port: u32,
        /// There now, or no longer.
        present: bool,
        /// Pinned to its port (`sticky` or `static`): it does not move.
        sticky: bool,
    },
    /// A neighbour was resolved, or forgotten, on the bridge of a VNI by this host itself.
    LocalNeighbour {
        /// The overlay.
        vni: u32,
        /// Its bridge.
        bridge: Device,
        /// The neighbour's address.
        ip: IpAddr,
        /// The neighbour's MAC address.
        mac: Mac,
        /// It is a router (IPv6).
        router: bool,
        /// There now, or no longer.
        present: bool,
    },
    /// A neighbour entry with our stamp was found that nobody has asked for yet: the last run left it.
    /// It goes with [`Sweep::Layer2`](crate::Sweep::Layer2) unless it is wanted by then.
    Leftover {
        /// Where.
        key: NeighbourKey,
        /// The MAC address that it leads to.
        mac: Mac,
    },
    /// A route of somebody else, for resolving next hops and for announcing.
    RouteChanged {
        /// The route.
        route: ForeignRoute,
        /// It is gone.
        removed: bool,
    },
    /// What was wanted is in the kernel. Told together, there may be a million of them.
    Installed {
        /// The names.
        keys: Vec<Key>,
    },
    /// The kernel refused what was wanted. It is tried again when something changes, and later
    /// without reason.
    Failed {
        /// Its name.
        key: Key,
        /// Why.
        error: String,
        /// An entry of somebody else's is in its place, which we leave alone.
        occupied: bool,
    },
    /// Something of ours is no longer in the kernel: unwanted now, or taken away by others, in
    /// which case [`Event::Installed`] or [`Event::Failed`] follows.
    Removed {
        /// Its name.
        key: Key,
    },
    /// The first dump is complete: everything that was there at the start has been told.
    Ready,
    /// The answer to [`KernelHandle::look`](crate::KernelHandle::look): what was on devices of overlays
    /// that were asked for before has been told.
    Looked,
    /// Notifications were lost; everything was read again.
    Overrun,
    /// Something of ours was taken or changed by others and is put right: noticed at once, by an
    /// audit, or when everything was read after an overrun. For an entry noticed at once this
    /// comes after its [`Event::Installed`].
    Repaired(Differences),
}

impl Event {
    /// Where a wish stands: in the kernel, or not for this reason.
    pub(crate) fn standing(key: Key, error: Option<String>) -> Self {
        match error {
            None => Event::Installed { keys: vec![key] },
            Some(error) => Event::Failed {
                key,
                error,
                occupied: false,
            },
        }
    }
}

/// How many entries differed from what was thought to be in the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Should be there and are not.
    pub missing: usize,
    /// Are there with other content.
    pub different: usize,
    /// Are there with our stamp and should not be.
    pub unexpected: usize,
}

impl Differences {
    /// Nothing differed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Counts these as well.
    pub(crate) fn add(&mut self, other: Self) {
        self.missing += other.missing;
        self.different += other.different;
        self.unexpected += other.unexpected;
    }
}

/// One way in which the kernel is not as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The entry.
    pub key: Key,
    /// What should be there, if something should.
    pub want: Option<String>,
    /// What is there, if something is.
    pub have: Option<String>,
    /// Why it could not be put right so far, if that was tried.
    pub error: Option<String>,
    /// An entry of somebody else's is in its place, which we leave alone, or a device of somebody else's
    /// is not there, or down.
    pub occupied: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nothing = || "nothing".to_owned();
        let want = self.want.clone().unwrap_or_else(nothing);
        let have = self.have.clone().unwrap_or_else(nothing);
        write!(f, "{}: want {want}, have {have}", self.key)?;
        match &self.error {
            Some(error) => write!(f, " ({error})"),
            None => Ok(()),
        }
    }
}

/// A route that is not ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignRoute {
    /// Table and prefix.
    pub key: RouteKey,
    /// Who made it (`RTPROT_*`: 2 kernel, 3 boot, 4 static).
    pub protocol: u8,
    /// Its priority.
    pub metric: u32,
    /// Forward or refuse.
    pub kind: RouteKind,
    /// The ways out, interfaces by number. Resolved when the route uses a nexthop object. Routes
    /// that are alike share them.
    pub next_hops: Arc<[NextHop]>,
}
