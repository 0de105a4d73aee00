//! The VLANs of bridges and their ports, and the VNIs that VXLAN devices let in.
//!
//! `netlink-packet-route` has no messages for the second and no range-aware reading of the first,
//! so both are bytes here. Layouts are those of `linux/if_bridge.h` and `linux/if_link.h`. A bridge
//! port shows its VLANs in `IFLA_AF_SPEC` of a device message of family `AF_BRIDGE`, neighbouring
//! ones that are alike as the two ends of a range.

use std::collections::BTreeSet;

use super::encode::AF_BRIDGE;
use super::message::{Builder, NLM_F_CREATE, NLM_F_REQUEST, attributes, u16_at, u32_at};
use crate::links::{Vlan, Vlans};
use crate::netlink::device::{RTM_DELLINK, RTM_SETLINK};

pub(crate) const RTM_NEWTUNNEL: u16 = 120;
pub(crate) const RTM_DELTUNNEL: u16 = 121;
pub(crate) const RTM_GETTUNNEL: u16 = 122;

const IFLA_AF_SPEC: u16 = 26;
pub(crate) const IFLA_EXT_MASK: u16 = 29;
/// VLANs in dumps, those alike as ranges.
pub(crate) const RTEXT_FILTER_BRVLAN_COMPRESSED: u32 = 1 << 2;

const IFLA_BRIDGE_FLAGS: u16 = 0;
const BRIDGE_FLAGS_SELF: u16 = 2;
const IFLA_BRIDGE_VLAN_INFO: u16 = 2;
const IFLA_BRIDGE_VLAN_TUNNEL_INFO: u16 = 3;
const IFLA_BRIDGE_VLAN_TUNNEL_ID: u16 = 1;
const IFLA_BRIDGE_VLAN_TUNNEL_VID: u16 = 2;
const IFLA_BRIDGE_VLAN_TUNNEL_FLAGS: u16 = 3;

const VLAN_PVID: u16 = 1 << 1;
const VLAN_UNTAGGED: u16 = 1 << 2;
const VLAN_RANGE_BEGIN: u16 = 1 << 3;
const VLAN_RANGE_END: u16 = 1 << 4;

const VXLAN_VNIFILTER_ENTRY: u16 = 1;
const VXLAN_VNIFILTER_ENTRY_START: u16 = 1;
const VXLAN_VNIFILTER_ENTRY_END: u16 = 2;

/// More than all VNIs do not fit a range, so this is where a wrong one ends.
const RANGE: u32 = 1 << 24;

/// Reads a device message of a bridge or port: its number and its VLANs.
pub(crate) fn vlans(payload: &[u8]) -> Option<(u32, Vlans)> {
    let index = u32_at(payload, 4)?;
    let mut vlans = Vlans::new();
    let specs = attributes(payload.get(16..)?).filter(|(kind, _)| *kind == IFLA_AF_SPEC);
    for (_, spec) in specs {
        let mut begun: Option<u16> = None;
        // VLANs come before what they are mapped to.
        for (_, value) in attributes(spec).filter(|(kind, _)| *kind == IFLA_BRIDGE_VLAN_INFO) {
            let (flags, vid) = (u16_at(value, 0)?, u16_at(value, 2)?);
            let vlan = Vlan {
                pvid: flags & VLAN_PVID != 0,
                untagged: flags & VLAN_UNTAGGED != 0,
                tunnel: None,
            };
            if flags & VLAN_RANGE_BEGIN != 0 {
                begun = Some(vid);
                continue;
            }
            let first = begun.take().filter(|_| flags & VLAN_RANGE_END != 0);
            vlans.extend((first.unwrap_or(vid)..=vid).map(|vid| (vid, vlan)));
        }
        let mut begun: Option<(u16, u32)> = None;
        let tunnels = attributes(spec).filter(|(kind, _)| *kind == IFLA_BRIDGE_VLAN_TUNNEL_INFO);
        for (_, value) in tunnels {
            let (mut id, mut vid, mut flags) = (None, None, 0);
            for (kind, value) in attributes(value) {
                match kind {
                    IFLA_BRIDGE_VLAN_TUNNEL_ID => id = u32_at(value, 0),
                    IFLA_BRIDGE_VLAN_TUNNEL_VID => vid = u16_at(value, 0),
                    IFLA_BRIDGE_VLAN_TUNNEL_FLAGS => flags = u16_at(value, 0)?,
                    _ => {}
                }
            }
            let (Some(id), Some(vid)) = (id, vid) else {
                continue;
            };
            if flags & VLAN_RANGE_BEGIN != 0 {
                begun = Some((vid, id));
                continue;
            }
            let first = begun.take().filter(|_| flags & VLAN_RANGE_END != 0);
            let (first, start) = first.unwrap_or((vid, id));
            for (vid, id) in (first..=vid).zip(start..RANGE) {
                vlans.entry(vid).or_default().tunnel = Some(id);
            }
        }
    }
    Some((index, vlans))
}

/// Reads a message about the filter of a VXLAN device: its number and the VNIs named.
pub(crate) fn filter(payload: &[u8]) -> Option<(u32, BTreeSet<u32>)> {
    let index = u32_at(payload, 4)?;
    let mut vnis = BTreeSet::new();
    let entries = attributes(payload.get(8..)?).filter(|(kind, _)| *kind == VXLAN_VNIFILTER_ENTRY);
    for (_, entry) in entries {
        let (mut start, mut end) = (None, None);
        for (kind, value) in attributes(entry) {
            match kind {
                VXLAN_VNIFILTER_ENTRY_START => start = u32_at(value, 0),
                VXLAN_VNIFILTER_ENTRY_END => end = u32_at(value, 0),
                _ => {}
            }
        }
        if let Some(start) = start.filter(|start| *start < RANGE) {
            vnis.extend(start..=end.unwrap_or(start).min(RANGE - 1));
        }
    }
    Some((index, vnis))
}

/// Which VLAN of what.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Of {
    /// Of a bridge itself.
    Bridge,
    /// Of a port, mapped to this VNI.
    Port(Option<u32>),
}

/// Puts a bridge or a port into a VLAN, frames tagged, or takes it out again.
pub(crate) fn vlan(
    buffer: &mut Vec<u8>,
    sequence: u32,
    (index, vid, of): (u32, u16, Of),
    there: bool,
) {
    let kind = if there { RTM_SETLINK } else { RTM_DELLINK };
    let mut message = Builder::new(buffer, kind, NLM_F_REQUEST, sequence);
    let mut header = [0; 16];
    header[0] = AF_BRIDGE;
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    message.bytes(&header);
    message.nested(IFLA_AF_SPEC, |message| {
        if matches!(of, Of::Bridge) {
            message.attribute(IFLA_BRIDGE_FLAGS, &BRIDGE_FLAGS_SELF.to_ne_bytes());
        }
        let [a, b] = vid.to_ne_bytes();
        message.attribute(IFLA_BRIDGE_VLAN_INFO, &[0, 0, a, b]);
        if let Of::Port(Some(vni)) = of {
            message.nested(IFLA_BRIDGE_VLAN_TUNNEL_INFO, |message| {
                message
                    .u32(IFLA_BRIDGE_VLAN_TUNNEL_ID, vni)
                    .attribute(IFLA_BRIDGE_VLAN_TUNNEL_VID, &vid.to_ne_bytes());
            });
        }
    });
    message.finish();
}

/// Lets a VXLAN device take a VNI, or no longer.
pub(crate) fn vni(buffer: &mut Vec<u8>, sequence: u32, (index, vni): (u32, u32), there: bool) {
    let (kind, flags) = match there {
        true => (RTM_NEWTUNNEL, NLM_F_REQUEST | NLM_F_CREATE),
        false => (RTM_DELTUNNEL, NLM_F_REQUEST),
    };
    let mut message = Builder::new(buffer, kind, flags, sequence);
    message
        .bytes(&[AF_BRIDGE, 0, 0, 0])
        .bytes(&index.to_ne_bytes());
    // The kernel wants to see that it is nested.
    message.nested(VXLAN_VNIFILTER_ENTRY | NLA_F_NESTED, |message| {
        message.u32(VXLAN_VNIFILTER_ENTRY_START, vni);
    });
    message.finish();
}

const NLA_F_NESTED: u16 = 1 << 15;

#[cfg(test)]
mod tests;
