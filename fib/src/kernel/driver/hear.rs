//! What the kernel said, taken in: by a notification, or by an entry of a dump.
//!
//! Each becomes an observation for the table, news of a route of others, a MAC address or neighbour
//! that this host learned, or an event for the owners. What says that more may have changed than it
//! names (a device went down, an object is gone) is noted in [`Stale`](super::Stale) or
//! [`Withered`](super::Withered).
//!
//! Nothing is asked of the kernel here: what is noted is read in [`super::read`]. Entries of dumps
//! take the same way, so that both are understood alike.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Instant;

use super::Driver;
use crate::debug;
use crate::event::Event;
use crate::kernel::locals::{LocalMac, LocalNeighbour};
use crate::links::{Link, LinkKind, Station};
use crate::netlink::device::LinkNotice;
use crate::netlink::encode::{
    NTF_EXT_LEARNED, NTF_ROUTER, NTF_STICKY, NUD_FAILED, NUD_INCOMPLETE, NUD_NOARP, NUD_PERMANENT,
};
use crate::netlink::notice::{FdbNotice, NeighbourNotice, Notice, RouteNotice};
use crate::netlink::watch::Notification;
use crate::state::{FdbKey, FloodKey, Mac, Neighbour, NeighbourKey, RouteKey, Segment, Tunnel};
use crate::table::{Observation, Place, RouteShape, Theirs, Via, is_our_next_hop};

impl Driver {
    pub(super) fn hear(&mut self, notification: Notification) {
        tracing::debug!(target: debug::EVENTS, ?notification, "the kernel says");
        if self.is_of_removed(&notification) {
            return;
        }
        self.links_current &= !matches!(
            notification,
            Notification::Link { .. } | Notification::Address { .. }
        );
        match notification {
            Notification::Link {
                notice: LinkNotice::Link(link),
                removed,
            } => {
                self.hear_link(link, removed);
                self.unrelated = true;
            }
            // Of a device that we have removed it says nothing new.
            Notification::Link {
                notice: LinkNotice::Port(index),
                ..
            } => self.stale.links |= self.table.links().get(index).is_some(),
            Notification::Address { address, removed } => {
                let observation = match removed {
                    true => Observation::AddressRemoved(address.clone()),
                    false => Observation::Address(address.clone()),
                };
                // Routes with a source or without an object may have gone with it, silently.
                self.stale.all |= removed && self.table.has_routes_by_themselves();
                if removed {
                    self.address_gone(&address);
                }
                self.table.observe(observation);
                self.events.push(Event::Address { address, removed });
            }
            Notification::Other(notice) if self.gives_back(&notice) => {}
            Notification::Other(notice) => self.see(notice),
            Notification::Overrun => {
                tracing::warn!("notifications were lost, reading everything");
                self.events.push(Event::Overrun);
                self.stale.all = true;
                self.contested.forget();
            }
        }
    }

    /// What the kernel had to say of a device before we removed it, and that it is removed.
    fn is_of_removed(&mut self, notification: &Notification) -> bool {
        let (index, last) = match notification {
            Notification::Link { notice, removed } => match notice {
                LinkNotice::Link(link) => (link.index, *removed),
                LinkNotice::Port(index) => (*index, false),
            },
            Notification::Address { address, .. } => (address.index, false),
            Notification::Overrun => {
                // The last word may be lost; everything is read.
                self.removed.clear();
                return false;
            }
            Notification::Other(_) => return false,
        };
        match last {
            true => self.removed.remove(&index),
            false => self.removed.contains(&index),
        }
    }

    /// We change an overlay's devices ourselves, so news of them may be older than what was read
    /// after that: they are only a reason to read again.
    fn hear_link(&mut self, link: Link, removed: bool) {
        let known = self.table.links().get(link.index);
        let holder = self.table.links().named(&link.name);
        let of_overlay = [known, holder]
            .into_iter()
            .flatten()
            .any(|known| self.table.is_overlay_device(&known.name));
        if of_overlay {
            self.stale.links |= removed || known != Some(&link);
        } else if removed {
            self.lose_link(link.index);
        } else {
            self.see_link(link);
        }
    }

    pub(super) fn see_link(&mut self, link: Link) {
        let before = self.table.links().get(link.index).cloned();
        if before.as_ref() == Some(&link) {
            return;
        }
        let ran = before.as_ref().is_some_and(|before| before.running);
        if before.as_ref().is_some_and(|before| before.up != link.up) {
            self.withered.devices.insert(link.index);
        }
        if ran != link.running || before.is_some_and(|before| before.up != link.up) {
            self.stale.next_hops = true;
            self.stale.all |= self.table.has_routes_by_themselves();
        }
        self.table.observe(Observation::Link(link.clone()));
        self.events.push(Event::Link(link));
    }

    /// After devices or their VLANs were taken in, once for all of them.
    pub(super) fn relate_locals(&mut self) {
        self.unrelated = false;
        self.locals.relate(self.table.links(), &mut self.events);
    }

    pub(super) fn lose_link(&mut self, index: u32) {
        let Some(link) = self.table.links().get(index).cloned() else {
            return;
        };
        self.stale.next_hops = true;
        self.withered.devices.insert(index);
        self.stale.all |= self.table.has_routes_by_themselves();
        self.table.observe(Observation::LinkRemoved(index));
        self.events.push(Event::LinkRemoved {
            index,
            name: link.name,
        });
    }

    /// The kernel drops routes whose source an address was, and all of a device that has lost its
    /// last one.
    fn address_gone(&mut self, address: &crate::Address) {
        self.withered.devices.insert(address.index);
        let from = self.foreign.devices_from(address.address.ip());
        self.withered.devices.extend(from);
    }

    pub(super) fn see(&mut self, notice: Notice) {
        match notice {
            Notice::Route {
                route,
                removed,
                replaces,
            } => self.see_route(route, removed, replaces),
            Notice::NextHop { id, .. } if is_our_next_hop(id) => self.stale.next_hops = true,
            Notice::NextHop {
                id, removed: true, ..
            } => {
                self.withered.objects.insert(id);
                self.foreign.forget_object(id);
            }
            Notice::NextHop { id, object, .. } => {
                if self.withered.objects.remove(&id) {
                    // It is there again: what used the one before is gone, what comes now is not.
                    self.foreign
                        .objects_gone(&BTreeSet::from([id]), &mut self.events);
                }
                self.foreign.object(id, object, &mut self.events);
            }
            Notice::Fdb { fdb, removed } => self.see_fdb(fdb, removed),
            Notice::Neighbour { neighbour, removed } => self.see_neighbour(neighbour, removed),
        }
    }

    fn see_route(&mut self, route: RouteNotice, removed: bool, replaces: bool) {
        let metric = route.metric;
        let key = self.table.sharing(route.key, metric);
        if route.protocol != self.options.protocol {
            self.table.observe(match (removed, replaces) {
                (true, _) => Observation::RouteVacated(key),
                // It took the place of whatever had this prefix and metric, perhaps ours.
                (false, true) => Observation::RouteReplaced(key, metric),
                (false, false) => Observation::RouteOfOthers(key, metric),
            });
            self.foreign
                .observe(route, removed, replaces, &mut self.events);
        } else {
            let (_, shape) = shape_of(route);
            self.table.observe(match removed {
                true => Observation::RouteGone(key, shape),
                false => Observation::Route(key, shape, replaces),
            });
        }
    }

    fn see_fdb(&mut self, fdb: FdbNotice, removed: bool) {
        let FdbNotice {
            index,
            mac,
            state,
            marks,
            ..
        } = fdb;
        let Some(port) = self.table.links().current(index) else {
            return;
        };
        let device = port.name.clone();
        let is_vxlan = matches!(port.kind, LinkKind::Vxlan(_));
        let shared = matches!(&port.kind, LinkKind::Vxlan(vxlan) if vxlan.external);
        let vlan = fdb.vlan.unwrap_or(0);
        let stamped = marks & NTF_EXT_LEARNED != 0;
        let vni = fdb.towards.and_then(NonZeroU32::new);
        let tunnel = fdb.vtep.map(|vtep| Tunnel { vtep, vni });
        match (fdb.master, tunnel) {
            (Some(bridge), _) if is_vxlan => {
                let tunnel = self
                    .table
                    .links()
                    .vlan(index, vlan)
                    .and_then(|it| it.tunnel);
                let segment = tunnel.map(|vni| Segment { vni, vlan });
                // With VLAN filtering in the kernel an entry shows again for each VLAN of a device
                // with one VNI. Late news of a bridge that the device has left say nothing about
                // the one it is in.
                let counts = match shared {
                    true => segment.is_some(),
                    false => fdb.vlan.is_none(),
                };
                if counts && port.master == Some(bridge) {
                    let key = FdbKey::new(device, mac).within(segment.filter(|_| shared));
                    // Static by hand, made so over ours perhaps, which leaves the stamp.
                    let theirs = !removed && state & NUD_NOARP != 0;
                    let there = stamped && !removed && !theirs;
                    let theirs = theirs.then_some(Theirs::Port);
                    let place = Place::Bridge(key.clone());
                    self.table.observe(Observation::FdbBridge(key, there));
                    self.table.observe(Observation::Occupied(place, theirs));
                }
                let place = (bridge, vlan);
                self.locals.mac(place, mac, None, &mut self.events);
            }
            (Some(bridge), _) if bridge == index => {
                if vlan != 0 {
                    let station = Station { bridge, vlan, mac };
                    let there = !removed && state & NUD_PERMANENT != 0;
                    self.table.observe_station(station, there);
                }
                self.locals.mac((bridge, vlan), mac, None, &mut self.events);
            }
            (Some(bridge), _) => {
                // PERMANENT are the port's own addresses. An address pinned here where our entry
                // stood keeps our stamp, and is here all the same.
                let pinned = state & NUD_NOARP != 0;
                let learned = !removed && (pinned || !stamped) && state & NUD_PERMANENT == 0;
                let sticky = marks & NTF_STICKY != 0 || pinned;
                let local = learned.then_some(LocalMac {
                    port: index,
                    sticky,
                });
                let member = self.table.links().member(bridge, vlan).filter(|_| learned);
                let vxlan =
                    member.and_then(|it| Some((self.table.links().get(it.port)?, it.segment)));
                if let Some((vxlan, segment)) = vxlan {
                    let key = FdbKey::new(vxlan.name.clone(), mac).within(segment);
                    // A bridge has an address on one port.
                    let place = Place::Bridge(key.clone());
                    self.table.observe(Observation::Occupied(place, None));
                    self.table.fdb_moved(key, Instant::now());
                }
                self.locals
                    .mac((bridge, vlan), mac, local, &mut self.events);
            }
            (None, Some(tunnel)) if mac == Mac::ZERO => {
                let vni = fdb.vni.filter(|_| shared);
                let segment = vni.map(|vni| self.table.segment(&device, index, vni));
                let key = FloodKey::new(device, tunnel).within(segment);
                self.table.observe(Observation::Flood(key, !removed));
            }
            (None, tunnel) if is_vxlan && mac != Mac::ZERO => {
                let vni = fdb.vni.filter(|_| shared);
                let segment = vni.map(|vni| self.table.segment(&device, index, vni));
                let key = FdbKey::new(device, mac).within(segment);
                let fixed = !stamped && !removed && state & (NUD_NOARP | NUD_PERMANENT) != 0;
                let place = Place::Tunnel(key.clone());
                let theirs = fixed.then_some(Theirs::Remote(fdb.vtep));
                let tunnel = tunnel.filter(|_| stamped && !removed);
                self.table.observe(Observation::FdbTunnel(key, tunnel));
                self.table.observe(Observation::Occupied(place, theirs));
            }
            (None, _) => {}
        }
    }

    fn see_neighbour(&mut self, neighbour: NeighbourNotice, removed: bool) {
        let NeighbourNotice {
            index,
            ip,
            mac,
            state,
            marks,
        } = neighbour;
        let Some(link) = self.table.links().current(index) else {
            return;
        };
        let here = self.table.links().place_of_neighbours(link).is_some();
        if !here || ip.is_multicast() {
            return;
        }
        let (key, router) = (
            NeighbourKey {
                device: link.name.clone(),
                ip,
            },
            marks & NTF_ROUTER != 0,
        );
        let stamped = marks & NTF_EXT_LEARNED != 0;
        let valid = mac.filter(|_| !removed && state & (NUD_INCOMPLETE | NUD_FAILED) == 0);
        let ours = valid
            .filter(|_| stamped)
            .map(|mac| Neighbour { mac, router });
        let place = Place::Neighbour(key.clone());
        // NOARP without the stamp is multicast or somebody's static entry for a tunnel.
        let learned = valid.filter(|_| !stamped && state & NUD_NOARP == 0);
        if learned.is_some() {
            self.table.neighbour_moved(key.clone(), Instant::now());
        }
        self.table.observe(Observation::Neighbour(key, ours));
        let fixed = !stamped && state & (NUD_PERMANENT | NUD_NOARP) != 0;
        // The kernel has entries of its own for broadcast addresses.
        let theirs = valid.filter(|mac| fixed && mac.0[0] & 1 == 0);
        self.table
            .observe(Observation::Occupied(place, theirs.map(Theirs::Lladdr)));
        let local = learned.map(|mac| LocalNeighbour { mac, router });
        self.locals.neighbour(index, ip, local, &mut self.events);
    }
}

/// A route as the kernel shows it.
pub(super) fn shape_of(route: RouteNotice) -> (RouteKey, RouteShape) {
    let via = match route.object {
        Some(id) => Via::Object(id),
        None if route.hops.is_empty() => Via::Nowhere,
        None => Via::Hops(route.hops),
    };
    let shape = RouteShape {
        kind: route.kind,
        metric: route.metric,
        source: route.source,
        via,
        spare: Vec::new(),
    };
    (route.key, shape)
}
