//! What an edge's kernel has of BGP, whoever wrote it.

use std::collections::{BTreeSet, HashMap};

use conformance::lab::{Edge, Error};
use serde_json::Value;

/// What makes a route what it is. The rest is who wrote it, how (by a nexthop object or by itself) and
/// what the kernel says of its devices.
const ROUTE: [&str; 5] = ["type", "dst", "table", "metric", "prefsrc"];
const NEXT_HOP: [&str; 4] = ["gateway", "via", "dev", "weight"];

/// The routes of BGP in all tables that packets follow, each with what makes it one: not those behind
/// a better one of their prefix, which zebra keeps out of the kernel. A next hop is named by the edge
/// that has the address, since FRR takes the link-local one of a router and rbgpd the global one.
pub(super) fn in_the_kernel(edge: &Edge, all: &[&Edge]) -> Result<BTreeSet<String>, Error> {
    let addresses = names(all)?;
    let mut routes = BTreeSet::new();
    for family in ["-4", "-6"] {
        let list = json(edge, &format!("-j {family} route show table all"))?;
        let metric = |route: &Value| route.get("metric").and_then(Value::as_u64).unwrap_or(0);
        let is_bgp = |it: &Value| it.get("protocol").is_some_and(|it| it == "bgp");
        let learned = |it: &&Value| is_bgp(it) && metric(it) == 20;
        let better = |than: &Value| {
            let place = |it: &Value| ["dst", "table"].map(|key| it.get(key).cloned());
            let same = |it: &&Value| place(it) == place(than);
            list.iter().filter(same).any(|it| metric(it) < metric(than))
        };
        let learned = list.iter().filter(learned).filter(|it| !better(it));
        routes.extend(learned.map(|it| lasting(it, &addresses).to_string()));
    }
    Ok(routes)
}

fn json(edge: &Edge, words: &str) -> Result<Vec<Value>, Error> {
    let text = edge.space().ip(words)?;
    match text.trim() {
        "" => Ok(Vec::new()),
        text => serde_json::from_str(text)
            .map_err(|error| Error::State(format!("`ip {words}`: {error}: {text}"))),
    }
}

/// Which edge has an address.
fn names(all: &[&Edge]) -> Result<HashMap<String, String>, Error> {
    let mut names = HashMap::new();
    for edge in all {
        for device in json(edge, "-j addr show")? {
            let addresses = device.get("addr_info").and_then(Value::as_array);
            let addresses = addresses.into_iter().flatten();
            let addresses = addresses.filter_map(|it| it.get("local")?.as_str());
            let name = format!("edge {}", edge.id());
            names.extend(addresses.map(|it| (it.to_owned(), name.clone())));
        }
    }
    Ok(names)
}

fn lasting(route: &Value, names: &HashMap<String, String>) -> Value {
    let several = route.get("nexthops").and_then(Value::as_array);
    let hop = |hop: &Value| {
        let mut kept: Value = only(hop, &NEXT_HOP);
        let gateway = hop.get("gateway").or_else(|| hop.get("via")?.get("host"));
        let address = gateway.and_then(Value::as_str);
        if let (Some(hop), Some(address)) = (kept.as_object_mut(), address) {
            hop.remove("via");
            let name = names.get(address).map_or(address, String::as_str);
            hop.insert("gateway".to_owned(), name.into());
            // Of one way out it says nothing.
            hop.entry("weight").or_insert(Value::from(1));
        }
        kept
    };
    let mut hops: Vec<Value> = match several {
        Some(several) => several.iter().map(hop).collect(),
        None => vec![hop(route)],
    };
    hops.sort_by_key(ToString::to_string);
    serde_json::json!({ "route": only(route, &ROUTE), "nexthops": hops })
}

fn only(value: &Value, keys: &[&str]) -> Value {
    let all = value.as_object().into_iter().flatten();
    let some = all.filter(|(key, _)| keys.contains(&key.as_str()));
    some.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
