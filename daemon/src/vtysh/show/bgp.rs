//! `show bgp vrfs`: the instances; `show bgp router`: BGP as a whole.

use fib::{Link, LinkKind};
use serde_json::{Map, Value, json};

use super::words::{date, epoch};
use super::{Answer, Answered};
use crate::vtysh::ask::Asking;
use crate::vtysh::grammar::Said;
use crate::vtysh::host::{DEFAULT, Host};

/// `show bgp router`.
pub(super) async fn router(said: &Said, asking: &Asking) -> Answered {
    let started = epoch(asking.version().await?.uptime_s);
    let routers = asking.routers().await?;
    let count = routers.len();
    Ok(match said.has("json") {
        true => Answer::Json(json!({
            "bgpStartedAt": started, "bgpStartedGracefully": false,
            "bgpInMaintenanceMode": routers.iter().all(|it| it.instance.draining),
            "bgpInstanceCount": count,
        })),
        false => Answer::Text(format!(
            "BGP started at {}\nNumber of BGP instances (including default): {count}\n",
            date(started)
        )),
    })
}

pub(super) async fn vrfs(said: &Said, asking: &Asking) -> Answered {
    let host = Host::now(asking.version().await?.pid)?;
    let mut objects = Map::new();
    let mut text = format!(
        "{:>4}  {:<5}  {:<16}  {:>9}  {:>10}  {:<37}\n{:>11}  {:<16}  {:<21}  {:<6}\n",
        "Type",
        "Id",
        "routerId",
        "#PeersCfg",
        "#PeersEstb",
        "Name",
        "",
        "L3-VNI",
        "RouterMAC",
        "Interface"
    );
    let routers = asking.routers().await?;
    let l3_vnis = match routers.first() {
        Some(router) => router.vnis().await?.l3_vnis,
        None => Vec::new(),
    };
    let wanted = said.value(&["INSTANCE"]);
    let all = routers.into_iter();
    for router in all.filter(|it| wanted.is_none_or(|name| name == it.vrf)) {
        let instance = &router.instance;
        let l3 = l3_vnis.iter().find(|it| it.vrf == router.vrf);
        let vni = l3.map_or(0, |it| it.vni);
        let rmac = l3.map_or(NO_MAC, |it| it.router_mac.as_str());
        let bridge = bridge_of(&host, vni).unwrap_or("unknown");
        let kind = if router.vrf == DEFAULT { "DFLT" } else { "VRF" };
        let id = host.named(&router.vrf).map_or(0, |link| link.index);
        text.push_str(&format!(
            "{kind:>4}  {id:<5}  {:<16}  {:<9}  {:<10}  {:<37}\n{:>11}  {vni:<16}  {rmac:<21}  {bridge:<20}\n",
            instance.router_id.to_string(),
            instance.neighbors,
            instance.established,
            router.vrf,
            ""
        ));
        objects.insert(
            router.vrf.clone(),
            json!({
                "type": kind, "vrfId": id, "routerId": instance.router_id,
                "numConfiguredPeers": instance.neighbors,
                "numEstablishedPeers": instance.established,
                "l3vni": vni, "rmac": rmac, "interface": bridge,
            }),
        );
    }
    if let Some(name) = wanted {
        let Some(object) = objects.get(name) else {
            return Ok(match said.has("json") {
                true => Answer::Json(json!({})),
                false => Answer::Text("% Specified BGP instance not found\n".to_owned()),
            });
        };
        let of = |key: &str| object.get(key).map(Value::to_string).unwrap_or_default();
        let (id, peers, up) = (
            of("vrfId"),
            of("numConfiguredPeers"),
            of("numEstablishedPeers"),
        );
        let router_id = of("routerId");
        let router_id = router_id.trim_matches('"');
        text = format!(
            "BGP instance VRF {name} VRF id {id}\nRouter Id {router_id}\n\
             Num Configured Peers {peers}, Established {up}\n"
        );
        return Ok(match said.has("json") {
            true => Answer::Json(Value::Object(objects)),
            false => Answer::Text(text),
        });
    }
    let count = objects.len();
    text.push_str(&format!(
        "\nTotal number of VRFs (including default): {count}\n"
    ));
    Ok(match said.has("json") {
        true => Answer::Json(json!({"vrfs": Value::Object(objects), "totalVrfs": count})),
        false => Answer::Text(text),
    })
}

/// What FRR has for the router's MAC address of a VRF without an L3 VNI.
const NO_MAC: &str = "00:00:00:00:00:00";

/// The bridge that the VXLAN device of an L3 VNI is in.
fn bridge_of(host: &Host, vni: u32) -> Option<&str> {
    let is_it = |link: &&Link| matches!(&link.kind, LinkKind::Vxlan(vxlan) if vxlan.vni == vni);
    let device = host.links.iter().find(is_it).filter(|_| vni != 0)?;
    Some(host.link(device.master?)?.name.as_str())
}
