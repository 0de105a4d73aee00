//! Next hops and where packets to them go: as FRR's zebra tells it (`show ip nht`), and as its bgpd does (`show
//! bgp nexthop`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp::{Family, Prefix};
use serde_json::{Map, Value, json};

use super::super::routes::{Key, is_listed};
use super::{Maker, Route, Table, View};
use crate::control::{Request, Select, reply};
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::host::DEFAULT;
use crate::vtysh::show::{Answer, Answered};

/// What is known of a next hop beside the way to it.
#[derive(Debug, Default)]
struct Wanted {
    /// It is a neighbour.
    neighbor: bool,
    /// Paths that lead there.
    paths: usize,
    /// Their routes, where they are asked for.
    routes: Vec<(Family, String)>,
}

pub(in crate::vtysh::show) async fn next_hops(said: &Said, asking: &Asking) -> Answered {
    let view = View::of(said, asking).await?;
    let one = named(said);
    let (mut text, mut objects) = (String::new(), Map::new());
    for table in &view.tables {
        let mut hops = Map::new();
        if said.value(&["NAME"]) == Some("all") {
            text.push('\n');
        }
        text.push_str(&format!("VRF {}:\n Resolve via default: off\n", table.vrf));
        let all = view.wanted(table, asking, false).await?.into_keys();
        for ip in all.filter(|ip| one.is_none_or(|one| one == *ip)) {
            let best = table.way_to(ip);
            hops.insert(ip.to_string(), view.tracked(best, &table.vrf));
            text.push_str(&view.tracked_text(ip, best, &table.vrf));
        }
        hops.insert("resolveViaDefault".to_owned(), json!(false));
        objects.insert(table.vrf.clone(), json!({view.key(): hops}));
    }
    Ok(match said.has("json") {
        true => Answer::Json(Value::Object(objects)),
        false => Answer::Text(text),
    })
}

/// The next hop that a line names.
fn named(said: &Said) -> Option<IpAddr> {
    let text = said.value(&["A.B.C.D", "X:X::X:X"])?;
    text.parse().ok()
}

/// `show bgp nexthop`: both IP versions in one answer.
pub(in crate::vtysh::show) async fn bgp_next_hops(said: &Said, asking: &Asking) -> Answered {
    let (vrf, one) = (said.value(&["NAME"]), named(said));
    // FRR tells the routes of a next hop that is asked for, too.
    let detailed = one.is_some() || said.has("detail");
    let (mut text, mut objects) = (String::new(), BTreeMap::<String, Map<String, Value>>::new());
    let versions = [(false, "ipv4"), (true, "ipv6")].into_iter();
    let either = !said.has("ipv4") && !said.has("ipv6");
    let versions = versions.filter(|(ipv6, word)| match one {
        Some(one) => one.is_ipv6() == *ipv6,
        None => either || said.has(word),
    });
    let mut headed = false;
    for (ipv6, _) in versions {
        let view = View::of_vrf(vrf, ipv6, asking).await?;
        for table in &view.tables {
            if asking.router(Some(&table.vrf)).await?.is_none() {
                continue;
            }
            if !headed || vrf == Some("all") && !ipv6 {
                if vrf == Some("all") {
                    text.push_str(&format!("Instance {}:\n", table.vrf));
                }
                if one.is_none() {
                    text.push_str("Current BGP nexthop cache:\n");
                }
            }
            headed = true;
            let mut hops = Map::new();
            let all = view.wanted(table, asking, detailed).await?.into_iter();
            for (ip, wanted) in all.filter(|(ip, _)| one.is_none_or(|one| one == *ip)) {
                let best = table.way_to(ip);
                let mut hop = view.cached(ip, &wanted, best);
                text.push_str(&view.cached_text(ip, &wanted, best));
                if detailed {
                    wanted.tell(&table.vrf, &mut hop, &mut text);
                }
                hops.insert(ip.to_string(), hop);
            }
            let object = objects.entry(table.vrf.clone()).or_default();
            object.insert(view.key().to_owned(), Value::Object(hops));
        }
    }
    let every = vrf == Some("all");
    Ok(match (said.has("json"), every) {
        (false, _) => Answer::Text(text),
        (true, true) => Answer::Json(json!(objects)),
        (true, false) => Answer::Json(json!(objects.into_values().next().unwrap_or_default())),
    })
}

impl Wanted {
    /// The routes that lead there, in FRR's words.
    fn tell(&self, vrf: &str, hop: &mut Value, text: &mut String) {
        let mut rows = Vec::new();
        if !self.routes.is_empty() {
            text.push_str("  Paths:\n");
        }
        for (family, route) in &self.routes {
            let (numbers, afi, safi) = match family {
                Family::Ipv4Unicast => ("1/1", "IPv4", "unicast"),
                Family::Ipv6Unicast => ("2/1", "IPv6", "unicast"),
                Family::Evpn => ("3/5", "L2VPN", "EVPN"),
            };
            let mut row = json!({"afi": afi, "safi": safi, "prefix": route, "vrf": vrf});
            let mut line = route.clone();
            if *family == Family::Evpn {
                let key = Key::of(route);
                line = format!("{} RD {}", key.name(), key.rd);
                if let Value::Object(row) = &mut row {
                    row.insert("prefix".to_owned(), json!(key.name()));
                    row.insert("rd".to_owned(), json!(key.rd));
                }
            }
            text.push_str(&format!("    {numbers} {line} VRF {vrf}\n"));
            rows.push(row);
        }
        if let Value::Object(hop) = hop {
            hop.insert("paths".to_owned(), Value::Array(rows));
        }
    }
}

impl Table {
    /// The longest match. A next hop that only the default route reaches is not known to be there.
    fn way_to(&self, ip: IpAddr) -> Option<&Route> {
        let host = Prefix::host(ip);
        let leads = self.routes.iter();
        let leads = leads.filter(|it| it.maker != Maker::Local && it.prefix.contains(host));
        leads
            .filter(|it| it.prefix.len() > 0)
            .max_by_key(|it| it.prefix.len())
    }
}

impl View {
    fn key(&self) -> &'static str {
        if self.ipv6 { "ipv6" } else { "ipv4" }
    }

    /// Next hops of what was learned, and neighbours; `detailed` with the routes.
    async fn wanted(
        &self,
        table: &Table,
        asking: &Asking,
        detailed: bool,
    ) -> Result<BTreeMap<IpAddr, Wanted>, Trouble> {
        let family = match self.ipv6 {
            true => Family::Ipv6Unicast,
            false => Family::Ipv4Unicast,
        };
        let mut wanted: BTreeMap<IpAddr, Wanted> = BTreeMap::new();
        let Some(router) = asking.router(Some(&table.vrf)).await? else {
            return Ok(wanted);
        };
        let routes = router.routes(family, None, Select::All).await?;
        let overlay = match detailed && table.vrf == DEFAULT {
            true => router.routes(Family::Evpn, None, Select::All).await?,
            false => Vec::new(),
        };
        let all = routes.iter().map(|it| (family, it));
        let all = all.chain(overlay.iter().map(|it| (Family::Evpn, it)));
        for (family, route) in all.filter(|(_, it)| it.neighbor.is_some() && is_listed(it)) {
            for hop in &route.next_hops {
                let wanted = wanted.entry(hop.ip()).or_default();
                wanted.paths += 1;
                if detailed {
                    wanted.routes.push((family, route.prefix.clone()));
                }
            }
        }
        // Tunnels end behind next hops, too.
        if table.vrf == DEFAULT && !detailed {
            let tunnels: reply::EvpnVteps = router.ask(&Request::EvpnVteps).await?;
            for tunnel in tunnels.vteps {
                let paths = usize::try_from(tunnel.routes).unwrap_or(usize::MAX);
                wanted.entry(tunnel.vtep).or_default().paths += paths;
            }
        }
        for neighbor in router.summary().await?.neighbors {
            let ip = neighbor.address.ip();
            wanted.entry(ip).or_default().neighbor = true;
        }
        wanted.retain(|ip, _| ip.is_ipv6() == self.ipv6);
        Ok(wanted)
    }

    fn tracked(&self, route: Option<&Route>, vrf: &str) -> Value {
        let clients = json!([{"protocol": "bgp", "protocolFiltered": "none"}]);
        let Some(route) = route else {
            return json!({"nhtConnected": false, "clientList": clients, "unresolved": true});
        };
        let hops = route.hops.iter().map(|hop| {
            let mut object = self.hop_json(hop, route);
            if let Value::Object(map) = &mut object {
                map.insert("vrf".to_owned(), json!(vrf));
            }
            object
        });
        let hops: Vec<Value> = hops.collect();
        json!({
            "nhtConnected": route.maker == Maker::Connected,
            "clientList": clients,
            "resolvedProtocol": route.maker.word(),
            "prefix": route.prefix.to_string(),
            "nexthops": hops,
        })
    }

    fn tracked_text(&self, ip: IpAddr, route: Option<&Route>, vrf: &str) -> String {
        let Some(route) = route else {
            return format!("{ip}\n unresolved\n Client list: bgp\n");
        };
        let near = match route.maker {
            Maker::Connected => "(Connected)",
            Maker::Kernel
            | Maker::Local
            | Maker::Static
            | Maker::Bgp
            | Maker::Ospf
            | Maker::Isis
            | Maker::Rip
            | Maker::Other => "",
        };
        let mut text = format!(
            "{ip}{near}\n resolved via {}, prefix {}\n",
            route.maker.word(),
            route.prefix
        );
        for hop in &route.hops {
            let way = self.way(hop);
            // The VRF stands behind the device.
            text.push_str(&match way.split_once(", weight ") {
                Some((way, weight)) => format!(" {way} (vrf {vrf}), weight {weight}\n"),
                None => format!(" {way} (vrf {vrf})\n"),
            });
        }
        text.push_str(" Client list: bgp\n");
        text
    }

    /// As bgpd tells it.
    fn cached(&self, ip: IpAddr, wanted: &Wanted, route: Option<&Route>) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("valid", json!(route.is_some()));
        put("complete", json!(true));
        put("igpMetric", json!(route.map_or(0, |it| it.metric)));
        put("pathCount", json!(wanted.paths));
        if wanted.neighbor {
            put("peer", json!(ip));
        }
        let Some(route) = route else {
            return Value::Object(object);
        };
        put("resolvedPrefix", json!(route.prefix.to_string()));
        let hops = route.hops.iter().map(|hop| {
            let mut object = Map::new();
            // One on the link is its own gateway.
            object.insert("ip".to_owned(), json!(hop.gateway.unwrap_or(ip)));
            if let Some(link) = self.host.device_of(hop) {
                object.insert("ifindex".to_owned(), json!(link.index));
                object.insert("interfaceName".to_owned(), json!(link.name.as_str()));
            }
            Value::Object(object)
        });
        put("nexthops", Value::Array(hops.collect()));
        Value::Object(object)
    }

    fn cached_text(&self, ip: IpAddr, wanted: &Wanted, route: Option<&Route>) -> String {
        let peer = if wanted.neighbor {
            format!(", peer {ip}")
        } else {
            String::new()
        };
        let paths = wanted.paths;
        let Some(route) = route else {
            return format!(" {ip} invalid, #paths {paths}{peer}\n");
        };
        let (metric, prefix) = (route.metric, route.prefix);
        let mut text = format!(
            " {ip} valid [IGP metric {metric}], #paths {paths}{peer}\n  Resolved prefix {prefix}\n"
        );
        for hop in &route.hops {
            let device = self.host.device_of(hop);
            let device = device.map_or("unknown".to_owned(), |link| {
                format!("{}, ifindex {}", link.name, link.index)
            });
            text.push_str(&match hop.gateway {
                Some(gateway) => format!("  gate {gateway}, if {device}\n"),
                None => format!("  if {device}\n"),
            });
        }
        text
    }
}
