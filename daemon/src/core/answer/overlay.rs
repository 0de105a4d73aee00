//! EVPN for `show evpn ...`.

use bgp::Vni;
use serde_json::json;

use super::*;
use crate::config::VniConfig;
use crate::control::{EvpnRoutes, Page, message_json};

/// Route targets that are named in one line.
const TARGETS_NAMED: usize = 4;

impl Core {
    /// EVPN routes that nobody imports here: what other sites have and this one was never given, or a route
    /// target that is written wrong somewhere. Where nothing is imported on purpose there is nothing to say.
    pub(super) fn unimported_notice(&self) -> Option<String> {
        let unimported = self.evpn.unimported();
        let routes = match unimported.routes {
            0 => return None,
            1 => "1 EVPN route is".to_owned(),
            more => format!("{more} EVPN routes are"),
        };
        let named = unimported.targets.iter().take(TARGETS_NAMED);
        let mut named: Vec<String> = named.map(ToString::to_string).collect();
        let more = unimported.targets.len().saturating_sub(TARGETS_NAMED);
        if more > 0 {
            named.push(format!("{more} more"));
        }
        let targets = match named.is_empty() {
            true => "without a route target".to_owned(),
            false => format!("route targets {}", named.join(", ")),
        };
        Some(format!(
            "{routes} imported by no VNI or VRF ({targets}): rbgpctl show evpn vni has what is imported, \
             rbgpctl explain MAC says more"
        ))
    }

    pub(in crate::core) fn evpn_vnis(&self) -> reply::EvpnVni {
        let mut concerns = self.concerns_by_vni();
        let vnis = self
            .evpn
            .vnis()
            .into_iter()
            .map(|status| {
                let config = self.config.vnis.iter().find(|vni| vni.id == status.vni);
                let link = config
                    .and_then(|vni| self.install.ground.links.named(&vni.vxlan.as_str().into()));
                let named = status.problems.iter();
                let named = named.map(|problem| format!("{problem}; {}", problem.remedy()));
                let mut problems: Vec<String> = named.collect();
                let waits = config.and_then(|vni| self.waits_for(vni));
                problems.extend(waits.or_else(|| self.endpoint_missing()));
                let key = fib::Key::Overlay(status.vni.get());
                problems.extend(self.failed.get(&key).cloned());
                problems.extend(config.and_then(|vni| self.wide_ports(vni)));
                problems.extend(config.and_then(|vni| self.svi_problem(vni)));
                problems.extend(concerns.remove(&status.vni).unwrap_or_default());
                let sites = status.sites();
                reply::Vni {
                    vni: status.vni.get(),
                    name: status.name,
                    rd: status.rd.map(|rd| rd.to_string()),
                    import_targets: status
                        .import_targets
                        .iter()
                        .map(|it| it.to_string())
                        .collect(),
                    export_targets: status
                        .export_targets
                        .iter()
                        .map(|it| it.to_string())
                        .collect(),
                    local_macs: number(status.local_macs),
                    remote_macs: number(status.remote_macs),
                    remote_vteps: sites.into_iter().collect(),
                    vtep: self.config.evpn.map(|evpn| evpn.vtep),
                    bridge: config.map(|vni| vni.bridge.clone()),
                    vxlan: config.map(|vni| vni.vxlan.clone()),
                    mtu: link.map(|link| link.mtu),
                    gateway: config
                        .map(|vni| vni.gateway.iter().map(ToString::to_string).collect())
                        .unwrap_or_default(),
                    advertise_gateway: config.is_some_and(|vni| vni.advertise_gateway),
                    advertise_svi: config.is_some_and(|vni| vni.advertise_svi),
                    problems,
                }
            })
            .collect();
        let l3_vnis = self.l3_vnis();
        reply::EvpnVni { vnis, l3_vnis }
    }

    fn l3_vnis(&self) -> Vec<reply::L3Vni> {
        let vtep = self.config.evpn.map(|evpn| evpn.vtep);
        let l3_vni = |vrf: evpn::VrfStatus| reply::L3Vni {
            vni: vrf.vni.get(),
            vrf: vrf.name.to_string(),
            rd: vrf.rd.map(|rd| rd.to_string()),
            import_targets: vrf.import_targets.iter().map(ToString::to_string).collect(),
            export_targets: vrf.export_targets.iter().map(ToString::to_string).collect(),
            vtep,
            router_mac: vrf.router_mac.to_string(),
            problems: (vrf.problems.iter())
                .map(|problem| format!("{problem}; {}", problem.remedy()))
                .collect(),
        };
        self.evpn.vrfs().into_iter().map(l3_vni).collect()
    }

    /// Devices are up and nothing arrives: no interface has our tunnel endpoint.
    pub(super) fn endpoint_missing(&self) -> Option<String> {
        let vtep = self.config.evpn?.vtep;
        let idle = self.hands.kernel.is_none() || self.config.vnis.is_empty();
        if idle || self.install.ground.is_own(vtep.into()) {
            return None;
        }
        let length = if vtep.is_ipv4() { 32 } else { 128 };
        Some(format!(
            "no interface has our tunnel endpoint {vtep}, so nothing arrives that other sites send: \
             `ip address add {vtep}/{length} dev lo`, or mend `vtep` in [evpn]"
        ))
    }

    /// Why nothing is asked of the kernel yet.
    pub(in crate::core) fn waits_for(&self, vni: &VniConfig) -> Option<String> {
        let (Some(_), Some(evpn)) = (&self.hands.kernel, &self.config.evpn) else {
            return None;
        };
        if vni.mtu.is_some() || self.overlay_mtu(evpn.vtep).is_some() {
            return None;
        }
        Some(match &self.config.underlay {
            Some(underlay) => format!(
                "waits for {}, which is not there; bring it up, or mend `interface` in [underlay]",
                underlay.interface
            ),
            None => format!(
                "waits for the underlay: no interface has {}, and none leads to a neighbor; bring it \
                 up, or set `mtu`",
                evpn.vtep
            ),
        })
    }

    pub(super) fn evpn_macs(
        &self,
        vni: Option<Vni>,
        page: &Page,
    ) -> Result<reply::EvpnMac, ErrorReply> {
        self.known_vni(vni)?;
        let after = place(page)?;
        let mut statuses = self.evpn.macs_behind(vni, after);
        let shown: Vec<evpn::MacStatus> = statuses.by_ref().take(page.size()).collect();
        let last = shown.last().map(|last| (last.vni, last.mac.to_string()));
        let last = last.filter(|_| statuses.next().is_some());
        let macs = shown.into_iter().map(|status| self.mac_row(status));
        Ok(reply::EvpnMac {
            macs: macs.collect(),
            next: last.map(|(vni, mac)| format!("{vni}/{mac}")),
        })
    }

    fn mac_row(&self, status: evpn::MacStatus) -> reply::Mac {
        let config = self.overlay(status.vni);
        let remote = status.kind == evpn::Kind::Remote && self.hands.kernel.is_some();
        let installed = config.filter(|_| remote).map(|config| {
            let key = Self::fdb_key(config, status.mac);
            self.installed.contains((&self.rib, &self.evpn), &key)
        });
        let here = status.kind == evpn::Kind::Local;
        let learned = self.learned.get(&(status.vni, status.mac));
        let learned = learned.filter(|_| here).map(|learned| learned.port);
        let port = learned.and_then(|port| self.install.ground.links.get(port));
        reply::Mac {
            vni: status.vni.get(),
            mac: status.mac.to_string(),
            ips: status.ips,
            kind: kind(status.kind),
            vtep: status.vtep,
            port: port.map(|link| link.name.to_string()),
            downstream_vni: status.downstream_vni,
            sequence: status.sequence,
            sticky: status.sticky,
            moves: status.moves,
            since_s: self.evpn.mac_since(status.vni, status.mac).map(age),
            reason: Some(status.reason.to_string()),
            conflict: status.conflict.map(|conflict| conflict.to_string()),
            duplicate: status.duplicate.is_some(),
            frozen: status.duplicate.is_some_and(|it| it.frozen),
            installed,
        }
    }

    pub(super) fn evpn_neighbors(
        &self,
        vni: Option<Vni>,
        page: &Page,
    ) -> Result<reply::EvpnNeighbors, ErrorReply> {
        self.known_vni(vni)?;
        let after = place(page)?;
        let mut statuses = self.evpn.neighbours_behind(vni, after);
        let shown: Vec<evpn::NeighbourStatus> = statuses.by_ref().take(page.size()).collect();
        let last = shown.last().map(|last| (last.vni, last.ip));
        let last = last.filter(|_| statuses.next().is_some());
        let neighbors = shown.into_iter().map(|status| {
            let devices = self.devices.get(&status.vni);
            let remote = status.kind == evpn::Kind::Remote && self.hands.kernel.is_some();
            let installed = devices.filter(|_| remote).map(|devices| {
                let (device, ip) = (devices.bridge.clone(), status.ip);
                let key = fib::Key::Neighbour(fib::NeighbourKey { device, ip });
                self.installed.contains((&self.rib, &self.evpn), &key)
            });
            reply::EvpnNeighbor {
                vni: status.vni.get(),
                ip: status.ip,
                mac: status.mac.to_string(),
                kind: kind(status.kind),
                vtep: status.vtep,
                since_s: status.since.map(age),
                installed,
                outside: status.outside,
            }
        });
        Ok(reply::EvpnNeighbors {
            neighbors: neighbors.collect(),
            next: last.map(|(vni, ip)| format!("{vni}/{ip}")),
        })
    }

    pub(super) fn evpn_vteps(&self) -> reply::EvpnVteps {
        let vteps = self.evpn.vteps().into_iter().map(|status| {
            let route = status.route.map(Nlri::Evpn);
            let route = route.and_then(|nlri| self.rib.route(&nlri));
            let best = route.and_then(|route| route.paths.into_iter().find(|path| path.best));
            reply::Vtep {
                vtep: status.vtep,
                neighbor: best.and_then(|path| self.address_of(path.peer)),
                vnis: status.vnis.iter().map(|vni| vni.get()).collect(),
                macs: number(status.macs),
                routes: number(status.routes),
                since_s: status.since.map(age),
                underneath: self.underneath(status.vtep),
            }
        });
        reply::EvpnVteps {
            vteps: vteps.collect(),
        }
    }

    pub(super) fn evpn_next_hops(&self) -> reply::EvpnNextHops {
        let vrfs = self.evpn.vrfs().into_iter();
        let next_hops = vrfs.flat_map(|vrf| {
            let (name, l3_vni) = (vrf.name, vrf.vni.get());
            let routers = vrf.routers.into_iter();
            routers.map(move |router| reply::EvpnNextHop {
                vrf: name.to_string(),
                l3_vni,
                next_hop: router.next_hop,
                mac: router.mac.to_string(),
                vtep: router.vtep,
                downstream_vni: router.downstream_vni,
                routes: number(router.routes),
            })
        });
        reply::EvpnNextHops {
            next_hops: next_hops.collect(),
        }
    }

    pub(super) fn evpn_routes(
        &self,
        wanted: &EvpnRoutes,
    ) -> Result<reply::EvpnRoutes, ErrorReply> {
        let (shown, next) = self.page(&[Family::Evpn], rib::Select::All, &wanted.page)?;
        let mut routes = Vec::new();
        for route in &shown {
            let Nlri::Evpn(key) = &route.nlri else {
                continue;
            };
            if wanted.route_type.is_some_and(|it| it != key.route_type())
                || wanted.rd.is_some_and(|it| key.rd() != Some(it))
                || (wanted.prefix).is_some_and(|it| evpn::imported_prefix(key) != Some(it))
            {
                continue;
            }
            let received = self.evpn.received_route(key);
            let (imports, vrfs) = received.map(|it| (it.vnis, it.vrfs)).unzip();
            let vrfs = vrfs.unwrap_or_default();
            let since_s = self.evpn.route_since(key).map(age);
            for path in &route.paths {
                if let Some(vni) = wanted.vni
                    && !names(path, vni)
                    && !imports
                        .iter()
                        .flatten()
                        .any(|(importer, _)| *importer == vni)
                {
                    continue;
                }
                let vnis = imports.iter().flatten().filter(|_| path.best);
                routes.push(reply::EvpnRoute {
                    route: self.route_row(&route.nlri, path, false),
                    evpn: json!({
                        "type": key.route_type(),
                        "rd": key.rd().map(|rd| rd.to_string()),
                        "vni": path.attributes.evpn().map(|tail| tail.label),
                        "esi": path.attributes.evpn().map(|tail| tail.esi.to_string()),
                        "l3_vni": path.attributes.evpn().and_then(|tail| tail.label2),
                        "gateway": path.attributes.evpn().and_then(|tail| tail.gateway),
                        "pmsi_tunnel": (path.attributes.thaw().pmsi_tunnel.as_ref())
                            .map(message_json::pmsi_tunnel),
                    }),
                    vnis: vnis
                        .map(|(vni, fault)| reply::EvpnImport {
                            vni: vni.get(),
                            fault: fault.as_ref().map(ToString::to_string),
                        })
                        .collect(),
                    vrfs: (vrfs.iter().filter(|_| path.best))
                        .filter_map(|(vrf, fault)| {
                            Some(reply::EvpnVrfImport {
                                vrf: vrf.to_string(),
                                l3_vni: self.evpn.l3_vni(vrf)?.get(),
                                fault: fault.as_ref().map(ToString::to_string),
                            })
                        })
                        .collect(),
                    since_s: since_s.filter(|_| path.best),
                });
            }
        }
        Ok(reply::EvpnRoutes { routes, next })
    }
}

fn age(since: Instant) -> u64 {
    since.elapsed().as_secs()
}

fn kind(kind: evpn::Kind) -> reply::MacKind {
    match kind {
        evpn::Kind::Local => reply::MacKind::Local,
        evpn::Kind::Remote => reply::MacKind::Remote,
    }
}

/// A label of the route, or that of its tunnel, is this VNI.
fn names(path: &PathView, vni: Vni) -> bool {
    let tail = path.attributes.evpn();
    let labels = [tail.map(|it| it.label), tail.and_then(|it| it.label2)];
    let tunnel = path.attributes.thaw().pmsi_tunnel.map(|it| it.label);
    labels
        .into_iter()
        .chain([tunnel])
        .flatten()
        .any(|it| it == vni.get())
}

/// The VNI and the address behind which a page begins.
fn place<A: std::str::FromStr>(page: &Page) -> Result<Option<(Vni, A)>, ErrorReply> {
    let Some(text) = &page.after else {
        return Ok(None);
    };
    let read = || {
        let (vni, address) = text.split_once('/')?;
        Some((Vni::new(vni.parse().ok()?)?, address.parse().ok()?))
    };
    read()
        .map(Some)
        .ok_or_else(|| super::routes::wrong_place(text))
}
