//! Next hops and where packets to them go: as FRR's zebra tells it (`show ip nht`), and as its bgpd does (`show
//! bgp nexthop`).

use std::collections::BTreeMap;
use std::net::IpAddr;

use bgp::{Family, Prefix};
use serde_json::{Map, Value, json};

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
}

pub(in crate::vtysh::show) async fn next_hops(said: &Said, asking: &Asking) -> Answered {
    let view = View::of(said, asking).await?;
    let (mut text, mut objects) = (String::new(), Map::new());
    for table in &view.tables {
        let mut hops = Map::new();
        text.push_str(&format!("VRF {}:\n Resolve via default: off\n", table.vrf));
        for ip in view.wanted(table, asking).await?.into_keys() {
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

/// `show bgp nexthop`: both IP versions in one answer.
pub(in crate::vtysh::show) async fn bgp_next_hops(said: &Said, asking: &Asking) -> Answered {
    let vrf = said.value(&["NAME"]);
    let (mut text, mut objects) = (String::new(), BTreeMap::<String, Map<String, Value>>::new());
    for ipv6 in [false, true] {
        let view = View::of_vrf(vrf, ipv6, asking).await?;
        for table in &view.tables {
            if asking.router(Some(&table.vrf)).await?.is_none() {
                continue;
            }
            if !ipv6 {
                if vrf == Some("all") {
                    text.push_str(&format!("Instance {}:\n", table.vrf));
                }
                text.push_str("Current BGP nexthop cache:\n");
            }
            let mut hops = Map::new();
            for (ip, wanted) in view.wanted(table, asking).await? {
                let best = table.way_to(ip);
                hops.insert(ip.to_string(), view.cached(ip, &wanted, best));
                text.push_str(&view.cached_text(ip, &wanted, best));
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

    /// Next hops of what was learned, and neighbours.
    async fn wanted(
        &self,
        table: &Table,
        asking: &Asking,
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
        let learned = routes.iter().filter(|it| it.neighbor.is_some());
        for hop in learned.flat_map(|it| &it.next_hops) {
            wanted.entry(hop.ip()).or_default().paths += 1;
        }
        // Tunnels end behind next hops, too.
        if table.vrf == DEFAULT {
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
