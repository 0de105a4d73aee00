//! `show bgp ipv4 unicast route-map NAME`: the routes of a table that a route-map permits.
//!
//! A path is made again of what is shown of it, and the code of policy is asked. What a path does not show,
//! such as the kernel's protocol that it was taken over from, cannot be asked for: a map that does is refused.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use bgp::attributes::{AttributeSet, Attributes, NextHop, Origin};
use bgp::policy::{Match, Party, RouteMap, Verdict};
use bgp::{Nlri, Prefix};

use super::selected::{Takes, segments};
use crate::control::reply::Route;
use crate::vtysh::ask::Trouble;

/// The condition that a route-map is.
pub(super) fn by(map: &Arc<RouteMap>) -> Result<Takes, Trouble> {
    if let Some(what) = unseen(map) {
        return Err(Trouble::Warning(format!(
            "% {} asks for {what}, which a table does not show\n\
             hint: `rbgpctl explain PREFIX` tells how it decided about a route\n",
            map.name()
        )));
    }
    let map = Arc::clone(map);
    Ok(Box::new(move |route| {
        let Some((nlri, attributes)) = path(route) else {
            return false;
        };
        let verdict = match route.neighbor {
            Some(from) => {
                let bound = map.bound(Party::From(from.ip()));
                bound.evaluate(&nlri, &attributes, None)
            }
            None => map.evaluate(&nlri, &attributes, None),
        };
        verdict != Verdict::Reject
    }))
}

/// What a map asks for that is not shown, in words.
fn unseen(map: &RouteMap) -> Option<&'static str> {
    if map.validates() {
        return Some("origin validation");
    }
    let mut entries = map.entries().iter();
    entries.find_map(|entry| {
        let of_host = |it: &Match| {
            matches!(
                it,
                Match::Source(_) | Match::SourceVrf(_) | Match::Interface(_)
            )
        };
        let own = entry.matches.iter().any(of_host);
        let own = own.then_some("where a route was taken over from");
        own.or_else(|| unseen(entry.call.as_ref()?))
    })
}

fn path(route: &Route) -> Option<(Nlri, Attributes)> {
    let (nlri, unspecified) = match route.prefix.parse::<Prefix>().ok()? {
        Prefix::V4(prefix) => (Nlri::V4(prefix), "0.0.0.0"),
        Prefix::V6(prefix) => (Nlri::V6(prefix), "::"),
    };
    let hop = route.next_hops.first().map(|hop| hop.ip());
    let next_hop = match (hop.or(unspecified.parse().ok())?, route.link_local) {
        (IpAddr::V4(hop), _) => NextHop::V4(hop),
        (IpAddr::V6(hop), None) => NextHop::V6(hop),
        (IpAddr::V6(global), Some(link_local)) => NextHop::V6LinkLocal { global, link_local },
    };
    let mut set = AttributeSet::new(next_hop);
    set.origin = match route.origin.as_str() {
        "igp" => Origin::Igp,
        "egp" => Origin::Egp,
        _ => Origin::Incomplete,
    };
    set.as_path = segments(&route.as_path);
    set.med = route.med;
    set.local_pref = route.local_pref;
    set.communities = read(&route.communities);
    set.large_communities = read(&route.large_communities);
    set.extended_communities = read(&route.extended_communities);
    set.notes.weight = route.weight;
    set.notes.tag = route.tag;
    Some((nlri, set.freeze()))
}

fn read<C: FromStr>(texts: &[String]) -> Vec<C> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config;

    fn maps(entries: &str) -> Arc<RouteMap> {
        let text = format!(
            "asn = 65001\nrouter_id = \"10.0.0.1\"\n[[prefix_list]]\nname = \"P\"\n\
             rules = [\"permit 10.0.0.0/8 le 24\"]\n[[route_map]]\nname = \"M\"\nentry = [{entries}]\n"
        );
        let config = config::parse(&text, "test").unwrap();
        Arc::clone(&config.route_maps[0])
    }

    fn route(prefix: &str, path: &[u32]) -> Route {
        serde_json::from_value(json!({
            "family": "ipv4_unicast", "prefix": prefix, "neighbor": "10.0.0.2", "best": true,
            "multipath": false, "next_hops": ["10.0.0.2"], "as_path": path, "origin": "igp",
            "communities": ["65002:7"], "local_pref": null, "med": 5, "installed": true,
        }))
        .unwrap()
    }

    #[test]
    fn routes_are_taken_as_the_map_decides() {
        for (entry, prefix, taken) in [
            ("match = { prefix_list = \"P\" }", "10.1.0.0/16", true),
            ("match = { prefix_list = \"P\" }", "192.0.2.0/24", false),
            (
                "match = { community = [\"65002:7\"] }",
                "192.0.2.0/24",
                true,
            ),
            (
                "match = { community = [\"65002:8\"] }",
                "192.0.2.0/24",
                false,
            ),
            ("match = { metric = 5 }", "192.0.2.0/24", true),
            ("match = { peer = [\"10.0.0.2\"] }", "192.0.2.0/24", true),
            ("match = { peer = [\"10.0.0.3\"] }", "192.0.2.0/24", false),
        ] {
            let map = maps(&format!("{{ seq = 10, action = \"permit\", {entry} }}"));
            let takes = by(&map).unwrap();
            assert_eq!(takes(&route(prefix, &[65002])), taken, "{entry} {prefix}");
        }
    }

    #[test]
    fn a_map_that_asks_for_what_is_not_shown_is_refused() {
        let entry = "{ seq = 10, action = \"permit\", match = { rpki = \"valid\" } }";
        assert!(matches!(by(&maps(entry)), Err(Trouble::Warning(_))));
    }
}
