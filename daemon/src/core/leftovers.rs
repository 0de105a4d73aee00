//! What the last run left in the kernel goes once it is known that nobody wants it any more.
//!
//! Routes go when their family is complete. Entries on devices, when EVPN is, and devices, when all
//! families are; but not before every overlay of the configuration was asked for: one that waits for
//! the underlay, for its VRF or for the instance that has it would lose its bridge with all ports.
//! An instance says so as the first thing it does, or never: it is waited for as long as routes are
//! (`graceful_restart.deferral_time`), since all that is left over of other networks waits with it.
//! Nor before the kernel's thread has looked at the devices of all of them: entries of stations here
//! are wanted because it finds them.
//!
//! ```text
//!  complete ─► all overlays asked for? ─► the kernel's thread looks ─► what it told is worked off ─► sweep
//!                 ▲        │ no                                            │ not any more
//!                 └────────┴───────────────────────────────────────────────┘
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp::Family;
use fib::Sweep;

use super::Core;

/// How long what a run before left in the kernel waits for BFD to come up again. That takes two or
/// three packets, one a second (RFC 5880 §6.8.3).
const PATHS_WAIT: Duration = Duration::from_secs(10);

/// How far it has come.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    /// Complete families whose leftovers are still there, because BFD has not spoken yet.
    unswept: Vec<Family>,
    /// Until when all wait for neighbours that connect from a range: who they are is not known.
    strangers_until: Option<Instant>,
    /// VRFs with a tunnel whose instances have not come up yet.
    unannounced: BTreeSet<Arc<str>>,
    /// Entries on devices may go as far as routes are concerned.
    entries: bool,
    /// And so may devices.
    devices: bool,
    /// The kernel's thread was asked to look.
    asked: bool,
    /// It has.
    looked: bool,
}

impl Leftovers {
    /// Waits for the VRFs that the configuration has at the start.
    pub(super) fn awaiting(unannounced: BTreeSet<Arc<str>>) -> Self {
        Self {
            unannounced,
            ..Self::default()
        }
    }

    /// Waits for neighbours of a range until then.
    pub(super) fn await_strangers(&mut self, until: Instant) {
        self.strangers_until = Some(until);
    }

    /// A VRF has come up.
    pub(super) fn announced(&mut self, vrf: &str) {
        self.unannounced.remove(vrf);
    }

    /// The kernel's thread has looked.
    pub(super) fn looked(&mut self) {
        self.asked = false;
        self.looked = true;
    }
}

impl Core {
    /// Removes what nobody has sent again. What BFD has to speak of first waits for it, and all waits
    /// for neighbours of a range: with few neighbours that are known everything is complete at once.
    pub(super) fn sweep(&mut self, family: Family) {
        if self.statics.awaits_paths() || self.leftovers.strangers_until.is_some() {
            self.leftovers.unswept.push(family);
            return;
        }
        self.hand_over_changes();
        let Some(kernel) = &self.hands.kernel else {
            return;
        };
        match family {
            Family::Ipv4Unicast => kernel.sweep(Sweep::Ipv4Routes),
            Family::Ipv6Unicast => kernel.sweep(Sweep::Ipv6Routes),
            Family::Evpn => self.leftovers.entries = true,
        }
        if Family::ALL
            .iter()
            .all(|family| *self.converged.get(*family))
        {
            if let Some(wireguard) = &self.hands.wireguard {
                wireguard.sweep();
            }
            self.leftovers.devices = true;
        }
        self.look_for_leftovers();
    }

    /// When static routes and leftovers of before a crash go although BFD has not spoken of them,
    /// neighbours of a range have not connected, or a VRF has not come up.
    pub(super) fn paths_deadline(&self) -> Option<Instant> {
        let awaited = self.statics.awaits_paths();
        let paths = awaited.then(|| self.started + PATHS_WAIT);
        paths
            .into_iter()
            .chain(self.leftovers.strangers_until)
            .chain(self.vrfs_until())
            .min()
    }

    /// Until when VRFs that have not come up are waited for, if any are.
    fn vrfs_until(&self) -> Option<Instant> {
        let awaited = !self.leftovers.unannounced.is_empty();
        awaited.then(|| self.started + self.config.graceful_restart.deferral_time)
    }

    pub(super) fn paths_timeout(&mut self, now: Instant) {
        if self.statics.awaits_paths() && self.started + PATHS_WAIT <= now {
            self.statics.wait_for_paths(false);
            self.ground_changed = true;
        }
        if self.leftovers.strangers_until.is_some_and(|at| at <= now) {
            self.leftovers.strangers_until = None;
            self.sweep_rest();
        }
        if self.vrfs_until().is_some_and(|at| at <= now) {
            let missing = std::mem::take(&mut self.leftovers.unannounced);
            let names: Vec<&str> = missing.iter().map(|name| &**name).collect();
            tracing::warn!(
                vrfs = names.join(", "),
                "VRFs have not come up: what the last run left in the kernel goes without them, \
                 devices of their tunnels included"
            );
            self.sweep_rest();
        }
    }

    /// Removes what waited, if it does not have to any more.
    pub(super) fn sweep_rest(&mut self) {
        for family in std::mem::take(&mut self.leftovers.unswept) {
            self.sweep(family);
        }
        self.look_for_leftovers();
    }

    /// Has the kernel's thread look at overlays' devices, if all of them are known.
    fn look_for_leftovers(&mut self) {
        let due = self.leftovers.entries || self.leftovers.devices;
        if !due || self.leftovers.asked || !self.overlays_are_known() {
            return;
        }
        self.hand_over_changes();
        if let Some(kernel) = &self.hands.kernel {
            self.leftovers.asked = true;
            kernel.look();
        }
    }

    /// Removes entries and devices of which it is certain now; false when there was nothing to do.
    pub(super) fn sweep_devices(&mut self) -> bool {
        if !std::mem::take(&mut self.leftovers.looked) {
            return false;
        }
        if !self.overlays_are_known() {
            return true;
        }
        self.hand_over_changes();
        let Some(kernel) = &self.hands.kernel else {
            return true;
        };
        let (entries, devices) = (
            std::mem::take(&mut self.leftovers.entries),
            std::mem::take(&mut self.leftovers.devices),
        );
        if entries {
            kernel.sweep(Sweep::Layer2);
        }
        if devices {
            kernel.sweep(Sweep::All);
        }
        if entries {
            self.local.forget_leftovers();
            self.forget_sequences();
        }
        true
    }

    /// Every overlay of the configuration was asked for.
    fn overlays_are_known(&self) -> bool {
        let tenants_wait = self.overlay_mtu.is_none() && self.tenants_need_mtu();
        self.leftovers.unannounced.is_empty()
            && !tenants_wait
            && self.overlays_held_back().is_empty()
    }
}
