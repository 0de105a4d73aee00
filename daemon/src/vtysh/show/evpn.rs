//! `show evpn` and `show bgp l2vpn evpn vni`: overlay networks, and what is behind them.
//!
//! An L2 VNI is one of rbgpd's; an L3 VNI is one of its VRFs', or another that is known by its VXLAN device,
//! which is in a VRF and belongs to none of them. What FRR's bgpd says of both is in [`mod@bgp`], what
//! stands in an L2 VNI in [`stations`], and the routers behind an L3 VNI in [`routers`].

mod bgp;
mod routers;
mod stations;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use fib::{Link, LinkKind};
use serde_json::{Map, Value, json};

use super::{Answer, Answered};
use crate::control::Request;
use crate::control::reply;
use crate::vtysh::ask::{Asking, Router, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::host::{DEFAULT, Host};

pub(super) use self::bgp::{bgp_vni, import_targets};
pub(super) use self::routers::{next_hops, rmac};
pub(super) use self::stations::{arp, mac};

/// The VNI that a line names.
fn named(said: &Said) -> Option<u32> {
    said.value(&["<1-16777215>"])
        .and_then(|text| text.parse().ok())
}

/// The overlay as a whole.
struct Overlay {
    router: Router,
    host: Host,
    vnis: Vec<reply::Vni>,
    tenants: Vec<reply::L3Vni>,
    routers: Vec<reply::EvpnNextHop>,
    l3: BTreeMap<u32, L3>,
}

/// An L3 VNI.
#[derive(Debug, Clone)]
struct L3 {
    vrf: String,
    device: Option<String>,
    bridge: Option<Link>,
    local: Option<IpAddr>,
}

impl L3 {
    /// Packets are routed in it while its bridge is up.
    fn state(&self) -> &'static str {
        let up = self.bridge.as_ref().is_some_and(|link| link.up);
        if up { "Up" } else { "Down" }
    }

    /// The MAC address that others send to.
    fn router_mac(&self) -> String {
        let mac = self.bridge.as_ref().and_then(|link| link.address);
        mac.map_or("00:00:00:00:00:00".to_owned(), |mac| mac.to_string())
    }
}

impl Overlay {
    async fn of(asking: &Asking) -> Result<Self, Trouble> {
        let host = Host::now(asking.version().await?.pid)?;
        let Some(router) = asking.router(None).await? else {
            return Err(Trouble::Warning("% BGP instance not found\n".to_owned()));
        };
        let reply::EvpnVni {
            vnis,
            l3_vnis: tenants,
        } = router.vnis().await?;
        let routers = router.next_hops().await?;
        let mut l3 = BTreeMap::new();
        for link in &host.links {
            let LinkKind::Vxlan(vxlan) = &link.kind else {
                continue;
            };
            let bridge = link.master.and_then(|index| host.link(index));
            let (Some(bridge), Some(vrf)) = (bridge, host.vrf_of(link)) else {
                continue;
            };
            if vnis.iter().any(|it| it.vni == vxlan.vni) || vxlan.external {
                continue;
            }
            let entry = L3 {
                vrf: vrf.name.to_string(),
                device: Some(link.name.to_string()),
                bridge: Some(bridge.clone()),
                local: vxlan.local,
            };
            l3.insert(vxlan.vni, entry);
        }
        // Those whose devices are not there.
        for tenant in &tenants {
            l3.entry(tenant.vni).or_insert_with(|| L3 {
                vrf: tenant.vrf.clone(),
                device: None,
                bridge: None,
                local: tenant.vtep,
            });
        }
        Ok(Self {
            router,
            host,
            vnis,
            tenants,
            routers,
            l3,
        })
    }

    /// The VRF that the bridge of a VNI is in.
    fn tenant(&self, vni: &reply::Vni) -> String {
        let vxlan = vni.vxlan.as_deref().and_then(|name| self.host.named(name));
        let vrf = vxlan.and_then(|link| self.host.vrf_of(link));
        vrf.map_or(DEFAULT.to_owned(), |vrf| vrf.name.to_string())
    }

    fn hops(&self, vni: u32) -> Vec<&reply::EvpnNextHop> {
        self.routers
            .iter()
            .filter(|hop| hop.l3_vni == vni)
            .collect()
    }

    /// MAC addresses of the routers of an L3 VNI, with their tunnel endpoints.
    fn router_macs(&self, vni: u32) -> BTreeMap<String, IpAddr> {
        self.hops(vni)
            .iter()
            .map(|hop| (hop.mac.clone(), hop.vtep))
            .collect()
    }

    /// The gateway's addresses, and those of this router alone, are told in all VNIs.
    fn advertise(&self) -> [bool; 2] {
        let all = |on: fn(&reply::Vni) -> bool| !self.vnis.is_empty() && self.vnis.iter().all(on);
        [
            all(|vni| vni.advertise_gateway),
            all(|vni| vni.advertise_svi),
        ]
    }

    async fn arps(&self) -> Result<BTreeMap<u32, u64>, Trouble> {
        let mut counts = BTreeMap::new();
        for neighbor in self.router.evpn_neighbors(None).await? {
            *counts.entry(neighbor.vni).or_default() += 1;
        }
        Ok(counts)
    }
}

fn yes(on: bool) -> &'static str {
    if on { "Yes" } else { "No" }
}

/// `show evpn`.
pub(super) async fn numbers(said: &Said, asking: &Asking) -> Answered {
    let overlay = Overlay::of(asking).await?;
    let (l2, l3) = (overlay.vnis.len(), overlay.l3.len());
    let found: reply::EvpnDuplicates = (overlay.router)
        .ask(&Request::EvpnDuplicates { vni: None })
        .await?;
    let detection = found.detection;
    let [gateway, svi] = overlay.advertise().map(yes);
    if said.has("json") {
        let mut object = json!({
            "advertiseGatewayMacip": gateway,
            "advertiseSviMacip": svi,
            "advertiseSviMac": svi,
            "numVnis": l2 + l3,
            "numL2Vnis": l2,
            "numL3Vnis": l3,
            "isDuplicateAddrDetection": detection.is_some(),
        });
        if let (Value::Object(map), Some(it)) = (&mut object, detection) {
            map.insert("maxMoves".to_owned(), json!(it.moves));
            map.insert("detectionTime".to_owned(), json!(it.window_s));
            map.insert("isDetectionFreeze".to_owned(), json!(it.freeze));
            let time = it.freeze_s.unwrap_or(0);
            map.insert("detectionFreezeTime".to_owned(), json!(time));
        }
        return Ok(Answer::Json(object));
    }
    let mut text = format!(
        "L2 VNIs: {l2}\nL3 VNIs: {l3}\nAdvertise gateway mac-ip: {gateway}\nAdvertise svi mac-ip: {svi}\n\
         Advertise svi mac: {svi}\nDuplicate address detection: {}\n",
        if detection.is_some() {
            "Enable"
        } else {
            "Disable"
        }
    );
    if let Some(it) = detection {
        text.push_str(&format!(
            "  Detection max-moves {}, time {}\n",
            it.moves, it.window_s
        ));
        let freeze = it
            .freeze_s
            .map_or("permanent".to_owned(), |it| it.to_string());
        if it.freeze {
            text.push_str(&format!("  Detection freeze {freeze}\n"));
        }
    }
    Ok(Answer::Text(text))
}

/// `show evpn vni`.
pub(super) async fn vni(said: &Said, asking: &Asking) -> Answered {
    let overlay = Overlay::of(asking).await?;
    let arps = overlay.arps().await?;
    if let Some(number) = named(said) {
        return one(&overlay, number, &arps, said);
    }
    if said.has("detail") {
        return every(&overlay, &arps, said);
    }
    let mut objects = Map::new();
    let mut text = format!(
        "{:<10} {:<4} {:<21} {:<8} {:<8} {:<15} {:<37}\n",
        "VNI", "Type", "VxLAN IF", "# MACs", "# ARPs", "# Remote VTEPs", "Tenant VRF"
    );
    let l2 = overlay.vnis.iter().map(|vni| Row::l2(&overlay, vni, &arps));
    let l3 = overlay
        .l3
        .iter()
        .map(|(vni, l3)| Row::l3(&overlay, *vni, l3));
    for row in l2.chain(l3) {
        let sites = row
            .sites
            .map_or("n/a".to_owned(), |sites| sites.len().to_string());
        text.push_str(&format!(
            "{:<10} {:<4} {:<21} {:<8} {:<8} {sites:<15} {:<37}\n",
            row.vni, row.kind, row.device, row.macs, row.arps, row.vrf
        ));
        objects.insert(row.vni.to_string(), row.json());
    }
    Ok(match said.has("json") {
        true => Answer::Json(Value::Object(objects)),
        false => Answer::Text(text),
    })
}

/// A line of `show evpn vni`.
struct Row<'a> {
    vni: u32,
    kind: &'static str,
    device: &'a str,
    macs: u64,
    arps: u64,
    /// FRR has none for an L3 VNI.
    sites: Option<&'a [IpAddr]>,
    vrf: String,
}

impl<'a> Row<'a> {
    fn l2(overlay: &Overlay, vni: &'a reply::Vni, arps: &BTreeMap<u32, u64>) -> Self {
        Self {
            vni: vni.vni,
            kind: "L2",
            device: vni.vxlan.as_deref().unwrap_or_default(),
            macs: vni.local_macs + vni.remote_macs,
            arps: arps.get(&vni.vni).copied().unwrap_or(0),
            sites: Some(&vni.remote_vteps),
            vrf: overlay.tenant(vni),
        }
    }

    fn l3(overlay: &Overlay, vni: u32, l3: &'a L3) -> Self {
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Self {
            vni,
            kind: "L3",
            device: l3.device.as_deref().unwrap_or("unknown"),
            macs: number(overlay.router_macs(vni).len()),
            arps: number(overlay.hops(vni).len()),
            sites: None,
            vrf: l3.vrf.clone(),
        }
    }

    fn json(&self) -> Value {
        let mut object = json!({
            "vni": self.vni, "type": self.kind, "vxlanIf": self.device, "numMacs": self.macs,
            "numArpNd": self.arps, "numRemoteVteps": "n/a", "tenantVrf": self.vrf,
        });
        if let (Value::Object(map), Some(sites)) = (&mut object, self.sites) {
            map.insert("numRemoteVteps".to_owned(), json!(sites.len()));
            map.insert("remoteVteps".to_owned(), json!(sites));
        }
        object
    }
}

fn unknown(said: &Said, vni: u32) -> Answer {
    match said.has("json") {
        true => Answer::Json(json!({})),
        false => Answer::Text(format!("% VNI {vni} does not exist\n")),
    }
}

/// `show vrf vni`: the L3 VNIs of VRFs.
pub(super) async fn of_vrfs(said: &Said, asking: &Asking) -> Answered {
    let overlay = Overlay::of(asking).await?;
    let wanted = said.value(&["NAME"]).filter(|it| *it != "all");
    let known = |name: &str| name == DEFAULT || overlay.host.named(name).is_some();
    if let Some(name) = wanted.filter(|it| !known(it)) {
        return Ok(match said.has("json") {
            true => Answer::Json(json!({"vrfs": []})),
            false => Answer::Text(format!("% VRF '{name}' specified does not exist\n")),
        });
    }
    let mut rows = Vec::new();
    let mut text = format!(
        "{:<37} {:<10} {:<20} {:<20} {:<5} {:<18}\n",
        "VRF", "VNI", "VxLAN IF", "L3-SVI", "State", "Rmac"
    );
    let all = overlay.l3.iter();
    for (vni, l3) in all.filter(|(_, it)| wanted.is_none_or(|name| name == it.vrf)) {
        let device = l3.device.as_deref().unwrap_or("None");
        let svi = l3.bridge.as_ref().map_or("None", |it| it.name.as_str());
        let (state, mac) = (l3.state(), l3.router_mac());
        text.push_str(&format!(
            "{:<37} {vni:<10} {device:<20} {svi:<20} {state:<5} {mac:<18}\n",
            l3.vrf
        ));
        rows.push(json!({
            "vrf": l3.vrf, "vni": vni, "vxlanIntf": device, "sviIntf": svi, "state": state,
            "routerMac": mac,
        }));
    }
    Ok(match said.has("json") {
        true => Answer::Json(json!({"vrfs": rows})),
        false => Answer::Text(text),
    })
}

/// `show evpn vni detail`.
fn every(overlay: &Overlay, arps: &BTreeMap<u32, u64>, said: &Said) -> Answered {
    let (mut text, mut objects) = (String::new(), Vec::new());
    let l2 = overlay.vnis.iter().map(|it| it.vni);
    for number in l2.chain(overlay.l3.keys().copied()) {
        match one(overlay, number, arps, said)? {
            Answer::Text(part) => text.push_str(&format!("{part}\n")),
            Answer::Json(object) => objects.push(object),
        }
    }
    Ok(match said.has("json") {
        true => Answer::Json(Value::Array(objects)),
        false => Answer::Text(text),
    })
}

/// `show evpn vni N`.
fn one(overlay: &Overlay, number: u32, arps: &BTreeMap<u32, u64>, said: &Said) -> Answered {
    if let Some(l3) = overlay.l3.get(&number) {
        return Ok(one_l3(overlay, number, l3, said));
    }
    let Some(vni) = overlay.vnis.iter().find(|it| it.vni == number) else {
        return Ok(unknown(said, number));
    };
    let macs = vni.local_macs + vni.remote_macs;
    let arps = arps.get(&number).copied().unwrap_or(0);
    let tenant = overlay.tenant(vni);
    let index = |name: &Option<String>| {
        name.as_deref()
            .and_then(|name| overlay.host.named(name))
            .map(|it| it.index)
    };
    if said.has("json") {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("vni", json!(number));
        put("type", json!("L2"));
        put("tenantVrf", json!(tenant));
        for (name, words, number) in [
            (&vni.vxlan, "vxlanInterface", "vxlanIfindex"),
            (&vni.bridge, "sviInterface", "sviIfindex"),
        ] {
            if let (Some(name), Some(index)) = (name, index(name)) {
                put(words, json!(name));
                put(number, json!(index));
            }
        }
        if let Some(bridge) = &vni.bridge {
            put("bridge", json!(bridge));
        }
        if let Some(vtep) = vni.vtep {
            put("vtepIp", json!(vtep));
        }
        put("mcastGroup", json!("0.0.0.0"));
        put("advertiseGatewayMacip", json!(yes(vni.advertise_gateway)));
        put("advertiseSviMacip", json!(yes(vni.advertise_svi)));
        put("numMacs", json!(macs));
        put("numArpNd", json!(arps));
        put("numRemoteVteps", json!(vni.remote_vteps.len()));
        let sites = vni
            .remote_vteps
            .iter()
            .map(|ip| json!({"ip": ip, "flood": "HER"}));
        put("remoteVteps", Value::Array(sites.collect()));
        return Ok(Answer::Json(Value::Object(object)));
    }
    let bridge = vni.bridge.as_deref().unwrap_or("-");
    let mut text =
        format!("VNI: {number}\n Type: L2\n Vlan: 0\n Bridge: {bridge}\n Tenant VRF: {tenant}\n");
    for (name, words) in [(&vni.vxlan, "VxLAN"), (&vni.bridge, "SVI")] {
        if let (Some(name), Some(index)) = (name, index(name)) {
            text.push_str(&format!(
                " {words} interface: {name}\n {words} ifIndex: {index}\n"
            ));
        }
    }
    if let Some(vtep) = vni.vtep {
        text.push_str(&format!(" Local VTEP IP: {vtep}\n"));
    }
    text.push_str(" Mcast group: 0.0.0.0\n");
    match vni.remote_vteps.as_slice() {
        [] => text.push_str(" No remote VTEPs known for this VNI\n"),
        sites => {
            text.push_str(" Remote VTEPs for this VNI:\n");
            for site in sites {
                text.push_str(&format!("  {site} flood: HER\n"));
            }
        }
    }
    text.push_str(&format!(
        " Number of MACs (local and remote) known for this VNI: {macs}\n \
         Number of ARPs (IPv4 and IPv6, local and remote) known for this VNI: {arps}\n \
         Advertise-gw-macip: {}\n Advertise-svi-macip: {}\n",
        yes(vni.advertise_gateway),
        yes(vni.advertise_svi)
    ));
    for problem in &vni.problems {
        text.push_str(&format!(" Problem: {problem}\n"));
    }
    Ok(Answer::Text(text))
}

fn one_l3(overlay: &Overlay, number: u32, l3: &L3, said: &Said) -> Answer {
    let device = l3.device.as_deref().unwrap_or("unknown");
    let bridge = l3.bridge.as_ref();
    let svi = bridge.map_or("unknown", |link| link.name.as_str());
    let (state, mac) = (l3.state(), l3.router_mac());
    let local = l3.local.map_or("0.0.0.0".to_owned(), |it| it.to_string());
    let tenants = overlay
        .vnis
        .iter()
        .filter(|it| overlay.tenant(it) == l3.vrf);
    let tenants: BTreeSet<u32> = tenants.map(|it| it.vni).collect();
    if said.has("json") {
        return Answer::Json(json!({
            "vni": number, "type": "L3", "tenantVrf": l3.vrf, "localVtepIp": local,
            "vxlanIntf": device, "sviIntf": svi, "state": state, "sysMac": mac, "routerMac": mac,
            "vniFilter": "none", "l2Vnis": tenants,
        }));
    }
    let listed: String = tenants.iter().map(|it| format!("{it} ")).collect();
    Answer::Text(format!(
        "VNI: {number}\n  Type: L3\n  Tenant VRF: {}\n  Vlan: 0\n  Bridge: -\n  Local Vtep Ip: {local}\n  Vxlan-Intf: {device}\n  \
         SVI-If: {svi}\n  State: {state}\n  VNI Filter: none\n  System MAC: {mac}\n  \
         Router MAC: {mac}\n  L2 VNIs: {listed}\n",
        l3.vrf
    ))
}
