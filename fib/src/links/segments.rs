//! Where the hosts of a VNI are: on a bridge, or in one VLAN of a bridge.
//!
//! A bridge that does not tell VLANs apart belongs to the VNI of its VXLAN port. In one that does, a
//! VLAN belongs to the VNI that a port maps it to (one VXLAN device for all, `vlan_tunnel`), or to
//! that of the VXLAN device whose untagged frames are in this VLAN (one device per VNI,
//! `bridge-access` of ifupdown2).
//!
//! Kept from what was observed: the ports, their VLANs, the VNIs that a device lets in, and the
//! addresses that a bridge has in a VLAN. What should be there is not known here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Link, LinkKind, Links};
use crate::state::{Mac, Segment};

/// One VLAN of a bridge port, or of a bridge itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vlan {
    /// Untagged frames that come in are in it.
    pub pvid: bool,
    /// Frames go out untagged.
    pub untagged: bool,
    /// The VNI that it is mapped to.
    pub tunnel: Option<u32>,
}

/// The VLANs of a bridge port, or of a bridge itself, by number.
pub type Vlans = BTreeMap<u16, Vlan>;

/// How VLANs differ from those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Not at all.
    None,
    /// There are more.
    Added,
    /// One is gone or is another.
    Lost,
}

/// An address that a bridge receives itself in a VLAN, beside the one that it has as a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Station {
    pub(crate) bridge: u32,
    pub(crate) vlan: u16,
    pub(crate) mac: Mac,
}

/// A VNI at a bridge: its port, and whether that is shared with other VNIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) vni: u32,
    pub(crate) port: u32,
    /// In which VLAN, if the port carries several VNIs.
    pub(crate) segment: Option<Segment>,
}

/// What was observed, and which VNI is where because of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Segments {
    vlans: HashMap<u32, Vlans>,
    filters: HashMap<u32, BTreeSet<u32>>,
    stations: BTreeSet<Station>,
    /// Filled while everything is read.
    fresh: Option<BTreeSet<Station>>,
    /// The VLAN of a VNI of a device that carries several.
    mapped: HashMap<(u32, u32), u16>,
    /// By bridge, VLAN (zero: it tells none apart) and port; the last port counts.
    members: BTreeMap<(u32, u16, u32), Member>,
    /// The members of each port.
    of_ports: HashMap<u32, Vec<(u32, u16, u32)>>,
    /// Bridges that tell VLANs apart, as their members were worked out with.
    aware: BTreeSet<u32>,
}

impl Segments {
    /// What was worked out for a port no longer holds.
    fn part(&mut self, port: u32) {
        for place in self.of_ports.remove(&port).into_iter().flatten() {
            self.members.remove(&place);
        }
        // Few devices have any.
        if !self.mapped.is_empty() {
            self.mapped.retain(|(of, _), _| *of != port);
        }
    }
}

impl Links {
    /// Takes the VLANs of all bridges and ports. Returns what has changed.
    pub(crate) fn set_vlans(&mut self, vlans: HashMap<u32, Vlans>) -> News {
        let before = std::mem::replace(&mut self.segments.vlans, vlans);
        if before == self.segments.vlans {
            return News::None;
        }
        let now = &self.segments.vlans;
        let all = before.keys().chain(now.keys()).copied();
        let changed = all.filter(|index| before.get(index) != now.get(index));
        let changed: BTreeSet<u32> = changed.collect();
        changed.into_iter().for_each(|index| self.relate(index));
        let kept = |(index, vlans): (&u32, &Vlans)| {
            let kept = |(vid, vlan): (&u16, &Vlan)| self.vlan(*index, *vid) == Some(*vlan);
            vlans.iter().all(kept)
        };
        match before.iter().all(kept) {
            true => News::Added,
            false => News::Lost,
        }
    }

    /// Takes the VNIs that VXLAN devices let in. Returns whether they differ from those before.
    pub(crate) fn set_vni_filters(&mut self, filters: HashMap<u32, BTreeSet<u32>>) -> bool {
        std::mem::replace(&mut self.segments.filters, filters.clone()) != filters
    }

    /// VLANs or VNI filters were seen.
    pub(crate) fn has_segments(&self) -> bool {
        !self.segments.vlans.is_empty() || !self.segments.filters.is_empty()
    }

    /// The VLANs of a port, or of a bridge itself.
    pub(crate) fn vlans(&self, index: u32) -> impl Iterator<Item = (u16, Vlan)> {
        let vlans = self.segments.vlans.get(&index).into_iter().flatten();
        vlans.map(|(vid, vlan)| (*vid, *vlan))
    }

    pub(crate) fn vlan(&self, index: u32, vid: u16) -> Option<Vlan> {
        self.segments.vlans.get(&index)?.get(&vid).copied()
    }

    /// The VNIs that a VXLAN device lets in.
    pub(crate) fn filter(&self, index: u32) -> impl Iterator<Item = u32> {
        self.segments
            .filters
            .get(&index)
            .into_iter()
            .flatten()
            .copied()
    }

    pub(crate) fn lets_in(&self, index: u32, vni: u32) -> bool {
        let filter = self.segments.filters.get(&index);
        filter.is_some_and(|filter| filter.contains(&vni))
    }

    /// A bridge has an address in a VLAN, or has it no longer. Returns whether that is news.
    pub(crate) fn set_station(&mut self, station: Station, there: bool) -> bool {
        let reading = self.segments.fresh.is_some();
        let Segments {
            stations, fresh, ..
        } = &mut self.segments;
        let stations = fresh.as_mut().unwrap_or(stations);
        let news = match there {
            true => stations.insert(station),
            false => stations.remove(&station),
        };
        news && !reading
    }

    /// The addresses of a bridge.
    pub(crate) fn stations(&self, bridge: u32) -> impl Iterator<Item = Station> {
        let of = |vlan, mac| Station { bridge, vlan, mac };
        let (first, last) = (of(0, Mac::ZERO), of(u16::MAX, Mac([0xff; 6])));
        self.segments.stations.range(first..=last).copied()
    }

    pub(crate) fn has_station(&self, station: &Station) -> bool {
        self.segments.stations.contains(station)
    }

    /// The addresses of bridges from here to [`Links::end_stations`] are all there are.
    pub(crate) fn begin_stations(&mut self) {
        self.segments.fresh = Some(BTreeSet::new());
    }

    /// Those since [`Links::begin_stations`] are incomplete.
    pub(crate) fn abandon_stations(&mut self) {
        self.segments.fresh = None;
    }

    /// Returns whether they differ from those before.
    pub(crate) fn end_stations(&mut self) -> bool {
        let Some(fresh) = self.segments.fresh.take() else {
            return false;
        };
        std::mem::replace(&mut self.segments.stations, fresh.clone()) != fresh
    }

    /// The VNI that this VLAN of a bridge belongs to; VLAN zero is for bridges that tell none apart.
    pub(crate) fn member(&self, bridge: u32, vlan: u16) -> Option<Member> {
        let ports = (bridge, vlan, 0)..=(bridge, vlan, u32::MAX);
        let (_, member) = self.segments.members.range(ports).last()?;
        Some(*member)
    }

    /// All bridges and VLANs that belong to a VNI.
    pub(crate) fn members(&self) -> impl Iterator<Item = ((u32, u16), Member)> {
        let all = self.segments.members.iter();
        all.map(|((bridge, vlan, _), member)| ((*bridge, *vlan), *member))
    }

    /// Where the neighbours of a device are: on a bridge, or in a VLAN of it.
    pub(crate) fn place_of_neighbours(&self, link: &Link) -> Option<(u32, u16)> {
        match &link.kind {
            LinkKind::Bridge if link.is_vlan_aware() => {
                let (vid, _) = self.vlans(link.index).find(|(_, vlan)| vlan.pvid)?;
                Some((link.index, vid))
            }
            LinkKind::Bridge => Some((link.index, 0)),
            LinkKind::Vlan { id } => {
                let parent = self.links.get(&link.parent?)?;
                (parent.kind == LinkKind::Bridge).then_some((parent.index, *id))
            }
            LinkKind::Vxlan(_)
            | LinkKind::Wireguard
            | LinkKind::Vrf { .. }
            | LinkKind::Loopback
            | LinkKind::Other(_) => None,
        }
    }

    /// The VNI that a device carries as a packet's `src_vni`, with the VLAN that it is mapped to.
    pub(crate) fn segment(&self, index: u32, vni: u32) -> Segment {
        let vlan = self.segments.mapped.get(&(index, vni));
        let vlan = vlan.copied().unwrap_or(0);
        Segment { vni, vlan }
    }

    /// Keeps the members current for this device, as a port and as a bridge.
    pub(super) fn relate(&mut self, index: u32) {
        let Some(link) = self.links.get(&index) else {
            return;
        };
        let mut ports = vec![index];
        let aware = link.is_vlan_aware();
        if aware != self.segments.aware.contains(&index) {
            match aware {
                true => self.segments.aware.insert(index),
                false => self.segments.aware.remove(&index),
            };
            ports.extend(
                self.links
                    .values()
                    .filter(|it| it.master == Some(index))
                    .map(|it| it.index),
            );
        }
        for port in ports {
            self.segments.part(port);
            let vlans = self.segments.vlans.get(&port).into_iter().flatten();
            let mapped = vlans.filter_map(|(vid, vlan)| Some(((port, vlan.tunnel?), *vid)));
            self.segments.mapped.extend(mapped);
            let found = self.memberships(port);
            if !found.is_empty() {
                let places = found.iter().map(|(place, _)| *place).collect();
                self.segments.of_ports.insert(port, places);
                self.segments.members.extend(found);
            }
        }
    }

    fn memberships(&self, port: u32) -> Vec<((u32, u16, u32), Member)> {
        let Some(Link {
            master: Some(bridge),
            kind: LinkKind::Vxlan(vxlan),
            ..
        }) = self.links.get(&port)
        else {
            return Vec::new();
        };
        let aware = self.links.get(bridge).is_some_and(Link::is_vlan_aware);
        let place = |vlan: u16, member: Member| ((*bridge, vlan, port), member);
        let whole = |vlan| {
            let vni = vxlan.vni;
            place(
                vlan,
                Member {
                    vni,
                    port,
                    segment: None,
                },
            )
        };
        let part = |(vlan, tunnel): (u16, Vlan)| {
            let vni = tunnel.tunnel?;
            let segment = Some(Segment { vni, vlan });
            Some(place(vlan, Member { vni, port, segment }))
        };
        match (aware, vxlan.external) {
            (true, true) => self.vlans(port).filter_map(part).collect(),
            (true, false) => {
                let untagged = self.vlans(port).filter(|(_, vlan)| vlan.pvid);
                untagged.map(|(vid, _)| whole(vid)).collect()
            }
            (false, true) => Vec::new(),
            (false, false) => vec![whole(0)],
        }
    }

    /// A device is gone, and what was known of it.
    pub(super) fn forget_segments(&mut self, index: u32) {
        self.segments.part(index);
        let of_bridge = (index, 0, 0)..=(index, u16::MAX, u32::MAX);
        let ports = self.segments.members.range(of_bridge);
        let ports: Vec<u32> = ports.map(|((_, _, port), _)| *port).collect();
        for port in ports {
            for place in self.segments.of_ports.remove(&port).into_iter().flatten() {
                self.segments.members.remove(&place);
            }
        }
        let Segments {
            vlans,
            filters,
            stations,
            aware,
            ..
        } = &mut self.segments;
        vlans.remove(&index);
        filters.remove(&index);
        aware.remove(&index);
        stations.retain(|station| station.bridge != index);
    }
}
