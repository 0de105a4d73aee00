//! `[[interface]]`: what two of them, or one and an overlay, may not both have.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Once, or};
use crate::config::error::{At, Conflict, Report, Span};
use crate::config::file::File;
use crate::config::types::HostInterface;

/// The devices of a file. The same address may be on several of them, as on links without a network
/// of their own; one of a gateway is the gateway's alone.
pub(super) fn interfaces(file: &File, report: &mut Report) -> Vec<HostInterface> {
    let gateways = gateways(file);
    let mut names = Once::new("interface");
    let mut interfaces = Vec::new();
    for At { value: table, .. } in &file.interfaces {
        let Some(name) = &table.name else { continue };
        names.see(name.value.clone(), name.span, report);
        let mut seen = Once::new("address");
        for at in &table.addresses {
            seen.see(at.value.to_string(), at.span, report);
            if let Some((gateway, first)) = gateways.get(&at.value.address.ip()) {
                let conflict = Conflict::Gateway {
                    one: format!("address {}", at.value),
                    two: gateway.clone(),
                    first: report.place(*first),
                };
                let hint = "the gateway of an overlay is set by its [[vni]] already";
                report.error_with_hint(at.span, conflict, hint);
            }
        }
        interfaces.push(HostInterface {
            name: name.value.clone(),
            description: table.description.as_ref().map(|at| at.value.clone()),
            up: table.up.map(|at| at.value),
            link_detect: or(table.link_detect, true),
            addresses: table.addresses.iter().map(|at| at.value.clone()).collect(),
        });
    }
    interfaces
}

/// Devices that count as up without carrier, whatever instance uses them.
pub(super) fn without_link_detect(file: &File) -> BTreeSet<String> {
    let interfaces = file.interfaces.iter().map(|at| &at.value);
    let without = interfaces.filter(|it| !or(it.link_detect, true));
    without
        .filter_map(|it| Some(it.name.as_ref()?.value.clone()))
        .collect()
}

/// Gateways of overlays, with their places.
fn gateways(file: &File) -> BTreeMap<IpAddr, (String, Span)> {
    let instances = file.instances.iter().map(|at| &at.value);
    let vnis = std::iter::once(file).chain(instances);
    let vnis = vnis.flat_map(|file| &file.vnis);
    let gateways = vnis.flat_map(|vni| &vni.value.gateway);
    let named = |at: &At<ipnetwork::IpNetwork>| {
        (at.value.ip(), (format!("gateway {}", at.value), at.span))
    };
    gateways.map(named).collect()
}
