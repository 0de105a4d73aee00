//! Tables of routes: of a family, of a neighbour; one prefix is in [`mod@prefix`], EVPN in [`mod@evpn`],
//! what a condition lets through in [`mod@selected`].
//!
//! Paths of one prefix stand together, the best one first, as the daemon gives them.

mod counts;
mod detail;
mod evpn;
mod permitted;
mod prefix;
mod selected;
mod statistics;

use std::collections::HashMap;

use bgp::{Family, Prefix, ScopedAddr};
use serde_json::{Map, Value, json};

use super::summary::instances;
use super::words::{self, as_path, hostname, vrf_id};
use super::{Answer, Answered};
use crate::control::Select;
use crate::control::reply::{self, Route};
use crate::vtysh::ask::{Asking, Router, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::host;

pub(super) use detail::detailed;
pub(super) use evpn::{Key, evpn};
pub(super) use prefix::prefix;
pub(super) use selected::selected;
pub(super) use statistics::statistics;

const LEGEND: &str = "\
Status codes:  s suppressed, d damped, h history, u unsorted, * valid, > best, = multipath,
               i internal, r RIB-failure, S Stale, R Removed
Nexthop codes: @NNN nexthop's vrf id, < announce-nh-self
Origin codes:  i - IGP, e - EGP, ? - incomplete
RPKI validation codes: V valid, I invalid, N Not found

";

const NO_ROUTES: &str = "No BGP prefixes displayed, 0 exist\n";

/// What stands above a table, and how wide its columns are.
#[derive(Debug, Clone, Copy)]
struct Columns {
    heading: &'static str,
    network: usize,
    next_hop: usize,
}

const USUAL: Columns = Columns {
    heading: "     Network          Next Hop            Metric LocPrf Weight Path\n",
    network: 17,
    next_hop: 16,
};

/// With `wide`.
const WIDE: Columns = Columns {
    heading: "     Network                                      Next Hop                                  Metric LocPrf Weight Path\n",
    network: 45,
    next_hop: 38,
};

/// Weight of our own routes in FRR. Here they win by a step of their own.
const OWN_WEIGHT: u32 = 32_768;

/// An instance, and what is known of who tells it routes.
struct View {
    router: Router,
    summary: reply::Summary,
    neighbors: HashMap<ScopedAddr, reply::Neighbor>,
    host: String,
    columns: Columns,
}

impl View {
    async fn of(router: Router) -> Result<Self, Trouble> {
        let neighbors = router.neighbors().await?.into_iter();
        Ok(Self {
            summary: router.summary().await?,
            neighbors: neighbors.map(|it| (it.summary.address, it)).collect(),
            host: host::name(),
            columns: USUAL,
            router,
        })
    }

    fn head(&self) -> Map<String, Value> {
        let head = json!({
            "vrfId": vrf_id(&self.router.vrf),
            "vrfName": self.router.vrf,
            "routerId": self.summary.router_id,
            "defaultLocPrf": 100,
            "localAS": self.summary.asn,
        });
        object_of(head)
    }

    /// What stands above a table of prefixes.
    fn heading(&self) -> String {
        [self.text_head().as_str(), LEGEND, self.columns.heading].concat()
    }

    /// Tables have no version, and scripts look behind the comma.
    fn text_head(&self) -> String {
        format!(
            "BGP table version is 0, local router ID is {}, vrf id {}\n\
             Default local pref 100, local AS {}\n",
            self.summary.router_id,
            vrf_id(&self.router.vrf),
            self.summary.asn
        )
    }

    /// The families that are in use: a neighbour has them, or there is a route.
    fn families(&self) -> Vec<Family> {
        let told = |family: &Family| {
            let mut all = self.neighbors.values();
            let held = self.summary.prefixes.get(*family).copied();
            all.any(|it| it.summary.families.get(*family).is_some()) || held.unwrap_or(0) > 0
        };
        Family::ALL.into_iter().filter(told).collect()
    }

    fn is_internal(&self, route: &Route) -> bool {
        let from = route.neighbor.and_then(|it| self.neighbors.get(&it));
        from.is_some_and(|it| it.internal)
    }

    /// The host name of who told us.
    fn name_of(&self, route: &Route) -> Option<String> {
        match route.neighbor {
            None => Some(self.host.clone()),
            Some(address) => hostname(self.neighbors.get(&address)?).map(|(host, _)| host),
        }
    }

    fn next_hop(&self, route: &Route) -> String {
        if route.neighbor.is_none() && route.source.is_none() && route.family != "evpn" {
            return match route.family.as_str() {
                "ipv6_unicast" => "::".to_owned(),
                _ => "0.0.0.0".to_owned(),
            };
        }
        route
            .next_hops
            .first()
            .map_or(String::new(), |hop| hop.ip().to_string())
    }

    /// The next hop as texts have it: with the name of who told it, where the instance has it so.
    fn shown_hop(&self, route: &Route) -> String {
        let next_hop = self.next_hop(route);
        let name = self.name_of(route);
        match name.filter(|_| self.summary.show_next_hop_hostname) {
            Some(name) => format!("{next_hop}({name})"),
            None => next_hop,
        }
    }

    fn hops(&self, route: &Route, detailed: bool) -> Value {
        let next_hop = self.next_hop(route);
        let ipv6 = next_hop.contains(':');
        let mut hop = self.hop(route, &next_hop, ipv6.then_some("global"), detailed);
        // Of a pair the global one decides here.
        hop.insert("used".to_owned(), json!(true));
        let mut hops = vec![hop];
        let interface = self.interface_of(route).filter(|_| !detailed && ipv6);
        let near = route.link_local.map(|it| it.to_string());
        if let Some(near) = near.or_else(|| interface.map(|_| next_hop)) {
            let mut hop = self.hop(route, &near, Some("link-local"), detailed);
            if let Some(interface) = interface {
                hop.insert("interface".to_owned(), json!(interface));
            }
            hops.push(hop);
        }
        json!(hops)
    }

    fn hop(
        &self,
        route: &Route,
        ip: &str,
        scope: Option<&str>,
        detailed: bool,
    ) -> Map<String, Value> {
        let mut hop = Map::new();
        let mut put = |key: &str, value: Value| drop(hop.insert(key.to_owned(), value));
        put("ip", json!(ip));
        put("afi", json!(if scope.is_some() { "ipv6" } else { "ipv4" }));
        if let Some(scope) = scope {
            put("scope", json!(scope));
        }
        if let Some(name) = self.name_of(route) {
            put("hostname", json!(name));
        }
        if detailed {
            // One next hop is as far as any other: no step of the decision asks.
            put("metric", json!(0));
            let reachable = route.rejected_by.as_deref() != Some("next_hop");
            put("accessible", json!(reachable));
        }
        hop
    }

    /// The interface on which the neighbour was heard that told us.
    fn interface_of(&self, route: &Route) -> Option<&str> {
        let neighbor = self.neighbors.get(&route.neighbor?)?;
        neighbor.summary.interface.as_deref()
    }

    /// A path in a table; `best_of` are all paths of its prefix.
    fn path(&self, route: &Route, best_of: &[Route]) -> Map<String, Value> {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("valid", json!(route.accepted));
        if route.best {
            put("bestpath", json!(true));
            put("selectionReason", json!(selection(best_of)));
        }
        if route.multipath {
            put("multipath", json!(true));
        }
        if route.stale {
            put("stale", json!(true));
        }
        let from = if self.is_internal(route) {
            "internal"
        } else {
            "external"
        };
        put("pathFrom", json!(from));
        if let Some(metric) = metric(route) {
            put("metric", json!(metric));
        }
        if let Some(preference) = self.preference(route) {
            put("locPrf", json!(preference));
        }
        put("weight", json!(weight(route)));
        let peer = route
            .neighbor
            .map_or("(unspec)".to_owned(), |it| it.ip().to_string());
        put("peerId", json!(peer));
        put("path", json!(as_path(&route.as_path)));
        put("origin", json!(origin(route).0));
        if route.path_id != 0 {
            put("addPathId", json!(route.path_id));
        }
        if let Some(rpki) = &route.rpki {
            put("rpkiValidationState", json!(rpki_word(rpki)));
        }
        if is_handed_over(route) {
            put("announceNexthopSelf", json!(true));
        }
        put("nexthops", self.hops(route, false));
        object
    }

    /// FRR shows it where the route has it, which those of other ASes do not by themselves.
    fn preference(&self, route: &Route) -> Option<u32> {
        let set = route.local_pref.filter(|it| *it != 100);
        set.or(route.local_pref.filter(|_| self.is_internal(route)))
    }

    /// A path of a table of prefixes.
    fn unicast(&self, route: &Route, all: &[Route]) -> Value {
        let mut object = self.path(route, all);
        if let Ok(prefix) = route.prefix.parse::<Prefix>() {
            object.insert("prefix".to_owned(), json!(prefix.addr()));
            object.insert("prefixLen".to_owned(), json!(prefix.len()));
        }
        object.insert("network".to_owned(), json!(route.prefix));
        Value::Object(object)
    }

    /// A line of a table; the network is named once.
    fn line(&self, route: &Route, network: &str) -> String {
        self.line_by(route, network, &self.shown_hop(route))
    }

    fn line_by(&self, route: &Route, network: &str, next_hop: &str) -> String {
        let valid = if route.accepted { '*' } else { ' ' };
        let best = match (route.best, route.multipath) {
            (true, _) => '>',
            (false, true) => '=',
            (false, false) => ' ',
        };
        let from = if self.is_internal(route) { 'i' } else { ' ' };
        let rpki = match route.rpki.as_deref() {
            Some("valid") => 'V',
            Some("invalid") => 'I',
            Some(_) => 'N',
            None if route.stale => 'S',
            None => ' ',
        };
        format!(
            "{rpki}{valid}{best}{from} {}{}\n",
            column(network, self.columns.network, self.columns.network + 5),
            self.rest(
                route,
                &column(next_hop, self.columns.next_hop, self.indent())
            )
        )
    }

    /// Where what is behind the next hop begins.
    fn indent(&self) -> usize {
        self.columns.network + self.columns.next_hop + 5
    }

    /// Behind the next hop.
    fn rest(&self, route: &Route, next_hop: &str) -> String {
        let number = |it: Option<u32>| it.map_or(String::new(), |it| it.to_string());
        let path = as_path(&route.as_path);
        let path = if path.is_empty() {
            path
        } else {
            format!("{path} ")
        };
        format!(
            "{next_hop}{:>10}{:>7}{:>7} {path}{}",
            number(metric(route)),
            number(self.preference(route)),
            weight(route),
            origin(route).1
        )
    }
}

/// A text of a column, behind which the next one begins in the line below if there is no room.
fn column(text: &str, width: usize, indent: usize) -> String {
    match text.len() < width {
        true => format!("{text:width$}"),
        false => format!("{text}\n{:indent$}", ""),
    }
}

fn object_of(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Map::new()
        }
    }
}

fn metric(route: &Route) -> Option<u32> {
    route
        .med
        .or((route.neighbor.is_none() && route.family != "evpn").then_some(0))
}

fn weight(route: &Route) -> u32 {
    let own = if route.neighbor.is_none() && !is_handed_over(route) {
        OWN_WEIGHT
    } else {
        0
    };
    route.weight.unwrap_or(own)
}

/// In JSON, and in tables.
fn origin(route: &Route) -> (&'static str, &'static str) {
    match route.origin.as_str() {
        "igp" => ("IGP", "i"),
        "egp" => ("EGP", "e"),
        _ => ("incomplete", "?"),
    }
}

/// Whether it is from EVPN or another instance: whoever is told of it is told to come through us.
fn is_handed_over(route: &Route) -> bool {
    let source = route.source.as_deref().unwrap_or_default();
    let begins = |word: &&str| source.starts_with(word);
    is_from_evpn(route) || ["vrf ", "instance "].iter().any(begins)
}

fn is_from_evpn(route: &Route) -> bool {
    route.source.as_deref() == Some("evpn")
}

fn rpki_word(state: &str) -> &'static str {
    match state {
        "valid" => "valid",
        "invalid" => "invalid",
        _ => "not found",
    }
}

/// Why the best path of a prefix is it, in FRR's words: by what the next best one lost.
pub(super) fn selection(paths: &[Route]) -> &'static str {
    const WORDS: [(&str, &str); 12] = [
        ("a last resort", "Stale"),
        ("lower weight", "Weight"),
        ("lower local preference", "Local Pref"),
        ("not originated by this router", "Local Route"),
        ("higher AIGP", "AIGP"),
        ("longer AS path", "AS Path"),
        ("higher origin", "Origin"),
        ("higher MED", "MED"),
        ("learned from iBGP", "Peer Type"),
        ("higher router identifier", "Router ID"),
        ("longer cluster list", "Cluster length"),
        ("higher neighbour address", "Neighbor IP"),
    ];
    let others = paths.iter().filter(|it| !it.best && it.accepted);
    let mut reasons = others.filter_map(|it| it.reason.as_deref());
    let Some(reason) = reasons.next() else {
        return "First path received";
    };
    let found = WORDS.iter().find(|(ours, _)| reason.starts_with(ours));
    found.map_or("Nothing left to compare", |(_, word)| word)
}

/// Paths by their prefix, in the order they came in.
pub(super) fn by_prefix(routes: Vec<Route>) -> Vec<(String, Vec<Route>)> {
    let mut groups: Vec<(String, Vec<Route>)> = Vec::new();
    for route in routes {
        match groups.last_mut() {
            Some((prefix, paths)) if *prefix == route.prefix => paths.push(route),
            Some(_) | None => groups.push((route.prefix.clone(), vec![route])),
        }
    }
    groups
}

/// The family of a table: FRR's `show bgp` without one is IPv6's.
fn family(said: &Said) -> Family {
    match (said.has("evpn"), said.has("ipv4") || said.has("ip")) {
        (true, _) => Family::Evpn,
        (false, true) => Family::Ipv4Unicast,
        (false, false) => Family::Ipv6Unicast,
    }
}

/// The views a line is about; FRR has words of its own where there is none.
async fn views(said: &Said, asking: &Asking) -> Result<Vec<View>, Trouble> {
    let routers = match instances(said, asking).await {
        Err(Trouble::Warning(_)) if !said.has("json") => {
            let name = said.value(&["NAME"]).unwrap_or_default();
            return Err(Trouble::Warning(format!("View/Vrf {name} is unknown\n")));
        }
        routers => routers?,
    };
    let mut views = Vec::new();
    for router in routers {
        let columns = if said.has("wide") { WIDE } else { USUAL };
        views.push(View {
            columns,
            ..View::of(router).await?
        });
    }
    Ok(views)
}

/// `show bgp ipv4 unicast`, `show bgp l2vpn evpn`.
pub(super) async fn table(said: &Said, asking: &Asking) -> Answered {
    if said.has("detail") {
        return detailed(said, asking, true).await;
    }
    let all: selected::Takes = Box::new(|_| true);
    tables(said, asking, family(said), &all).await
}

/// The tables of all instances that a line is about, with the paths that are wanted.
async fn tables(
    said: &Said,
    asking: &Asking,
    family: Family,
    takes: &selected::Takes,
) -> Answered {
    let every = said.value(&["NAME"]) == Some("all");
    let (mut text, mut objects) = (String::new(), Map::new());
    for view in views(said, asking).await? {
        if every {
            text.push_str(&format!("\nInstance {}:\n", view.router.vrf));
        }
        let mut routes = view.router.routes(family, None, Select::All).await?;
        routes.retain(is_listed);
        let (part, object) = match family {
            Family::Evpn => evpn::table(&view, routes, evpn::Style::Plain, None),
            Family::Ipv4Unicast | Family::Ipv6Unicast => unicast_table(&view, routes, takes),
        };
        text.push_str(&part);
        objects.insert(view.router.vrf.clone(), Value::Object(object));
    }
    Ok(Answer::of_instances(said, text, objects))
}

/// `show bgp all`: the tables of the families that are in use, or those of one IP version.
pub(super) async fn every_family(said: &Said, asking: &Asking) -> Answered {
    let all: selected::Takes = Box::new(|_| true);
    let (mut text, mut objects) = (String::new(), Map::new());
    for view in views(said, asking).await? {
        let mut object = Map::new();
        let wanted = match said.has("ipv4") || said.has("ipv6") {
            true => vec![family(said)],
            false => view.families(),
        };
        for family in wanted {
            let name = words::family_name(family);
            text.push_str(&format!("\nFor address family: {name}\n"));
            let mut routes = view.router.routes(family, None, Select::All).await?;
            routes.retain(is_listed);
            let (part, table) = match family {
                Family::Evpn => {
                    let (part, table) = evpn::table(&view, routes, evpn::Style::Nested, None);
                    (part, json!({"routes": table}))
                }
                Family::Ipv4Unicast | Family::Ipv6Unicast => {
                    let (part, table) = unicast_table(&view, routes, &all);
                    (part, Value::Object(table))
                }
            };
            text.push_str(&part);
            object.insert(words::family_key(family).to_owned(), table);
        }
        objects.insert(view.router.vrf.clone(), Value::Object(object));
    }
    Ok(Answer::of_instances(said, text, objects))
}

/// Whether a path stands in a table of FRR's: not what a check or policy has refused, but what leads
/// nowhere does.
pub(super) fn is_listed(route: &Route) -> bool {
    route.accepted || route.rejected_by.as_deref() == Some("next_hop")
}

/// Whether import policy has refused it.
fn is_filtered(route: &Route) -> bool {
    route.rejected_by.as_deref() == Some("policy")
}

fn unicast_table(
    view: &View,
    routes: Vec<Route>,
    takes: &selected::Takes,
) -> (String, Map<String, Value>) {
    let paths = routes.len();
    // Why the best path is it is told by the others of its prefix, shown or not.
    let mut groups = by_prefix(routes);
    groups.retain(|(_, paths)| paths.iter().any(takes));
    let mut object = view.head();
    object.insert("totalRoutes".to_owned(), json!(groups.len()));
    object.insert("totalPaths".to_owned(), json!(paths));
    // FRR says nothing where a condition lets nothing through.
    let mut text = match (groups.is_empty(), paths) {
        (true, 0) => NO_ROUTES.to_owned(),
        (true, _) => String::new(),
        (false, _) => view.heading(),
    };
    let mut table = Map::new();
    for (prefix, paths) in &groups {
        let shown = || paths.iter().filter(|it| takes(it));
        let rows: Vec<Value> = shown().map(|it| view.unicast(it, paths)).collect();
        table.insert(prefix.clone(), Value::Array(rows));
        for (at, path) in shown().enumerate() {
            text.push_str(&view.line(path, if at == 0 { prefix } else { "" }));
        }
    }
    object.insert("routes".to_owned(), Value::Object(table));
    if !groups.is_empty() {
        let routes = groups.len();
        text.push_str(&format!(
            "\nDisplayed {routes} routes and {paths} total paths\n"
        ));
    }
    (text, object)
}

/// `show bgp neighbors X advertised-routes` and the like.
pub(super) async fn of_neighbor(said: &Said, asking: &Asking) -> Answered {
    // Without a family FRR looks at IPv6 alone, which hardly anybody means.
    let family = match family(said) == Family::Ipv6Unicast && !said.has("ipv6") {
        true => Family::Ipv4Unicast,
        false => family(said),
    };
    let word = said
        .value(&["A.B.C.D", "X:X::X:X", "WORD"])
        .unwrap_or_default();
    let Some(view) = views(said, asking).await?.into_iter().next() else {
        return Ok(Answer::Json(json!({})));
    };
    let Some(address) = view.router.neighbor(word).await? else {
        let why = "No such neighbor in this view/vrf";
        return Ok(match said.has("json") {
            true => Answer::Json(json!({"warning": why})),
            false => Answer::Text(format!("% {why}\n")),
        });
    };
    if said.has("prefix-counts") {
        return counts::counts(&view, family, address, said.has("json")).await;
    }
    if said.has("bestpath-routes") {
        let mut routes = view.router.routes(family, None, Select::All).await?;
        routes.retain(|it| it.neighbor == Some(address) && it.best);
        return Ok(told(said, &view, family, "receivedRoutes", routes));
    }
    if said.has("routes") {
        let mut routes = view.router.routes(family, None, Select::All).await?;
        routes.retain(is_listed);
        let all = routes.len();
        let wanted: Vec<String> = routes
            .iter()
            .filter(|it| it.neighbor == Some(address) && it.accepted)
            .map(|it| it.prefix.clone())
            .collect();
        // Why the best one is it is told by the others of its prefix, which are looked at first.
        let groups = by_prefix(std::mem::take(&mut routes));
        return Ok(accepted(
            said,
            &view,
            family,
            address,
            &groups,
            (wanted.len(), all),
        ));
    }
    let (select, key) = match said.has("advertised-routes") {
        true => (Select::Advertised(address), "advertisedRoutes"),
        false => (Select::Received(address), "receivedRoutes"),
    };
    let mut routes = view.router.routes(family, None, select).await?;
    if said.has("filtered-routes") {
        routes.retain(is_filtered);
    }
    let one = said.value(&["A.B.C.D/M", "X:X::X:X/M"]);
    if let Some(one) = one.and_then(|text| text.parse::<Prefix>().ok()) {
        routes.retain(|it| it.prefix.parse() == Ok(one));
    }
    if one.is_some() || said.has("detail") {
        return detail::passed(said, asking, &view, family, key, routes).await;
    }
    Ok(told(said, &view, family, key, routes))
}

/// What a neighbour told us and was let in.
fn accepted(
    said: &Said,
    view: &View,
    family: Family,
    address: ScopedAddr,
    groups: &[(String, Vec<Route>)],
    (count, all): (usize, usize),
) -> Answer {
    let mut text = match family {
        Family::Evpn => evpn_legend(),
        Family::Ipv4Unicast | Family::Ipv6Unicast => view.heading(),
    };
    let (mut table, mut lists) = (Map::new(), Map::new());
    for (prefix, paths) in groups {
        let mine = |it: &&Route| it.neighbor == Some(address) && it.accepted;
        for path in paths.iter().filter(mine) {
            match family {
                Family::Evpn => {
                    let key = evpn::Key::of(prefix);
                    let row = evpn::path(view, path, &key, paths);
                    let entry = lists
                        .entry(key.rd.clone())
                        .or_insert_with(|| json!({"rd": key.rd}));
                    if let Value::Object(entry) = entry {
                        let route = json!({
                            "prefix": key.name(), "prefixLen": evpn::LENGTH, "paths": [row],
                        });
                        entry.insert(key.name(), route);
                    }
                    text.push_str(&evpn::lines(view, path, &key.name()));
                }
                Family::Ipv4Unicast | Family::Ipv6Unicast => {
                    let rows = table.entry(prefix.clone()).or_insert_with(|| json!([]));
                    if let Value::Array(rows) = rows {
                        rows.push(view.unicast(path, paths));
                    }
                    text.push_str(&view.line(path, prefix));
                }
            }
        }
    }
    text.push_str(&format!(
        "\nDisplayed {count} routes and {all} total paths\n"
    ));
    let mut object = view.head();
    object.insert("totalRoutes".to_owned(), json!(count));
    object.insert("totalPaths".to_owned(), json!(all));
    match family {
        Family::Evpn => {
            object.insert("bgpLocalRouterId".to_owned(), json!(view.summary.router_id));
            object.insert("numPrefix".to_owned(), json!(count));
            object.insert("totalPrefix".to_owned(), json!(all));
            object.extend(lists);
        }
        Family::Ipv4Unicast | Family::Ipv6Unicast => {
            object.insert("routes".to_owned(), Value::Object(table));
        }
    }
    match said.has("json") {
        true => Answer::Json(Value::Object(object)),
        false => Answer::Text(text),
    }
}

fn evpn_legend() -> String {
    [evpn::CODES, evpn::TYPES, "\n", evpn::COLUMNS].concat()
}

/// What passed between us and a neighbour.
fn told(said: &Said, view: &View, family: Family, key: &str, routes: Vec<Route>) -> Answer {
    let count = routes.len();
    let mut text = match family {
        Family::Evpn => view.text_head() + &evpn_legend(),
        Family::Ipv4Unicast | Family::Ipv6Unicast => view.heading(),
    };
    let mut table = Map::new();
    for route in routes {
        let refused = is_filtered(&route);
        // The one that is told, of our own routes, too.
        let hop = route.next_hops.first().map(|it| it.ip().to_string());
        let told = hop.filter(|_| key == "advertisedRoutes" && family != Family::Evpn);
        let next_hop = told.unwrap_or_else(|| view.next_hop(&route));
        let key_of_hop = match next_hop.contains(':') && family != Family::Evpn {
            true => "nextHopGlobal",
            false => "nextHop",
        };
        let mut row = object_of(json!({
            key_of_hop: &next_hop,
            "weight": weight(&route),
            "path": as_path(&route.as_path),
            "origin": origin(&route).0,
            "valid": true,
            "best": true,
        }));
        if let Some(metric) = metric(&route) {
            row.insert("metric".to_owned(), json!(metric));
        }
        if let Some(preference) = view.preference(&route) {
            row.insert("locPrf".to_owned(), json!(preference));
        }
        if refused {
            row.insert("filtered".to_owned(), json!(true));
        }
        if family == Family::Evpn {
            let key = evpn::Key::of(&route.prefix);
            row.extend(key.fields());
            text.push_str(&evpn::lines(view, &route, &key.name()));
            let entry = table
                .entry(key.rd.clone())
                .or_insert_with(|| json!({"rd": key.rd}));
            if let Value::Object(entry) = entry {
                entry.insert(key.name(), Value::Object(row));
            }
            continue;
        }
        if let Ok(prefix) = route.prefix.parse::<Prefix>() {
            row.insert("addrPrefix".to_owned(), json!(prefix.addr()));
            row.insert("prefixLen".to_owned(), json!(prefix.len()));
        }
        row.insert("network".to_owned(), json!(route.prefix));
        text.push_str(&view.line_by(&route, &route.prefix, &next_hop));
        table.insert(route.prefix.clone(), Value::Object(row));
    }
    // FRR counts what there is.
    if count > 0 {
        text.push_str(&format!("\nTotal number of prefixes {count}\n"));
    }
    match said.has("json") {
        false => Answer::Text(text),
        true => passed_json(view, key, table, count),
    }
}

/// What passed, beneath its key.
fn passed_json(view: &View, key: &str, table: Map<String, Value>, count: usize) -> Answer {
    Answer::Json(json!({
        "bgpLocalRouterId": view.summary.router_id,
        "defaultLocPrf": 100,
        "localAS": view.summary.asn,
        key: table,
        "totalPrefixCounter": count,
        "filteredPrefixCounter": 0,
    }))
}
