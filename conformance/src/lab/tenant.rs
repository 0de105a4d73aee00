//! Tenants of a routed overlay: on every edge a VRF with an L3VNI, and a subnet with a gateway in an
//! overlay of its own. Configurations for rbgpd and FRR, devices, hosts, and whether a tenant's table
//! leads through the tunnel.

use std::net::IpAddr;

use super::edge::tunnel_end;
use super::{Edge, Error, Host, Lab, kernel};

/// What every edge has of a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Tenant {
    /// Of the VRF, and of rbgpd's instance.
    pub name: &'static str,
    /// The VRF's table, from 1001 to 1255.
    pub table: u32,
    /// The L3VNI.
    pub l3vni: u32,
    /// The overlay of its subnet on edge N is this and N.
    pub vnis: u32,
    /// Second octets of its subnets on the edges.
    pub subnets: &'static [u8],
    /// The second group of IPv6 networks.
    pub ipv6: u16,
}

impl Tenant {
    /// One with a subnet of its own on each of three edges.
    pub const RED: Self = Self {
        name: "red",
        table: 1001,
        l3vni: 4001,
        vnis: 100,
        subnets: &[1, 2, 3],
        ipv6: 0x10,
    };

    /// Another one beside it.
    pub const BLUE: Self = Self {
        name: "blue",
        table: 1002,
        l3vni: 4002,
        vnis: 200,
        subnets: &[11, 12, 13],
        ipv6: 0x20,
    };

    /// The overlay of its subnet.
    pub fn vni(self, edge: u8) -> u32 {
        self.vnis + u32::from(edge)
    }

    /// An address in its networks on an edge, with the length: IPv4 and IPv6.
    pub fn addresses(self, edge: u8, host: u8) -> [String; 2] {
        let (subnet, group) = (self.subnet(edge), self.ipv6);
        [
            format!("10.{subnet}.0.{host}/24"),
            format!("fd00:{group:x}:{subnet}::{host}/64"),
        ]
    }

    /// Its networks on an edge.
    pub fn networks(self, edge: u8) -> [String; 2] {
        let (subnet, group) = (self.subnet(edge), self.ipv6);
        [
            format!("10.{subnet}.0.0/24"),
            format!("fd00:{group:x}:{subnet}::/64"),
        ]
    }

    fn subnet(self, edge: u8) -> u8 {
        let at = usize::from(edge).saturating_sub(1);
        self.subnets.get(at).copied().unwrap_or(edge)
    }

    /// Overlay and instance of rbgpd, which makes the VRF; keys of the instance come behind.
    pub fn rbgpd(self, edge: u8) -> String {
        let Self {
            name, table, l3vni, ..
        } = self;
        let ([ipv4, ipv6], vni) = (self.addresses(edge, 1), self.vni(edge));
        let end = tunnel_end(edge);
        format!(
            "[[vni]]\nid = {vni}\nname = \"{name}\"\nvrf = \"{name}\"\nmtu = 1500\n\
             gateway = [\"{ipv4}\", \"{ipv6}\"]\n\
             [[instance]]\nname = \"{name}\"\nvrf = \"{name}\"\nvrf_table = {table}\n\
             asn = 6500{edge}\nrouter_id = \"{end}\"\n\
             [instance.ipv4_unicast]\nredistribute = [\"connected\"]\n\
             [instance.ipv6_unicast]\nredistribute = [\"connected\"]\n\
             [instance.l3vni]\nid = {l3vni}\nmtu = 1500\n"
        )
    }

    /// What an operator of FRR makes beforehand: the VRF, a bridge with the gateways' addresses, and
    /// for the L3VNI a bridge whose address is the router's MAC.
    pub fn devices_for_frr(self, edge: &Edge) -> Result<(), Error> {
        let (id, end) = (edge.id(), IpAddr::V4(tunnel_end(edge.id())));
        let Self {
            name, table, l3vni, ..
        } = self;
        edge.vrf(name, table)?;
        let router_mac = format!("02:00:00:00:{:02x}:{id:02x}", table - 1000);
        edge.overlay(l3vni, end, &format!("address {router_mac} master {name}"))?;
        let vni = self.vni(id);
        edge.overlay(vni, end, &format!("master {name}"))?;
        for gateway in self.addresses(id, 1) {
            edge.space()
                .ip(&format!("addr add {gateway} dev br{vni}"))?;
        }
        Ok(())
    }

    /// A host of the tenant on each edge.
    pub fn hosts(self, lab: &Lab, edges: &[Edge]) -> Result<Vec<Host>, Error> {
        let plug = |edge: &Edge| {
            let (id, vni) = (edge.id(), self.vni(edge.id()));
            let addresses = self.addresses(id, 10);
            let addresses = addresses.each_ref().map(String::as_str);
            let name = format!("{}{id}", self.name);
            Host::plug(lab, edge, &name, &format!("br{vni}"), &addresses)
        };
        edges.iter().map(plug).collect()
    }

    /// Whether the tenant's table on an edge has this prefix through the L3VNI to another edge.
    pub fn routed(self, edge: &Edge, other: &Edge, prefix: &str) -> Result<(), Error> {
        let (end, device) = (tunnel_end(other.id()), self.l3vni);
        let ways = [
            format!("via {end} dev br{device} "),
            format!("via ::ffff:{end} dev br{device} "),
        ];
        let shown = self.shown(edge, prefix)?;
        match ways.iter().any(|way| shown.contains(way)) && shown.contains("onlink") {
            true => Ok(()),
            false => Err(self.seen(prefix, &shown)),
        }
    }

    /// Whether the tenant's table on an edge has this way to a prefix, and no other.
    pub fn leads(self, edge: &Edge, prefix: &str, way: &str) -> Result<(), Error> {
        let shown = self.shown(edge, prefix)?;
        match shown.lines().count() == 1 && shown.contains(way) {
            true => Ok(()),
            false => Err(self.seen(prefix, &shown)),
        }
    }

    /// Whether a tenant's table on an edge has nothing to a prefix.
    pub fn unrouted(self, edge: &Edge, prefix: &str) -> Result<(), Error> {
        let shown = self.shown(edge, prefix)?;
        match shown.trim().is_empty() {
            true => Ok(()),
            false => Err(self.seen(prefix, &shown)),
        }
    }

    fn shown(self, edge: &Edge, prefix: &str) -> Result<String, Error> {
        let family = if prefix.contains(':') { "-6" } else { "-4" };
        let table = self.table;
        let words = format!("{family} route show table {table} {prefix}");
        edge.space().ip(&words)
    }

    fn seen(self, prefix: &str, shown: &str) -> Error {
        Error::State(format!("{prefix} in {}: `{shown}`", self.table))
    }

    /// Whether frames to the other edge's router MAC go into the tunnel to it.
    pub fn router_mac(self, edge: &Edge, other: &Edge) -> Result<(), Error> {
        let bridge = format!("link show dev br{}", self.l3vni);
        let shown = other.space().json("ip", &bridge)?;
        let mac = shown
            .pointer("/0/address")
            .and_then(serde_json::Value::as_str);
        let known = kernel::remote_macs(edge.space(), self.l3vni)?;
        let end = tunnel_end(other.id()).to_string();
        match mac.and_then(|mac| known.get(mac)) == Some(&end) {
            true => Ok(()),
            false => Err(Error::State(format!("{mac:?} is not in {known:?}"))),
        }
    }
}

/// What FRR on an edge is told, in words that 8.4 and 10 take. It speaks to the first edge alone,
/// which passes on what it hears: with a route over two sessions 8.4 was seen without the MAC of the
/// router behind it.
pub fn overlay_frr(edge: u8, tenants: &[Tenant]) -> String {
    let mut text = String::new();
    for Tenant { name, l3vni, .. } in tenants {
        text += &format!("vrf {name}\n vni {l3vni}\nexit-vrf\n");
    }
    text += &format!(
        "router bgp 6500{edge}\n bgp router-id {end}\n no bgp ebgp-requires-policy\n",
        end = tunnel_end(edge)
    );
    text += " neighbor 10.9.0.1 remote-as 65001\n neighbor 10.9.0.1 timers connect 1\n \
             address-family l2vpn evpn\n  neighbor 10.9.0.1 activate\n  advertise-all-vni\n \
             exit-address-family\n";
    for Tenant { name, .. } in tenants {
        text += &format!(
            "router bgp 6500{edge} vrf {name}\n \
             address-family ipv4 unicast\n  redistribute connected\n exit-address-family\n \
             address-family ipv6 unicast\n  redistribute connected\n exit-address-family\n \
             address-family l2vpn evpn\n  advertise ipv4 unicast\n  advertise ipv6 unicast\n \
             exit-address-family\n"
        );
    }
    text
}
