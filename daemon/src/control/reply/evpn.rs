//! What is said of EVPN.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::*;

/// Overlay networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvpnVni {
    /// In ascending order.
    pub vnis: Vec<Vni>,
    /// L3 VNIs of VRFs, in the order of the VRFs' names.
    #[serde(default)]
    pub l3_vnis: Vec<L3Vni>,
}

/// The VNI in which a VRF's packets are routed (RFC 9136 §4.4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct L3Vni {
    /// Its number.
    pub vni: u32,
    /// The VRF.
    pub vrf: String,
    /// Route distinguisher; `null` if another VNI has it.
    pub rd: Option<String>,
    /// Route targets taken in.
    pub import_targets: Vec<String>,
    /// Route targets sent.
    pub export_targets: Vec<String>,
    /// Our tunnel endpoint.
    pub vtep: Option<IpAddr>,
    /// Where others send routed packets to.
    pub router_mac: String,
    /// What keeps it from working as configured, a line each.
    pub problems: Vec<String>,
}

/// An overlay network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vni {
    /// Its number.
    pub vni: u32,
    /// What people call it.
    pub name: String,
    /// Route distinguisher; `null` if another VNI has it.
    pub rd: Option<String>,
    /// Route targets taken in.
    pub import_targets: Vec<String>,
    /// Route targets sent.
    pub export_targets: Vec<String>,
    /// MAC addresses that are here.
    pub local_macs: u64,
    /// MAC addresses at other sites.
    pub remote_macs: u64,
    /// Sites that get flooded frames.
    pub remote_vteps: Vec<IpAddr>,
    /// Our tunnel endpoint.
    pub vtep: Option<IpAddr>,
    /// Bridge.
    pub bridge: Option<String>,
    /// VXLAN device.
    pub vxlan: Option<String>,
    /// MTU of the devices.
    pub mtu: Option<u32>,
    /// Anycast gateway addresses.
    pub gateway: Vec<String>,
    /// Addresses of the gateway are told, with the community that says so.
    #[serde(default)]
    pub advertise_gateway: bool,
    /// Addresses of this router alone are told.
    #[serde(default)]
    pub advertise_svi: bool,
    /// What keeps it from working as configured, a line each.
    pub problems: Vec<String>,
}

/// A machine that has arrived, as its hypervisor said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrived {
    /// VNI.
    pub vni: u32,
    /// Its MAC address, which other sites are told to send to this one from now on.
    pub mac: String,
    /// The IP address that was named; `null` if none was.
    pub ip: Option<IpAddr>,
    /// The bridge has seen it already.
    pub learned: bool,
    /// Seconds after which it counts as gone unless the bridge sees it; `null` if it has.
    pub limit_s: Option<u64>,
    /// Mobility sequence number of what others are told.
    pub sequence: u32,
}

/// MAC addresses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvpnMac {
    /// In the order of VNI and address.
    pub macs: Vec<Mac>,
    /// `after` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Where a MAC address is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mac {
    /// VNI.
    pub vni: u32,
    /// Address.
    pub mac: String,
    /// IP addresses bound to it.
    pub ips: Vec<IpAddr>,
    /// Where it is.
    pub kind: MacKind,
    /// The other site's tunnel endpoint; `null` for local ones.
    pub vtep: Option<IpAddr>,
    /// The port of the bridge that it was learned on, if it is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// The VNI that frames go there with, where the other site has another number for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downstream_vni: Option<u32>,
    /// Mobility sequence number (RFC 7432 §15).
    pub sequence: u32,
    /// Static (RFC 7432 §15.2).
    pub sticky: bool,
    /// How often it changed place.
    #[serde(default)]
    pub moves: u32,
    /// Seconds since it is there; `null` where nothing decides about it.
    #[serde(default)]
    pub since_s: Option<u64>,
    /// Why it is where it is.
    #[serde(default)]
    pub reason: Option<String>,
    /// A static address that somebody else claims, too.
    #[serde(default)]
    pub conflict: Option<String>,
    /// It moves again and again, since two hosts have it.
    #[serde(default)]
    pub duplicate: bool,
    /// It is left where it is for that reason.
    #[serde(default)]
    pub frozen: bool,
    /// It is in the kernel; `null` where the kernel is not written.
    #[serde(default)]
    pub installed: Option<bool>,
}

/// A page of IP addresses with the MAC addresses that they have.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EvpnNeighbors {
    /// In the order of VNI and IP address.
    pub neighbors: Vec<EvpnNeighbor>,
    /// `after` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which MAC address an IP address has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvpnNeighbor {
    /// VNI.
    pub vni: u32,
    /// IP address.
    pub ip: IpAddr,
    /// Its MAC address.
    pub mac: String,
    /// Where it is.
    pub kind: MacKind,
    /// The other site's tunnel endpoint; `null` for local ones.
    pub vtep: Option<IpAddr>,
    /// Seconds since it is so.
    pub since_s: Option<u64>,
    /// The kernel resolves it for us; `null` for local ones, which the kernel has learned, and where
    /// the kernel is not written.
    pub installed: Option<bool>,
    /// A machine here has it, and it lies in none of the subnets of the VNI: other sites are not told
    /// to route it here.
    #[serde(default)]
    pub outside: bool,
}

/// Other tunnel endpoints.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EvpnVteps {
    /// By address.
    pub vteps: Vec<Vtep>,
}

/// Another site's tunnel endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vtep {
    /// Its address.
    pub vtep: IpAddr,
    /// Who told us one of its routes.
    pub neighbor: Option<ScopedAddr>,
    /// VNIs that frames go there in.
    pub vnis: Vec<u32>,
    /// MAC addresses that are there.
    pub macs: u64,
    /// Its routes, used or not.
    pub routes: u64,
    /// Seconds since it has any.
    pub since_s: Option<u64>,
    /// How packets get there; `null` where the kernel is not written.
    #[serde(default)]
    pub underneath: Option<Underneath>,
}

/// What leads to a tunnel endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", content = "ways", rename_all = "snake_case")]
pub enum Underneath {
    /// A route to it or to a network around it.
    Route(Vec<UnderneathWay>),
    /// Only the default route.
    Default(Vec<UnderneathWay>),
    /// Nothing: packets are dropped.
    Nothing,
}

/// One way out of several that share the traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderneathWay {
    /// The router that packets are handed to; `null` if the endpoint is on the link.
    pub gateway: Option<IpAddr>,
    /// Where they leave.
    pub interface: String,
}

/// Routers that routes of VRFs lead to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EvpnNextHops {
    /// By VRF and address.
    pub next_hops: Vec<EvpnNextHop>,
}

/// A router that routes of a VRF lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvpnNextHop {
    /// The VRF.
    pub vrf: String,
    /// Its L3 VNI.
    pub l3_vni: u32,
    /// Next hop of the routes.
    pub next_hop: IpAddr,
    /// The router's MAC address.
    pub mac: String,
    /// The tunnel endpoint that it is behind.
    pub vtep: IpAddr,
    /// The VNI that packets go there with, where the other router has another number for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downstream_vni: Option<u32>,
    /// How many routes lead there.
    pub routes: u64,
}

/// Here or elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MacKind {
    /// On a local port.
    Local,
    /// Behind another site's tunnel.
    Remote,
}

impl MacKind {
    /// The word in JSON and tables.
    pub fn word(self) -> &'static str {
        match self {
            MacKind::Local => "local",
            MacKind::Remote => "remote",
        }
    }
}

/// Addresses that move again and again, or that were cleared.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EvpnDuplicates {
    /// How they are found; `null` where nobody looks.
    #[serde(default)]
    pub detection: Option<Detection>,
    /// In the order of VNI and address, MAC addresses before IP addresses.
    pub duplicates: Vec<DuplicateAddress>,
    /// MAC addresses that are static at one site while another one has them, too (RFC 7432 §15.2): a
    /// line each, with what to do.
    #[serde(default)]
    pub conflicts: Vec<String>,
}

/// How addresses that two hosts have are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// That many moves ...
    pub moves: u16,
    /// ... within so many seconds make a duplicate.
    pub window_s: u64,
    /// It is left where it is then, and not only named.
    pub freeze: bool,
    /// For how long; `null`: until somebody clears it.
    pub freeze_s: Option<u64>,
}

/// An address that two hosts have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuplicateAddress {
    /// VNI.
    pub vni: u32,
    /// MAC address or IP address.
    pub address: String,
    /// What it goes back and forth between: two sites, or two MAC addresses.
    pub between: String,
    /// How often it moved.
    pub moves: u32,
    /// Since when it is known to be one.
    pub since_s: u64,
    /// It is left where it is.
    pub frozen: bool,
    /// When that is over unless it moves again; `null` if it is frozen until somebody clears it.
    pub left_s: Option<u64>,
}

/// A page of EVPN routes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct EvpnRoutes {
    /// In key order.
    pub routes: Vec<EvpnRoute>,
    /// `after` of the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An EVPN route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvpnRoute {
    /// The path.
    #[serde(flatten)]
    pub route: Route,
    /// Every field of the route, as [`crate::control::message_json::evpn_route`] makes it.
    pub evpn: Value,
    /// VNIs that import it.
    pub vnis: Vec<EvpnImport>,
    /// VRFs that import it: a prefix, or the address of a host.
    #[serde(default)]
    pub vrfs: Vec<EvpnVrfImport>,
    /// Seconds since the route is as it is; `null` for paths that are not used, and for our own
    /// that no machine stands for.
    #[serde(default)]
    pub since_s: Option<u64>,
}

/// A VNI that imports a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvpnImport {
    /// The VNI.
    pub vni: u32,
    /// What keeps the route from being used there.
    pub fault: Option<String>,
}

/// A VRF that imports a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvpnVrfImport {
    /// The VRF.
    pub vrf: String,
    /// Its L3 VNI.
    pub l3_vni: u32,
    /// What keeps the route out of its table.
    pub fault: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/commands.md");

    /// The keys of a value, as the row of its list in the document names them.
    fn documented<T: Serialize>(list: &str, value: T) {
        let row = DOCUMENT.lines().find(|line| {
            let cell = line.strip_prefix("| `").and_then(|it| it.split_once('`'));
            cell.is_some_and(|(name, _)| name == list)
        });
        let row = row.unwrap_or_else(|| panic!("no row of {list}"));
        let value = serde_json::to_value(value).unwrap();
        for (key, value) in value.as_object().unwrap() {
            let name = match value.is_array() {
                true => format!("`{key}[]`"),
                false => format!("`{key}`"),
            };
            assert!(row.contains(&name), "{name} is not in {row}");
        }
    }

    fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn every_key_of_show_evpn_is_documented() {
        let targets = json!(["65000:100"]);
        documented::<Vni>(
            "vnis[]",
            read(json!({
                "vni": 100, "name": "net", "rd": null, "import_targets": targets,
                "export_targets": targets, "local_macs": 1, "remote_macs": 1, "remote_vteps": [],
                "vtep": null, "bridge": null, "vxlan": null, "mtu": null, "gateway": [],
                "problems": [],
            })),
        );
        documented::<L3Vni>(
            "l3_vnis[]",
            read(json!({
                "vni": 100, "vrf": "red", "rd": null, "import_targets": targets,
                "export_targets": targets, "vtep": null, "router_mac": "", "problems": [],
            })),
        );
        documented::<Mac>(
            "macs[]",
            read(json!({
                "vni": 100, "mac": "", "ips": [], "kind": "local", "vtep": null, "port": "eth0",
                "downstream_vni": 200, "sequence": 0, "sticky": false,
            })),
        );
        documented::<EvpnNextHop>(
            "next_hops[]",
            read(json!({
                "vrf": "red", "l3_vni": 4000, "next_hop": "10.0.0.1", "mac": "", "vtep": "10.0.0.1",
                "downstream_vni": 200, "routes": 1,
            })),
        );
        documented(
            "neighbors[]",
            read::<EvpnNeighbor>(json!({
                "vni": 100, "ip": "10.0.0.1", "mac": "", "kind": "local", "vtep": null,
                "since_s": null, "installed": null, "outside": false,
            })),
        );
        documented(
            "vteps[]",
            read::<Vtep>(json!({
                "vtep": "10.0.0.1", "neighbor": null, "vnis": [], "macs": 0, "routes": 0,
                "since_s": null,
            })),
        );
        documented(
            "duplicates[]",
            read::<DuplicateAddress>(json!({
                "vni": 100, "address": "", "between": "", "moves": 0, "since_s": 0,
                "frozen": false, "left_s": null,
            })),
        );
        documented(
            "routes[].vnis[]",
            EvpnImport {
                vni: 100,
                fault: None,
            },
        );
        documented(
            "routes[].vrfs[]",
            EvpnVrfImport {
                vrf: "red".to_owned(),
                l3_vni: 4001,
                fault: None,
            },
        );
    }
}
