//! EVPN routes by route distinguisher.

use std::collections::{BTreeMap, HashMap};

use bgp::ScopedAddr;
use serde_json::{Map, Value, json};

use super::prefix::detail;
use super::{View, by_prefix, object_of};
use crate::control::EvpnRoutes;
use crate::control::reply::{EvpnRoute, Route};
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::show::{Answer, Answered};

pub(super) const LEGEND: &str = "\
Status codes: s suppressed, d damped, h history, * valid, > best, i - internal
Origin codes: i - IGP, e - EGP, ? - incomplete
EVPN type-1 prefix: [1]:[EthTag]:[ESI]:[IPlen]:[VTEP-IP]:[Frag-id]
EVPN type-2 prefix: [2]:[EthTag]:[MAClen]:[MAC]:[IPlen]:[IP]
EVPN type-3 prefix: [3]:[EthTag]:[IPlen]:[OrigIP]
EVPN type-4 prefix: [4]:[ESI]:[IPlen]:[OrigIP]
EVPN type-5 prefix: [5]:[EthTag]:[IPlen]:[IP]

   Network          Next Hop            Metric LocPrf Weight Path
";

/// An EVPN route, taken to pieces: what is in its brackets.
pub(super) struct Key {
    pub(super) rd: String,
    parts: Vec<String>,
}

impl Key {
    pub(super) fn of(text: &str) -> Self {
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
    pub(super) fn name(&self) -> String {
        format!("[{}]", self.parts.join("]:["))
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

/// EVPN routes beneath their distinguishers. `nested` is what FRR makes of paths in some places: each
/// in a list of its own.
pub(super) fn table(
    view: &View,
    routes: Vec<Route>,
    nested: bool,
    detailed: Option<&Labels>,
) -> (String, Map<String, Value>) {
    let paths = routes.len();
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
            Some(labels) => labelled(detail(view, it, all), labels.get(&place(it))),
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
            if detailed.is_some() {
                route.insert("rd".to_owned(), json!(key.rd));
                route.extend(key.fields());
            }
            entry.insert(key.name(), Value::Object(route));
        }
        let text = texts.entry(key.rd.clone()).or_default();
        for route in all {
            text.push_str(&lines(view, route, &key.name()));
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
    let mut text = format!(
        "BGP table, local router ID is {}\n{LEGEND}",
        view.summary.router_id
    );
    for (rd, lines) in texts {
        text.push_str(&format!("Route Distinguisher: {rd}\n{lines}"));
    }
    text.push_str(&format!(
        "\nDisplayed {} prefixes ({paths} paths)\n",
        groups.len()
    ));
    (text, object)
}

/// The VNIs that a path names, by its place: `100`, or `100/4001` where hosts are routed, too.
pub(super) type Labels = HashMap<(String, Option<ScopedAddr>, u32), String>;

fn place(route: &Route) -> (String, Option<ScopedAddr>, u32) {
    (route.prefix.clone(), route.neighbor, route.path_id)
}

fn labels(routes: &[EvpnRoute]) -> Labels {
    let of = |route: &EvpnRoute| {
        let number = |key: &str| route.evpn.get(key).and_then(Value::as_u64);
        let (first, second) = (number("vni")?, number("l3_vni"));
        let text = match second {
            Some(second) => format!("{first}/{second}"),
            None => first.to_string(),
        };
        Some((place(&route.route), text))
    };
    routes.iter().filter_map(of).collect()
}

fn labelled(mut path: Value, labels: Option<&String>) -> Value {
    if let (Value::Object(path), Some(labels)) = (&mut path, labels) {
        path.insert("vni".to_owned(), json!(labels));
    }
    path
}

/// What FRR says of the length of every EVPN route.
pub(super) const LENGTH: u32 = 352;

pub(super) fn lines(view: &View, route: &Route, name: &str) -> String {
    let valid = if route.accepted { '*' } else { ' ' };
    let best = if route.best { '>' } else { ' ' };
    let from = if view.is_internal(route) { 'i' } else { ' ' };
    let next_hop = format!("{:16}", view.next_hop(route));
    format!(
        " {valid}{best}{from} {name}\n{:20}{}\n{:20}{}\n",
        "",
        view.rest(route, &next_hop),
        "",
        route.extended_communities.join(" ")
    )
}

/// `show bgp l2vpn evpn route`.
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
        .find(|(word, _)| said.has(word))
        .map(|(_, it)| *it);
    let number = said
        .value(&["<1-16777215>"])
        .and_then(|it| it.parse::<u32>().ok());
    let vni = number.and_then(bgp::Vni::new);
    if let Some(number) = number
        && !(view.router.vnis().await?.vnis.iter()).any(|it| it.vni == number)
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
    let wanted = EvpnRoutes {
        route_type,
        vni,
        rd,
        ..EvpnRoutes::default()
    };
    let routes = view.router.evpn_routes(&wanted).await?;
    let labels = labels(&routes);
    let routes: Vec<Route> = routes.into_iter().map(|it| it.route).collect();
    let empty = routes.is_empty();
    // FRR tells of one distinguisher at length.
    let detailed = said.has("detail") || said.value(&["RD"]).is_some();
    let (text, mut object) = table(&view, routes, true, detailed.then_some(&labels));
    if number.is_some() {
        object = without_distinguishers(object);
    }
    Ok(match said.has("json") {
        true => Answer::Json(Value::Object(object)),
        false if empty => Answer::Text("No EVPN prefixes (of requested type) exist\n".to_owned()),
        false => Answer::Text(text),
    })
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
