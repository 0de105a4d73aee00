//! `show evpn next-hops` and `show evpn rmac`: the other routers of an L3 VNI.

use std::net::IpAddr;

use ::bgp::Family;
use serde_json::{Map, Value, json};

use super::{Overlay, named};
use crate::control::{Select, reply};
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::show::{Answer, Answered};

/// `show evpn next-hops`.
pub(in crate::vtysh::show) async fn next_hops(said: &Said, asking: &Asking) -> Answered {
    let overlay = Overlay::of(asking).await?;
    if let Some(ip) = said.value(&["A.B.C.D", "X:X::X:X"]) {
        let address = ip.parse::<IpAddr>().ok();
        let hops = overlay.hops(named(said).unwrap_or(0)).into_iter();
        let hop = hops.into_iter().find(|it| Some(it.next_hop) == address);
        let found = match hop {
            Some(hop) => Some(one_hop(hop, asking).await?),
            None => None,
        };
        return Ok(one_behind(
            said,
            &overlay,
            ["next-hop not present for", "does not"],
            found,
        ));
    }
    let of = |vni: u32| {
        let hops = overlay.hops(vni);
        let mut object = Map::new();
        object.insert("numNextHops".to_owned(), json!(hops.len()));
        let mut text = format!("{:<15} {:<17}\n", "IP", "RMAC");
        for hop in hops {
            let ip = hop.next_hop.to_string();
            text.push_str(&format!("{ip:<15} {:<17}\n", hop.mac));
            object.insert(ip.clone(), json!({"nexthopIp": ip, "routerMac": hop.mac}));
        }
        (object, text)
    };
    Ok(behind(
        said,
        &overlay,
        "Number of NH Neighbors known for this VNI: ",
        "#Next-Hops",
        of,
    ))
}

/// `show evpn rmac`.
pub(in crate::vtysh::show) async fn rmac(said: &Said, asking: &Asking) -> Answered {
    let overlay = Overlay::of(asking).await?;
    if let Some(mac) = said.value(&["X:X:X:X:X:X"]) {
        let mac = mac.to_lowercase();
        let vni = named(said).unwrap_or(0);
        let found = overlay.router_macs(vni).get(&mac).map(|vtep| {
            let hops = overlay.hops(vni).into_iter().filter(|it| it.mac == mac);
            let hops: Vec<IpAddr> = hops.map(|it| it.next_hop).collect();
            let object = json!({"routerMac": mac, "vtepIp": vtep, "nexthops": hops});
            (object, format!("MAC: {mac}\n Remote VTEP: {vtep}\n"))
        });
        return Ok(one_behind(
            said,
            &overlay,
            ["RMAC doesn't exist in", "doesn't"],
            found,
        ));
    }
    let of = |vni: u32| {
        let macs = overlay.router_macs(vni);
        let mut object = Map::new();
        object.insert("numRmacs".to_owned(), json!(macs.len()));
        let mut text = format!("{:<17} {:<21}\n", "MAC", "Remote VTEP");
        for (mac, vtep) in macs {
            text.push_str(&format!("{mac:<17} {vtep:<21}\n"));
            object.insert(mac.clone(), json!({"routerMac": mac, "vtepIp": vtep}));
        }
        (object, text)
    };
    Ok(behind(
        said,
        &overlay,
        "Number of Remote RMACs known for this VNI: ",
        "#RMACs",
        of,
    ))
}

/// A router that routes of a VRF lead to, with the routes.
async fn one_hop(hop: &reply::EvpnNextHop, asking: &Asking) -> Result<(Value, String), Trouble> {
    let mut prefixes = Vec::new();
    if let Some(router) = asking.router(Some(&hop.vrf)).await? {
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            let routes = router.routes(family, None, Select::All).await?;
            let leads = |it: &&reply::Route| {
                let mut hops = it.next_hops.iter();
                it.source.as_deref() == Some("evpn")
                    && hops.any(|it| it.ip().to_canonical() == hop.next_hop.to_canonical())
            };
            prefixes.extend(routes.iter().filter(leads).map(|it| it.prefix.clone()));
        }
    }
    let (ip, count) = (hop.next_hop, prefixes.len());
    let mut text = format!(
        "Ip: {ip}\n  RMAC: {}\n  Refcount: {count}\n  Prefixes:\n",
        hop.mac
    );
    for prefix in &prefixes {
        text.push_str(&format!("    {prefix}\n"));
    }
    let object = json!({
        "ip": ip, "routerMac": hop.mac, "refCount": count, "prefixList": prefixes,
    });
    Ok((object, text))
}

/// One thing behind an L3 VNI; `missing` is how FRR says that it, or the VNI, is not there.
fn one_behind(
    said: &Said,
    overlay: &Overlay,
    [missing, no_vni]: [&str; 2],
    found: Option<(Value, String)>,
) -> Answer {
    let vni = named(said).unwrap_or(0);
    let known = overlay.l3.contains_key(&vni);
    match (found, said.has("json")) {
        (Some((object, _)), true) => Answer::Json(object),
        (Some((_, text)), false) => Answer::Text(text),
        (None, true) => Answer::Json(json!({})),
        (None, false) if known => Answer::Text(format!("% Requested {missing} L3-VNI {vni}\n")),
        (None, false) => Answer::Text(format!("% L3-VNI {vni} {no_vni} exist\n")),
    }
}

/// What is behind one L3 VNI, or all that have something.
fn behind(
    said: &Said,
    overlay: &Overlay,
    heading: &str,
    count: &str,
    of: impl Fn(u32) -> (Map<String, Value>, String),
) -> Answer {
    if let Some(vni) = named(said) {
        if !overlay.l3.contains_key(&vni) {
            return match said.has("json") {
                true => Answer::Json(json!({})),
                false => Answer::Text(format!("% L3-VNI {vni} does not exist\n")),
            };
        }
        let (object, text) = of(vni);
        return match said.has("json") {
            true => Answer::Json(Value::Object(object)),
            false => Answer::Text(format!(
                "{heading}{}\n{text}",
                object.len().saturating_sub(1)
            )),
        };
    }
    let (mut all, mut whole) = (Map::new(), String::new());
    for vni in overlay.l3.keys() {
        let (object, text) = of(*vni);
        let number = object.len().saturating_sub(1);
        if number == 0 {
            continue;
        }
        whole.push_str(&format!("\nVNI {vni} {count} {number}\n\n{text}"));
        all.insert(vni.to_string(), Value::Object(object));
    }
    match said.has("json") {
        true => Answer::Json(Value::Object(all)),
        false => Answer::Text(whole),
    }
}
