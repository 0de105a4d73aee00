//! The paths of one prefix, at length.

use bgp::{Family, Prefix, ScopedAddr};
use serde_json::{Map, Value, json};

use super::{
    View, is_from_evpn, is_handed_over, metric, object_of, origin, selection, views, weight,
};
use crate::control::reply::{self, AsPathItem, Route};
use crate::control::{Request, Select};
use crate::vtysh::ask::Asking;
use crate::vtysh::grammar::Said;
use crate::vtysh::show::summary::peer_name;
use crate::vtysh::show::words::{as_path, as_path_length, hostname};
use crate::vtysh::show::{Answer, Answered};

/// `show bgp PREFIX`.
pub(in crate::vtysh::show) async fn prefix(said: &Said, asking: &Asking) -> Answered {
    let kinds = ["A.B.C.D", "A.B.C.D/M", "X:X::X:X", "X:X::X:X/M"];
    let prefix = said
        .value(&kinds)
        .and_then(|text| text.parse::<Prefix>().ok());
    let Some(prefix) = prefix else {
        return Ok(missing(said));
    };
    let family = match prefix {
        Prefix::V4(_) => Family::Ipv4Unicast,
        Prefix::V6(_) => Family::Ipv6Unicast,
    };
    let Some(view) = views(said, asking).await?.into_iter().next() else {
        return Ok(missing(said));
    };
    let paths = view
        .router
        .routes(family, Some(prefix), Select::All)
        .await?;
    let paths: Vec<Route> = paths.into_iter().filter(|it| it.accepted).collect();
    let Some(name) = paths.first().map(|it| it.prefix.clone()) else {
        return Ok(missing(said));
    };
    let target = Request::Explain {
        target: name.clone(),
    };
    let explained: reply::Explain = view.router.ask(&target).await?;
    let told: Vec<ScopedAddr> = explained
        .entries
        .iter()
        .filter(|entry| entry.family == family.name())
        .flat_map(|entry| {
            entry
                .told
                .iter()
                .filter(|it| it.advertised)
                .map(|it| it.neighbor)
        })
        .collect();
    let wanted = |it: &&Route| match (said.has("bestpath"), said.has("multipath")) {
        (true, _) => it.best,
        (_, true) => it.best || it.multipath,
        (false, false) => true,
    };
    let shown: Vec<&Route> = paths.iter().filter(wanted).collect();
    Ok(match said.has("json") {
        true => Answer::Json(prefix_json(&view, &name, &shown, &paths, &told)),
        false => Answer::Text(prefix_text(&view, &name, &shown, &paths, &told)),
    })
}

fn missing(said: &Said) -> Answer {
    match said.has("json") {
        true => Answer::Json(json!({})),
        false => Answer::Text("% Network not in table\n".to_owned()),
    }
}

fn prefix_json(
    view: &View,
    name: &str,
    shown: &[&Route],
    all: &[Route],
    told: &[ScopedAddr],
) -> Value {
    let mut advertised = Map::new();
    for address in told {
        let host = view.neighbors.get(address).and_then(hostname);
        let entry = host.map_or(json!({}), |(host, _)| json!({"hostname": host}));
        let name = view.neighbors.get(address).map(|it| peer_name(&it.summary));
        advertised.insert(name.unwrap_or_else(|| address.ip().to_string()), entry);
    }
    let paths: Vec<Value> = shown.iter().map(|it| detail(view, it, all)).collect();
    let mut object = object_of(json!({"prefix": name, "paths": paths}));
    if !advertised.is_empty() {
        object.insert("advertisedTo".to_owned(), Value::Object(advertised));
    }
    Value::Object(object)
}

pub(super) fn detail(view: &View, route: &Route, all: &[Route]) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    let text = as_path(&route.as_path);
    put(
        "aspath",
        json!({
            "string": if text.is_empty() { "Local" } else { &text },
            "segments": segments(&route.as_path),
            "length": as_path_length(&route.as_path),
        }),
    );
    put("origin", json!(origin(route).0));
    if let Some(metric) = metric(route) {
        put("metric", json!(metric));
    }
    if let Some(preference) = view.preference(route) {
        put("locPrf", json!(preference));
    }
    if weight(route) != 0 {
        put("weight", json!(weight(route)));
    }
    put("valid", json!(route.accepted));
    if route.neighbor.is_none() {
        put("sourced", json!(true));
        put("local", json!(true));
    }
    if is_handed_over(route) {
        put("announceNexthopSelf", json!(true));
    }
    if is_from_evpn(route) {
        // No group of next hops stands for an Ethernet segment.
        put("l3nhg", json!(false));
        put("l3nhgActive", json!(false));
    }
    if route.multipath {
        put("multipath", json!(true));
    }
    if route.stale {
        put("stale", json!(true));
    }
    if route.best {
        put(
            "bestpath",
            json!({"overall": true, "selectionReason": selection(all)}),
        );
    }
    for (key, list) in [
        ("community", &route.communities),
        ("largeCommunity", &route.large_communities),
    ] {
        if !list.is_empty() {
            put(key, json!({"string": list.join(" "), "list": list}));
        }
    }
    if !route.extended_communities.is_empty() {
        put(
            "extendedCommunity",
            json!({"string": route.extended_communities.join(" ")}),
        );
    }
    put("nexthops", view.hops(route, true));
    put("peer", peer(view, route));
    Value::Object(object)
}

/// Who told us.
fn peer(view: &View, route: &Route) -> Value {
    let Some(address) = route.neighbor else {
        let nobody = match route.family.as_str() {
            "ipv6_unicast" => "::",
            _ => "0.0.0.0",
        };
        return json!({"peerId": nobody, "routerId": view.summary.router_id});
    };
    let neighbor = view.neighbors.get(&address);
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put("peerId", json!(address.ip()));
    put(
        "type",
        json!(if view.is_internal(route) {
            "internal"
        } else {
            "external"
        }),
    );
    if let Some(id) = neighbor.and_then(|it| it.router_id) {
        put("routerId", json!(id));
    }
    if let Some((host, domain)) = neighbor.and_then(hostname) {
        put("hostname", json!(host));
        if !domain.is_empty() {
            put("domainname", json!(domain));
        }
    }
    if let Some(interface) = neighbor.and_then(|it| it.summary.interface.as_ref()) {
        put("interface", json!(interface));
    }
    Value::Object(object)
}

fn segments(path: &[AsPathItem]) -> Vec<Value> {
    let mut segments = Vec::new();
    let mut sequence: Vec<u32> = Vec::new();
    let close = |sequence: &mut Vec<u32>, segments: &mut Vec<Value>| {
        if !sequence.is_empty() {
            segments.push(json!({"type": "as-sequence", "list": std::mem::take(sequence)}));
        }
    };
    for item in path {
        let (kind, list) = match item {
            AsPathItem::Asn(asn) => {
                sequence.push(*asn);
                continue;
            }
            AsPathItem::Set { set } => ("as-set", set),
            AsPathItem::ConfedSequence { confed_sequence } => {
                ("as-confed-sequence", confed_sequence)
            }
            AsPathItem::ConfedSet { confed_set } => ("as-confed-set", confed_set),
        };
        close(&mut sequence, &mut segments);
        segments.push(json!({"type": kind, "list": list}));
    }
    close(&mut sequence, &mut segments);
    segments
}

fn prefix_text(
    view: &View,
    name: &str,
    shown: &[&Route],
    all: &[Route],
    told: &[ScopedAddr],
) -> String {
    let best = all
        .iter()
        .position(|it| it.best)
        .map_or("no best path".to_owned(), |at| format!("best #{}", at + 1));
    let mut text = format!(
        "BGP routing table entry for {name}\nPaths: ({} available, {best}, table {})\n",
        all.len(),
        view.router.vrf
    );
    match told {
        [] => text.push_str("  Not advertised to any peer\n"),
        told => {
            let names: Vec<String> = told.iter().map(|it| it.ip().to_string()).collect();
            text.push_str("  Advertised to non peer-group peers:\n");
            text.push_str(&format!("  {}\n", names.join(" ")));
        }
    }
    for route in shown {
        text.push_str(&paragraph(view, route, all));
    }
    text
}

fn paragraph(view: &View, route: &Route, all: &[Route]) -> String {
    let path = as_path(&route.as_path);
    let path = if path.is_empty() {
        "Local".to_owned()
    } else {
        path
    };
    let (from, id) = match route.neighbor {
        None => ("0.0.0.0".to_owned(), Some(view.summary.router_id)),
        Some(address) => {
            let neighbor = view.neighbors.get(&address);
            (
                address.ip().to_string(),
                neighbor.and_then(|it| it.router_id),
            )
        }
    };
    let id = id.map_or("unknown".to_owned(), |id| id.to_string());
    let mut facts = vec![format!("Origin {}", origin(route).0)];
    facts.extend(metric(route).map(|it| format!("metric {it}")));
    facts.extend(view.preference(route).map(|it| format!("localpref {it}")));
    facts.extend(
        Some(weight(route))
            .filter(|it| *it != 0)
            .map(|it| format!("weight {it}")),
    );
    facts.extend(route.accepted.then(|| "valid".to_owned()));
    facts.push(match (route.neighbor.is_none(), view.is_internal(route)) {
        (true, _) => "sourced, local".to_owned(),
        (false, true) => "internal".to_owned(),
        (false, false) => "external".to_owned(),
    });
    facts.extend(route.stale.then(|| "stale".to_owned()));
    facts.extend(route.multipath.then(|| "multipath".to_owned()));
    facts.extend(route.best.then(|| format!("best ({})", selection(all))));
    let mut text = format!(
        "  {path}\n    {} from {from} ({id})\n      {}\n",
        view.next_hop(route),
        facts.join(", ")
    );
    for (name, list) in [
        ("Community", &route.communities),
        ("Extended Community", &route.extended_communities),
        ("Large Community", &route.large_communities),
    ] {
        if !list.is_empty() {
            text.push_str(&format!("      {name}: {}\n", list.join(" ")));
        }
    }
    text
}
