//! What FRR's zebra would say of the host: routes, next hops, devices, VRFs.
//!
//! Routes are those of the kernel, with the marks of who made them; local ones are made of the host's
//! addresses, as FRR 10 lists them. Of BGP's routes that are not in the kernel `show bgp` tells.

mod devices;
mod learned;
mod next_hops;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use bgp::{Family, Prefix};
use fib::{ForeignRoute, Interface, NextHop, RouteKind};
use ipnetwork::IpNetwork;
use serde_json::{Map, Value, json};

use super::routes::by_prefix;
use super::{Answer, Answered};
use crate::control::{Request, Select, reply};
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::host::{DEFAULT, Host};

use learned::{Attributes, Learned};

pub(super) use devices::{interface_brief, vrf};
pub(super) use next_hops::{bgp_next_hops, next_hops};

/// Who made a route, in FRR's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Maker {
    Kernel,
    Connected,
    Local,
    Static,
    Bgp,
    Ospf,
    Isis,
    Rip,
    Other,
}

impl Maker {
    fn word(self) -> &'static str {
        match self {
            Maker::Kernel => "kernel",
            Maker::Connected => "connected",
            Maker::Local => "local",
            Maker::Static => "static",
            Maker::Bgp => "bgp",
            Maker::Ospf => "ospf",
            Maker::Isis => "isis",
            Maker::Rip => "rip",
            Maker::Other => "zebra",
        }
    }

    fn letter(self) -> char {
        match self {
            Maker::Kernel => 'K',
            Maker::Connected => 'C',
            Maker::Local => 'L',
            Maker::Static => 'S',
            Maker::Bgp => 'B',
            Maker::Ospf => 'O',
            Maker::Isis => 'I',
            Maker::Rip => 'R',
            Maker::Other => 'Z',
        }
    }
}

/// FRR's, so that what comes behind is on the same line.
const CODES: &str = "\
Codes: K - kernel route, C - connected, L - local, S - static,
       R - RIP, O - OSPF, I - IS-IS, B - BGP, E - EIGRP, N - NHRP,
       T - Table, v - VNC, V - VNC-Direct, A - Babel, F - PBR,
       f - OpenFabric, t - Table-Direct,
       > - selected route, * - FIB route, q - queued, r - rejected, b - backup
       t - trapped, o - offload failure
";

/// The same for IPv6.
const CODES_IPV6: &str = "\
Codes: K - kernel route, C - connected, L - local, S - static,
       R - RIPng, O - OSPFv3, I - IS-IS, B - BGP, N - NHRP,
       T - Table, v - VNC, V - VNC-Direct, A - Babel, F - PBR,
       f - OpenFabric, t - Table-Direct,
       > - selected route, * - FIB route, q - queued, r - rejected, b - backup
       t - trapped, o - offload failure
";

/// A route of the kernel.
#[derive(Debug, Clone)]
struct Route {
    prefix: Prefix,
    maker: Maker,
    distance: u32,
    metric: u32,
    /// The number that policy or its line gave it; zero without.
    tag: u32,
    /// Others to the same prefix have a higher one.
    chosen: bool,
    /// The kernel has it.
    installed: bool,
    /// Of an address: the network that it is of has no other.
    network: bool,
    kind: RouteKind,
    hops: Vec<NextHop>,
    /// Where they are asked for (`show_attributes`).
    attributes: Option<Attributes>,
}

/// The routes of a VRF, in order.
struct Table {
    vrf: String,
    number: u32,
    routes: Vec<Route>,
}

/// A question about routes, with what it takes to answer it.
struct View {
    host: Host,
    tables: Vec<Table>,
    ipv6: bool,
}

impl View {
    async fn of(said: &Said, asking: &Asking) -> Result<Self, Trouble> {
        let number = said.value(&["<1-4294967295>"]);
        let number = number.and_then(|it| it.parse().ok());
        let number = number.filter(|_| said.has("table"));
        let vrf = said.value(&["NAME"]);
        let view = Self::of_table(vrf, number, said.has("ipv6"), asking).await?;
        match vrf {
            Some(name) if view.tables.is_empty() && !said.has("json") => Err(no_vrf(name)),
            Some(_) | None => Ok(view),
        }
    }

    async fn of_vrf(vrf: Option<&str>, ipv6: bool, asking: &Asking) -> Result<Self, Trouble> {
        Self::of_table(vrf, None, ipv6, asking).await
    }

    /// The tables of VRFs, or the one with a number.
    async fn of_table(
        vrf: Option<&str>,
        number: Option<u32>,
        ipv6: bool,
        asking: &Asking,
    ) -> Result<Self, Trouble> {
        let version = asking.version().await?;
        let host = Host::now(version.pid)?;
        let family = match ipv6 {
            true => Family::Ipv6Unicast,
            false => Family::Ipv4Unicast,
        };
        let vrfs: Vec<(String, u32)> = match vrf {
            Some("all") => {
                let default = host
                    .table_of(DEFAULT)
                    .map(|table| (DEFAULT.to_owned(), table));
                let vrfs = host.vrfs().into_iter();
                let vrfs = vrfs.map(|(link, table)| (link.name.to_string(), table));
                default.into_iter().chain(vrfs).collect()
            }
            vrf => {
                let name = vrf.unwrap_or(DEFAULT);
                let table = number.or_else(|| host.table_of(name));
                table
                    .map(|table| (name.to_owned(), table))
                    .into_iter()
                    .collect()
            }
        };
        let statics: reply::StaticRoutes = asking.ask(&Request::StaticRoutes).await?;
        let kernel = host.routes()?;
        let mut tables = Vec::new();
        for (vrf, number) in vrfs {
            let mut learned = HashMap::new();
            if let Some(router) = asking.router(Some(&vrf)).await? {
                let with_attributes = router.summary().await?.show_attributes;
                let paths = router.routes(family, None, Select::All).await?;
                for (prefix, paths) in by_prefix(paths) {
                    if let Some(path) = Learned::of(&paths, with_attributes) {
                        learned.insert(prefix, path);
                    }
                }
            }
            let own =
                |it: &&ForeignRoute| it.key.table() == number && it.key.prefix().is_ipv6() == ipv6;
            let read = |it| read(it, &host, &statics, &learned);
            let mut routes: Vec<Route> = kernel.iter().filter(own).map(read).collect();
            routes.extend(local(&host, number, ipv6));
            routes.sort_by_key(|it| (it.prefix, it.distance, it.maker));
            let mut last = None;
            for route in &mut routes {
                route.chosen = last != Some(route.prefix);
                last = Some(route.prefix);
            }
            twice(&mut routes);
            tables.push(Table {
                vrf,
                number,
                routes,
            });
        }
        Ok(Self { host, tables, ipv6 })
    }

    /// Where a next hop leads, in text.
    fn way(&self, hop: &NextHop) -> String {
        let device = self
            .host
            .device_of(hop)
            .map_or("unknown", |link| link.name.as_str());
        let onlink = if hop.onlink { " onlink" } else { "" };
        match hop.gateway {
            Some(gateway) => format!("via {gateway}, {device}{onlink}, weight {}", hop.weight),
            None => format!("is directly connected, {device}, weight {}", hop.weight),
        }
    }

    fn hop_json(&self, hop: &NextHop, route: &Route) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("flags", json!(flags(hop, route)));
        if route.chosen || route.installed {
            put("fib", json!(true));
        }
        match hop.gateway {
            Some(gateway) => {
                put("ip", json!(gateway));
                put(
                    "afi",
                    json!(if gateway.is_ipv4() { "ipv4" } else { "ipv6" }),
                );
            }
            None => put("directlyConnected", json!(true)),
        }
        if let Some(link) = self.host.device_of(hop) {
            put("interfaceIndex", json!(link.index));
            put("interfaceName", json!(link.name.as_str()));
        }
        put("active", json!(true));
        if hop.onlink {
            put("onLink", json!(true));
        }
        put("weight", json!(hop.weight));
        Value::Object(object)
    }

    fn route_json(&self, route: &Route, table: &Table) -> Value {
        let hops: Vec<Value> = match route.kind {
            RouteKind::Unicast => route
                .hops
                .iter()
                .map(|hop| self.hop_json(hop, route))
                .collect(),
            RouteKind::Blackhole => {
                vec![json!({"unreachable": true, "blackhole": true, "active": true, "fib": true})]
            }
            RouteKind::Unreachable => {
                vec![json!({"unreachable": true, "reject": true, "active": true, "fib": true})]
            }
            RouteKind::Prohibit => {
                vec![
                    json!({"unreachable": true, "adminProhibited": true, "active": true, "fib": true}),
                ]
            }
        };
        let mut object = json!({
            "prefix": route.prefix.to_string(),
            "prefixLen": route.prefix.len(),
            "protocol": route.maker.word(),
            "vrfId": super::words::vrf_id(&table.vrf),
            "vrfName": table.vrf,
            "distance": route.distance,
            "metric": route.metric,
            "table": table.number,
            "internalNextHopNum": hops.len(),
            "internalNextHopActiveNum": hops.len(),
            "nexthops": hops,
        });
        if let (Value::Object(map), true) = (&mut object, route.tag != 0) {
            map.insert("tag".to_owned(), json!(route.tag));
        }
        if let (Value::Object(map), true) = (&mut object, route.chosen) {
            for key in ["selected", "destSelected"] {
                map.insert(key.to_owned(), json!(true));
            }
        }
        if let (Value::Object(map), true) = (&mut object, route.chosen || route.installed) {
            map.insert("installed".to_owned(), json!(true));
        }
        if let (Value::Object(map), Some(it)) = (&mut object, &route.attributes) {
            map.insert("asPath".to_owned(), json!(it.as_path));
            map.insert("communities".to_owned(), json!(it.communities));
            map.insert("largeCommunities".to_owned(), json!(it.large_communities));
            map.insert("selectionReason".to_owned(), json!(it.reason));
        }
        object
    }

    fn lines(&self, route: &Route) -> String {
        let marks = match (route.chosen, route.installed) {
            (true, _) => ">*",
            (false, true) => " *",
            (false, false) => "  ",
        };
        let letter = route.maker.letter();
        let head = format!("{letter}{marks} {}", route.prefix);
        let cost = match route.maker {
            Maker::Connected | Maker::Local => String::new(),
            Maker::Kernel
            | Maker::Static
            | Maker::Bgp
            | Maker::Ospf
            | Maker::Isis
            | Maker::Rip
            | Maker::Other => format!(" [{}/{}]", route.distance, route.metric),
        };
        let ways: Vec<String> = match route.kind {
            RouteKind::Unicast => route.hops.iter().map(|hop| self.way(hop)).collect(),
            RouteKind::Blackhole => vec!["unreachable (blackhole)".to_owned()],
            RouteKind::Unreachable => vec!["unreachable (ICMP unreachable)".to_owned()],
            RouteKind::Prohibit => vec!["unreachable (ICMP admin-prohibited)".to_owned()],
        };
        let mut text = String::new();
        for (at, way) in ways.iter().enumerate() {
            match at {
                0 => text.push_str(&format!("{head}{cost} {way}\n")),
                _ => text.push_str(&format!(
                    "  *{:width$} {way}\n",
                    "",
                    width = head.len() + cost.len() - 3
                )),
            }
        }
        text
    }
}

fn no_vrf(name: &str) -> Trouble {
    Trouble::Warning(format!("% VRF {name} not found\n"))
}

/// `NEXTHOP_FLAG_ACTIVE`, `_FIB` and `_ONLINK` of FRR.
fn flags(hop: &NextHop, route: &Route) -> u32 {
    1 + u32::from(route.chosen || route.installed) * 2 + u32::from(hop.onlink) * 8
}

fn read(
    route: &ForeignRoute,
    host: &Host,
    statics: &reply::StaticRoutes,
    learned: &HashMap<String, Learned>,
) -> Route {
    let prefix = Prefix::from(route.key.prefix());
    let text = prefix.to_string();
    let ours = |it: &&reply::StaticRoute| {
        it.prefix == text
            && it.table == route.key.table()
            && u32::from(it.distance) == route.metric
    };
    let mut statics = statics.routes.iter();
    let written = statics.find(|it| ours(it) && it.state == "installed");
    let path = learned.get(&text);
    let (med, tag) = path.map_or((0, 0), |it| (it.med, it.tag));
    let near = route.next_hops.iter().all(|hop| hop.gateway.is_none());
    let maker = match route.protocol {
        _ if written.is_some() => Maker::Static,
        2 if near && on_network(host, route) => Maker::Connected,
        2..=4 | 9 | 16 => Maker::Kernel,
        // What ends a VRF's table, so that nothing goes on in the main one, is no route of BGP.
        186 if route.metric >= LAST => Maker::Kernel,
        186 => Maker::Bgp,
        187 => Maker::Isis,
        188 => Maker::Ospf,
        189 => Maker::Rip,
        196 => Maker::Static,
        _ => Maker::Other,
    };
    let (distance, metric) = match maker {
        Maker::Bgp => (route.metric, med),
        Maker::Static => (route.metric, 0),
        // FRR takes the high octet for a distance.
        Maker::Kernel => (route.metric >> 24, route.metric & 0x00ff_ffff),
        Maker::Connected | Maker::Local => (0, route.metric),
        Maker::Ospf => (110, route.metric),
        Maker::Isis => (115, route.metric),
        Maker::Rip => (120, route.metric),
        Maker::Other => (150, route.metric),
    };
    let tag = match maker == Maker::Bgp {
        true => tag,
        false => written.and_then(|it| it.tag).unwrap_or(0),
    };
    Route {
        prefix,
        maker,
        distance,
        metric,
        tag,
        chosen: false,
        installed: false,
        network: false,
        kind: route.kind,
        hops: route.next_hops.to_vec(),
        attributes: path
            .filter(|_| maker == Maker::Bgp)
            .and_then(|it| it.attributes.clone()),
    }
}

/// A metric beyond that of any route that leads somewhere.
const LAST: u32 = 1 << 24;

/// The route of a network that an address of the device is in.
fn on_network(host: &Host, route: &ForeignRoute) -> bool {
    let prefix = Prefix::from(route.key.prefix());
    let of = |hop: &NextHop| match hop.interface {
        Some(Interface::Index(index)) => {
            let mut mine = host.addresses.iter().filter(|it| it.index == index);
            mine.any(|it| Prefix::from(it.address) == prefix)
        }
        Some(Interface::Name(_)) | None => false,
    };
    route.next_hops.iter().any(of)
}

/// Addresses of this host in a table, as routes.
fn local(host: &Host, table: u32, ipv6: bool) -> Vec<Route> {
    let in_table = |index: u32| {
        let link = host.link(index);
        let vrf = link.and_then(|link| host.vrf_of(link));
        let name = vrf.map_or(DEFAULT, |vrf| vrf.name.as_str());
        link.is_some_and(|link| link.up) && host.table_of(name) == Some(table)
    };
    let listed = |ip: IpAddr| !ip.is_loopback() && !is_link_local(ip);
    let mine = host.addresses.iter();
    let mine = mine.filter(|it| it.address.is_ipv6() == ipv6 && listed(it.address.ip()));
    mine.filter(|it| in_table(it.index))
        .map(|it| Route {
            prefix: Prefix::host(it.address.ip()),
            maker: Maker::Local,
            distance: 0,
            metric: 0,
            tag: 0,
            chosen: true,
            installed: true,
            network: Prefix::from(it.address) == Prefix::host(it.address.ip()),
            kind: RouteKind::Unicast,
            attributes: None,
            hops: vec![NextHop::interface(Interface::Index(it.index))],
        })
        .collect()
}

/// An address that is all of its network is there twice in FRR's table: as the network, which is chosen,
/// and as the address.
fn twice(routes: &mut Vec<Route>) {
    let whole = |it: &Route| it.maker == Maker::Local && it.chosen && it.network;
    let mut at = 0;
    while let Some(route) = routes.get_mut(at) {
        at += 1;
        if whole(route) {
            let network = Route {
                maker: Maker::Connected,
                ..route.clone()
            };
            route.chosen = false;
            routes.insert(at, network);
            at += 1;
        }
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

pub(super) async fn route(said: &Said, asking: &Asking) -> Answered {
    let mut view = View::of(said, asking).await?;
    if let Some(text) = said.value(&["A.B.C.D", "A.B.C.D/M", "X:X::X:X", "X:X::X:X/M"]) {
        if !said.has("longer-prefixes") {
            return one(&view, said, text);
        }
        let within = text.parse::<Prefix>().ok();
        let fits = |it: &Route| within.is_some_and(|within| within.contains(it.prefix));
        view.tables.iter_mut().for_each(|it| it.routes.retain(fits));
    }
    const MAKERS: [(&str, Maker); 8] = [
        ("bgp", Maker::Bgp),
        ("connected", Maker::Connected),
        ("isis", Maker::Isis),
        ("kernel", Maker::Kernel),
        ("local", Maker::Local),
        ("ospf", Maker::Ospf),
        ("rip", Maker::Rip),
        ("static", Maker::Static),
    ];
    if said.has("tag") {
        let tag = said.value(&["<1-4294967295>"]);
        let tag = tag.and_then(|it| it.parse::<u32>().ok());
        let takes = |it: &Route| Some(it.tag) == tag;
        view.tables
            .iter_mut()
            .for_each(|it| it.routes.retain(takes));
    }
    if said.has("supernets-only") {
        let takes = |it: &Route| is_supernet(it.prefix);
        view.tables
            .iter_mut()
            .for_each(|it| it.routes.retain(takes));
    }
    let wanted = MAKERS.iter().find(|(word, _)| said.has(word));
    for table in &mut view.tables {
        table
            .routes
            .retain(|it| wanted.is_none_or(|(_, maker)| it.maker == *maker));
    }
    let every = said.value(&["NAME"]) == Some("all");
    if said.has("json") {
        let of = |table: &Table| {
            let mut object: Map<String, Value> = Map::new();
            for route in &table.routes {
                let entry = object.entry(route.prefix.to_string());
                let routes = entry.or_insert_with(|| json!([]));
                if let Value::Array(routes) = routes {
                    routes.push(view.route_json(route, table));
                }
            }
            Value::Object(object)
        };
        let tables = view
            .tables
            .iter()
            .map(|table| (table.vrf.clone(), of(table)));
        let tables: Map<String, Value> = tables.collect();
        return Ok(Answer::Json(match every {
            true => Value::Object(tables),
            false => tables
                .into_iter()
                .next()
                .map_or(json!({}), |(_, only)| only),
        }));
    }
    let mut text = String::new();
    if view.tables.iter().any(|table| !table.routes.is_empty()) {
        text.push_str(if view.ipv6 { CODES_IPV6 } else { CODES });
    }
    let version = if view.ipv6 { "IPv6" } else { "IPv4" };
    for table in view.tables.iter().filter(|table| !table.routes.is_empty()) {
        let number = match said.has("table") {
            true => format!(" table {}", table.number),
            false => String::new(),
        };
        let vrf = &table.vrf;
        text.push_str(&format!("\n{version} unicast VRF {vrf}{number}:\n"));
        for route in &table.routes {
            text.push_str(&view.lines(route));
        }
    }
    Ok(Answer::Text(text))
}

/// Whether a prefix is shorter than its class of old says.
fn is_supernet(prefix: Prefix) -> bool {
    let Prefix::V4(prefix) = prefix else {
        return false;
    };
    let [first, ..] = prefix.addr().octets();
    let class = match first {
        0..128 => 8,
        128..192 => 16,
        192.. => 24,
    };
    (1..class).contains(&prefix.len())
}

/// The route to an address or prefix.
fn one(view: &View, said: &Said, text: &str) -> Answered {
    let wanted = text.parse::<IpNetwork>().map(Prefix::from);
    let (Ok(wanted), Some(table)) = (wanted, view.tables.first()) else {
        return Ok(nothing(said));
    };
    let exact = text.contains('/');
    let fits = |it: &&Route| match exact {
        true => it.prefix == wanted,
        false => it.prefix.contains(wanted),
    };
    let longest = table
        .routes
        .iter()
        .filter(fits)
        .max_by_key(|it| it.prefix.len());
    let Some(prefix) = longest.map(|it| it.prefix) else {
        return Ok(nothing(said));
    };
    let routes: Vec<&Route> = table
        .routes
        .iter()
        .filter(|it| it.prefix == prefix)
        .collect();
    if said.has("json") {
        let all: Vec<Value> = routes.iter().map(|it| view.route_json(it, table)).collect();
        return Ok(Answer::Json(json!({prefix.to_string(): all})));
    }
    let mut text = String::new();
    for route in routes {
        let best = if route.chosen { ", best" } else { "" };
        let tag = match route.tag {
            0 => String::new(),
            tag => format!(", tag {tag}"),
        };
        text.push_str(&format!(
            "Routing entry for {prefix}\n  Known via \"{}\", distance {}, metric {}{tag}{best}\n",
            route.maker.word(),
            route.distance,
            route.metric
        ));
        match route.kind {
            RouteKind::Unicast => {
                for hop in &route.hops {
                    let device = view
                        .host
                        .device_of(hop)
                        .map_or("unknown", |link| link.name.as_str());
                    text.push_str(&match hop.gateway {
                        Some(gateway) => {
                            format!("  * {gateway}, via {device}, weight {}\n", hop.weight)
                        }
                        None => {
                            format!("  * directly connected, {device}, weight {}\n", hop.weight)
                        }
                    });
                }
            }
            RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit => {
                text.push_str(&format!("  * unreachable ({})\n", route.kind));
            }
        }
        let attributes = route.attributes.iter();
        text.extend(attributes.map(Attributes::text));
        text.push('\n');
    }
    Ok(Answer::Text(text))
}

fn nothing(said: &Said) -> Answer {
    match said.has("json") {
        true => Answer::Json(json!({"0.0.0.0/0": []})),
        false => Answer::Text(String::new()),
    }
}

pub(super) async fn route_summary(said: &Said, asking: &Asking) -> Answered {
    let view = View::of(said, asking).await?;
    let every = said.value(&["NAME"]) == Some("all");
    let (mut text, mut objects) = (String::new(), Map::new());
    for table in &view.tables {
        let mut counts: BTreeMap<Maker, (u64, u64)> = BTreeMap::new();
        for route in &table.routes {
            let (rib, fib) = counts.entry(route.maker).or_default();
            *rib += 1;
            *fib += u64::from(route.chosen || route.installed);
        }
        let total: (u64, u64) = counts
            .values()
            .fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        let rows = counts.iter().map(|(maker, (rib, fib))| {
            json!({
                "type": word_of_summary(*maker), "rib": rib, "fib": fib,
                "fibOffLoaded": 0, "fibTrapped": 0,
            })
        });
        let mut rows: Vec<Value> = rows.collect();
        if counts.contains_key(&Maker::Bgp) {
            // FRR has a row for either kind of neighbour.
            rows.push(json!({
                "type": "ibgp", "rib": 0, "fib": 0, "fibOffLoaded": 0, "fibTrapped": 0,
            }));
        }
        objects.insert(
            table.vrf.clone(),
            json!({"routes": rows, "routesTotal": total.0, "routesTotalFib": total.1}),
        );
        let routes = match said.has("prefix") {
            true => "Prefix Routes",
            false => "Routes",
        };
        text.push_str(&format!(
            "{:<20} {routes:<20} {}  (vrf {})\n",
            "Route Source", "FIB", table.vrf
        ));
        for (maker, (rib, fib)) in &counts {
            text.push_str(&format!(
                "{:<20} {rib:<20} {fib:<20} \n",
                word_of_summary(*maker)
            ));
            if *maker == Maker::Bgp {
                text.push_str(&format!("{:<20} {:<20} {:<20} \n", "ibgp", 0, 0));
            }
        }
        text.push_str(&format!(
            "------\n{:<20} {:<20} {:<20} \n\n",
            "Totals", total.0, total.1
        ));
    }
    if !said.has("json") {
        return Ok(Answer::Text(text));
    }
    Ok(Answer::Json(match every {
        true => Value::Object(objects),
        false => objects
            .into_iter()
            .next()
            .map_or(json!({}), |(_, only)| only),
    }))
}

/// BGP's routes are told apart by their neighbours in FRR; here all are eBGP's word.
fn word_of_summary(maker: Maker) -> &'static str {
    match maker == Maker::Bgp {
        true => "ebgp",
        false => maker.word(),
    }
}
