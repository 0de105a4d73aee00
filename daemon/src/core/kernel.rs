//! Between the tables and the kernel: what should be there, and what it says.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bgp::evpn_route::MacAddress;
use bgp::rib::{self, Best, PeerId};
use bgp::{Attributes, Family, Nlri, Prefix, ScopedAddr, Vni};
use fib::{
    Change, Device, Entry, FdbKey, FloodKey, Key, Lane, Mac, NeighbourKey, Overlay, Segment,
};

use super::{CHANGES_MAX, Core, Order, telling};
use crate::config::{Config, VniConfig};
use crate::debug;
use crate::exchange::Tenant;

impl Core {
    /// The kernel entry of a unicast best path.
    pub(super) fn install_best(&mut self, best: &Best) {
        let Some(wish) = self.install.wish(best, &self.rib) else {
            return;
        };
        if let (Some(wireguard), Some(prefix)) = (&self.hands.wireguard, best.nlri.prefix()) {
            let tunnel = wish.first.filter(|(_, index)| self.is_underlay(*index));
            wireguard.want(prefix, tunnel.map(|(gateway, _)| gateway));
        }
        tracing::debug!(
            target: debug::BGP_ZEBRA, prefix = %best.nlri, change = ?wish.change, "to the kernel"
        );
        if let Some(moved) = wish.moved {
            self.change(moved);
        }
        let nothing = matches!(wish.change, Change::Unset(_));
        self.change(wish.change);
        if nothing && self.awaits_forwarding() {
            // No way out, or kept out of the kernel by a table map: nothing comes back.
            self.hand_in(rib::Input::Forwards(best.nlri.clone(), false));
        }
    }

    /// Neighbours hear of a learned route once the kernel has it, where there is one that is written to.
    pub(super) fn await_forwarding(&mut self) {
        let on = self.config.suppress_fib_pending && self.hands.kernel.is_some();
        self.hand_in(rib::Input::AwaitForwarding(on));
    }

    fn awaits_forwarding(&self) -> bool {
        self.config.suppress_fib_pending && self.hands.kernel.is_some()
    }

    /// Tells the tables that the kernel has, or refused, a route that was asked of it last.
    fn forwards(&mut self, key: &Key, there: bool) {
        let Key::Route(route) = key else { return };
        if !self.awaits_forwarding() {
            return;
        }
        let prefix = Prefix::from(route.prefix());
        // A static route beside it, or what another routing table had before, is another one.
        if self.install.key(prefix) == *route {
            self.hand_in(rib::Input::Forwards(Nlri::from(prefix), there));
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        if self.hands.kernel.is_none() {
            return;
        }
        // What is not wanted any more was not refused either.
        if let Change::Unset(key) = &change
            && !self.failed.is_empty()
        {
            self.failed.remove(key);
            self.occupied.remove(key);
        }
        self.changes.push(change);
        if self.changes.len() >= CHANGES_MAX
            && let Some(kernel) = &self.hands.kernel
        {
            kernel.changes(self.changes.drain(..));
        }
    }

    /// Tells the kernel thread what has become different. Before anything that stands for what was
    /// wanted so far: a sweep, a comparison, devices that go.
    pub(super) fn hand_over_changes(&mut self) {
        let changes = self.changes.drain(..).chain(self.overlay_changes.drain(..));
        match &self.hands.kernel {
            Some(kernel) => kernel.changes(changes),
            None => drop(changes),
        }
    }

    /// Tells the tables which of these peers' next hops lead nowhere.
    pub(super) fn check_next_hops<'a>(
        &mut self,
        named: impl Iterator<Item = (PeerId, &'a Attributes)>,
    ) {
        if self.hands.kernel.is_none() {
            return;
        }
        let (ground, rib) = (&self.install.ground, &self.rib);
        let addrs = named.map(|(peer, attributes)| rib.next_hop(peer, attributes));
        let nowhere = addrs.filter(|addr| !self.reachability.leads(*addr, ground, rib));
        let nowhere: Vec<(ScopedAddr, bool)> = nowhere.map(|addr| (addr, false)).collect();
        if !nowhere.is_empty() {
            telling::next_hops(&nowhere);
            self.hand_in(rib::Input::NextHops(nowhere));
        }
    }

    pub(super) fn is_underlay(&self, index: u32) -> bool {
        let link = self.install.ground.links.get(index);
        let name = self
            .config
            .underlay
            .as_ref()
            .map(|underlay| underlay.interface.as_str());
        link.is_some_and(|link| Some(link.name.as_str()) == name)
    }

    /// Devices, addresses or routes of others changed: routes may lead elsewhere now.
    pub(super) fn reinstall(&mut self) {
        self.refresh_addresses();
        if self.hands.kernel.is_none() {
            return;
        }
        // First: what follows stands on them.
        self.settle_statics();
        let changes = self.reachability.changes(&self.install.ground, &self.rib);
        if !changes.is_empty() {
            telling::next_hops(&changes);
            self.hand_in(rib::Input::NextHops(changes));
        }
        if self.install.ground_changed(&self.rib) {
            for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                self.hand_in(rib::Input::Repeat(family));
            }
        }
        self.want_overlays(&[]);
        self.want_tenants();
        self.sweep_rest();
        self.tunnels.look(Instant::now());
    }

    pub(super) fn family_converged(&mut self, family: Family) {
        *self.converged.get_mut(family) = true;
        tracing::info!(%family, "routes are complete");
        tracing::debug!(
            target: debug::BGP_GRACEFUL_RESTART, %family, restarting = self.place.restarting,
            "nothing is waited for any more"
        );
        self.tunnels.look(Instant::now());
        if family == Family::Evpn {
            self.complete_tenants();
        }
        self.sweep(family);
        if Family::ALL
            .iter()
            .all(|family| *self.converged.get(*family))
            && self.place.restarting
        {
            self.place.restarting = false;
            // RFC 4724 §4.1: the restart is over; later OPENs do not claim it.
            for neighbor in self.config.neighbors.clone() {
                if let Some(id) = self.by_address.get(&neighbor.address).copied() {
                    self.refresh_session_settings(id);
                }
            }
        }
    }

    pub(super) fn evpn_output(&mut self, output: evpn::Output) {
        match output {
            evpn::Output::Originate { key, attributes } => {
                self.kept.told(&key, Some(&attributes));
                let set = Arc::unwrap_or_clone(attributes);
                self.hand_in(rib::Input::Originate(Nlri::Evpn(key), set));
            }
            evpn::Output::Withdraw { key } => {
                self.kept.told(&key, None);
                self.hand_in(rib::Input::Retract(Nlri::Evpn(key)));
            }
            evpn::Output::SetMac { vni, mac, remote } => {
                self.unsettle_mac(vni, mac);
                self.change_on_vxlan(vni, |device, segment| {
                    let remote = fib::RemoteMac {
                        tunnel: towards(vni, remote.tunnel),
                        sticky: remote.sticky,
                    };
                    Change::Set(Entry::Fdb(
                        FdbKey::new(device, Mac(mac.0)).within(segment),
                        remote,
                    ))
                });
            }
            evpn::Output::RemoveMac { vni, mac } => {
                self.unsettle_mac(vni, mac);
                self.change_on_vxlan(vni, |device, segment| {
                    Change::Unset(Key::Fdb(FdbKey::new(device, Mac(mac.0)).within(segment)))
                });
            }
            evpn::Output::SetFlood { vni, tunnel } => {
                let tunnel = towards(vni, tunnel);
                self.change_on_vxlan(vni, |device, segment| {
                    Change::Set(Entry::Flood(FloodKey::new(device, tunnel).within(segment)))
                });
            }
            evpn::Output::RemoveFlood { vni, tunnel } => {
                let tunnel = towards(vni, tunnel);
                self.change_on_vxlan(vni, |device, segment| {
                    Change::Unset(Key::Flood(FloodKey::new(device, tunnel).within(segment)))
                });
            }
            evpn::Output::SetNeighbour { vni, ip, mac, .. } => {
                self.unsettle_ip(vni, ip);
                self.change_on_bridge(vni, |device| {
                    let neighbour = fib::Neighbour {
                        mac: Mac(mac.0),
                        router: false,
                    };
                    Change::Set(Entry::Neighbour(NeighbourKey { device, ip }, neighbour))
                });
            }
            evpn::Output::RemoveNeighbour { vni, ip } => {
                self.unsettle_ip(vni, ip);
                self.change_on_bridge(vni, |device| {
                    Change::Unset(Key::Neighbour(NeighbourKey { device, ip }))
                });
            }
            evpn::Output::DuplicateFound(duplicate) => {
                self.duplicates.found(Instant::now(), duplicate);
            }
            evpn::Output::DuplicateOver { vni, address, why } => {
                self.duplicates.over(Instant::now(), vni, address, why);
            }
            evpn::Output::Import {
                vrf,
                key,
                via,
                attributes,
            } => self.imported(&vrf, &key, Some((via, attributes))),
            evpn::Output::Unimport { vrf, key } => self.imported(&vrf, &key, None),
            // A new kind of output means a new kind of entry, to be written here.
            other => tracing::error!(?other, "EVPN asks for what is not known here"),
        }
    }

    fn change_on_vxlan(
        &mut self,
        vni: Vni,
        change: impl FnOnce(Device, Option<Segment>) -> Change,
    ) {
        if let Some(devices) = self.devices.get(&vni) {
            let change = change(devices.vxlan.clone(), devices.segment);
            tracing::debug!(target: debug::BGP_ZEBRA, %vni, ?change, "to the kernel");
            self.change(change);
        }
    }

    fn change_on_bridge(&mut self, vni: Vni, change: impl FnOnce(Device) -> Change) {
        if let Some(devices) = self.devices.get(&vni) {
            let change = change(devices.bridge.clone());
            tracing::debug!(target: debug::BGP_ZEBRA, %vni, ?change, "to the kernel");
            self.change(change);
        }
    }

    /// The gateway's MAC address: the same at every site, so that a VM that moves keeps its
    /// neighbour entry. Locally administered, with the VNI in it.
    pub(super) fn gateway_mac(&self, vni: &VniConfig) -> Option<MacAddress> {
        if vni.gateway.is_empty() {
            return None;
        }
        let [_, a, b, c] = vni.id.get().to_be_bytes();
        Some(
            vni.gateway_mac
                .unwrap_or(MacAddress([0x02, 0x00, 0x5e, a, b, c])),
        )
    }

    /// Wishes for these overlays, or for all if what they take from the ground has changed.
    pub(super) fn want_overlays(&mut self, vnis: &[&VniConfig]) {
        let vtep = self.config.evpn.map(|evpn| evpn.vtep);
        let mtu = vtep.and_then(|vtep| self.overlay_mtu(vtep));
        let all = std::mem::replace(&mut self.overlay_mtu, mtu) != mtu;
        let waiting = std::mem::take(&mut self.without_vrf);
        let again = |vni: &&VniConfig| all || waiting.contains(&vni.id);
        let again = self.config.vnis.iter().filter(again);
        let all = vnis.iter().copied().chain(again);
        let wishes: Vec<_> = all.map(|vni| (vni.id, self.overlay_entry(vni))).collect();
        for (vni, wish) in wishes {
            match wish {
                Ok(entry) => self.overlay_changes.extend(entry.map(Change::Set)),
                Err(error) => {
                    self.failed.insert(Key::Overlay(vni.get()), error);
                    self.without_vrf.insert(vni);
                }
            }
        }
    }

    /// What is wanted of this VNI's devices; nothing while it waits for the underlay. An error where its
    /// VRF is not there; the device's appearance brings us here again, as the underlay's does.
    fn overlay_entry(&self, vni: &VniConfig) -> Result<Option<Entry>, String> {
        let (Some(kernel), Some(evpn)) = (&self.hands.kernel, &self.config.evpn) else {
            return Ok(None);
        };
        let single = self.config.single_device.as_ref();
        let mtu = vni.mtu.or_else(|| single?.mtu);
        let Some(mtu) = mtu.or(self.overlay_mtu) else {
            return Ok(None);
        };
        let no_device =
            |name| format!("there is no VRF device `{name}`, and no instance makes it");
        let vrf = match vni.vrf.as_deref() {
            Some(name) => Some(self.vrf(name).ok_or_else(|| no_device(name))?),
            None => None,
        };
        let mut overlay = Overlay::new(vni.id.get(), evpn.vtep, mtu);
        overlay.bridge = vni.bridge.as_str().into();
        overlay.vxlan = vni.vxlan.as_str().into();
        overlay.port = evpn.port;
        overlay.gateway = vni.gateway.clone();
        overlay.gateway_mac = self.gateway_mac(vni).map(|mac| Mac(mac.0));
        overlay.vrf = vrf;
        overlay.lane = self.lane(vni);
        overlay.suppress = vni.suppress;
        overlay.create = vni.create;
        overlay.share = kernel.share();
        Ok(Some(Entry::Overlay(vni.id.get(), Arc::new(overlay))))
    }

    /// A VRF by its device: one of the overlay, or one that is there.
    fn vrf(&self, name: &str) -> Option<fib::Vrf> {
        let there = || {
            let link = self.install.ground.links.named(&name.into())?;
            let fib::LinkKind::Vrf { table } = link.kind else {
                return None;
            };
            Some(table)
        };
        let table = self.tenant_table(name).or_else(there)?;
        Some(fib::Vrf::new(name, table))
    }

    /// The bridge and tunnel between the VRFs of this name at all sites.
    pub(super) fn want_l3_overlay(&mut self, vrf: &str, tenant: &Tenant, router_mac: MacAddress) {
        let (Some(kernel), Some(evpn)) = (&self.hands.kernel, &self.config.evpn) else {
            return;
        };
        let l3vni = &tenant.l3vni;
        let Some(mtu) = l3vni.mtu.or(self.overlay_mtu) else {
            return;
        };
        let main = vrf == Config::MAIN_TABLE;
        let vrf = (!main).then(|| fib::Vrf::new(vrf, tenant.table));
        let vni = l3vni.id.get();
        let mut overlay = Overlay::layer3(vni, evpn.vtep, mtu, vrf, Mac(router_mac.0));
        overlay.bridge = l3vni.bridge.as_str().into();
        overlay.vxlan = l3vni.vxlan.as_str().into();
        overlay.port = evpn.port;
        overlay.share = kernel.share();
        let entry = Entry::Overlay(vni, Arc::new(overlay));
        self.overlay_changes.push(Change::Set(entry));
    }

    /// The place of a VNI on the devices that all share.
    fn lane(&self, vni: &VniConfig) -> Option<Lane> {
        let (single, vlan) = (self.config.single_device.as_ref()?, vni.vlan?);
        let mtu = single.mtu.or(self.overlay_mtu).or(vni.mtu)?;
        let bridge = single.bridge.as_str().into();
        Some(Lane { bridge, vlan, mtu })
    }

    pub(super) fn overlay_mtu(&self, vtep: IpAddr) -> Option<u32> {
        let interface = self
            .config
            .underlay
            .as_ref()
            .map(|it| it.interface.as_str());
        let neighbors = self
            .config
            .neighbors
            .iter()
            .map(|neighbor| neighbor.address);
        let link = self
            .install
            .ground
            .underlay_mtu(interface, vtep, neighbors)?;
        Some(fib::overlay_mtu(link, vtep))
    }

    pub(super) fn unwant_overlay(&mut self, vni: Vni) {
        let key = Key::Overlay(vni.get());
        self.failed.remove(&key);
        if self.hands.kernel.is_some() {
            self.overlay_changes.push(Change::Unset(key));
        }
    }

    /// The name of a remote MAC address of a VNI in the kernel.
    pub(super) fn fdb_key(vni: &VniConfig, mac: MacAddress) -> Key {
        let key = FdbKey::new(vni.vxlan.as_str(), Mac(mac.0));
        Key::Fdb(key.within(Self::segment(vni)))
    }

    /// Where the entries of a VNI are on a VXLAN device that it shares.
    pub(super) fn segment(vni: &VniConfig) -> Option<Segment> {
        let vlan = vni.vlan?;
        let vni = vni.id.get();
        Some(Segment { vni, vlan })
    }

    /// Somebody else's VXLAN device has come, gone or changed, or a bridge that one may be on.
    fn look_for_vxlans(&self, before: Option<&fib::Link>, now: Option<&fib::Link>) {
        let matters = |link: &&fib::Link| {
            let of_overlays = matches!(link.kind, fib::LinkKind::Vxlan(_) | fib::LinkKind::Bridge);
            of_overlays && !link.is_ours()
        };
        let seen = |link: &fib::Link| (link.name.clone(), link.master, link.kind.clone());
        let [before, now] = [before, now].map(|it| it.filter(matters).map(seen));
        if before != now && self.config.name.is_none() {
            self.hands.vxlans.notify_one();
        }
    }

    pub(super) fn kernel_event(&mut self, event: fib::Event) {
        if !matches!(event, fib::Event::Installed { .. }) {
            self.pace.urgent();
        }
        match event {
            fib::Event::Link(link) => {
                let link = self.carrier.seen(link, &self.config.without_link_detect);
                let index = link.index;
                self.look_for_loss(&link);
                let known = self.install.ground.links.get(index);
                self.local.device(known, Some(&link));
                self.svi.device(known, Some(&link));
                self.look_for_vxlans(known, Some(&link));
                if self.install.ground.link(link) {
                    self.ground_changed = true;
                    self.device_changed(index);
                    self.link_is_back(index);
                }
                self.hosts_changed(index);
            }
            fib::Event::LinkRemoved { index, .. } => {
                self.carrier.gone(index);
                self.link_lost(index);
                let known = self.install.ground.links.get(index);
                self.local.device(known, None);
                self.svi.device(known, None);
                self.look_for_vxlans(known, None);
                self.install.ground.link_removed(index);
                self.ground_changed = true;
                self.device_changed(index);
                self.hosts_changed(index);
            }
            fib::Event::Address { address, removed } => {
                let (index, usable) = (address.index, address.usable && !removed);
                self.install.ground.address(address, removed);
                self.svi.addresses();
                self.ground_changed = true;
                self.hosts_changed(index);
                if usable {
                    self.link_is_back(index);
                }
            }
            fib::Event::RouteChanged { route, removed } if self.own.looks_into(&route.key) => {
                let (table, prefix) = (route.key.table(), Prefix::from(route.key.prefix()));
                self.install.ground.route(route, removed);
                self.foreign_changed(table, prefix);
            }
            // Of a table that another instance has asked for.
            fib::Event::RouteChanged { .. } => {}
            fib::Event::LocalMac {
                vni,
                mac,
                present,
                sticky,
                port,
                ..
            } => {
                if let Some(vni) = Vni::new(vni) {
                    let mac = MacAddress(mac.0);
                    self.bridge_mac(vni, mac, present.then_some(port), sticky);
                }
            }
            fib::Event::LocalNeighbour {
                vni,
                ip,
                mac,
                present,
                ..
            } => {
                if let Some(vni) = Vni::new(vni) {
                    let mac = MacAddress(mac.0);
                    self.kernel_neighbour(vni, ip, mac, present);
                }
            }
            fib::Event::Leftover { key, mac } => self.left_over(&key, MacAddress(mac.0)),
            fib::Event::Installed { keys } => keys.into_iter().for_each(|key| self.is_there(key)),
            fib::Event::Failed {
                key,
                error,
                occupied,
            } => {
                self.installed.remove((&mut self.rib, &mut self.evpn), &key);
                match occupied {
                    true => self.occupied.insert(key.clone()),
                    false => self.occupied.remove(&key),
                };
                self.forwards(&key, false);
                if self.failed.get(&key) != Some(&error) {
                    self.refusals.refused(Instant::now(), key.clone());
                }
                self.failed.insert(key, error);
            }
            fib::Event::Removed { key } => {
                self.installed.remove((&mut self.rib, &mut self.evpn), &key);
                if self.failed.remove(&key).is_some() {
                    self.refusals.gone(&key);
                }
                self.occupied.remove(&key);
            }
            fib::Event::Ready => {
                if !std::mem::replace(&mut self.kernel_ready, true) {
                    self.begin_sessions();
                }
            }
            fib::Event::Looked => self.leftovers.looked(),
            fib::Event::Overrun => {
                tracing::warn!("kernel notifications were lost; everything was read again");
            }
            fib::Event::Repaired(differences) => {
                let count = differences.missing + differences.different + differences.unexpected;
                self.repaired += u64::try_from(count).unwrap_or(u64::MAX);
                tracing::warn!(
                    ?differences,
                    "the kernel differed from the tables and is repaired"
                );
            }
            other => tracing::error!(?other, "the kernel's side says what is not known here"),
        }
    }

    /// Changes that have not reached the kernel: those in its thread's queue, and those that wait in
    /// the tables for room there.
    pub(super) fn kernel_backlog(&self) -> usize {
        let Some(kernel) = &self.hands.kernel else {
            return 0;
        };
        let owed = [Family::Ipv4Unicast, Family::Ipv6Unicast].map(|family| self.rib.owed(family));
        kernel.backlog() + self.changes.len() + owed.iter().sum::<usize>()
    }

    fn is_there(&mut self, key: Key) {
        if !self.failed.is_empty() {
            if self.failed.remove(&key).is_some() {
                self.refusals.taken(Instant::now(), &key);
            }
            self.occupied.remove(&key);
        }
        self.forwards(&key, true);
        self.installed.insert((&mut self.rib, &mut self.evpn), key);
    }

    /// Says what the kernel refused, or took after all, once nothing more comes.
    pub(super) fn log_refusals(&mut self, now: Instant) {
        let failed = &self.failed;
        let cause = |key: &Key| failed.get(key).map(String::as_str);
        let Some(lines) = self.refusals.lines(now, cause) else {
            return;
        };
        for (error, group) in lines.refused {
            let (entries, first) = (group.entries, group.named());
            tracing::warn!(entries, %error, %first, "the kernel refused entries");
        }
        if lines.others.entries > 0 {
            let (entries, first) = (lines.others.entries, lines.others.named());
            tracing::warn!(entries, %first, "the kernel refused entries for other reasons; \
                            `rbgpctl verify` names them");
        }
        if lines.taken.entries > 0 {
            let (entries, first) = (lines.taken.entries, lines.taken.named());
            tracing::info!(entries, %first, "the kernel took refused entries after all");
        }
    }

    /// Compares with the kernel beside the loop, since it takes as long as a dump does.
    pub(super) fn compare(&mut self, answer: impl FnOnce(Vec<fib::Difference>) + Send + 'static) {
        self.hand_over_changes();
        let kernel = self.hands.kernel.clone();
        let orders = self.hands.spawner.orders();
        let held_back = self.overlays_held_back();
        self.hands.spawner.blocking(move || {
            // What was asked for earlier is among what the kernel's side compares.
            let unasked = |kernel: &fib::KernelHandle, key: &Key| {
                let status = kernel.status(key.clone());
                status.is_ok_and(|status| !status.wanted)
            };
            let compared = kernel.as_ref().map(|kernel| {
                let mut differences = kernel.verify()?;
                differences.extend(held_back.into_iter().filter(|it| unasked(kernel, &it.key)));
                Ok::<_, fib::KernelError>(differences)
            });
            let differences = match compared {
                Some(Ok(differences)) => differences,
                Some(Err(error)) => {
                    tracing::error!(%error, "cannot compare with the kernel");
                    Vec::new()
                }
                // Nothing is wanted there, so nothing can differ.
                None => Vec::new(),
            };
            // A core that is going down needs no result.
            drop(orders.try_send(Order::Verified(differences.clone())));
            answer(differences);
        });
    }

    /// Overlays that are configured and cannot be asked for yet: they are not in the kernel, which
    /// a comparison with what was asked for would not find.
    pub(super) fn overlays_held_back(&self) -> Vec<fib::Difference> {
        let held_back = self.config.vnis.iter().filter_map(|vni| {
            let key = Key::Overlay(vni.id.get());
            let without_vrf = self.without_vrf.contains(&vni.id);
            let no_vrf = self.failed.get(&key).filter(|_| without_vrf).cloned();
            let why = no_vrf.or_else(|| self.waits_for(vni))?;
            Some(fib::Difference {
                key,
                want: Some(format!("{} and {}", vni.bridge, vni.vxlan)),
                have: None,
                error: Some(why),
                occupied: false,
            })
        });
        held_back.collect()
    }

    /// The kernel's key of a unicast prefix.
    pub(super) fn route_key(&self, prefix: Prefix) -> Key {
        Key::Route(self.install.key(prefix))
    }
}

/// A tunnel as the kernel names it for an overlay of ours.
fn towards(own: Vni, tunnel: evpn::Tunnel) -> fib::Tunnel {
    fib::Tunnel::from(tunnel.vtep).towards(tunnel.vni.get(), own.get())
}
