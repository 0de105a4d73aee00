//! `show bgp l2vpn evpn vni`: VNIs with their route targets, as FRR's bgpd tells them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Overlay, named};
use crate::control::reply;
use crate::vtysh::ask::Asking;
use crate::vtysh::grammar::Said;
use crate::vtysh::show::{Answer, Answered};

/// `show bgp l2vpn evpn vni`.
pub(in crate::vtysh::show) async fn bgp_vni(said: &Said, asking: &Asking) -> Answered {
    let overlay = Overlay::of(asking).await?;
    if let Some(number) = named(said) {
        let l2 = overlay.vnis.iter().find(|it| it.vni == number);
        let l3 = overlay.tenants.iter().find(|it| it.vni == number);
        let keys = ["importRts", "exportRts"];
        return Ok(match (l2, l3, said.has("json")) {
            (Some(vni), _, true) => Answer::Json(Value::Object(bgp_json(vni, keys, true))),
            (Some(vni), _, false) => Answer::Text(bgp_text(vni, &overlay.tenant(vni))),
            (None, Some(vni), true) => {
                Answer::Json(Value::Object(overlay.l3_json(vni, keys, "sysMac")))
            }
            (None, Some(vni), false) => Answer::Text(overlay.l3_text(vni)),
            (None, None, true) => Answer::Json(json!({})),
            (None, None, false) => Answer::Text("VNI not found\n".to_owned()),
        });
    }
    let (l2, l3) = (overlay.vnis.len(), overlay.tenants.len());
    let [gateway, svi] = overlay.advertise();
    if said.has("json") {
        let head = json!({
            "advertiseGatewayMacip": enabled(gateway),
            "advertiseSviMacIp": enabled(svi),
            "advertiseAllVnis": "Enabled",
            "flooding": "Head-end replication",
            "vxlanFlooding": "Enabled",
            "numVnis": l2 + l3,
            "numL2Vnis": l2,
            "numL3Vnis": l3,
        });
        let keys = ["importRTs", "exportRTs"];
        let vnis = overlay.vnis.iter();
        let vnis = vnis.map(|vni| (vni.vni, bgp_json(vni, keys, false)));
        let tenants = overlay.tenants.iter();
        let tenants = tenants.map(|vni| (vni.vni, overlay.l3_json(vni, keys, "sysMAC")));
        let all = vnis.chain(tenants);
        let all = all.map(|(vni, object)| (vni.to_string(), Value::Object(object)));
        let mut object: Map<String, Value> = all.collect();
        if let Value::Object(head) = head {
            object.extend(head);
        }
        return Ok(Answer::Json(Value::Object(object)));
    }
    let mut text = format!(
        "Advertise Gateway Macip: {}\nAdvertise SVI Macip: {}\n\
         Advertise All VNI flag: Enabled\nBUM flooding: Head-end replication\n\
         VXLAN flooding: Enabled\nNumber of L2 VNIs: {l2}\nNumber of L3 VNIs: {l3}\n\
         Flags: * - Kernel\n  {:<10} {:<4} {:<21} {:<25} {:<25} {:<25} {:<37}\n",
        enabled(gateway),
        enabled(svi),
        "VNI",
        "Type",
        "RD",
        "Import RT",
        "Export RT",
        "MAC-VRF Site-of-Origin",
        "Tenant VRF"
    );
    let mut line = |vni: u32,
                    kind: &str,
                    rd: &Option<String>,
                    [import, export]: [&[String]; 2],
                    vrf: &str| {
        let rd = rd.as_deref().unwrap_or("none");
        let (import, export) = (first_target(import), first_target(export));
        text.push_str(&format!(
            "* {vni:<10} {kind:<4} {rd:<21} {import:<25} {export:<25} {:<25} {vrf:<37}\n",
            ""
        ));
    };
    for vni in &overlay.vnis {
        let targets: [&[String]; 2] = [&vni.import_targets, &vni.export_targets];
        line(vni.vni, "L2", &vni.rd, targets, &overlay.tenant(vni));
    }
    for vni in &overlay.tenants {
        let targets: [&[String]; 2] = [&vni.import_targets, &vni.export_targets];
        line(vni.vni, "L3", &vni.rd, targets, &vni.vrf);
    }
    Ok(Answer::Text(text))
}

/// `show bgp l2vpn evpn import-rt` and `vrf-import-rt`: who takes each route target in.
pub(in crate::vtysh::show) async fn import_targets(said: &Said, asking: &Asking) -> Answered {
    let overlay = Overlay::of(asking).await?;
    let mut takers: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let (words, key) = match said.has("vrf-import-rt") {
        true => ("VRFs", "vrfs"),
        false => ("VNIs", "vnis"),
    };
    if said.has("vrf-import-rt") {
        for vrf in &overlay.tenants {
            for target in targets(&vrf.import_targets) {
                takers.entry(target).or_default().push(json!(vrf.vrf));
            }
        }
    } else {
        for vni in &overlay.vnis {
            for target in targets(&vni.import_targets) {
                takers.entry(target).or_default().push(json!(vni.vni));
            }
        }
    }
    let (mut text, mut objects) = (String::new(), Map::new());
    for (target, takers) in takers {
        text.push_str(&format!(
            "Route-target: {target}\nList of {words} importing routes with this route-target:\n"
        ));
        for taker in &takers {
            let taker = taker.to_string();
            text.push_str(&format!("  {}\n", taker.trim_matches('"')));
        }
        objects.insert(target.to_owned(), json!({"rt": target, key: takers}));
    }
    Ok(match said.has("json") {
        true => Answer::Json(Value::Object(objects)),
        false => Answer::Text(text),
    })
}

fn enabled(on: bool) -> &'static str {
    if on { "Enabled" } else { "Disabled" }
}

/// As lists have them: the first, and whether there are more.
fn first_target(list: &[String]) -> String {
    match targets(list).as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, ..] => format!("{first}, ..."),
    }
}

fn targets(list: &[String]) -> Vec<&str> {
    list.iter()
        .map(|it| it.strip_prefix("RT:").unwrap_or(it))
        .collect()
}

fn bgp_json(vni: &reply::Vni, [import, export]: [&str; 2], alone: bool) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put("vni", json!(vni.vni));
    put("type", json!("L2"));
    put(
        "inKernel",
        json!(if vni.vxlan.is_some() { "True" } else { "False" }),
    );
    put("rd", json!(vni.rd.as_deref().unwrap_or("none")));
    if let Some(vtep) = vni.vtep {
        put("originatorIp", json!(vtep));
    }
    put("mcastGroup", json!("0.0.0.0"));
    put("siteOfOrigin", json!(""));
    put(
        "advertiseGatewayMacip",
        json!(enabled(vni.advertise_gateway)),
    );
    put("advertiseSviMacIp", json!(enabled(vni.advertise_svi)));
    if let Some(bridge) = vni.bridge.as_ref().filter(|_| alone) {
        put("sviInterface", json!(bridge));
    }
    put(import, json!(targets(&vni.import_targets)));
    put(export, json!(targets(&vni.export_targets)));
    object
}

fn bgp_text(vni: &reply::Vni, tenant: &str) -> String {
    let lines = |list: &[String]| -> String {
        targets(list)
            .iter()
            .map(|it| format!("    {it}\n"))
            .collect()
    };
    let mut text = format!(
        "VNI: {} (known to the kernel)\n  Type: L2\n  Tenant-Vrf: {tenant}\n",
        vni.vni
    );
    text.push_str(&format!("  RD: {}\n", vni.rd.as_deref().unwrap_or("none")));
    if let Some(vtep) = vni.vtep {
        text.push_str(&format!("  Originator IP: {vtep}\n"));
    }
    text.push_str("  Mcast group: 0.0.0.0\n  MAC-VRF Site-of-Origin: \n");
    text.push_str(&format!(
        "  Advertise-gw-macip : {}\n  Advertise-svi-macip : {}\n",
        enabled(vni.advertise_gateway),
        enabled(vni.advertise_svi)
    ));
    if let Some(bridge) = &vni.bridge {
        text.push_str(&format!("  SVI interface : {bridge}\n"));
    }
    text.push_str(&format!(
        "  Import Route Target:\n{}  Export Route Target:\n{}",
        lines(&vni.import_targets),
        lines(&vni.export_targets)
    ));
    text
}

impl Overlay {
    fn has_device(&self, vni: &reply::L3Vni) -> bool {
        (self.l3.get(&vni.vni)).is_some_and(|it| it.device.is_some())
    }

    /// An L3 VNI as bgpd tells it. This router's own addresses are the only ones it has, which is what FRR
    /// calls `advertise-pip`. The key of the MAC address is spelled in two ways.
    fn l3_json(
        &self,
        vni: &reply::L3Vni,
        [import, export]: [&str; 2],
        system_mac: &str,
    ) -> Map<String, Value> {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("vni", json!(vni.vni));
        put("type", json!("L3"));
        let known = if self.has_device(vni) {
            "True"
        } else {
            "False"
        };
        put("inKernel", json!(known));
        put("rd", json!(vni.rd.as_deref().unwrap_or("none")));
        if let Some(vtep) = vni.vtep {
            put("originatorIp", json!(vtep));
        }
        put("siteOfOrigin", json!(""));
        // Of hosts, which an L3 VNI has none of.
        put("advertiseGatewayMacip", json!("n/a"));
        put("advertiseSviMacIp", json!("n/a"));
        put("advertisePip", json!("Enabled"));
        if let Some(vtep) = vni.vtep {
            put("sysIP", json!(vtep));
        }
        put(system_mac, json!(vni.router_mac));
        put("rmac", json!(vni.router_mac));
        put(import, json!(targets(&vni.import_targets)));
        put(export, json!(targets(&vni.export_targets)));
        object
    }

    fn l3_text(&self, vni: &reply::L3Vni) -> String {
        let lines = |list: &[String]| -> String {
            let lines = targets(list).into_iter().map(|it| format!("    {it}\n"));
            lines.collect()
        };
        let vtep = vni.vtep.map_or("none".to_owned(), |it| it.to_string());
        let mac = &vni.router_mac;
        let known = if self.has_device(vni) {
            " (known to the kernel)"
        } else {
            ""
        };
        format!(
            "VNI: {}{known}\n  Type: L3\n  Tenant VRF: {}\n  RD: {}\n  Originator IP: {vtep}\n  \
             MAC-VRF Site-of-Origin: \n  Advertise-gw-macip : n/a\n  Advertise-svi-macip : n/a\n  \
             Advertise-pip: Yes\n  System-IP: {vtep}\n  System-MAC: {mac}\n  Router-MAC: {mac}\n  \
             Import Route Target:\n{}  Export Route Target:\n{}",
            vni.vni,
            vni.vrf,
            vni.rd.as_deref().unwrap_or("none"),
            lines(&vni.import_targets),
            lines(&vni.export_targets)
        )
    }
}
