//! Answers to operators, read from the tables as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bgp::attributes::{Attributes, Origin, SegmentKind};
use bgp::rib::{self, PathView, PeerId, RouteView};
use bgp::session::StopReason;
use bgp::{Asn, Family, Nlri, Prefix, ScopedAddr, Vni};
use tokio::sync::oneshot;

use super::limit::Level;
use super::neighbor::{Neighbor, hostname};
use super::{Core, Order};
use crate::config::{self, Direction};
use crate::control::reply::{self, AsPathItem, BfdState, Families};
use crate::control::words::counted;
use crate::control::{Answer, Clear, ErrorReply, Reply, Request, Select, SoftReset};
use crate::metrics::{KernelNumbers, NeighborNumbers, QueueDepth, Snapshot, VniNumbers};
use crate::peer_io::Command;
use neighbors::{add_path_reply, counts};
pub(crate) use network::NetworkFacts;
pub(super) use tunnels::named;

mod explain;
mod foreign;
mod hold;
mod neighbors;
mod network;
mod overlay;
mod policy;
mod routes;
mod rpki;
mod statics;
mod tunnels;
mod wide_ports;
mod wireguard;

/// That many AllowedIPs that differ are listed; numbers of all are in the summary.
const ALLOWED_IPS_MAX: usize = 1000;

/// Overlays that are not as configured and named in a summary.
const OVERLAYS_NAMED: usize = 10;

impl Core {
    /// Answers at once, or sees to it that somebody does.
    pub(super) fn answer(&mut self, request: Request, answer: oneshot::Sender<Answer>) {
        let result = match request {
            Request::Summary => Ok(Reply::Summary(self.summary())),
            Request::Neighbors { address } => self.neighbors_reply(address),
            Request::Routes(routes) => self.routes_reply(&routes).map(Reply::Routes),
            Request::Explain { target } => {
                self.answer_explain(&target, answer);
                return;
            }
            Request::EvpnVni => Ok(Reply::EvpnVni(self.evpn_vnis())),
            Request::EvpnMac { vni, page } => self.evpn_macs(vni, &page).map(Reply::EvpnMac),
            Request::EvpnNeighbors { vni, page } => {
                let neighbors = self.evpn_neighbors(vni, &page);
                neighbors.map(Reply::EvpnNeighbors)
            }
            Request::EvpnVteps => Ok(Reply::EvpnVteps(self.evpn_vteps())),
            Request::EvpnNextHops => Ok(Reply::EvpnNextHops(self.evpn_next_hops())),
            Request::EvpnDuplicates { vni } => {
                self.evpn_duplicates(vni).map(Reply::EvpnDuplicates)
            }
            Request::ClearDuplicates { vni, address } => {
                let cleared = self.clear_duplicates(vni, address);
                cleared.map(Reply::EvpnDuplicates)
            }
            Request::Arrived { vni, mac, ip } => self.arrived(vni, mac, ip).map(Reply::Arrived),
            Request::EvpnRoutes(routes) => self.evpn_routes(&routes).map(Reply::EvpnRoutes),
            Request::Bfd => Ok(Reply::Bfd(self.bfd_reply())),
            Request::Rpki { prefix, asn } => Ok(Reply::Rpki(self.rpki_reply(prefix, asn))),
            Request::StaticRoutes => Ok(Reply::StaticRoutes(self.static_routes())),
            Request::DrainStatus => Ok(Reply::Drain(self.drain_status())),
            Request::Drain(order) => self.drain_order(order).map(Reply::Drain),
            Request::Undrain { neighbor, force } => {
                let orders = self.hands.spawner.orders();
                self.compare(move |differences| {
                    drop(orders.blocking_send(Order::Undrain(
                        neighbor,
                        force,
                        differences,
                        answer,
                    )));
                });
                return;
            }
            Request::Verify => {
                self.verify(answer);
                return;
            }
            Request::Networks => Ok(Reply::Networks(self.networks())),
            Request::Reload { .. }
            | Request::Running(_)
            | Request::Configure { .. }
            | Request::Debug { .. }
            | Request::Debugging
            | Request::Write
            | Request::Instances
            | Request::NetworkCreate(_)
            | Request::NetworkDelete(_)
            | Request::Of(..) => {
                // Whoever has several instances answers this; it came past them.
                Err(ErrorReply::failed("this is not for one instance alone"))
            }
            Request::Clear(order) => self.clear(order).map(Reply::Clear),
            Request::RouteMaps { name } => self.route_maps(name.as_deref()).map(Reply::RouteMaps),
            Request::PrefixLists => Ok(Reply::PrefixLists(self.prefix_lists())),
            Request::Metrics => Ok(Reply::Metrics(Box::new(self.metrics()))),
            Request::Memory => Ok(Reply::Memory(self.memory())),
            Request::Version => Ok(Reply::Version(reply::Version {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: std::process::id(),
                uptime_s: self.started.elapsed().as_secs(),
                hostname: self.config.hostname.clone().unwrap_or_else(hostname),
            })),
        };
        // An asker that went away is no error.
        drop(answer.send(result));
    }

    fn summary(&self) -> reply::Summary {
        let bfd = self.bfd_states();
        reply::Summary {
            asn: self.config.asn.0,
            router_id: self.config.router_id,
            draining: self.drain.router.is_some(),
            uptime_s: self.started.elapsed().as_secs(),
            prefixes: self.prefixes(),
            show_hostname: self.config.shown_names.neighbors,
            show_next_hop_hostname: self.config.shown_names.next_hops,
            show_attributes: self.config.show_attributes,
            as_path_relax: Families {
                ipv4_unicast: Some(self.config.ipv4_unicast.multipath.as_path_relax),
                ipv6_unicast: Some(self.config.ipv6_unicast.multipath.as_path_relax),
                evpn: None,
            },
            max_med: self.max_med_status(),
            notices: self.notices(),
            hold: self.hold(),
            neighbors: self
                .neighbors
                .iter()
                .map(|(id, neighbor)| self.neighbor_summary(*id, neighbor, &bfd))
                .collect(),
            instances: Vec::new(),
        }
    }

    fn prefixes(&self) -> Families<u64> {
        let mut families = Families::default();
        for family in Family::ALL {
            families.set(family, number(self.rib.prefixes(family)));
        }
        families
    }

    /// What is not as one might think, with consequence and remedy.
    fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        notices.extend(self.hold_line());
        notices.extend(self.max_med_line());
        notices.extend(self.range_notices());
        notices.extend(self.interface_notices());
        notices.extend(self.rpki.notices());
        notices.extend(self.endpoint_missing());
        notices.extend(self.tunnel_notices());
        notices.extend(self.duplicate_notices());
        notices.extend(self.conflicts(true));
        notices.extend(self.concern_notices());
        notices.extend(self.unimported_notice());
        if self.hands.kernel.is_some() {
            notices.extend(crate::forwarding::notices(&self.config));
        }
        notices.extend(self.wireguard_notices());
        notices.extend(self.static_notice());
        for (id, neighbor) in &self.neighbors {
            let Some(negotiated) = neighbor.negotiated() else {
                continue;
            };
            let counts = self.rib.counts(*id);
            for family in Family::ALL
                .into_iter()
                .filter(|it| negotiated.families.get(*it).is_some())
            {
                for direction in [Direction::Import, Direction::Export] {
                    let policy = self.policy_of(neighbor, family, direction);
                    if let bgp::policy::Policy::RejectAll(reason) = policy {
                        let counts = counts.get(family);
                        let what = match direction {
                            Direction::Import => {
                                format!("0 of {} routes accepted from", counts.received)
                            }
                            Direction::Export => "0 routes announced to".to_owned(),
                        };
                        notices.push(format!(
                            "{what} {} ({family}): {reason}",
                            neighbor.address()
                        ));
                    }
                }
            }
            for (family, settings) in neighbor.config.families.iter() {
                let tally = self.tally(*id, neighbor, family);
                if let Some(tally) = tally.filter(|it| it.level > Level::Far) {
                    notices.push(format!(
                        "{}: {} of at most {} {family} prefixes; filter at the neighbour or raise \
                         maximum_prefixes",
                        neighbor.address(),
                        tally.count,
                        tally.maximum.limit,
                    ));
                }
                let limit_out = self.rib.limit_out(*id, family);
                if let Some((limit, beyond)) = limit_out.filter(|(_, beyond)| *beyond > 0) {
                    notices.push(format!(
                        "{}: {beyond} {family} prefixes more than the {limit} it is told at most; \
                         filter with export or raise maximum_prefixes_out",
                        neighbor.address(),
                    ));
                }
                if settings.is_some() && negotiated.families.get(family).is_none() {
                    notices.push(format!(
                        "{}: {family} is configured here but not there; activate it at the \
                         neighbour",
                        neighbor.address()
                    ));
                }
                let several = settings
                    .as_ref()
                    .and_then(|it| add_path_reply(it.add_path, neighbor, family));
                let not_sent = several.and_then(|it| it.not_sent());
                notices.extend(
                    not_sent.map(|what| format!("{}: {family}: {what}", neighbor.address())),
                );
            }
        }
        let (overlays, entries): (Vec<_>, Vec<_>) = self
            .failed
            .iter()
            .partition(|(key, _)| matches!(key, fib::Key::Overlay(_)));
        let mut overlays: Vec<String> = overlays
            .into_iter()
            .map(|(key, error)| format!("{key}: {error}"))
            .collect();
        overlays.sort_unstable();
        let more = overlays.len().saturating_sub(OVERLAYS_NAMED);
        overlays.truncate(OVERLAYS_NAMED);
        notices.extend(overlays);
        if more > 0 {
            notices.push(format!(
                "{} not as configured: rbgpctl verify names them",
                counted(more, "more overlay is", "more overlays are")
            ));
        }
        if !entries.is_empty() {
            notices.push(format!(
                "{} not in the kernel as wanted: rbgpctl verify names them",
                counted(entries.len(), "entry is", "entries are")
            ));
        }
        let untold = self.rib.not_forwarded();
        if untold > 0 {
            notices.push(format!(
                "{} told to no neighbor (suppress_fib_pending): rbgpctl explain PREFIX says why",
                counted(
                    untold,
                    "learned route that the kernel does not have is",
                    "learned routes that the kernel does not have are"
                )
            ));
        }
        notices
    }

    fn verify(&mut self, answer: oneshot::Sender<Answer>) {
        if self.hands.kernel.is_none() {
            let verify = reply::Verify {
                equal: true,
                checked: 0,
                pending: 0,
                missing: 0,
                different: 0,
                unexpected: 0,
                differences: Vec::new(),
                kernel_enabled: false,
                notes: Vec::new(),
            };
            drop(answer.send(Ok(Reply::Verify(verify))));
            return;
        }
        let held_back = self.overlays_held_back();
        let unheard = |it: &&fib::Difference| {
            !self.installed.contains((&self.rib, &self.evpn), &it.key)
                && !self.failed.contains_key(&it.key)
        };
        let held_back = held_back.iter().filter(unheard).count();
        let checked =
            number(self.installed.len((&self.rib, &self.evpn)) + self.failed.len() + held_back);
        let pending = number(self.kernel_backlog());
        let held = self.hold_line();
        let ready = held.is_none();
        let notes = held.into_iter().chain(self.beaten_notes());
        let notes = notes.chain(self.conflicts(false)).collect();
        let wireguard = self.hands.wireguard.as_ref();
        let wireguard = wireguard.map(|it| (it.interface().to_owned(), it.differences()));
        self.compare(move |differences| {
            let entries = differences.iter().map(|difference| reply::Difference {
                entry: difference.key.to_string(),
                want: difference.want.clone(),
                have: difference.have.clone(),
                error: difference.error.clone(),
            });
            let mut differences: Vec<reply::Difference> = entries.collect();
            if let Some((interface, compare)) = wireguard {
                let more = compare();
                let more = more.iter().take(ALLOWED_IPS_MAX);
                differences.extend(more.map(|it| wireguard::difference(&interface, it)));
            }
            let of = |test: fn(&reply::Difference) -> bool| {
                number(differences.iter().filter(|it| test(it)).count())
            };
            let verify = reply::Verify {
                equal: differences.is_empty() && ready,
                checked,
                pending,
                missing: of(|it| it.have.is_none()),
                different: of(|it| it.want.is_some() && it.have.is_some()),
                unexpected: of(|it| it.want.is_none()),
                differences,
                kernel_enabled: true,
                notes,
            };
            drop(answer.send(Ok(Reply::Verify(verify))));
        });
    }

    /// Applies a configuration, or only says what that would change. The caller applies none that
    /// needs a new start.
    pub(super) fn reload(&mut self, new: config::Config, dry_run: bool) -> reply::Reload {
        let mut diff = config::diff(&self.config, &new);
        if self.config.name.is_some() {
            // The default instance tells of caches, and of policies that nothing here uses.
            diff.policies.retain(|policy| !policy.used_by.is_empty());
            diff.rpki = config::diff::Members::default();
        }
        // Neighbours that the file does not name one by one.
        let found = self.neighbors.values();
        let restarts = |neighbor: &&Neighbor| {
            let mut ranges = diff.listen_ranges.changed.iter();
            let mut interfaces = diff.interfaces.changed.iter();
            ranges.any(|(it, change)| change.session_restart && neighbor.range() == Some(*it))
                || interfaces
                    .any(|(it, change)| change.session_restart && neighbor.interface() == Some(it))
        };
        let restarts: BTreeSet<ScopedAddr> = diff
            .neighbors
            .changed
            .iter()
            .filter(|(_, change)| change.session_restart)
            .map(|(address, _)| *address)
            .chain(found.filter(restarts).map(Neighbor::address))
            .chain(self.known_otherwise(&new))
            .collect();
        let changes: Vec<String> = match diff.is_empty() {
            true => Vec::new(),
            false => diff.to_string().lines().map(str::to_owned).collect(),
        };
        let held = self.hold().is_some();
        if !dry_run {
            match changes.len() {
                0 => tracing::info!("configuration reloaded, nothing is different"),
                changes => tracing::info!(changes, "configuration reloaded"),
            }
            self.apply(new);
        }
        reply::Reload {
            dry_run,
            changed: !diff.is_empty(),
            changes,
            restarts: restarts.into_iter().collect(),
            restart_required: diff
                .restart_required
                .iter()
                .map(ToString::to_string)
                .collect(),
            notes: match self.hold_line() {
                Some(line) => vec![line],
                None if held => vec![
                    "restarted: nobody is left to wait for, routes are no longer held back"
                        .to_owned(),
                ],
                None => Vec::new(),
            },
        }
    }

    fn clear(&mut self, order: Clear) -> Result<reply::Clear, ErrorReply> {
        let chosen: Vec<PeerId> = match order.neighbor {
            Some(address) => vec![self.named(address)?],
            None => self.neighbors.keys().copied().collect(),
        };
        let mut cleared = Vec::new();
        for id in chosen {
            let Some(neighbor) = self.neighbors.get(&id) else {
                continue;
            };
            let families: Vec<Family> = neighbor
                .negotiated()
                .map(|it| {
                    Family::ALL
                        .into_iter()
                        .filter(|f| it.families.get(*f).is_some())
                        .collect()
                })
                .unwrap_or_default();
            if order.soft != SoftReset::None && !neighbor.is_up() {
                if order.neighbor.is_none() {
                    continue;
                }
                let (address, state) = (neighbor.address(), neighbor.status().state);
                let refused = format!("{address} is {state}: there is no session to do it on");
                let hint = format!("rbgpctl show neighbors {address} says why");
                return Err(ErrorReply::failed(refused).hint(hint));
            }
            match order.soft {
                // What was stopped here, and not by the configuration, is started again.
                SoftReset::None
                    if neighbor.status().stopped.is_some() && !neighbor.config.shutdown =>
                {
                    neighbor.command(Command::Start);
                }
                SoftReset::None => {
                    let reason = order.reason.as_deref();
                    let text = reason.unwrap_or("cleared by the operator").to_owned();
                    neighbor.command(Command::Stop(match order.hard {
                        true => StopReason::HardReset { text },
                        false => StopReason::AdministrativeReset { text },
                    }));
                }
                SoftReset::In => {
                    for family in families {
                        neighbor.command(Command::RequestRefresh(family));
                    }
                }
                SoftReset::Out => {
                    let enhanced = neighbor.enhanced_refresh();
                    cleared.push(neighbor.address());
                    for family in families {
                        self.hand_in(rib::Input::Refresh {
                            peer: id,
                            family,
                            enhanced,
                        });
                    }
                    continue;
                }
            }
            cleared.push(neighbor.address());
        }
        Ok(reply::Clear { cleared })
    }

    fn metrics(&self) -> Snapshot {
        let bfd = self.bfd_states();
        let status = self.drain_status();
        Snapshot {
            uptime_s: self.started.elapsed().as_secs(),
            resident_bytes: crate::metrics::resident_bytes(),
            neighbors: self
                .neighbors
                .iter()
                .map(|(id, neighbor)| self.neighbor_numbers(*id, neighbor, &bfd))
                .collect(),
            prefixes: self.prefixes(),
            paths: self.paths(),
            attribute_sets: number(self.rib.attribute_sets()),
            kernel: KernelNumbers {
                installed: number(self.installed.len((&self.rib, &self.evpn))),
                failed: number(self.failed.len()),
                pending: number(self.kernel_backlog()),
                repaired_total: self.repaired,
                verify_differences: self.verify.differences,
                verify_runs_total: self.verify.runs,
            },
            draining: status.draining,
            drained: status.complete,
            rpki_caches: self.rpki_numbers(),
            bfd: self.bfd_numbers(),
            bfd_sessions: self.bfd_session_numbers(),
            wireguard: self.wireguard_numbers(),
            tunnels: self.tunnel_numbers(),
            vnis: self.vni_numbers(),
            mac_moves: self.evpn.moves().macs,
            ip_moves: self.evpn.moves().ips,
            unimported_routes: number(self.evpn.unimported().routes),
            queues: vec![QueueDepth {
                queue: "kernel".to_owned(),
                depth: number(self.kernel_backlog()),
            }],
            instances: Vec::new(),
        }
    }

    fn vni_numbers(&self) -> Vec<VniNumbers> {
        let mut duplicates: BTreeMap<Vni, (u64, u64)> = BTreeMap::new();
        for duplicate in self.evpn.duplicates() {
            let (macs, ips) = duplicates.entry(duplicate.vni).or_default();
            match duplicate.address {
                evpn::Address::Mac(_) => *macs += 1,
                evpn::Address::Ip(_) => *ips += 1,
            }
        }
        let numbers = self.evpn.vnis().into_iter().map(|vni| {
            let (macs, ips) = duplicates.get(&vni.vni).copied().unwrap_or_default();
            let sites = vni.sites().len();
            VniNumbers {
                vni: vni.vni.get(),
                name: vni.name,
                local_macs: number(vni.local_macs),
                remote_macs: number(vni.remote_macs),
                remote_vteps: number(sites),
                duplicate_macs: macs,
                duplicate_ips: ips,
            }
        });
        numbers.collect()
    }

    fn neighbor_numbers(
        &self,
        id: PeerId,
        neighbor: &Neighbor,
        bfd: &[(ScopedAddr, BfdState)],
    ) -> NeighborNumbers {
        let summary = self.neighbor_summary(id, neighbor, bfd);
        let status = neighbor.status();
        let mut not_told = Families::default();
        for (family, settings) in neighbor.config.families.iter() {
            let settings = settings.as_ref();
            if settings.is_some_and(|it| it.maximum_prefixes_out.is_some()) {
                let beyond = self.rib.limit_out(id, family);
                not_told.set(family, beyond.map_or(0, |(_, beyond)| number(beyond)));
            }
        }
        NeighborNumbers {
            not_told,
            address: summary.address,
            remote_as: summary.remote_as,
            description: summary.description,
            state: summary.state,
            uptime_s: summary.uptime_s,
            established: status.established,
            flaps: status.flaps,
            received: counts(&status.counters.received),
            sent: counts(&status.counters.sent),
            malformed_updates: status.counters.malformed_updates,
            bfd: summary.bfd,
            families: summary.families,
            wireguard: self.wireguard_peer(neighbor),
        }
    }

    fn paths(&self) -> Families<u64> {
        let mut families = Families::default();
        let ids: Vec<PeerId> = std::iter::once(PeerId::LOCAL)
            .chain(self.neighbors.keys().copied())
            .collect();
        for family in Family::ALL {
            let of = |id: &PeerId| self.rib.counts(*id).get(family).received;
            families.set(family, number(ids.iter().map(of).sum()));
        }
        families
    }

    fn memory(&self) -> reply::Memory {
        let memory = self.rib.memory();
        reply::Memory {
            resident_bytes: crate::metrics::resident_bytes(),
            prefixes: self.prefixes(),
            paths: self.paths(),
            attribute_sets: number(self.rib.attribute_sets()),
            attribute_bytes: number(memory.attribute_sets),
            table_bytes: number(memory.tables),
        }
    }

    pub(super) fn address_of(&self, peer: PeerId) -> Option<ScopedAddr> {
        self.neighbors.get(&peer).map(Neighbor::address)
    }
}

pub(super) fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn state_of(states: &[(ScopedAddr, BfdState)], address: ScopedAddr) -> Option<BfdState> {
    states
        .iter()
        .find(|(peer, _)| *peer == address)
        .map(|(_, state)| *state)
}
