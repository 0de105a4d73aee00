//! `show evpn mac` and `show evpn arp-cache`: what stands behind the ports and the tunnels of an L2 VNI.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use ::bgp::Vni;
use serde_json::{Map, Value, json};

use super::{Overlay, named, unknown};
use crate::control::Request;
use crate::control::reply::{self, MacKind};
use crate::vtysh::ask::Asking;
use crate::vtysh::grammar::Said;
use crate::vtysh::show::words::uptime;
use crate::vtysh::show::{Answer, Answered};

/// `show evpn mac`.
pub(in crate::vtysh::show) async fn mac(said: &Said, asking: &Asking) -> Answered {
    let overlay = Overlay::of(asking).await?;
    let number = named(said);
    if let Some(number) = number.filter(|number| !overlay.vnis.iter().any(|it| it.vni == *number))
    {
        return Ok(unknown(said, number));
    }
    let mut macs = overlay.router.macs(number.and_then(Vni::new)).await?;
    let vtep = said
        .value(&["A.B.C.D"])
        .and_then(|it| it.parse::<IpAddr>().ok());
    let duplicate = said.has("duplicate");
    macs.retain(|it| (vtep.is_none() || it.vtep == vtep) && (it.duplicate || !duplicate));
    if let Some(wanted) = said.value(&["X:X:X:X:X:X"]) {
        let wanted = wanted.to_lowercase();
        return Ok(match macs.iter().find(|it| it.mac == wanted) {
            Some(mac) if said.has("json") => {
                Answer::Json(json!({mac.mac.clone(): overlay.mac_whole(mac)}))
            }
            Some(mac) => Answer::Text(overlay.mac_lines(mac)),
            None => match said.has("json") {
                true => Answer::Json(json!({})),
                false => Answer::Text(format!(
                    "% Requested MAC does not exist in VNI {}\n",
                    number.unwrap_or(0)
                )),
            },
        });
    }
    let detailed = said.has("detail");
    let (mut text, mut objects) = (String::new(), Map::new());
    for vni in chosen(&overlay.vnis, number) {
        let mine: Vec<&reply::Mac> = macs.iter().filter(|it| it.vni == vni.vni).collect();
        let count = mine.len();
        match number {
            Some(_) if !detailed => text.push_str(&format!(
                "Number of MACs (local and remote) known for this VNI: {count}\n"
            )),
            _ => text.push_str(&format!(
                "\nVNI {} #MACs (local and remote) {count}\n\n",
                vni.vni
            )),
        }
        let mut table = Map::new();
        if detailed {
            for mac in mine {
                text.push_str(&format!("{}\n", overlay.mac_lines(mac)));
                table.insert(mac.mac.clone(), overlay.mac_whole(mac));
            }
            let object = json!({"numMacs": count, "macs": table});
            objects.insert(vni.vni.to_string(), object);
            continue;
        }
        text.push_str(&format!(
            "Flags: N=sync-neighs, I=local-inactive, P=peer-active, X=peer-proxy\n\
             {:<17} {:<6} {:<5} {:<30} {:<5} Seq #'s\n",
            "MAC", "Type", "Flags", "Intf/Remote ES/VTEP", "VLAN"
        ));
        for mac in mine {
            table.insert(mac.mac.clone(), overlay.mac_json(mac));
            let (kind, place) = (mac.kind.word(), overlay.place(mac));
            let (local, remote) = sequences(mac);
            text.push_str(&format!(
                "{:<17} {kind:<6} {:<5} {place:<30} {:<5} {local}/{remote}\n",
                mac.mac, "", ""
            ));
        }
        objects.insert(
            vni.vni.to_string(),
            json!({"numMacs": count, "macs": table}),
        );
    }
    Ok(match (said.has("json"), number) {
        (false, _) => Answer::Text(text),
        (true, None) => Answer::Json(Value::Object(objects)),
        (true, Some(_)) => {
            Answer::Json(objects.into_iter().next().map_or(json!({}), |(_, it)| it))
        }
    })
}

/// FRR keeps the sequence numbers of both sides; the one that counts is told of the side it is of.
fn sequences(mac: &reply::Mac) -> (u32, u32) {
    match mac.kind {
        MacKind::Local => (mac.sequence, 0),
        MacKind::Remote => (0, mac.sequence),
    }
}

impl Overlay {
    /// Where a MAC address is: behind a tunnel, or on a port of our bridge. The bridge itself where
    /// nobody has learned it, as FRR has it for the addresses of a gateway.
    fn place(&self, mac: &reply::Mac) -> String {
        match (mac.vtep, &mac.port) {
            (Some(vtep), _) => vtep.to_string(),
            (None, Some(port)) => port.clone(),
            (None, None) => {
                let vni = self.vnis.iter().find(|it| it.vni == mac.vni);
                vni.and_then(|it| it.bridge.clone()).unwrap_or_default()
            }
        }
    }

    fn mac_json(&self, mac: &reply::Mac) -> Value {
        let (local, remote) = sequences(mac);
        let mut object = json!({
            "type": mac.kind.word(),
            "localSequence": local,
            "remoteSequence": remote,
            "detectionCount": mac.moves,
            "isDuplicate": mac.duplicate,
        });
        if let Value::Object(map) = &mut object {
            let key = match mac.kind {
                MacKind::Local => "intf",
                MacKind::Remote => "remoteVtep",
            };
            map.insert(key.to_owned(), json!(self.place(mac)));
            if mac.sticky {
                map.insert("stickyMac".to_owned(), json!(true));
            }
        }
        object
    }

    /// Everything about a MAC address. No other router is in step with this one, so nothing is synchronised
    /// or inactive.
    fn mac_whole(&self, mac: &reply::Mac) -> Value {
        let mut object = self.mac_json(mac);
        if let Value::Object(map) = &mut object {
            let index = self.host.named(&self.place(mac)).map(|link| link.index);
            if let Some(index) = index {
                map.insert("ifindex".to_owned(), json!(index));
            }
            if let Some(age) = mac.since_s {
                map.insert("uptime".to_owned(), json!(uptime(age)));
            }
            map.insert("syncNeighCount".to_owned(), json!(0));
            let neighbors = match mac.ips.as_slice() {
                [] => json!("none"),
                ips => json!({"active": ips, "inactive": []}),
            };
            map.insert("neighbors".to_owned(), neighbors);
        }
        object
    }

    fn mac_lines(&self, mac: &reply::Mac) -> String {
        let (local, remote) = sequences(mac);
        let place = self.place(mac);
        let mut text = format!("MAC: {}\n", mac.mac);
        text.push_str(&match mac.kind {
            MacKind::Local => {
                let index = self.host.named(&place).map_or(0, |link| link.index);
                format!(" Intf: {place}({index}) VLAN: 0\n")
            }
            MacKind::Remote => format!(" Remote VTEP: {place}\n"),
        });
        text.push_str(" Sync-info: neigh#: 0\n");
        text.push_str(&format!(" Local Seq: {local} Remote Seq: {remote}\n"));
        if let Some(age) = mac.since_s {
            text.push_str(&format!(" Uptime: {}\n", uptime(age)));
        }
        text.push_str(" Neighbors:\n");
        match mac.ips.as_slice() {
            [] => text.push_str("    No Neighbors\n"),
            ips => ips
                .iter()
                .for_each(|ip| text.push_str(&format!("    {ip} Active\n"))),
        }
        text
    }
}

/// `show evpn arp-cache`.
pub(in crate::vtysh::show) async fn arp(said: &Said, asking: &Asking) -> Answered {
    let overlay = Overlay::of(asking).await?;
    let number = named(said);
    if let Some(number) = number.filter(|number| !overlay.vnis.iter().any(|it| it.vni == *number))
    {
        return Ok(unknown(said, number));
    }
    let mut all = overlay
        .router
        .evpn_neighbors(number.and_then(Vni::new))
        .await?;
    let address = said.value(&["A.B.C.D", "X:X::X:X"]);
    let address = address.and_then(|it| it.parse::<IpAddr>().ok());
    let vtep = address.filter(|_| said.has("vtep"));
    all.retain(|it| vtep.is_none() || it.vtep == vtep);
    // A binding moves with its MAC address, whose sequence number its route carries.
    let macs = overlay.router.macs(number.and_then(Vni::new)).await?;
    let macs: HashMap<(u32, &str), &reply::Mac> = macs
        .iter()
        .map(|it| ((it.vni, it.mac.as_str()), it))
        .collect();
    let found: reply::EvpnDuplicates = (overlay.router)
        .ask(&Request::EvpnDuplicates { vni: None })
        .await?;
    let duplicates: BTreeSet<(u32, &str)> = (found.duplicates.iter())
        .map(|it| (it.vni, it.address.as_str()))
        .collect();
    let object_of = |neighbor: &reply::EvpnNeighbor| {
        let mac = macs.get(&(neighbor.vni, neighbor.mac.as_str()));
        let (local, remote) = mac.map_or((0, 0), |mac| sequences(mac));
        let duplicate = duplicates.contains(&(neighbor.vni, neighbor.ip.to_string().as_str()));
        let mut object = json!({
            "type": neighbor.kind.word(), "state": "active", "mac": neighbor.mac,
            "localSequence": local, "remoteSequence": remote, "isDuplicate": duplicate,
        });
        if let (Value::Object(map), Some(vtep)) = (&mut object, neighbor.vtep) {
            map.insert("remoteVtep".to_owned(), json!(vtep));
        }
        (object, (local, remote))
    };
    let whole = |neighbor: &reply::EvpnNeighbor| {
        let (mut object, sequences) = object_of(neighbor);
        if let Value::Object(map) = &mut object {
            map.insert("ip".to_owned(), json!(neighbor.ip));
            if let Some(age) = neighbor.since_s {
                map.insert("uptime".to_owned(), json!(uptime(age)));
            }
        }
        (object, neighbor_lines(neighbor, sequences))
    };
    if let Some(ip) = address.filter(|_| said.has("ip")) {
        let found = all.iter().find(|it| it.ip == ip).map(whole);
        return Ok(match (found, said.has("json")) {
            (Some((object, _)), true) => Answer::Json(object),
            (Some((_, text)), false) => Answer::Text(text),
            (None, true) => Answer::Json(json!({})),
            (None, false) => Answer::Text(format!(
                "% Requested neighbor does not exist in VNI {}\n",
                number.unwrap_or(0)
            )),
        });
    }
    if said.has("duplicate") {
        all.retain(|it| duplicates.contains(&(it.vni, it.ip.to_string().as_str())));
    }
    let detailed = said.has("detail");
    let (mut text, mut objects) = (String::new(), Map::new());
    for vni in chosen(&overlay.vnis, number) {
        let mine: Vec<&reply::EvpnNeighbor> = all.iter().filter(|it| it.vni == vni.vni).collect();
        let count = mine.len();
        let widths = mine.iter().map(|it| it.ip.to_string().len());
        let width = widths.max().unwrap_or(0).max(15);
        match number {
            Some(_) if count == 0 => {}
            Some(_) => text.push_str(&format!(
                "Number of ARPs (local and remote) known for this VNI: {count}\n"
            )),
            None => text.push_str(&format!(
                "\nVNI {} #ARP (IPv4 and IPv6, local and remote) {count}\n\n",
                vni.vni
            )),
        }
        let mut object = Map::new();
        object.insert("numArpNd".to_owned(), json!(count));
        if detailed {
            for (neighbor, (entry, lines)) in mine.iter().map(|it| (it, whole(it))) {
                text.push_str(&lines);
                object.insert(neighbor.ip.to_string(), entry);
            }
            objects.insert(vni.vni.to_string(), Value::Object(object));
            continue;
        }
        if count > 0 {
            text.push_str(&format!(
                "Flags: I=local-inactive, P=peer-active, X=peer-proxy\n\
                 {:<width$} {:<6} {:<5} {:<8} {:<17} {:<30} Seq #'s\n",
                "Neighbor", "Type", "Flags", "State", "MAC", "Remote ES/VTEP"
            ));
        }
        for neighbor in mine {
            let vtep = neighbor.vtep.map_or(String::new(), |vtep| vtep.to_string());
            let (kind, ip) = (neighbor.kind.word(), neighbor.ip.to_string());
            let (entry, (local, remote)) = object_of(neighbor);
            text.push_str(&format!(
                "{ip:<width$} {kind:<6} {:<5} {:<8} {:<17} {vtep:<30} {local}/{remote}\n",
                "", "active", neighbor.mac
            ));
            object.insert(ip, entry);
        }
        objects.insert(vni.vni.to_string(), Value::Object(object));
    }
    Ok(match (said.has("json"), number) {
        (false, _) => Answer::Text(text),
        (true, None) => Answer::Json(Value::Object(objects)),
        (true, Some(_)) => {
            Answer::Json(objects.into_iter().next().map_or(json!({}), |(_, it)| it))
        }
    })
}

/// Everything about an IP address. No other router is in step with this one.
fn neighbor_lines(neighbor: &reply::EvpnNeighbor, (local, remote): (u32, u32)) -> String {
    let mut text = format!(
        "IP: {}\n Type: {}\n State: active\n",
        neighbor.ip,
        neighbor.kind.word()
    );
    if let Some(age) = neighbor.since_s {
        text.push_str(&format!(" Uptime: {}\n", uptime(age)));
    }
    text.push_str(&format!(" MAC: {}\n Sync-info: -\n", neighbor.mac));
    if let Some(vtep) = neighbor.vtep {
        text.push_str(&format!(" Remote VTEP: {vtep}\n"));
    }
    text.push_str(&format!(" Local Seq: {local} Remote Seq: {remote}\n"));
    text
}

/// The one that was asked for, or all.
fn chosen(vnis: &[reply::Vni], number: Option<u32>) -> impl Iterator<Item = &reply::Vni> {
    let meant = move |it: &&reply::Vni| number.is_none_or(|number| it.vni == number);
    vnis.iter().filter(meant)
}
