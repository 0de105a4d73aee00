//! `show interface` and `show interface description`: devices of the host as the kernel has them.
//!
//! Of what FRR's zebra adds to that, the description of the configuration is told, before the device's own
//! alias; of times when a link came or went and other settings nothing is known here.

use std::collections::BTreeMap;
use std::fs;

use fib::{DeviceFacts, Link, LinkKind};
use serde_json::{Map, Value, json};

use super::words::vrf_id;
use super::{Answer, Answered};
use crate::control::words::printable;
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::grammar::Said;
use crate::vtysh::host::{DEFAULT, Host, vrf_table};

/// Devices, with what only people ask for.
struct View {
    host: Host,
    facts: Vec<DeviceFacts>,
    /// What the configuration calls devices.
    descriptions: BTreeMap<String, String>,
}

impl View {
    async fn of(asking: &Asking) -> Result<Self, Trouble> {
        let host = Host::now(asking.version().await?.pid)?;
        let facts = host.facts()?;
        let named = asking.running().await?.host_interfaces.into_iter();
        let described = named.filter_map(|it| Some((it.name, it.description?)));
        Ok(Self {
            host,
            facts,
            descriptions: described.collect(),
        })
    }

    fn description(&self, link: &Link) -> Option<&str> {
        let known = self.descriptions.get(link.name.as_str());
        known.map(String::as_str)
    }

    /// The VRF of a device, which of a VRF's own device is that one.
    fn vrf(&self, link: &Link) -> String {
        let vrf = match vrf_table(link) {
            Some(_) => Some(link),
            None => self.host.vrf_of(link),
        };
        vrf.map_or(DEFAULT.to_owned(), |vrf| vrf.name.to_string())
    }

    /// The devices that a line is about, by name.
    fn wanted(&self, said: &Said) -> Vec<&Link> {
        let name = said.value(&["IFNAME"]);
        let vrf = match (said.value(&["NAME"]), name) {
            // Names are there once, whatever the VRF.
            (Some("all"), _) | (None, Some(_)) => None,
            (vrf, _) => Some(vrf.unwrap_or(DEFAULT)),
        };
        let of_vrf = |it: &&Link| vrf.is_none_or(|vrf| self.vrf(it) == vrf);
        let named = |it: &&Link| name.is_none_or(|name| it.name.as_str() == name);
        let mut links: Vec<&Link> = self
            .host
            .links
            .iter()
            .filter(named)
            .filter(of_vrf)
            .collect();
        links.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
        links
    }

    fn facts(&self, link: &Link) -> DeviceFacts {
        let found = self.facts.iter().find(|it| it.index == link.index);
        found.cloned().unwrap_or_default()
    }

    /// What sort of port it is.
    fn slave(&self, link: &Link) -> &'static str {
        let master = link.master.and_then(|index| self.host.link(index));
        match master.map(|it| &it.kind) {
            None => "None",
            Some(LinkKind::Vrf { .. }) => "Vrf",
            Some(LinkKind::Bridge) => "Bridge",
            Some(LinkKind::Other(kind)) if kind == "bond" => "Bond",
            Some(_) => "Other",
        }
    }

    fn json(&self, link: &Link) -> Value {
        let facts = self.facts(link);
        let status = |up: bool| if up { "up" } else { "down" };
        let [ups, downs] = facts.carrier;
        let addresses = self.host.addresses_of(link.index).into_iter().map(|it| {
            json!({"address": it.address.to_string(), "secondary": false, "noPrefixRoute": false, "unnumbered": false})
        });
        let addresses: Vec<Value> = addresses.collect();
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        put("administrativeStatus", json!(status(link.up)));
        if link.up {
            put("operationalStatus", json!(status(link.running)));
        }
        // A link without carrier is never used.
        put("linkDetection", json!(true));
        put("linkUps", json!(ups));
        put("linkDowns", json!(downs));
        put("vrfName", json!(self.vrf(link)));
        if let Some(description) = self.description(link) {
            put("description", json!(description));
        }
        if let Some(alias) = &link.alias {
            put("OsDescription", json!(alias));
        }
        // There are neither labels nor multicast routes here.
        for key in [
            "mplsEnabled",
            "linkDown",
            "linkDownV6",
            "mcForwardingV4",
            "mcForwardingV6",
            "pseudoInterface",
        ] {
            put(key, json!(false));
        }
        for key in ["multicastConfig", "shutdownConfig", "mplsConfig"] {
            put(key, json!(NOT_CONFIGURED));
        }
        put("index", json!(link.index));
        put("metric", json!(0));
        put("mtu", json!(link.mtu));
        put("speed", json!(speed(link)));
        put("txqlen", json!(facts.queue));
        put("flags", json!(flags(facts.flags)));
        put("type", json!(link_type(facts.link_type)));
        if let Some(mac) = link.address.filter(|_| facts.link_type == ETHERNET) {
            put("hardwareAddress", json!(mac.to_string()));
        }
        put("ipAddresses", Value::Array(addresses));
        put("interfaceType", json!(kind(link)));
        put("interfaceSlaveType", json!(self.slave(link)));
        for (key, value) in self.details(link) {
            put(key, value);
        }
        put("lacpBypass", json!(false));
        put("evpnMh", json!({}));
        put("protodown", json!("off"));
        Value::Object(object)
    }

    /// What only devices of its sort have.
    // There will be more sorts, about which there is nothing to say.
    #[allow(clippy::wildcard_enum_match_arm)]
    fn details(&self, link: &Link) -> Vec<(&'static str, Value)> {
        let mut details = Vec::new();
        match &link.kind {
            LinkKind::Vxlan(vxlan) => {
                details.push(("vxlanId", json!(vxlan.vni)));
                details.extend(vxlan.local.map(|it| ("vtepIp", json!(it))));
            }
            LinkKind::Vlan { id } => details.push(("vlanId", json!(id))),
            LinkKind::Bridge => {
                let aware = link.bridge.and_then(|it| it.vlan_filtering);
                details.push(("bridgeVlanAware", json!(aware.unwrap_or(false))));
            }
            _ => {}
        }
        // It may be in another network namespace.
        match link.parent.map(|index| (index, self.host.link(index))) {
            Some((_, Some(parent))) => {
                details.push(("parentInterface", json!(parent.name.as_str())));
            }
            Some((index, None)) if index != 0 => details.push(("parentIfindex", json!(index))),
            Some((_, None)) | None => {}
        }
        if let Some(master) = link.master.and_then(|index| self.host.link(index)) {
            details.push(("masterInterface", json!(master.name.as_str())));
        }
        details
    }

    fn text(&self, link: &Link) -> String {
        let facts = self.facts(link);
        let status = match (link.up, link.running) {
            (false, _) => "down",
            (true, true) => "up, line protocol is up",
            (true, false) => "up, line protocol is down",
        };
        let [ups, downs] = facts.carrier;
        let mut text = format!(
            "Interface {} is {status}\n  Link ups:   {ups:>5}    last: (never)\n  \
             Link downs: {downs:>5}    last: (never)\n  vrf: {}\n",
            link.name,
            self.vrf(link)
        );
        if let Some(description) = self.description(link) {
            text.push_str(&format!("  Description: {description}\n"));
        }
        if let Some(alias) = &link.alias {
            text.push_str(&format!("  OS Description: {}\n", printable(alias)));
        }
        text.push_str(&format!(
            "  index {} metric 0 mtu {} speed {} txqlen {}\n  flags: {}\n  MPLS  {NOT_CONFIGURED}\n  \
             Multicast config is {NOT_CONFIGURED}\n  Shutdown config is {NOT_CONFIGURED}\n  Type: {}\n",
            link.index,
            link.mtu,
            speed(link),
            facts.queue,
            flags(facts.flags),
            link_type(facts.link_type)
        ));
        if let Some(mac) = link.address.filter(|_| facts.link_type == ETHERNET) {
            text.push_str(&format!("  HWaddr: {mac}\n"));
        }
        for it in self.host.addresses_of(link.index) {
            let version = if it.address.is_ipv4() {
                "inet"
            } else {
                "inet6"
            };
            text.push_str(&format!("  {version} {}\n", it.address));
        }
        text.push_str(&format!(
            "  Interface Type {}\n  Interface Slave Type {}\n",
            kind(link),
            self.slave(link)
        ));
        let mut parent = String::new();
        for (key, value) in self.details(link) {
            let words = match key {
                "vxlanId" => "  VxLAN Id ",
                "vtepIp" => "  VTEP IP: ",
                "vlanId" => "  VLAN Id ",
                "parentInterface" => "  Parent interface: ",
                "parentIfindex" => "  Parent ifindex: ",
                "masterInterface" => "  Master interface: ",
                _ => {
                    let word = if value == json!(true) { "yes" } else { "no" };
                    text.push_str(&format!("  Bridge VLAN-aware: {word}\n"));
                    continue;
                }
            };
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            let line = format!("{words}{value}\n");
            match key {
                "parentInterface" | "parentIfindex" => parent = line,
                _ => text.push_str(&line),
            }
        }
        format!("{text}  protodown: off \n{parent}")
    }
}

/// `show interface`.
pub(super) async fn interface(said: &Said, asking: &Asking) -> Answered {
    let view = View::of(asking).await?;
    let links = view.wanted(said);
    if said.has("json") {
        let all = links.iter().map(|it| (it.name.to_string(), view.json(it)));
        return Ok(Answer::Json(Value::Object(all.collect())));
    }
    if let (Some(name), true) = (said.value(&["IFNAME"]), links.is_empty()) {
        return Ok(Answer::Text(format!("% Can't find interface {name}\n")));
    }
    Ok(Answer::Text(links.iter().map(|it| view.text(it)).collect()))
}

/// `show interface description`.
pub(super) async fn descriptions(said: &Said, asking: &Asking) -> Answered {
    let view = View::of(asking).await?;
    let mut vrfs: BTreeMap<String, Vec<&Link>> = BTreeMap::new();
    for link in view.wanted(said) {
        vrfs.entry(view.vrf(link)).or_default().push(link);
    }
    let mut text = String::new();
    for (vrf, links) in vrfs {
        let number = vrf_id(&vrf);
        text.push_str(&format!("\n\tVRF {vrf}({number})\n\n{DESCRIPTIONS}"));
        for link in links {
            let status = match (link.up, link.running) {
                (false, _) => "down    down      ",
                (true, true) => "up      up        ",
                (true, false) => "up      down      ",
            };
            let alias = || link.alias.as_deref().map_or(String::new(), printable);
            let said = view.description(link).map_or_else(alias, str::to_owned);
            text.push_str(&format!("{:<16}{status}{said}\n", link.name.as_str()));
        }
    }
    Ok(Answer::Text(text))
}

const DESCRIPTIONS: &str = "Interface       Status  Protocol  Description\n";

/// Of what FRR's commands for devices would set.
const NOT_CONFIGURED: &str = "Not specified by CLI";

/// `ARPHRD_ETHER`.
const ETHERNET: u16 = 1;

/// FRR's words for `ARPHRD_` numbers.
fn link_type(number: u16) -> &'static str {
    match number {
        ETHERNET => "Ethernet",
        512 => "PPP",
        768 => "IPIP Tunnel",
        769 => "IP6IP6 Tunnel",
        772 => "Loopback",
        776 => "IPv6-in-IPv4 SIT",
        778 => "GRE over IP",
        823 => "GRE over IPv6",
        _ => "Unknown",
    }
}

// There will be more sorts.
#[allow(clippy::wildcard_enum_match_arm)]
fn kind(link: &Link) -> &'static str {
    match &link.kind {
        LinkKind::Bridge => "Bridge",
        LinkKind::Vxlan(_) => "Vxlan",
        LinkKind::Vlan { .. } => "Vlan",
        LinkKind::Vrf { .. } => "VRF",
        LinkKind::Other(kind) => match kind.as_str() {
            "veth" => "VETH",
            "bond" => "Bond",
            "macvlan" => "MACVLAN",
            "gre" => "GRE",
            _ => "Other",
        },
        _ => "Other",
    }
}

/// `IFF_` bits in FRR's words and order.
fn flags(bits: u32) -> String {
    const NAMES: [(u32, &str); 12] = [
        (0x1, "UP"),
        (0x1_0000, "LOWER_UP"),
        (0x2, "BROADCAST"),
        (0x4, "DEBUG"),
        (0x8, "LOOPBACK"),
        (0x10, "POINTOPOINT"),
        (0x20, "NOTRAILERS"),
        (0x40, "RUNNING"),
        (0x80, "NOARP"),
        (0x100, "PROMISC"),
        (0x200, "ALLMULTI"),
        (0x1000, "MULTICAST"),
    ];
    let set = NAMES.iter().filter(|(bit, _)| bits & bit != 0);
    let set: Vec<&str> = set.map(|(_, name)| *name).collect();
    format!("<{}>", set.join(","))
}

/// Megabits a second, zero where nobody says. What is mounted at /sys may be of another network
/// namespace, so the number of the device is compared.
fn speed(link: &Link) -> u32 {
    let read = |what: &str| {
        let path = format!("/sys/class/net/{}/{what}", link.name);
        fs::read_to_string(path).ok()?.trim().parse::<u32>().ok()
    };
    match read("ifindex") == Some(link.index) {
        true => read("speed").unwrap_or(0),
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let mut red = Link::new(2, "red");
        red.kind = LinkKind::Vrf { table: 7 };
        let mut port = Link::new(3, "b0");
        port.master = Some(2);
        port.alias = Some("to\nthe lab".to_owned());
        let mut down = Link::new(4, "a0");
        (down.up, down.running) = (false, false);
        let facts = DeviceFacts {
            index: 3,
            flags: 0x1_1043,
            link_type: ETHERNET,
            queue: 1000,
            carrier: [2, 1],
        };
        let links = vec![red, port, down];
        View {
            host: Host {
                links,
                ..Host::default()
            },
            facts: vec![facts],
            descriptions: BTreeMap::from([("a0".to_owned(), "to the lab".to_owned())]),
        }
    }

    #[test]
    fn flags_stand_in_the_order_of_frr() {
        assert_eq!(flags(0x1_1043), "<UP,LOWER_UP,BROADCAST,RUNNING,MULTICAST>");
        assert_eq!(flags(0), "<>");
        assert_eq!(flags(0x49), "<UP,LOOPBACK,RUNNING>");
    }

    #[test]
    fn a_device_is_told_with_its_vrf_and_its_alias_breaks_no_line() {
        let view = view();
        let port = view.host.named("b0").unwrap();
        let text = view.text(port);
        assert!(text.contains("  vrf: red\n"), "{text}");
        assert!(text.contains("  OS Description: to?the lab\n"), "{text}");
        assert!(text.contains("  Link ups:       2    last:"), "{text}");
        assert!(text.contains("  Interface Slave Type Vrf\n"), "{text}");
        let json = view.json(port);
        assert_eq!(json["vrfName"], "red");
        assert_eq!(json["linkDowns"], 1);
        assert_eq!(json["masterInterface"], "red");
        let down = view.host.named("a0").unwrap();
        let text = view.text(down);
        assert!(text.contains("\n  Description: to the lab\n"), "{text}");
        assert_eq!(view.json(down)["description"], "to the lab");
        assert!(view.text(down).starts_with("Interface a0 is down\n"));
        assert_eq!(view.json(down).get("operationalStatus"), None);
    }
}
