//! EVPN routes by route distinguisher.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use bgp::{Family, ScopedAddr};
use serde_json::{Map, Value, json};

use super::prefix::{advertised_to, available, detail, paragraph, told_lines};
use super::{View, by_prefix, column, is_listed, object_of};
use crate::control::reply::{self, EvpnRoute, Route};
use crate::control::{EvpnRoutes, Select};
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::show::{Answer, Answered};

pub(super) const CODES: &str = "\
Status codes: s suppressed, d damped, h history, * valid, > best, i - internal
Origin codes: i - IGP, e - EGP, ? - incomplete
";

pub(super) const TYPES: &str = "\
EVPN type-1 prefix: [1]:[EthTag]:[ESI]:[IPlen]:[VTEP-IP]:[Frag-id]
EVPN type-2 prefix: [2]:[EthTag]:[MAClen]:[MAC]:[IPlen]:[IP]
EVPN type-3 prefix: [3]:[EthTag]:[IPlen]:[OrigIP]
EVPN type-4 prefix: [4]:[ESI]:[IPlen]:[OrigIP]
EVPN type-5 prefix: [5]:[EthTag]:[IPlen]:[IP]
";

pub(super) const COLUMNS: &str =
    "   Network          Next Hop            Metric LocPrf Weight Path\n";

/// The second line of a heading, in some places.
const COMMUNITIES: &str = "                    Extended Community\n";

/// An EVPN route, taken to pieces: what is in its brackets.
pub(in crate::vtysh::show) struct Key {
    pub(in crate::vtysh::show) rd: String,
    parts: Vec<String>,
}

impl Key {
    pub(in crate::vtysh::show) fn of(text: &str) -> Self {
        let inner = text.trim_start_matches('[').trim_end_matches(']');
        let mut parts: Vec<String> = inner.split("]:[").map(str::to_owned).collect();
        let rd = match parts.len() > 2 {
            true => parts.remove(1),
            false => String::new(),
        };
        Self { rd, parts }
    }

    fn part(&self, at: usize) -> &str {
        self.parts.get(at).map_or("", String::as_str)
    }

    /// As FRR writes it, beneath its route distinguisher.
    pub(in crate::vtysh::show) fn name(&self) -> String {
        format!("[{}]", self.parts.join("]:["))
    }

    /// Whether it tells of this prefix: of all of it, or of the one host in it.
    pub(super) fn is_about(&self, prefix: &str) -> bool {
        let (address, length) = prefix.split_once('/').unwrap_or((prefix, ""));
        match self.part(0) {
            "2" => self.part(5) == address,
            "5" => self.part(3) == address && self.part(2) == length,
            _ => false,
        }
    }

    /// Its fields, under FRR's keys.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let number = |at| json!(self.part(at).parse::<u64>().unwrap_or(0));
        let route_type = self.part(0);
        let mut fields = Map::new();
        let mut put = |key: &str, value: Value| drop(fields.insert(key.to_owned(), value));
        put("routeType", number(0));
        match route_type {
            "4" => {
                put("esi", json!(self.part(1)));
                put("ipLen", number(2));
                put("ip", json!(self.part(3)));
            }
            _ => put("ethTag", number(1)),
        }
        match route_type {
            "1" => put("esi", json!(self.part(2))),
            "2" => {
                put("macLen", number(2));
                put("mac", json!(self.part(3)));
                if self.parts.len() > 4 {
                    put("ipLen", number(4));
                    put("ip", json!(self.part(5)));
                }
            }
            "3" | "5" => {
                put("ipLen", number(2));
                put("ip", json!(self.part(3)));
            }
            _ => {}
        }
        fields
    }
}

/// A path of an EVPN route.
pub(super) fn path(view: &View, route: &Route, key: &Key, all: &[Route]) -> Value {
    let mut object = view.path(route, all);
    object.extend(key.fields());
    if !route.extended_communities.is_empty() {
        let text = route.extended_communities.join(" ");
        object.insert("extendedCommunity".to_owned(), json!({"string": text}));
    }
    Value::Object(object)
}

/// How a table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Routes beneath their distinguishers.
    Plain,
    /// The same with each path in a list of its own, which FRR does in some places.
    Nested,
    /// As it, without the distinguishers: what a VNI takes in.
    OfVni,
}

/// A table of EVPN routes, as text and as JSON.
pub(super) fn table(
    view: &View,
    routes: Vec<Route>,
    style: Style,
    detailed: Option<&Details>,
) -> (String, Map<String, Value>) {
    let paths = routes.len();
    let nested = style != Style::Plain;
    let groups = by_prefix(routes);
    let (mut object, mut texts) = (Map::new(), BTreeMap::<String, String>::new());
    if !nested {
        object.extend(view.head());
        object.remove("vrfId");
        object.remove("vrfName");
        object.remove("routerId");
        object.insert("bgpLocalRouterId".to_owned(), json!(view.summary.router_id));
    }
    for (name, all) in &groups {
        let key = Key::of(name);
        let rows = all.iter().map(|it| match detailed {
            Some(details) => details.of(detail(view, it, None, all), it),
            None => path(view, it, &key, all),
        });
        let rows: Vec<Value> = rows
            .map(|it| if nested { json!([it]) } else { it })
            .collect();
        let entry = object
            .entry(key.rd.clone())
            .or_insert_with(|| json!({"rd": key.rd}));
        if let Value::Object(entry) = entry {
            let route = json!({"prefix": key.name(), "prefixLen": LENGTH, "paths": rows});
            let mut route = object_of(route);
            if let Some(details) = detailed {
                route.insert("rd".to_owned(), json!(key.rd));
                route.extend(key.fields());
                route.extend(advertised_to(view, details.told(name)));
            }
            entry.insert(key.name(), Value::Object(route));
        }
        let text = texts.entry(key.rd.clone()).or_default();
        match detailed {
            Some(details) => {
                if style != Style::OfVni {
                    text.push_str(&details.head(view, &key, all));
                }
                text.push_str(&details.lines(view, &key, all, style));
            }
            None => all
                .iter()
                .for_each(|it| text.push_str(&lines(view, it, &key.name()))),
        }
    }
    if nested {
        object.insert("numPrefix".to_owned(), json!(groups.len()));
        object.insert("numPaths".to_owned(), json!(paths));
    } else {
        object.insert("numPrefix".to_owned(), json!(groups.len()));
        object.insert("totalPrefix".to_owned(), json!(paths));
    }
    if groups.is_empty() {
        return ("No EVPN prefixes displayed, 0 exist\n".to_owned(), object);
    }
    if style == Style::OfVni {
        object = without_distinguishers(object);
    }
    let mut text = match detailed {
        Some(_) if style == Style::OfVni => String::new(),
        Some(_) => format!("{TYPES}\n"),
        None => format!(
            "BGP table version is 0, local router ID is {}\n{CODES}{TYPES}\n{COLUMNS}{}",
            view.summary.router_id,
            if style == Style::Nested {
                COMMUNITIES
            } else {
                ""
            }
        ),
    };
    for (rd, lines) in texts {
        if detailed.is_none() && style != Style::OfVni {
            text.push_str(&format!("Route Distinguisher: {rd}\n"));
        }
        text.push_str(&lines);
    }
    let count = groups.len();
    text.push_str(&match nested {
        true => format!("\nDisplayed {count} prefixes ({paths} paths)\n"),
        false => format!("\nDisplayed {count} out of {count} total prefixes\n"),
    });
    (text, object)
}

/// What is told of EVPN routes at length, beside what any route has.
#[derive(Default)]
pub(super) struct Details {
    paths: HashMap<(String, Option<ScopedAddr>, u32), Detail>,
    told: HashMap<String, Vec<ScopedAddr>>,
}

#[derive(Default)]
struct Detail {
    /// `100`, or `100/4001` where hosts are routed, too.
    vni: Option<String>,
    /// Label of the tunnel for flooded frames.
    flooding: Option<u64>,
}

fn place(route: &Route) -> (String, Option<ScopedAddr>, u32) {
    (route.prefix.clone(), route.neighbor, route.path_id)
}

impl Details {
    async fn of_routes(view: &View, routes: &[EvpnRoute]) -> Result<Self, Trouble> {
        let mut details = Self::default();
        for route in routes {
            let number = |key: &str| route.evpn.get(key).and_then(Value::as_u64);
            let labels = (number("vni").filter(|it| *it != 0), number("l3_vni"));
            let vni = match labels {
                (Some(first), Some(second)) => Some(format!("{first}/{second}")),
                (first, _) => first.map(|it| it.to_string()),
            };
            let flooding = route.evpn.pointer("/pmsi_tunnel/label");
            let flooding = flooding.and_then(Value::as_u64);
            let detail = Detail { vni, flooding };
            details.paths.insert(place(&route.route), detail);
            details.told.entry(route.route.prefix.clone()).or_default();
        }
        let overlay =
            |it: &&reply::Neighbor| it.details.evpn.as_ref().is_some_and(|it| it.negotiated);
        let mut neighbors: Vec<ScopedAddr> = (view.neighbors.values().filter(overlay))
            .map(|it| it.summary.address)
            .collect();
        neighbors.sort();
        for neighbor in neighbors {
            let select = Select::Advertised(neighbor);
            for route in view.router.routes(Family::Evpn, None, select).await? {
                if let Some(told) = details.told.get_mut(&route.prefix) {
                    told.push(neighbor);
                }
            }
        }
        Ok(details)
    }

    /// Who is told of a route.
    fn told(&self, prefix: &str) -> &[ScopedAddr] {
        self.told.get(prefix).map_or(&[], Vec::as_slice)
    }

    /// A path with what is told of it.
    fn of(&self, mut path: Value, route: &Route) -> Value {
        if let (Value::Object(path), Some(detail)) = (&mut path, self.paths.get(&place(route))) {
            if let Some(vni) = &detail.vni {
                path.insert("vni".to_owned(), json!(vni));
            }
            if let Some(label) = detail.flooding {
                let tunnel = json!({"tunnelType": TUNNEL, "label": label});
                path.insert("pmsi".to_owned(), tunnel);
            }
        }
        path
    }

    /// What stands above the paths of a route.
    fn head(&self, view: &View, key: &Key, all: &[Route]) -> String {
        let prefix = all.first().map_or("", |it| it.prefix.as_str());
        format!(
            "BGP routing table entry for {}:{}\nPaths: ({})\n{}",
            key.rd,
            key.name(),
            available(all),
            told_lines(view, self.told(prefix))
        )
    }

    /// The paths of a route at length, in text.
    fn lines(&self, view: &View, key: &Key, all: &[Route], style: Style) -> String {
        let name = key.name();
        let mut text = String::new();
        for route in all {
            let detail = self.paths.get(&place(route));
            let number = detail.and_then(|it| it.vni.as_ref());
            let vni = number.map_or(String::new(), |vni| format!(" VNI {vni}"));
            text.push_str(&format!("  Route {name}{vni}\n"));
            if style == Style::OfVni && route.neighbor.is_some() {
                let (rd, vni) = (&key.rd, number.map_or("", String::as_str));
                // FRR ends no line here.
                text.push_str(&format!("  Imported from {rd}:{name}, VNI {vni}"));
            }
            text.push_str(&paragraph(view, route, None, all));
            if let Some(label) = detail.and_then(|it| it.flooding) {
                text.push_str(&format!(
                    "      PMSI Tunnel Type: {TUNNEL}, label: {label}\n"
                ));
            }
        }
        text
    }
}

/// Each site gets a copy of its own; no other tunnel is taken in (RFC 8365 §9).
const TUNNEL: &str = "Ingress Replication";

/// What FRR says of the length of every EVPN route.
pub(super) const LENGTH: u32 = 352;

pub(super) fn lines(view: &View, route: &Route, name: &str) -> String {
    let valid = if route.accepted { '*' } else { ' ' };
    let best = if route.best { '>' } else { ' ' };
    let from = if view.is_internal(route) { 'i' } else { ' ' };
    let next_hop = column(&view.shown_hop(route), 16, 38);
    format!(
        " {valid}{best}{from} {name}\n{:20}{}\n{:20}{}\n",
        "",
        view.rest(route, &next_hop),
        "",
        route.extended_communities.join(" ")
    )
}

/// `show bgp l2vpn evpn route`, `show bgp l2vpn evpn rd`.
pub(in crate::vtysh::show) async fn evpn(said: &Said, asking: &Asking) -> Answered {
    let Some(router) = asking.router(None).await? else {
        return Err(Trouble::Warning("% BGP instance not found\n".to_owned()));
    };
    let view = View::of(router).await?;
    const TYPES: [(&str, u8); 10] = [
        ("ead", 1),
        ("1", 1),
        ("macip", 2),
        ("2", 2),
        ("multicast", 3),
        ("3", 3),
        ("es", 4),
        ("4", 4),
        ("prefix", 5),
        ("5", 5),
    ];
    let route_type = TYPES
        .iter()
        .find(|(word, _)| said.has("type") && said.has(word))
        .map(|(_, it)| *it);
    let number = said
        .value(&["<1-16777215>"])
        .and_then(|it| it.parse::<u32>().ok());
    let vni = number.and_then(bgp::Vni::new);
    let known = view.router.vnis().await?.vnis;
    if let Some(number) = number
        && !known.iter().any(|it| it.vni == number)
    {
        return Ok(match said.has("json") {
            true => Answer::Json(json!({})),
            false => Answer::Text("VNI not found\n".to_owned()),
        });
    }
    let rd = match said.value(&["RD"]) {
        None => None,
        Some(text) => match text.parse() {
            Ok(rd) => Some(rd),
            Err(_) => {
                let why = format!("% Malformed Route Distinguisher {text}\n");
                return Err(Trouble::Warning(why));
            }
        },
    };
    let mut wanted = EvpnRoutes {
        route_type,
        vni,
        rd,
        ..EvpnRoutes::default()
    };
    if !said.has("route") {
        let (_, routes, _) = asked(&view, said, &wanted, false).await?;
        let (text, object) = table(&view, routes, Style::Plain, None);
        return Ok(answer(said, text, object));
    }
    if !said.has("type") && (said.has("mac") || said.has("multicast")) {
        let (_, routes, details) = asked(&view, said, &wanted, true).await?;
        return Ok(one(&view, said, routes, &details.unwrap_or_default()));
    }
    if said.has("vni") && said.has("all") {
        let (mut text, mut objects) = (String::new(), Map::new());
        for vni in known {
            wanted.vni = bgp::Vni::new(vni.vni);
            let (_, routes, details) = asked(&view, said, &wanted, said.has("detail")).await?;
            let (part, mut object) = table(&view, routes, Style::OfVni, details.as_ref());
            text.push_str(&format!("\nVNI: {}\n\n{part}\n", vni.vni));
            object.insert("vni".to_owned(), json!(vni.vni));
            objects.insert(vni.vni.to_string(), Value::Object(object));
        }
        return Ok(answer(said, text, objects));
    }
    // FRR tells of distinguishers at length.
    let detailed = ["detail", "rd"].iter().any(|word| said.has(word));
    let (empty, routes, details) = asked(&view, said, &wanted, detailed).await?;
    let style = match number {
        Some(_) => Style::OfVni,
        None => Style::Nested,
    };
    let (text, object) = table(&view, routes, style, details.as_ref());
    Ok(match said.has("json") {
        false if empty => Answer::Text("No EVPN prefixes (of requested type) exist\n".to_owned()),
        false if said.value(&["RD"]).is_some() => {
            Answer::Text(format!("{} with this RD\n", text.trim_end()))
        }
        _ => answer(said, text, object),
    })
}

fn answer(said: &Said, text: String, object: Map<String, Value>) -> Answer {
    match said.has("json") {
        true => Answer::Json(Value::Object(object)),
        false => Answer::Text(text),
    }
}

/// The routes that a line is about, whether there is none, and what is told of them at length.
async fn asked(
    view: &View,
    said: &Said,
    wanted: &EvpnRoutes,
    detailed: bool,
) -> Result<(bool, Vec<Route>, Option<Details>), Trouble> {
    let mut routes = view.router.evpn_routes(wanted).await?;
    let vtep = said.value(&["A.B.C.D"]).filter(|_| said.has("vtep"));
    let vtep = vtep.and_then(|it| it.parse::<IpAddr>().ok());
    let leads = |it: &Route| it.next_hops.first().map(|hop| hop.ip().to_canonical());
    routes.retain(|it| vtep.is_none() || leads(&it.route) == vtep);
    if !said.has("type") {
        routes.retain(|it| is_named(&Key::of(&it.route.prefix), said));
    }
    let details = match detailed {
        true => Some(Details::of_routes(view, &routes).await?),
        false => None,
    };
    let mut routes: Vec<Route> = routes.into_iter().map(|it| it.route).collect();
    routes.retain(is_listed);
    Ok((routes.is_empty(), routes, details))
}

/// Whether it is the one that a line names by its addresses, where it names one.
fn is_named(key: &Key, said: &Said) -> bool {
    let ip = said.value(&["A.B.C.D", "X:X::X:X"]).unwrap_or_default();
    if said.has("multicast") {
        return key.part(0) == "3" && key.part(3) == ip;
    }
    let mac = said.value(&["X:X:X:X:X:X"]).map(str::to_lowercase);
    mac.is_none_or(|mac| key.part(0) == "2" && key.part(3) == mac && key.part(5) == ip)
}

/// One route at length.
fn one(view: &View, said: &Said, routes: Vec<Route>, details: &Details) -> Answer {
    let shown = routes.len();
    let groups = by_prefix(routes.clone());
    let Some((name, all)) = groups.first() else {
        return match said.has("json") {
            true => Answer::Json(json!({})),
            false => Answer::Text("% Network not in table\n".to_owned()),
        };
    };
    let key = Key::of(name);
    let style = match said.has("vni") {
        true => Style::OfVni,
        false => Style::Nested,
    };
    let (head, lines) = (
        details.head(view, &key, all),
        details.lines(view, &key, all, style),
    );
    // What a VNI has taken in is told to nobody as such.
    let head = match style == Style::OfVni {
        true => format!(
            "BGP routing table entry for {}\nPaths: ({})\n  Local BGP table not advertised\n",
            key.name(),
            available(all)
        ),
        false => head,
    };
    let text = format!("{head}{lines}\nDisplayed {shown} paths for requested prefix\n");
    let (_, mut object) = table(view, routes, Style::OfVni, Some(details));
    let object = object.remove(&key.name()).unwrap_or_default();
    let mut object = object_of(object);
    object.insert("numPaths".to_owned(), json!(shown));
    let paths = object.get_mut("paths").and_then(Value::as_array_mut);
    let paths = paths.into_iter().flatten().filter_map(|it| it.get_mut(0));
    for path in paths.filter_map(Value::as_object_mut) {
        // What a VNI has taken in; no group of next hops stands for an Ethernet segment.
        if style == Style::OfVni && !path.contains_key("local") {
            path.insert("importedFrom".to_owned(), json!(key.rd));
            path.insert("l3nhg".to_owned(), json!(false));
            path.insert("l3nhgActive".to_owned(), json!(false));
        }
    }
    answer(said, text, object)
}

/// In the table of a VNI a route stands without its distinguisher.
fn without_distinguishers(object: Map<String, Value>) -> Map<String, Value> {
    let mut flat = Map::new();
    for (key, value) in object {
        if let Value::Object(routes) = value {
            flat.extend(routes.into_iter().filter(|(key, _)| key != "rd"));
        } else {
            flat.insert(key, value);
        }
    }
    flat
}
