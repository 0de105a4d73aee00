//! EVPN for `show evpn ...`.

use bgp::Vni;
use serde_json::json;

use super::*;
use crate::config::VniConfig;
use crate::control::Page;

impl Core {
    pub(super) fn evpn_vnis(&self) -> reply::EvpnVni {
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
                problems.extend(config.and_then(|vni| self.waits_for(vni)));
                let key = fib::Key::Overlay(status.vni.get());
                problems.extend(self.failed.get(&key).cloned());
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
                    remote_vteps: status.remote_vteps.iter().map(|it| it.vtep).collect(),
                    vtep: self.config.evpn.map(|evpn| evpn.vtep),
                    bridge: config.map(|vni| vni.bridge.clone()),
                    vxlan: config.map(|vni| vni.vxlan.clone()),
                    mtu: link.map(|link| link.mtu),
                    gateway: config
                        .map(|vni| vni.gateway.iter().map(ToString::to_string).collect())
                        .unwrap_or_default(),
                    problems,
                }
            })
            .collect();
        reply::EvpnVni { vnis }
    }

    /// Why nothing is asked of the kernel yet.
    fn waits_for(&self, vni: &VniConfig) -> Option<String> {
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

    pub(super) fn evpn_macs(&self, vni: Option<Vni>) -> Result<reply::EvpnMac, ErrorReply> {
        self.known_vni(vni)?;
        let macs = self
            .evpn
            .macs(vni)
            .into_iter()
            .map(|status| {
                let of = |config: &&VniConfig| config.id == status.vni;
                let config = self.config.vnis.iter().find(of);
                let remote = config.filter(|_| status.kind == evpn::Kind::Remote);
                let installed = remote.map(|config| {
                    let key = Self::fdb_key(config, status.mac);
                    self.installed.contains(&self.rib, &key)
                });
                reply::Mac {
                    vni: status.vni.get(),
                    mac: status.mac.to_string(),
                    ips: status.ips,
                    kind: match status.kind {
                        evpn::Kind::Local => reply::MacKind::Local,
                        evpn::Kind::Remote => reply::MacKind::Remote,
                    },
                    vtep: status.vtep,
                    sequence: status.sequence,
                    sticky: status.sticky,
                    moves: status.moves,
                    reason: Some(status.reason.to_string()),
                    conflict: status.conflict.map(|conflict| conflict.to_string()),
                    duplicate: status.duplicate.is_some(),
                    frozen: status.duplicate.is_some_and(|it| it.frozen),
                    installed,
                }
            })
            .collect();
        Ok(reply::EvpnMac { macs })
    }

    pub(super) fn evpn_routes(&self, page: &Page) -> Result<reply::EvpnRoutes, ErrorReply> {
        let (shown, next) = self.page(&[Family::Evpn], rib::Select::All, page)?;
        let mut routes = Vec::new();
        for route in &shown {
            let Nlri::Evpn(key) = &route.nlri else {
                continue;
            };
            let imports = self.evpn.received_route(key).map(|it| it.vnis);
            for path in &route.paths {
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
                    }),
                    vnis: vnis
                        .map(|(vni, fault)| reply::EvpnImport {
                            vni: vni.get(),
                            fault: fault.as_ref().map(ToString::to_string),
                        })
                        .collect(),
                });
            }
        }
        Ok(reply::EvpnRoutes { routes, next })
    }
}
