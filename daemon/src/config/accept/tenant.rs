//! `[instance.l3vni]` and `[l3vni]`: what they need around them, and what stands where something is left
//! out. The tables of the default instance are the main table's; others' are those of a VRF.

use bgp::Family;
use bgp::family::PerFamily;

use super::{Overlays, Policies, or, targets};
use crate::config::error::{At, Conflict, Problem, Report};
use crate::config::file::File;
use crate::config::types::{L3Vni, RouteTargets};
use std::net::Ipv4Addr;

/// The L3 VNI of an instance; `top` is the file that it is in.
pub(super) fn l3vni(
    (top, file): (&File, &File),
    router_id: Ipv4Addr,
    overlays: &mut Overlays,
    policies: &Policies,
    report: &mut Report,
) -> Option<L3Vni> {
    let At { value: table, span } = file.l3vni.as_ref()?;
    if file.vrf.is_none() && file.name.is_some() {
        let because = "the instance has no `vrf` whose routes it could carry";
        let key = "l3vni";
        let hint = "add vrf = \"DEVICE\" to the instance";
        report.error_with_hint(*span, Problem::Unsupported { key, because }, hint);
    }
    let import_targets: RouteTargets = targets(table.import_targets.as_ref(), report);
    let export_targets = targets(table.export_targets.as_ref(), report);
    let import = policies.route_map(table.import.as_ref(), report);
    let export = policies.route_map(table.export.as_ref(), report);
    let advertise = families(table.advertise.as_ref(), report);
    let default_originate = families(table.default_originate.as_ref(), report);
    let id = table.id?;
    overlays.ids.see(id.value, id.span, report);
    if top.evpn.is_none() {
        let hint = "add [evpn] with vtep = \"OUR ADDRESS ON THE UNDERLAY\" at the top of the file";
        report.error_with_hint(id.span, Conflict::NoVtep(id.value.get()), hint);
    }
    let devices = &mut overlays.devices;
    Some(L3Vni {
        id: id.value,
        rd: overlays.distinguishers.get(table.rd, id, router_id, report),
        import_targets,
        export_targets,
        router_mac: table.router_mac.map(|at| at.value),
        bridge: devices.name(table.bridge.as_ref(), "br", id, report),
        vxlan: devices.name(table.vxlan.as_ref(), "vxlan", id, report),
        mtu: table.mtu.map(|at| at.value),
        import,
        export,
        advertise: advertise.unwrap_or(PerFamily {
            evpn: false,
            ..PerFamily::all(true)
        }),
        default_originate: default_originate.unwrap_or_default(),
        gateway_ip: or(table.gateway_ip, false),
        prefix_routes_only: or(table.prefix_routes_only, false),
    })
}

pub(super) fn families(
    list: Option<&At<Vec<At<Family>>>>,
    report: &mut Report,
) -> Option<PerFamily<bool>> {
    let mut named = PerFamily::default();
    let mut seen = super::Once::new("family");
    for at in &list?.value {
        seen.see(at.value, at.span, report);
        *named.get_mut(at.value) = true;
    }
    Some(named)
}
