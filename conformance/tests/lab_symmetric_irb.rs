//! Symmetric routing between overlays (RFC 9136 §4.4, RFC 9135 §5): two tenants, each with a VRF and
//! an L3VNI on both edges, and a subnet on each of them.
//!
//! ```text
//!         edge 1                                  edge 2
//!  red1 ─ br101 10.1.0.1 ┐               ┌ 10.2.0.1 br102 ─ red2
//!                        red ═ L3VNI 4001 ═ red
//!  blue1 ─ br201 10.1.0.1 ┐             ┌ 10.3.0.1 br202 ─ blue2
//!                        blue ═ L3VNI 4002 ═ blue
//! ```
//!
//! `red1` and `blue1` have the same address. IPv6 beside IPv4, in networks of each tenant's own.

#![allow(missing_docs)]

use std::net::IpAddr;
use std::time::Duration;

use conformance::lab::edge::tunnel_end;
use conformance::lab::{
    Edge, Error, Host, Lab, Program, Release, Requirement, kernel, scenario_beside_others,
};

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::HostFrr,
    Requirement::Vrf,
];

/// The guest has one processor, and FRR tries a session again after a second at the soonest.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an edge has of a tenant.
#[derive(Debug, Clone, Copy)]
struct Tenant {
    name: &'static str,
    table: u32,
    l3vni: u32,
    /// Of edges 1 and 2: the second octet of the network.
    subnets: [u8; 2],
    /// The second group of IPv6 networks.
    ipv6: u16,
}

const TENANTS: [Tenant; 2] = [
    Tenant {
        name: "red",
        table: 1001,
        l3vni: 4001,
        subnets: [1, 2],
        ipv6: 0x10,
    },
    Tenant {
        name: "blue",
        table: 1002,
        l3vni: 4002,
        subnets: [1, 3],
        ipv6: 0x20,
    },
];

impl Tenant {
    /// The overlay of its subnet on an edge.
    fn vni(self, edge: u8) -> u32 {
        let hundred = if self.name == "red" { 100 } else { 200 };
        hundred + u32::from(edge)
    }

    /// An address in its networks on an edge, with the length: IPv4 and IPv6.
    fn addresses(self, edge: u8, host: u8) -> [String; 2] {
        let subnet = self.subnet(edge);
        let group = self.ipv6;
        [
            format!("10.{subnet}.0.{host}/24"),
            format!("fd00:{group:x}:{subnet}::{host}/64"),
        ]
    }

    fn networks(self, edge: u8) -> [String; 2] {
        let (subnet, group) = (self.subnet(edge), self.ipv6);
        [
            format!("10.{subnet}.0.0/24"),
            format!("fd00:{group:x}:{subnet}::/64"),
        ]
    }

    fn subnet(self, edge: u8) -> u8 {
        let [first, second] = self.subnets;
        if edge == 1 { first } else { second }
    }
}

/// What FRR on an edge is told, in words that 8.4 and 10 take.
fn frr(edge: u8) -> String {
    let other = 3 - edge;
    let mut text = String::new();
    for Tenant { name, l3vni, .. } in TENANTS {
        text += &format!("vrf {name}\n vni {l3vni}\nexit-vrf\n");
    }
    text += &format!(
        "router bgp 6500{edge}\n bgp router-id {end}\n no bgp ebgp-requires-policy\n \
         neighbor 10.9.0.{other} remote-as 6500{other}\n neighbor 10.9.0.{other} timers connect 1\n \
         address-family l2vpn evpn\n  neighbor 10.9.0.{other} activate\n  advertise-all-vni\n \
         exit-address-family\n",
        end = tunnel_end(edge)
    );
    for Tenant { name, .. } in TENANTS {
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

/// What an operator of FRR makes beforehand: VRFs, bridges with the gateways' addresses, and for
/// each L3VNI a bridge whose address is the router's MAC.
fn devices_for_frr(edge: &Edge) -> Result<(), Error> {
    let (id, end) = (edge.id(), IpAddr::V4(tunnel_end(edge.id())));
    for tenant in TENANTS {
        let (name, l3vni) = (tenant.name, tenant.l3vni);
        edge.vrf(name, tenant.table)?;
        let router_mac = format!("02:00:00:00:{:02x}:{id:02x}", tenant.table - 1000);
        edge.overlay(l3vni, end, &format!("address {router_mac} master {name}"))?;
        let vni = tenant.vni(id);
        edge.overlay(vni, end, &format!("master {name}"))?;
        for gateway in tenant.addresses(id, 1) {
            edge.space()
                .ip(&format!("addr add {gateway} dev br{vni}"))?;
        }
    }
    Ok(())
}

/// Whether the tenant's table on an edge has this prefix through the L3VNI to the other edge.
fn routed(edge: &Edge, tenant: Tenant, prefix: &str) -> Result<(), Error> {
    let family = if prefix.contains(':') { "-6" } else { "-4" };
    let table = tenant.table;
    let shown = edge
        .space()
        .ip(&format!("{family} route show table {table} {prefix}"))?;
    let (end, device) = (tunnel_end(3 - edge.id()), tenant.l3vni);
    let ways = [
        format!("via {end} dev br{device} "),
        format!("via ::ffff:{end} dev br{device} "),
    ];
    match ways.iter().any(|way| shown.contains(way)) && shown.contains("onlink") {
        true => Ok(()),
        false => Err(Error::State(format!("{prefix} in {table}: `{shown}`"))),
    }
}

/// Whether a tenant's table on an edge has nothing to a prefix.
fn unrouted(edge: &Edge, tenant: Tenant, prefix: &str) -> Result<(), Error> {
    let table = tenant.table;
    let words = format!("route show table {table} {prefix}");
    let shown = edge.space().ip(&words)?;
    match shown.trim().is_empty() {
        true => Ok(()),
        false => Err(Error::State(format!("{prefix} in {table}: `{shown}`"))),
    }
}

/// Whether frames to the other edge's router MAC go into the tunnel to it.
fn router_mac(edge: &Edge, other: &Edge, tenant: Tenant) -> Result<(), Error> {
    let bridge = format!("link show dev br{}", tenant.l3vni);
    let shown = other.space().json("ip", &bridge)?;
    let mac = shown
        .pointer("/0/address")
        .and_then(serde_json::Value::as_str);
    let known = kernel::remote_macs(edge.space(), tenant.l3vni)?;
    let end = tunnel_end(other.id()).to_string();
    match mac.and_then(|mac| known.get(mac)) == Some(&end) {
        true => Ok(()),
        false => Err(Error::State(format!("{mac:?} is not in {known:?}"))),
    }
}

/// The hosts of a tenant on edges 1 and 2.
fn hosts(lab: &Lab, edges: &[Edge], tenant: Tenant) -> Result<Vec<Host>, Error> {
    let plug = |edge: &Edge| {
        let (id, vni) = (edge.id(), tenant.vni(edge.id()));
        let addresses = tenant.addresses(id, 10);
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let name = format!("{}{id}", tenant.name);
        Host::plug(lab, edge, &name, &format!("br{vni}"), &addresses)
    };
    edges.iter().map(plug).collect()
}

/// Tables, FDB and packets of one tenant are as they should be.
fn tenant_works(lab: &Lab, edges: &[Edge], hosts: &[Host], tenant: Tenant) -> Result<(), Error> {
    let ([one, two], [near, far]) = (edges, hosts) else {
        return Err(Error::State("two edges, two hosts".to_owned()));
    };
    let name = tenant.name;
    for (edge, other) in [(one, two), (two, one)] {
        let id = edge.id();
        for prefix in tenant.networks(other.id()) {
            let what = format!("{name} on edge {id}: {prefix} through the L3VNI");
            lab.reach(&what, PATIENCE, || routed(edge, tenant, &prefix))?;
        }
        let what = format!("{name} on edge {id}: MAC of the other router");
        lab.reach(&what, PATIENCE, || router_mac(edge, other, tenant))?;
    }
    for to in far.addresses() {
        let what = format!("{name}1 reaches {to} with full packets");
        lab.reach(&what, PATIENCE, || near.pings(*to))?;
    }
    // Each edge knows the other's host by its own route, so that a host that moves keeps its way.
    for (edge, host) in [(two, near), (one, far)] {
        let id = edge.id();
        for address in host.addresses() {
            let what = format!("{name} on edge {id}: host route to {address}");
            lab.reach(&what, PATIENCE, || {
                routed(edge, tenant, &address.to_string())
            })?;
        }
    }
    Ok(())
}

fn play(lab: &Lab, releases: [Release; 2]) -> Result<(), Error> {
    let programs = releases.map(Program::Frr);
    let mut edges = Edge::build(lab, &programs)?;
    for edge in &mut edges {
        devices_for_frr(edge)?;
        edge.start(lab, &frr(edge.id()))?;
    }
    let [red, blue] = TENANTS;
    let (of_red, of_blue) = (hosts(lab, &edges, red)?, hosts(lab, &edges, blue)?);
    lab.start_clock();
    tenant_works(lab, &edges, &of_red, red)?;
    tenant_works(lab, &edges, &of_blue, blue)?;

    let ([one, _], [red1, red2], [blue1, blue2]) =
        (edges.as_slice(), of_red.as_slice(), of_blue.as_slice())
    else {
        return Err(Error::State("two of each".to_owned()));
    };
    for prefix in blue.networks(2) {
        unrouted(one, red, &prefix)?;
    }
    for prefix in red.networks(2) {
        unrouted(one, blue, &prefix)?;
    }
    for (from, to) in [(red1, blue2), (blue1, red2)] {
        for address in to.addresses() {
            if from.pings(*address).is_ok() {
                let why = format!("{address} answered another tenant");
                return Err(Error::State(why));
            }
        }
    }
    // The same address is another host to each of them.
    red1.space().ip("link set eth0 down")?;
    let shared: IpAddr = std::net::Ipv4Addr::new(10, 1, 0, 10).into();
    blue2.pings(shared)?;
    if red2.pings(shared).is_ok() {
        return Err(Error::State(format!("{shared} of blue answered red")));
    }
    lab.step("tenants do not see each other");

    // An edge that ends takes its routes along, and is back with them.
    let [one, two] = edges.as_mut_slice() else {
        return Err(Error::State("two edges".to_owned()));
    };
    two.node_mut().stop()?;
    for prefix in blue.networks(2) {
        let what = format!("blue on edge 1: {prefix} is gone");
        lab.reach(&what, PATIENCE, || unrouted(one, blue, &prefix))?;
    }
    let known = || kernel::remote_macs(one.space(), blue.l3vni);
    lab.reach("blue on edge 1: no router's MAC is left", PATIENCE, || {
        let known = known()?;
        match known.is_empty() {
            true => Ok(()),
            false => Err(Error::State(format!("{known:?}"))),
        }
    })?;
    two.start(lab, &frr(2))?;
    for address in blue2.addresses() {
        let what = format!("blue1 reaches {address} again");
        lab.reach(&what, PATIENCE, || blue1.pings(*address))?;
    }
    Ok(())
}

#[test]
fn two_frrs_route_for_two_tenants() -> Result<(), Error> {
    scenario_beside_others("symmetric-irb-frr", &NEEDS, |lab| {
        play(lab, [Release::Host, Release::Host])
    })
}
