//! The paths of one prefix, at length.

use std::collections::HashMap;

use bgp::{Family, Prefix, ScopedAddr};
use serde_json::{Map, Value, json};

use super::evpn::Key;
use super::{
    View, is_from_evpn, is_handed_over, is_listed, metric, object_of, origin, selection, views,
    weight,
};
use crate::control::reply::{self, AsPathItem, EvpnRoute, Route};
use crate::control::{EvpnRoutes, Request, Select};
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::host::DEFAULT;
use crate::vtysh::show::summary::peer_name;
use crate::vtysh::show::words::{as_path, as_path_length, hostname, named};
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
    let paths: Vec<Route> = paths.into_iter().filter(is_listed).collect();
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
    let overlay = Overlay::of(asking, &paths).await?;
    Ok(match said.has("json") {
        true => Answer::Json(prefix_json(&view, &overlay, &name, &shown, &paths, &told)),
        false => Answer::Text(prefix_text(&view, &overlay, &name, &shown, &paths, &told)),
    })
}

/// Where the routes of a VRF come from that EVPN has brought.
#[derive(Default)]
pub(super) struct Overlay {
    routes: Vec<EvpnRoute>,
    neighbors: HashMap<ScopedAddr, reply::Neighbor>,
}

/// The EVPN route that a path was made of.
pub(super) struct Source<'a> {
    /// Beneath its distinguisher.
    name: Key,
    vni: Option<u64>,
    neighbor: Option<&'a reply::Neighbor>,
}

impl Overlay {
    pub(super) async fn of(asking: &Asking, paths: &[Route]) -> Result<Self, Trouble> {
        let mut from_evpn = paths.iter().filter(|it| is_from_evpn(it));
        let (Some(first), Some(router)) = (from_evpn.next(), asking.router(None).await?) else {
            return Ok(Self::default());
        };
        let alone = from_evpn.all(|it| it.prefix == first.prefix);
        let prefix = first.prefix.parse().ok().filter(|_| alone);
        let wanted = EvpnRoutes {
            prefix,
            ..EvpnRoutes::default()
        };
        let neighbors = router.neighbors().await?.into_iter();
        Ok(Self {
            routes: router.evpn_routes(&wanted).await?,
            neighbors: neighbors.map(|it| (it.summary.address, it)).collect(),
        })
    }

    /// That of a path: it leads to the same router, and has the same to say.
    fn source(&self, path: &Route) -> Option<Source<'_>> {
        let router = |it: &Route| it.next_hops.first().map(|hop| hop.ip().to_canonical());
        let same = |it: &&EvpnRoute| {
            let it = &it.route;
            it.best
                && router(it) == router(path)
                && it.as_path == path.as_path
                && Key::of(&it.prefix).is_about(&path.prefix)
        };
        if !is_from_evpn(path) {
            return None;
        }
        let found = self.routes.iter().find(same)?;
        let number = |key: &str| found.evpn.get(key).and_then(Value::as_u64);
        Some(Source {
            name: Key::of(&found.route.prefix),
            vni: number("l3_vni").or_else(|| number("vni")),
            neighbor: found.route.neighbor.and_then(|it| self.neighbors.get(&it)),
        })
    }
}

fn missing(said: &Said) -> Answer {
    match said.has("json") {
        true => Answer::Json(json!({})),
        false => Answer::Text("% Network not in table\n".to_owned()),
    }
}

pub(super) fn prefix_json(
    view: &View,
    overlay: &Overlay,
    name: &str,
    shown: &[&Route],
    all: &[Route],
    told: &[ScopedAddr],
) -> Value {
    let detail = |it: &&Route| detail(view, it, overlay.source(it).as_ref(), all);
    let paths: Vec<Value> = shown.iter().map(detail).collect();
    let mut object = object_of(json!({"prefix": name, "paths": paths}));
    object.extend(advertised_to(view, told));
    Value::Object(object)
}

/// The key of whom a route is told to, unless that is nobody.
pub(super) fn advertised_to(view: &View, told: &[ScopedAddr]) -> Option<(String, Value)> {
    let mut advertised = Map::new();
    for address in told {
        let host = view.neighbors.get(address).and_then(hostname);
        let entry = host.map_or(json!({}), |(host, _)| json!({"hostname": host}));
        let name = view.neighbors.get(address).map(|it| peer_name(&it.summary));
        advertised.insert(name.unwrap_or_else(|| address.ip().to_string()), entry);
    }
    (!advertised.is_empty()).then(|| ("advertisedTo".to_owned(), Value::Object(advertised)))
}

pub(super) fn detail(
    view: &View,
    route: &Route,
    source: Option<&Source<'_>>,
    all: &[Route],
) -> Value {
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
    if let Some(source) = source {
        put("importedFrom", json!(source.name.rd));
        if let Some(vni) = source.vni {
            put("vni", json!(vni.to_string()));
        }
    }
    let neighbor = source.and_then(|it| it.neighbor);
    if route.neighbor.is_none() && neighbor.is_none() {
        put("sourced", json!(true));
        if route.source.is_none() {
            put("local", json!(true));
        }
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
    match route.awaited.as_deref() {
        Some("installed") => put("fibInstalled", json!(true)),
        Some("pending") => put("fibPending", json!(true)),
        Some(_) | None => {}
    }
    let mut hops = view.hops(route, true);
    if let (Value::Array(hops), Some((host, _))) = (&mut hops, neighbor.and_then(hostname)) {
        for hop in hops.iter_mut().filter_map(Value::as_object_mut) {
            hop.insert("hostname".to_owned(), json!(host));
        }
    }
    put("nexthops", hops);
    put("peer", peer(view, route, neighbor));
    Value::Object(object)
}

/// Who told us, where EVPN did `told`.
fn peer(view: &View, route: &Route, told: Option<&reply::Neighbor>) -> Value {
    let Some(address) = route.neighbor.or(told.map(|it| it.summary.address)) else {
        let nobody = match route.family.as_str() {
            "ipv6_unicast" => "::",
            _ => "0.0.0.0",
        };
        return json!({"peerId": nobody, "routerId": view.summary.router_id});
    };
    let neighbor = told.or_else(|| view.neighbors.get(&address));
    let internal = neighbor.is_some_and(|it| it.internal);
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put("peerId", json!(address.ip()));
    put(
        "type",
        json!(if internal { "internal" } else { "external" }),
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

pub(super) fn prefix_text(
    view: &View,
    overlay: &Overlay,
    name: &str,
    shown: &[&Route],
    all: &[Route],
    told: &[ScopedAddr],
) -> String {
    let kind = match view.router.vrf.as_str() {
        DEFAULT => "table",
        _ => "vrf",
    };
    // Tables have no version, and scripts look behind the comma.
    let mut text = format!(
        "BGP routing table entry for {name}, version 0\nPaths: ({}, {kind} {})\n{}",
        available(all),
        view.router.vrf,
        told_lines(view, told)
    );
    for route in shown {
        let source = overlay.source(route);
        if let Some(source) = &source {
            let vni = source
                .vni
                .map_or(String::new(), |vni| format!(", VNI {vni}"));
            let (rd, name) = (&source.name.rd, source.name.name());
            // FRR ends no line here.
            text.push_str(&format!("  Imported from {rd}:{name}{vni}"));
        }
        text.push_str(&paragraph(view, route, source.as_ref(), all));
    }
    text
}

/// How many paths there are, and which of them is the best.
pub(super) fn available(all: &[Route]) -> String {
    let best = all
        .iter()
        .position(|it| it.best)
        .map_or("no best path".to_owned(), |at| format!("best #{}", at + 1));
    format!("{} available, {best}", all.len())
}

/// Who is told of a route.
pub(super) fn told_lines(view: &View, told: &[ScopedAddr]) -> String {
    let name = |it: &ScopedAddr| {
        let neighbor = view.neighbors.get(it);
        let name = neighbor.map(|it| peer_name(&it.summary));
        named(
            &view.summary,
            neighbor,
            name.unwrap_or_else(|| it.ip().to_string()),
        )
    };
    let names: Vec<String> = told.iter().map(name).collect();
    match names.is_empty() {
        true => "  Not advertised to any peer\n".to_owned(),
        false => format!(
            "  Advertised to non peer-group peers:\n  {}\n",
            names.join(" ")
        ),
    }
}

pub(super) fn paragraph(
    view: &View,
    route: &Route,
    source: Option<&Source<'_>>,
    all: &[Route],
) -> String {
    let told = source.and_then(|it| it.neighbor);
    let path = as_path(&route.as_path);
    let path = if path.is_empty() {
        "Local".to_owned()
    } else {
        path
    };
    let (from, id) = match route.neighbor.or(told.map(|it| it.summary.address)) {
        None => ("0.0.0.0".to_owned(), Some(view.summary.router_id)),
        Some(address) => {
            let neighbor = told.or_else(|| view.neighbors.get(&address));
            (
                named(
                    &view.summary,
                    neighbor,
                    neighbor.map_or(address.ip().to_string(), |it| peer_name(&it.summary)),
                ),
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
    let ours = route.neighbor.is_none() && told.is_none();
    let internal = view.is_internal(route) || told.is_some_and(|it| it.internal);
    // What was taken over from the kernel is not FRR's `local`.
    facts.push(match (ours, route.source.is_none(), internal) {
        (true, true, _) => "sourced, local".to_owned(),
        (true, false, _) => "sourced".to_owned(),
        (false, _, true) => "internal".to_owned(),
        (false, _, false) => "external".to_owned(),
    });
    facts.extend(route.stale.then(|| "stale".to_owned()));
    facts.extend(route.multipath.then(|| "multipath".to_owned()));
    facts.extend(route.best.then(|| format!("best ({})", selection(all))));
    let mut text = format!(
        "  {path}\n    {} from {from} ({id}){}\n      {}\n",
        view.shown_hop(route),
        if is_handed_over(route) {
            " announce-nh-self"
        } else {
            ""
        },
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
