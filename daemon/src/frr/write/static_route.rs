//! `[[static_route]]`, of the default instance and of those of VRFs.

use super::Whole;
use crate::frr::Spot;
use crate::frr::model::{NextHop, NextHopPut, Put, StaticBfd, StaticRoute, quote};

impl Whole<'_> {
    /// The static routes of a VRF, or of none.
    pub(super) fn static_routes(&mut self, of: &str, vrf: Option<&str>) {
        let site = self.site;
        let all = site.static_routes.iter();
        for (key, route) in all.filter(|(key, _)| key.vrf.as_deref() == vrf) {
            self.profiles_of(route);
            let next_hops: Vec<Put> = route.next_hops.iter().map(next_hop).collect();
            let Some(spot) = first(route) else { continue };
            self.toml.header(spot, &format!("[[{of}static_route]]"));
            self.toml
                .line(spot, &format!("prefix = {}", quote(&key.prefix)));
            self.toml.list("next_hops", &next_hops);
            if let Some(kind) = &route.kind {
                self.toml.value("kind", kind);
            }
            if key.distance != 1 {
                self.toml
                    .line(spot, &format!("distance = {}", key.distance));
            }
            if let Some(table) = key.table {
                self.toml.line(spot, &format!("table = {table}"));
            }
            if let Some(tag) = &route.tag {
                self.toml.value("tag", tag);
            }
        }
    }
}

impl Whole<'_> {
    fn profiles_of(&mut self, route: &StaticRoute) {
        for put in route.next_hops.values() {
            let named = put.bfd.as_ref().and_then(|bfd| bfd.profile.as_ref());
            if let Some(name) = named {
                self.need_profile(name, put.spot);
            }
        }
    }
}

/// The first line of a route.
pub(super) fn first(route: &StaticRoute) -> Option<Spot> {
    let kind = route.kind.as_ref().map(|it| it.spot);
    route.next_hops.values().map(|it| it.spot).chain(kind).min()
}

fn next_hop((next_hop, put): (&NextHop, &NextHopPut)) -> Put {
    let vrf = next_hop.vrf.as_ref();
    let text = match (&next_hop.address, &next_hop.interface, &put.bfd) {
        (Some(address), None, None) if vrf.is_none() => quote(address),
        (address, interface, bfd) => {
            let quoted = |name: &str, text: &String| format!("{name} = {}", quote(text));
            let parts = [
                address.as_ref().map(|it| quoted("address", it)),
                interface.as_ref().map(|it| quoted("interface", it)),
                vrf.map(|it| quoted("vrf", it)),
                put.onlink.then(|| "onlink = true".to_owned()),
                bfd.as_ref().map(|bfd| format!("bfd = {}", watched(bfd))),
            ];
            table(parts)
        }
    };
    Put {
        text,
        spot: put.spot,
    }
}

fn watched(bfd: &StaticBfd) -> String {
    let quoted = |name: &str, text: &String| format!("{name} = {}", quote(text));
    let parts = [
        bfd.multihop.then(|| "multihop = true".to_owned()),
        bfd.source.as_ref().map(|it| quoted("local", it)),
        bfd.profile.as_ref().map(|it| quoted("profile", it)),
    ];
    match parts.iter().all(Option::is_none) {
        true => "true".to_owned(),
        false => table(parts),
    }
}

fn table<const N: usize>(parts: [Option<String>; N]) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("{{ {} }}", parts.join(", "))
}
