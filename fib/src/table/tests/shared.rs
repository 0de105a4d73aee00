//! Overlays on shared devices: plans against a kernel with VLANs and VNI filters.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::state::Lane;

impl Model {
    fn number(&self, name: &str) -> Option<u32> {
        let named = |link: &&Link| link.name.as_str() == name;
        self.links.values().find(named).map(|link| link.index)
    }
}

/// What happens to overlays 11 to 13, which share devices.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// In VLAN 1 to 3, or 5 to 7.
    Lane {
        number: u8,
        other_vlan: bool,
    },
    NoLane(u8),
    Host {
        number: u8,
        mac: u8,
        vtep: u8,
        vni: u32,
    },
    NoHost {
        number: u8,
        mac: u8,
    },
    LoseVlan {
        vlan: u16,
        of_bridge: bool,
    },
    LoseVni(u8),
    LoseAddresses,
    /// Somebody maps the VLAN to another VNI.
    Remap(u8),
    LoseDevice(&'static str),
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let device = prop_oneof![Just("br-s"), Just("vx-s"), Just("br-s.2")];
    prop_oneof![
        4 => (1u8..4, any::<bool>()).prop_map(|(number, other_vlan)| Step::Lane { number, other_vlan }),
        2 => (1u8..4).prop_map(Step::NoLane),
        3 => (1u8..4, 1u8..4, 1u8..4, 0u32..2)
            .prop_map(|(number, mac, vtep, vni)| Step::Host { number, mac, vtep, vni }),
        1 => (1u8..4, 1u8..4).prop_map(|(number, mac)| Step::NoHost { number, mac }),
        1 => (1u16..8, any::<bool>()).prop_map(|(vlan, of_bridge)| Step::LoseVlan { vlan, of_bridge }),
        1 => (1u8..4).prop_map(Step::LoseVni),
        1 => Just(Step::LoseAddresses),
        1 => (1u8..4).prop_map(Step::Remap),
        1 => device.prop_map(Step::LoseDevice),
    ]
}

fn lane(number: u8, other_vlan: bool) -> Overlay {
    let lane = Lane {
        bridge: "br-s".into(),
        vlan: u16::from(number) + if other_vlan { 4 } else { 0 },
        mtu: 1450,
    };
    let vni = u32::from(number) + 10;
    let overlay = Overlay::new(vni, IpAddr::from([10, 0, 0, 1]), 1450).on("vx-s", lane);
    let overlay = overlay.gateway(format!("10.200.{number}.1/24").parse().unwrap());
    match number {
        1 => overlay,
        _ => overlay.gateway_mac(Mac([2, 0, 0x5e, 0, 0, number])),
    }
}

/// The place of an overlay that is wanted.
fn segment(number: u8, last: &HashMap<Key, Change>) -> Option<Segment> {
    let vni = u32::from(number) + 10;
    let Some(Change::Set(Entry::Overlay(_, overlay))) = last.get(&Key::Overlay(vni)) else {
        return None;
    };
    let vlan = overlay.lane.as_ref()?.vlan;
    Some(Segment { vni, vlan })
}

/// What is wanted in an overlay goes before it does, or moves.
fn unset_entries(number: u8, last: &HashMap<Key, Change>) -> Vec<Change> {
    let segment = segment(number, last);
    let within = |key: &&Key| match key {
        Key::Fdb(key) => segment.is_some() && key.segment == segment,
        Key::Flood(key) => segment.is_some() && key.segment == segment,
        Key::Route(_)
        | Key::Neighbour(_)
        | Key::Overlay(_)
        | Key::Vrf(..)
        | Key::Addressing(_)
        | Key::Forwarding { .. } => false,
    };
    last.keys()
        .filter(within)
        .cloned()
        .map(Change::Unset)
        .collect()
}

pub(super) fn take(
    step: &Step,
    table: &mut Table,
    model: &mut Model,
    last: &mut HashMap<Key, Change>,
) {
    let mut wishes = Vec::new();
    match step {
        Step::Lane { number, other_vlan } => {
            let overlay = lane(*number, *other_vlan);
            let vni = u32::from(*number) + 10;
            let vlan = overlay.lane.as_ref().map(|lane| lane.vlan);
            if segment(*number, last).map(|it| it.vlan) != vlan {
                wishes.extend(unset_entries(*number, last));
            }
            wishes.push(Change::Set(Entry::Overlay(vni, Arc::new(overlay))));
        }
        Step::NoLane(number) => {
            wishes.extend(unset_entries(*number, last));
            wishes.push(Change::Unset(Key::Overlay(u32::from(*number) + 10)));
        }
        Step::Host {
            number,
            mac,
            vtep,
            vni,
        } => {
            let mac = Mac([2, 1, 0, 0, 0, *mac]);
            let own = u32::from(*number) + 10;
            let tunnel = Tunnel::from(IpAddr::from([10, 0, 0, *vtep])).towards(own + vni, own);
            let Some(segment) = segment(*number, last).map(Some) else {
                return;
            };
            let remote = RemoteMac {
                tunnel,
                sticky: false,
            };
            let key = FdbKey::new("vx-s", mac).within(segment);
            wishes.push(Change::Set(Entry::Fdb(key, remote)));
            let key = FloodKey::new("vx-s", tunnel).within(segment);
            wishes.push(Change::Set(Entry::Flood(key)));
        }
        Step::NoHost { number, mac } => {
            let mac = Mac([2, 1, 0, 0, 0, *mac]);
            let segment = segment(*number, last);
            let key = FdbKey::new("vx-s", mac).within(segment);
            wishes.extend(segment.map(|_| Change::Unset(Key::Fdb(key))));
        }
        Step::LoseVlan { vlan, of_bridge } => {
            let device = if *of_bridge { "br-s" } else { "vx-s" };
            if let Some(index) = model.number(device) {
                model.lose_vlan(index, *vlan);
            }
        }
        Step::LoseVni(number) => {
            let vni = u32::from(*number) + 10;
            for filter in model.parts.filters.values_mut() {
                filter.remove(&vni);
            }
        }
        Step::LoseAddresses => model.parts.stations.clear(),
        Step::Remap(number) => {
            let vlan = u16::from(*number);
            let index = model.number("vx-s").unwrap_or(0);
            if let Some(vlan) = model
                .parts
                .vlans
                .get_mut(&index)
                .and_then(|it| it.get_mut(&vlan))
            {
                vlan.tunnel = Some(99);
            }
        }
        Step::LoseDevice(name) => {
            if let Some(index) = model.number(name) {
                model.drop_link(index);
            }
        }
    }
    for wish in wishes {
        last.insert(wish.key(), wish.clone());
        table.apply(wish);
    }
}
