//! Names of devices of overlays: each is one device's, and none is one that the file has another use for.

use std::collections::{BTreeMap, BTreeSet};

use bgp::Vni;

use crate::config::error::{At, Conflict, Report, Span};
use crate::config::file::File;

/// Names of devices, each for one device.
#[derive(Default)]
pub(super) struct Devices {
    // Where each name stands, and whether it was given there or is the usual one.
    seen: BTreeMap<String, (Span, bool)>,
    // Those of them that are to be VXLAN devices.
    pub(super) vxlans: BTreeSet<String>,
}

impl Devices {
    /// The interface beneath an instance, which is of that one alone.
    pub(super) fn underlay(&mut self, file: &File, report: &mut Report) {
        let underlay = file.underlay.as_ref();
        let Some(name) = underlay.and_then(|underlay| underlay.value.interface.as_ref()) else {
            return;
        };
        match self.seen.get(&name.value) {
            Some((first, _)) => {
                let first = report.place(*first);
                let name_of = name.value.clone();
                let conflict = Conflict::Device {
                    name: name_of,
                    first,
                };
                let hint = "one [underlay] interface for each instance: its AllowedIPs follow one";
                report.error_with_hint(name.span, conflict, hint);
            }
            None => {
                self.seen.insert(name.value.clone(), (name.span, true));
            }
        }
    }

    /// What an overlay makes or takes over is no interface of something else in the file. Whether the
    /// host has a device of that name, only the running daemon knows.
    pub(super) fn check_interfaces(&self, file: &File, report: &mut Report) {
        let instances = file.instances.iter().map(|at| &at.value);
        for file in std::iter::once(file).chain(instances) {
            let neighbors = file.neighbors.iter().filter_map(|at| {
                let neighbor = &at.value;
                let zone = neighbor
                    .address
                    .and_then(|at| Some((at.value.zone()?.to_string(), at.span)));
                let interface = neighbor.interface.as_ref();
                interface.map(|at| (at.value.clone(), at.span)).or(zone)
            });
            let hint = "a VXLAN device is a port of its bridge and has no addresses: name the interface \
                        towards the neighbor, and another `vxlan`";
            for (name, span) in neighbors.filter(|(name, _)| self.vxlans.contains(name)) {
                self.twice(name, span, hint, report);
            }
            let vrf = file.vrf.as_ref().map(|at| (at.value.clone(), at.span));
            let hint = "the device of a VRF is neither a bridge nor a VXLAN device";
            if let Some((name, span)) = vrf.filter(|(name, _)| self.seen.contains_key(name)) {
                self.twice(name, span, hint, report);
            }
        }
    }

    pub(super) fn twice(&self, name: String, span: Span, hint: &str, report: &mut Report) {
        if let Some((first, _)) = self.seen.get(&name) {
            let first = report.place(*first);
            report.error_with_hint(span, Conflict::Device { name, first }, hint);
        }
    }

    /// The name given, or the kind and the VNI.
    pub(super) fn name(
        &mut self,
        given: Option<&At<String>>,
        kind: &str,
        id: At<Vni>,
        report: &mut Report,
    ) -> String {
        let (name, span) = match given {
            Some(at) => (at.value.clone(), at.span),
            None => (format!("{kind}{}", id.value), id.span),
        };
        self.see(name.clone(), (span, given.is_some()), report);
        if kind == "vxlan" {
            self.vxlans.insert(name.clone());
        }
        name
    }

    /// A device has this name, given here or the usual one.
    pub(super) fn see(&mut self, name: String, (span, given): (Span, bool), report: &mut Report) {
        match self.seen.get(&name) {
            // The usual name twice is the same VNI twice, which is reported as such.
            Some((_, false)) if !given => {}
            Some((first, _)) => {
                let first = report.place(*first);
                report.error(span, Conflict::Device { name, first });
            }
            None => {
                self.seen.insert(name, (span, given));
            }
        }
    }
}
