//! Static routes, as keys with values.

use super::{Fields, bfd, inline, quote};
use crate::config::types::{Keyword, StaticBfd, StaticKey, StaticNextHop, StaticRoute, StaticWay};

pub(in crate::config) fn static_route_fields(route: &StaticRoute) -> Fields {
    let mut fields = Fields::default();
    fields.add("prefix", quote(route.key.prefix));
    match &route.way {
        StaticWay::Via(hops) => {
            let hops: Vec<String> = hops.iter().map(next_hop).collect();
            fields.add("next_hops", format!("[{}]", hops.join(", ")));
        }
        StaticWay::Refuse(kind) => fields.add("kind", quote(kind.word())),
    }
    fields.add_unless_default("distance", route.key.distance, StaticKey::DISTANCE);
    for (key, value) in [("table", route.key.table), ("tag", route.tag)] {
        if let Some(value) = value {
            fields.add(key, value);
        }
    }
    if let Some(src) = route.src {
        fields.add("src", quote(src));
    }
    fields
}

/// A text where that says everything, else a table.
fn next_hop(hop: &StaticNextHop) -> String {
    if let (Some(address), None, None, 1, None) =
        (hop.address, &hop.interface, &hop.vrf, hop.weight, &hop.bfd)
    {
        return quote(address);
    }
    let mut fields = Fields::default();
    if let Some(address) = hop.address {
        fields.add("address", quote(address));
    }
    if let Some(interface) = &hop.interface {
        fields.add("interface", quote(interface));
    }
    if let Some(vrf) = &hop.vrf {
        fields.add("vrf", quote(vrf));
    }
    fields.add_unless_default("weight", hop.weight, 1);
    fields.add_unless_default("onlink", hop.onlink, false);
    if let Some(StaticBfd { local, settings }) = &hop.bfd {
        let mut table = bfd::settings(settings, false);
        if let Some(local) = local {
            table.add("local", quote(local));
        }
        match table.is_empty() {
            true => fields.add("bfd", true),
            false => fields.add_table("bfd", &table),
        }
    }
    inline(&fields)
}
