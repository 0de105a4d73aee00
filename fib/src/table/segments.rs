//! VLANs, VNI filters and bridge addresses: what the kernel shows of them.
//!
//! They are parts of devices, and steps towards overlays follow from them like from devices
//! ([`super::overlays`]). Entries of layer 2 that stand in a VLAN go with it without a word, so
//! they are read again when a VLAN is gone.
//!
//! Entries of a shared VXLAN device are named by VNI and VLAN. The VLAN of an entry that the kernel
//! names by its VNI alone is the one that an overlay wants, or else the one that the kernel maps.

use std::collections::HashMap;

use super::Table;
use crate::links::{News, Station, Vlans};
use crate::state::{Device, Segment};

impl Table {
    /// VLANs or VNI filters are known of some device.
    pub fn has_segments(&self) -> bool {
        self.links.has_segments()
    }

    pub(super) fn observe_vlans(&mut self, vlans: HashMap<u32, Vlans>) {
        let news = self.links.set_vlans(vlans);
        if news == News::None {
            return;
        }
        self.devices_dirty = true;
        self.unread_layer2 |= news == News::Lost;
        self.fdb.retry();
        self.flood.retry();
    }

    /// A bridge has an address in a VLAN, or has it no longer.
    pub(crate) fn observe_station(&mut self, station: Station, there: bool) {
        self.devices_dirty |= self.links.set_station(station, there);
    }

    /// Where the entries of a VNI are on a VXLAN device that carries several.
    pub(crate) fn segment(&mut self, device: &Device, index: u32, vni: u32) -> Segment {
        let wanted = self.overlays.get(&vni).map(|slot| &slot.want);
        let lane = wanted
            .filter(|want| want.vxlan == *device)
            .and_then(|want| want.lane.as_ref());
        let segment = match lane {
            Some(lane) => Segment {
                vni,
                vlan: lane.vlan,
            },
            None => self.links.segment(index, vni),
        };
        self.unplaced |= segment.vlan == 0;
        segment
    }
}
