//! Complete reads: what is not seen between the beginning and the end of one is not there.
//!
//! The start, lost notifications, [`Options::audit`](crate::Options::audit) and a comparison that
//! an operator asks for are all audits. They count what differed from what the kernel was thought
//! to have; the next plan repairs it.

use std::collections::HashMap;

use super::Table;
use super::layer2::FdbState;
use super::overlays::OverlaySlot;
use crate::event::{Differences, Event};
use crate::state::{FdbKey, Key, RouteKey};

/// An audit under way.
#[derive(Default)]
pub(super) struct Audit {
    pub(super) fdb: HashMap<FdbKey, FdbState>,
    pub(super) found: Differences,
    /// The last route of another program that was told, with its metric.
    pub(super) ahead: Option<(RouteKey, u32)>,
}

/// Which parts of the kernel's tables an audit reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditScope {
    /// Routes.
    pub routes: bool,
    /// FDB entries, flood lists and neighbours.
    pub layer2: bool,
}

impl Table {
    /// Everything read from here to [`Table::end_audit`] is all there is.
    pub fn begin_audit(&mut self, scope: AuditScope) {
        if scope.routes {
            self.routes.begin_audit();
            self.strays.begin_audit();
        }
        if scope.layer2 {
            self.fdb.begin_audit();
            self.flood.begin_audit();
            self.neighbours.begin_audit();
            self.occupied.begin();
            self.links.begin_stations();
            self.unplaced = false;
        }
        self.audit = Some(Audit::default());
    }

    /// The dump of an audit failed: what was not seen may be there all the same.
    pub fn abandon_audit(&mut self) {
        self.audit = None;
        self.routes.abandon_audit();
        self.strays.abandon_audit();
        self.fdb.abandon_audit();
        self.flood.abandon_audit();
        self.neighbours.abandon_audit();
        self.occupied.abandon();
        self.links.abandon_stations();
    }

    /// Ends an audit. Returns in how many entries the kernel differed from what it was thought to
    /// have; the next plan repairs them.
    pub fn end_audit(&mut self, scope: AuditScope) -> Differences {
        let Some(mut audit) = self.audit.take() else {
            return Differences::default();
        };
        if scope.routes {
            let lost = self.routes.end_audit();
            audit.found.missing += lost.len();
            for (key, id) in lost {
                self.shapes.release(id, &mut self.objects);
                self.events.push_back(Event::Removed {
                    key: Key::Route(key),
                });
            }
            for (_, id) in self.strays.end_audit(|_| true) {
                self.shapes.release(id, &mut self.objects);
            }
        }
        if scope.layer2 {
            self.devices_dirty |= self.links.end_stations();
            for place in self.occupied.end() {
                self.try_place(place);
            }
            for (key, mut state) in std::mem::take(&mut audit.fdb) {
                state.sticky = self.fdb.have(&key).is_some_and(|have| have.sticky);
                match self.fdb.have(&key) {
                    Some(have) if have != state => audit.found.different += 1,
                    // An entry without our mark, as the kernel makes one for the device's own
                    // address, was noted as one that is not there.
                    None if self.shares.swept().layer2
                        && self.fdb.want(&key).is_none()
                        && (state.tunnel.is_some() || state.bridge) =>
                    {
                        audit.found.unexpected += 1;
                    }
                    Some(_) | None => {}
                }
                self.place_fdb(&key, state);
            }
            // With every complete read, what was refused is tried again without reason.
            let refused = |slot: &&mut OverlaySlot| slot.error.is_some();
            for slot in self.overlays.values_mut().filter(refused) {
                slot.last.clear();
                self.devices_dirty = true;
            }
            self.retry_refused_vrfs();
            self.retry_refused_interfaces();
            let lost = self.fdb.end_audit();
            audit.found.missing += lost.len();
            self.report_removed(lost.into_iter().map(Key::Fdb));
            let lost = self.flood.end_audit();
            audit.found.missing += lost.len();
            self.report_removed(lost.into_iter().map(Key::Flood));
            let lost = self.neighbours.end_audit();
            audit.found.missing += lost.len();
            self.report_removed(lost.into_iter().map(Key::Neighbour));
        }
        audit.found
    }
}
