//! A configuration becomes neighbours, networks and overlays; a new one changes only what differs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Instant, SystemTime};

use bgp::family::PerFamily;
use bgp::policy::Policy;
use bgp::rib::{self, Multipath, PeerId};
use bgp::session::{self, StopReason};
use bgp::{Family, ScopedAddr, Vni};
use tokio::sync::{mpsc, oneshot, watch};

use super::neighbor::{Neighbor, Origin, session_config, transport};
use super::{Core, OverlayDevices};
use crate::config::{self, Config, RouteTargets, Unicast, VniConfig};
use crate::control::Timestamp;
use crate::install;
use crate::own_routes::Own;
use crate::peer_io::transport::Transport;
use crate::peer_io::{Command, Remote, Wiring};

/// EVPN routes are not only passed on: this host has a part in the overlay.
pub(super) fn uses_evpn(config: &Config) -> bool {
    config.evpn.is_some() || !config.vnis.is_empty()
}

/// How addresses that two hosts have are found.
fn duplicate_detection(config: &Config) -> Option<evpn::DuplicateDetection> {
    config.evpn.and_then(|evpn| evpn.duplicates)
}

/// Who the router is, for its tables.
pub(super) fn identity(config: &Config) -> rib::Identity {
    rib::Identity {
        router_id: config.router_id,
        cluster_id: config.cluster_id.unwrap_or(config.router_id),
        client_to_client: config.client_to_client_reflection,
        confederation: config.confederation.as_ref().map(|it| rib::Confederation {
            id: it.id,
            member: config.asn,
            id_is_member: it.members.contains(&it.id),
        }),
    }
}

pub(super) fn multipath(config: &Config) -> PerFamily<Multipath> {
    let of = |unicast: &config::Unicast| Multipath {
        paths: usize::from(unicast.multipath.paths),
        as_path_relax: unicast.multipath.as_path_relax,
    };
    PerFamily {
        ipv4_unicast: of(&config.ipv4_unicast),
        ipv6_unicast: of(&config.ipv6_unicast),
        evpn: Multipath::default(),
    }
}

/// What is written to the kernel, beside where it leads.
pub(super) fn forwarding(config: &Config) -> install::Settings {
    let map = |unicast: &Unicast| unicast.kernel_route_map.clone().map(Policy::Map);
    install::Settings {
        distance: config.kernel.distance,
        bandwidth: config.bandwidth,
        backdoors: {
            let (v4, v6) = (&config.ipv4_unicast, &config.ipv6_unicast);
            v4.backdoors.iter().chain(&v6.backdoors).copied().collect()
        },
        maps: PerFamily {
            ipv4_unicast: map(&config.ipv4_unicast),
            ipv6_unicast: map(&config.ipv6_unicast),
            evpn: None,
        },
    }
}

/// The routes in the kernel that are an instance's, whoever finds them.
pub(crate) fn claim(config: &Config) -> fib::Claim {
    fib::Claim {
        tables: config.tables().into_iter().collect(),
        metrics: config.metrics().into_iter().collect(),
        beside: config.static_places().into_iter().collect(),
    }
}

impl Core {
    /// Puts the first configuration to work.
    pub(super) fn begin(&mut self) {
        // What the kernel has is not known yet: the end of all there is would be said too early.
        self.hold_links(self.hands.kernel.is_some());
        self.await_forwarding();
        self.want_host(None);
        self.begin_rpki();
        self.apply_bfd(&[], &self.config.bfd);
        let own = Own::of(&self.config);
        self.announce_own(own);
        self.statics.set(&self.config);
        self.statics.wait_for_paths(self.place.restarting);
        self.watch_statics();
        if self.config.aggregates().next().is_some() {
            let aggregates = self.aggregates();
            self.hand_in(rib::Input::SetAggregates(aggregates));
        }
        let duplicates = duplicate_detection(&self.config);
        self.tell_evpn(evpn::Input::SetDuplicateDetection(duplicates));
        self.take_up_sequences();
        let vnis = self.config.vnis.clone();
        self.set_vnis(&vnis.iter().collect::<Vec<_>>());
        self.begin_handover();
        if self.hands.kernel.is_none() {
            self.begin_sessions();
        }
    }

    /// Other tables are told nothing for the time being.
    fn hold_links(&mut self, hold: bool) {
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            self.rib.hold_peers(family, hold);
        }
    }

    /// Starts the neighbours. After the kernel was read, so that the first End-of-RIB comes behind
    /// the MAC addresses that are here: a neighbour that kept our routes over a restart would
    /// otherwise drop them for a moment.
    pub(super) fn begin_sessions(&mut self) {
        if self.hands.kernel.is_some() {
            for notice in crate::forwarding::notices(&self.config) {
                tracing::warn!("{notice}");
            }
        }
        self.sign_listeners();
        for neighbor in self.config.neighbors.clone() {
            // A reload may have come first.
            if !self.by_address.contains_key(&neighbor.address) {
                self.add_neighbor(neighbor, Origin::Address);
            }
        }
        self.begin_ranges();
        self.advertise();
        let mut peers: PerFamily<BTreeSet<PeerId>> = PerFamily::default();
        for (id, neighbor) in &self.neighbors {
            for (family, settings) in neighbor.config.families.iter() {
                if settings.is_some() && !neighbor.config.shutdown {
                    peers.get_mut(family).insert(*id);
                }
            }
        }
        for (link, family) in self.handover.awaited() {
            peers.get_mut(family).insert(link);
        }
        let time = self.config.graceful_restart.deferral_time;
        let hold = self.place.restarting;
        if hold {
            self.reserve(&mut peers);
        }
        self.hand_in(rib::Input::Expect { peers, time, hold });
        self.handover.begun = true;
        self.hold_links(false);
        if hold {
            // VRFs wait for EVPN first, and as long for neighbours of their own.
            self.await_tenants(Instant::now() + time * 2);
            let now = Timestamp::from(SystemTime::now()).unix_s();
            let until = now.saturating_add(time.as_secs());
            self.held_until = Some(Timestamp::from_unix_s(until));
            if !self.config.listen_ranges.is_empty() {
                self.leftovers.await_strangers(Instant::now() + time);
            }
            tracing::info!(
                deferral_time_s = time.as_secs(),
                "the last run broke off, or another daemon left its routes: keeping what the kernel \
                 forwards until neighbours have sent theirs (RFC 4724)"
            );
        }
    }

    /// Changes what differs from the running configuration. The caller has refused what needs a
    /// new start.
    pub(super) fn apply(&mut self, mut new: Config) {
        new.keep_route_maps(&self.config);
        let old = std::mem::replace(&mut self.config, new.clone());
        self.vni_places = vni_places(&new);
        self.hand_over_changes();
        // Before any wish with another metric, or for another table.
        if let Some(kernel) = &self.hands.kernel
            && claim(&old) != claim(&new)
        {
            kernel.claim(claim(&new));
        }
        self.place.settings.send_replace(new.service_settings());
        // First: sessions that are made next may stand on new addresses.
        self.want_host(Some(&old));
        self.change_link_detect(&old);
        self.apply_rpki(&old, &new);
        self.apply_bfd(&old.bfd, &new.bfd);
        self.apply_identity(&old);
        for neighbor in &old.neighbors {
            if new.neighbor(neighbor.address).is_none() {
                self.remove_neighbor(neighbor.address);
            }
        }
        // Before sessions are made anew, so that none comes back with the former keys.
        self.sign_listeners();
        for neighbor in &new.neighbors {
            match self.by_address.get(&neighbor.address).copied() {
                None => self.add_neighbor(neighbor.clone(), Origin::Address),
                Some(id) => self.change_neighbor(id, neighbor.clone(), Origin::Address, &old),
            }
        }
        self.apply_ranges(&old, &new);
        self.apply_interfaces(&old, &new);
        if (old.asn, old.public_asn()) != (new.asn, new.public_asn()) {
            self.refresh_facts();
        }
        if multipath(&old) != multipath(&new) {
            self.hand_in(rib::Input::SetMultipath(multipath(&new)));
        }
        if let (Some(wireguard), Some(underlay)) = (&self.hands.wireguard, &new.underlay) {
            wireguard.follow(underlay);
        }
        if self.install.set(forwarding(&new)) {
            for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                self.hand_in(rib::Input::Repeat(family));
            }
        }
        if old.default_local_preference != new.default_local_preference {
            let preference = new.default_local_preference;
            self.hand_in(rib::Input::SetDefaultLocalPref(preference));
        }
        self.follow_max_med();
        if old.suppress_fib_pending != new.suppress_fib_pending {
            self.await_forwarding();
        }
        if old.bestpath != new.bestpath {
            self.hand_in(rib::Input::SetRules(new.bestpath));
        }
        self.announce_own(Own::of(&new));
        self.ground_changed |= self.statics.set(&new);
        self.watch_statics();
        let differs = !old.aggregates().eq(new.aggregates());
        if differs || old.public_asn() != new.public_asn() {
            let aggregates = self.aggregates();
            self.hand_in(rib::Input::SetAggregates(aggregates));
        }
        if uses_evpn(&new) {
            self.hand_in(rib::Input::Track(Family::Evpn));
        }
        if old.evpn != new.evpn {
            let duplicates = duplicate_detection(&new);
            self.tell_evpn(evpn::Input::SetDuplicateDetection(duplicates));
            self.tell_evpn(evpn::Input::SetVtep(new.evpn.map(|evpn| evpn.vtep)));
        }
        self.apply_vnis(&old, &new);
        if old.evpn != new.evpn {
            self.want_tenants();
        }
        self.apply_handover(&old);
    }

    /// Who we are, for the tables and for EVPN. Sessions whose OPEN said something else end with their next
    /// settings ([`session::Config::needs_restart`]).
    fn apply_identity(&mut self, old: &Config) {
        let (before, after) = (identity(old), identity(&self.config));
        if before != after {
            self.hand_in(rib::Input::SetIdentity(after));
        }
        let who = |config: &Config| (config.asn, config.router_id);
        if who(old) != who(&self.config) {
            let (local_as, router_id) = who(&self.config);
            self.tell_evpn(evpn::Input::SetIdentity {
                local_as,
                router_id,
            });
        }
    }

    /// Our AS number is another one: neighbours that know us by a number of their own (`local_as`) keep their
    /// sessions, and are told paths with the new one behind it.
    fn refresh_facts(&mut self) {
        let ids: Vec<PeerId> = self.neighbors.keys().copied().collect();
        for id in ids {
            if let Some(facts) = self.facts(id) {
                self.hand_in(rib::Input::Facts(id, facts));
            }
        }
    }

    /// Neighbours who stay, and whose sessions cannot go on because of who we are from now on.
    pub(super) fn known_otherwise(&self, new: &Config) -> Vec<ScopedAddr> {
        let session = |config, neighbor| session_config(config, neighbor, false, (self.seed, 0));
        let stays = |neighbor: &&Neighbor| match neighbor.origin {
            Origin::Address => new
                .neighbor(neighbor.address())
                .is_some_and(|it| !it.shutdown),
            Origin::Range(_) => new.listen_range(neighbor.address()).is_some(),
            Origin::Interface => {
                let mut interfaces = new.interfaces.iter();
                interfaces.any(|it| neighbor.interface() == Some(&it.interface))
            }
        };
        let staying = self.neighbors.values().filter(stays);
        let known = staying.filter(|neighbor| {
            let (now, then) = (
                session(&self.config, &neighbor.config),
                session(new, &neighbor.config),
            );
            !neighbor.config.shutdown && now.needs_restart(&then).is_some()
        });
        known.map(Neighbor::address).collect()
    }

    /// Removes, makes and changes overlay networks, many of them in one go.
    fn apply_vnis(&mut self, old: &Config, new: &Config) {
        let (before, after) = (vnis_by_id(old), vnis_by_id(new));
        let devices = |vni: &VniConfig| (vni.vxlan.clone(), vni.bridge.clone(), vni.vlan);
        let same_devices = |vni: &VniConfig| {
            let other = after.get(&vni.id);
            other.is_some_and(|it| devices(it) == devices(vni))
        };
        let gone = before.values().filter(|it| !same_devices(it)).copied();
        self.remove_vnis(&gone.collect::<Vec<_>>());
        let routed = |config: &Config| config.l3vni.is_some();
        let elsewhere = old.evpn != new.evpn
            || old.single_device != new.single_device
            || routed(old) != routed(new);
        let differs = |vni: &&VniConfig| elsewhere || before.get(&vni.id) != Some(vni);
        let changed = after.values().copied().filter(differs);
        self.set_vnis(&changed.collect::<Vec<_>>());
        // What leftovers wait for may not be wanted any more.
        self.sweep_rest();
    }

    /// The instance is in the configuration no more: everything of it goes, here and in the kernel.
    pub(super) fn leave_service(&mut self, done: oneshot::Sender<()>) {
        self.leaving = true;
        let vnis = self.config.vnis.clone();
        self.remove_vnis(&vnis.iter().collect::<Vec<_>>());
        self.leave_vrf();
        for neighbor in self.neighbors.values() {
            self.forget_bfd(&neighbor.config);
        }
        self.apply_bfd(&self.config.bfd, &[]);
        self.statics.set(&Config {
            static_routes: Vec::new(),
            ..self.config.clone()
        });
        self.watch_statics();
        self.stop(done, &StopReason::PeerDeconfigured);
    }

    /// A number that no neighbour has, and none is to have.
    pub(super) fn free_id(&self) -> Option<PeerId> {
        (1..=u16::MAX).map(PeerId).find(|id| {
            let reserved = self.reserved.values().any(|it| it == id);
            !reserved && !self.neighbors.contains_key(id) && !self.handover.has(*id)
        })
    }

    /// Starts a neighbour.
    pub(super) fn add_neighbor(&mut self, neighbor: config::Neighbor, origin: Origin) {
        let Some(id) = self
            .reserved_for(neighbor.address, &origin)
            .or_else(|| self.free_id())
        else {
            tracing::error!(neighbor = %neighbor.address, "too many neighbours, this one is left out");
            return;
        };
        let session = self.session_config(&neighbor);
        let (commands, queue) = mpsc::unbounded_channel();
        let (status, watcher) = watch::channel(session::Session::new(session.clone()).status());
        let wiring = Wiring {
            id,
            remote: Remote {
                address: neighbor.address,
                port: neighbor.port,
            },
            transport: transport(&self.config, &neighbor, &origin),
            config: session,
            core: self.hands.spawner.events(),
            written: self.hands.spawner.written(),
            commands: queue,
            status,
        };
        if origin == Origin::Interface {
            self.sign_heard(neighbor.address.ip(), neighbor.signing.as_ref());
        }
        self.hands.spawner.neighbor(
            neighbor.address,
            commands.clone(),
            wiring,
            !neighbor.shutdown,
        );
        if neighbor.shutdown {
            // So that the neighbour hears why, should it connect.
            let text = neighbor.shutdown_text.clone().unwrap_or_default();
            let stop = Command::Stop(StopReason::AdministrativeShutdown { text });
            // The task has just been started and takes it.
            drop(commands.send(stop));
        }
        self.set_bfd(&neighbor);
        self.by_address.insert(neighbor.address, id);
        self.neighbors
            .insert(id, Neighbor::new(neighbor, origin, commands, watcher));
    }

    pub(super) fn remove_neighbor(&mut self, address: ScopedAddr) {
        let Some(id) = self.by_address.remove(&address) else {
            return;
        };
        let Some(neighbor) = self.neighbors.remove(&id) else {
            return;
        };
        neighbor.command(Command::Quit(StopReason::PeerDeconfigured));
        self.hands.spawner.forget(address);
        if neighbor.interface().is_some() {
            self.sign_heard(address.ip(), None);
        }
        self.forget_bfd(&neighbor.config);
        self.hand_in(rib::Input::PeerRemoved(id));
        self.rib.sweep();
    }

    /// Gives a neighbour other settings, those of the configuration in effect; `before` is the one that was.
    pub(super) fn change_neighbor(
        &mut self,
        id: PeerId,
        new: config::Neighbor,
        origin: Origin,
        before: &Config,
    ) {
        let Some(neighbor) = self.neighbors.get_mut(&id) else {
            return;
        };
        let former = std::mem::replace(&mut neighbor.origin, origin);
        let heard = neighbor.interface().is_some();
        let old = neighbor.config.clone();
        let made = transport(&self.config, &new, &neighbor.origin);
        let before = Transport {
            ttl: old.ttl(before.asn),
            ..transport(&self.config, &old, &former)
        };
        let anew = !before.carries_over(&made)
            || old.local_as != new.local_as
            || old.relation != new.relation
            || old.reflector_client() != new.reflector_client()
            || old.server_client() != new.server_client();
        if old.port != new.port {
            neighbor.command(Command::Port(new.port));
        }
        // Where its keys stand on a connection depends on the ranges too, which both know as they
        // are now.
        if before != made || made.within.is_some() {
            neighbor.command(Command::Transport(Box::new(made)));
        }
        self.change_bfd(&old, &new);
        let session = self.session_config(&new);
        let (was_shut, is_shut) = (old.shutdown, new.shutdown);
        let address = new.address.ip();
        if let Some(neighbor) = self.neighbors.get_mut(&id) {
            neighbor.config = new;
            neighbor.command(Command::Configure(Box::new(session)));
            if is_shut && !was_shut {
                let text = neighbor.config.shutdown_text.clone().unwrap_or_default();
                neighbor.command(Command::Stop(StopReason::AdministrativeShutdown { text }));
            } else if was_shut && !is_shut || raised_limit(neighbor, &old) {
                neighbor.command(Command::Start);
            } else if anew {
                // Another connection, with the same neighbour: routes may outlive it.
                neighbor.command(Command::Stop(StopReason::OtherConfigurationChange));
            }
        }
        if heard {
            self.sign_heard(address, None);
        }
        self.reconfigure_peer(id);
        self.check_limits(id);
    }

    /// Gives the tables the policies now in effect for a neighbour.
    pub(super) fn reconfigure_peer(&mut self, id: PeerId) {
        if let Some(facts) = self.facts(id) {
            self.hand_in(rib::Input::Configure(id, facts.families));
            self.tell_groups(id);
        }
    }

    fn session_config(&self, neighbor: &config::Neighbor) -> session::Config {
        let jitter = self.seed ^ u64::from(u32::from(self.config.router_id)) ^ hash_of(neighbor);
        session_config(
            &self.config,
            neighbor,
            self.place.restarting,
            (self.seed, jitter),
        )
    }

    /// Gives a session its settings again after the restart is over.
    pub(super) fn refresh_session_settings(&mut self, id: PeerId) {
        let Some(neighbor) = self.neighbors.get(&id) else {
            return;
        };
        let session = self.session_config(&neighbor.config);
        neighbor.command(Command::Configure(Box::new(session)));
    }

    /// The aggregates of the configuration, as the tables know them.
    fn aggregates(&self) -> Vec<rib::Aggregate> {
        let asn = self.config.public_asn();
        let aggregates = self.config.aggregates().cloned();
        let aggregates = aggregates.map(|it| rib::Aggregate {
            suppress: it.suppress,
            as_set: it.as_set,
            origin: it.origin,
            match_med: it.match_med,
            blackhole: it.blackhole,
            route_map: it.route_map,
            ..rib::Aggregate::new(it.prefix, asn)
        });
        aggregates.collect()
    }

    fn set_vnis(&mut self, vnis: &[&VniConfig]) {
        let mut settings = BTreeMap::new();
        for vni in vnis {
            settings.insert(vni.id, Some(self.evpn_settings(vni)));
            let devices = OverlayDevices {
                bridge: vni.bridge.as_str().into(),
                vxlan: vni.vxlan.as_str().into(),
                segment: Self::segment(vni),
            };
            self.installed.overlay(vni.id, devices.own());
            if let Some(before) = self.devices.insert(vni.id, devices) {
                let now = self.devices.get(&vni.id);
                let kept = |device: &&fib::Device| {
                    now.is_some_and(|it| it.own().any(|own| own == *device))
                };
                self.installed
                    .no_overlay(vni.id, before.own().filter(|device| !kept(device)));
            }
        }
        self.tell_evpn(evpn::Input::SetVnis(settings));
        self.want_overlays(vnis);
        for vni in vnis {
            self.unsettle_overlay(vni.id);
        }
    }

    fn evpn_settings(&self, vni: &VniConfig) -> evpn::VniConfig {
        let mut settings = evpn::VniConfig::new(vni.name.clone()).rd(vni.rd);
        if let RouteTargets::Listed(targets) = &vni.import_targets {
            for target in targets {
                settings = settings.import_target((*target).into());
            }
        }
        if let RouteTargets::Listed(targets) = &vni.export_targets {
            for target in targets {
                settings = settings.export_target(*target);
            }
        }
        let gateways = vni.gateway.iter().map(|network| network.ip()).collect();
        settings = settings
            .gateway(self.gateway_mac(vni), gateways)
            .advertise_gateway(vni.advertise_gateway);
        settings = settings.flooding(vni.flooding);
        // The main table is a VRF like others where it has an L3 VNI.
        let main = self.config.l3vni.is_some() && self.config.name.is_none();
        let main = main.then_some(Config::MAIN_TABLE);
        match vni.vrf.as_deref().or(main) {
            Some(vrf) => settings.vrf(vrf.into()),
            None => settings,
        }
    }

    /// Passes on everything that EVPN has to say.
    pub(super) fn drain_evpn(&mut self) {
        while let Some(output) = self.evpn.poll() {
            self.evpn_output(output);
        }
    }

    fn remove_vnis(&mut self, vnis: &[&VniConfig]) {
        for vni in vnis {
            self.forget_stations(vni.id);
        }
        let none = vnis.iter().map(|vni| (vni.id, None)).collect();
        self.tell_evpn(evpn::Input::SetVnis(none));
        // What was wanted on the devices goes before the devices.
        self.drain_evpn();
        for vni in vnis {
            if let Some(devices) = self.devices.remove(&vni.id) {
                self.installed.no_overlay(vni.id, devices.own());
            }
            // One that comes again is there when the kernel says so anew.
            let overlay = fib::Key::Overlay(vni.id.get());
            self.installed
                .remove((&mut self.rib, &mut self.evpn), &overlay);
            self.unwant_overlay(vni.id);
        }
    }
}

/// Where each overlay network stands in the configuration.
pub(super) fn vni_places(config: &Config) -> HashMap<Vni, usize> {
    config.vnis.iter().map(|vni| vni.id).zip(0..).collect()
}

fn vnis_by_id(config: &Config) -> BTreeMap<Vni, &VniConfig> {
    config.vnis.iter().map(|vni| (vni.id, vni)).collect()
}

/// Whether the session rests because of too many prefixes, under a limit that is not the same
/// any more.
fn raised_limit(neighbor: &Neighbor, old: &config::Neighbor) -> bool {
    let Some(StopReason::MaximumPrefixes { family, .. }) = neighbor.status().stopped else {
        return false;
    };
    let limit = |config: &config::Neighbor| {
        let family = config.families.get(family).as_ref()?;
        Some(family.maximum_prefixes)
    };
    limit(old) != limit(&neighbor.config)
}

/// Different neighbours get different jitter.
fn hash_of(neighbor: &config::Neighbor) -> u64 {
    let host = match neighbor.address.ip() {
        IpAddr::V4(addr) => u64::from(u32::from(addr)),
        IpAddr::V6(addr) => {
            let [.., a, b, c, d, e, f, g, h] = addr.octets();
            u64::from_be_bytes([a, b, c, d, e, f, g, h])
        }
    };
    let zone = neighbor.address.zone().unwrap_or_default();
    zone.bytes()
        .fold(host, |hash, octet| hash.rotate_left(8) ^ u64::from(octet))
}
