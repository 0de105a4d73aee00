//! What `[instance.l3vni]` says beside the number, each with what it does to another edge's kernel:
//! default routes, families, maps for both directions, gateways as overlay index; `advertise_gateway`
//! of a VNI; and a network that is made in a VRF at run time.
//!
//! ```text
//!  red1  ─ br101 10.1.0.1 ┐                                ┌ 10.2.0.1 br102 ─ red2
//!  red20 ─ br101          ├ red, edge 1 ══ L3VNI 4001 ══ edge 2, red
//!  10.88.0.0/24 behind red20                               └ 10.150.0.2 br150 ─ shared2
//!  10.150.0.1 br150       ┘
//! ```

#![allow(missing_docs)]

use std::net::Ipv4Addr;

use conformance::lab::edge::tunnel_end;
use conformance::lab::overlay::ROUTING;
use conformance::lab::{
    Edge, Error, Host, Lab, PATIENCE, Program, Release, Tenant, kernel, overlay_frr, overlay_head,
    scenario_beside_others,
};

const RED: Tenant = Tenant::RED;

/// A VNI of both edges in which each has a gateway of its own.
const SHARED: u32 = 150;
/// The gateway's MAC address at edge 1.
const SHARED_MAC: &str = "02:00:5e:00:15:01";

/// A network behind a station at edge 1, and an address in it.
const BEHIND: &str = "10.88.0.0/24";
const BEHIND_HOST: Ipv4Addr = Ipv4Addr::new(10, 88, 0, 1);

/// Edge 1 tells IPv4 only, and a default route; each edge keeps one of its networks back, edge 1 by
/// its export map, edge 2's by the import map of edge 1.
fn first(edges: u8, gateway_ip: bool) -> String {
    let plain = "[instance.ipv4_unicast]\nredistribute = [\"connected\"]\n";
    let more = "[instance.ipv4_unicast]\nredistribute = [\"connected\", \"static\"]\n\
                networks = [\"10.91.0.0/24\", \"10.92.0.0/24\"]\n";
    let shared = format!(
        "[[vni]]\nid = {SHARED}\nname = \"shared\"\nmtu = 1500\ngateway = [\"10.150.0.1/24\"]\n\
         gateway_mac = \"{SHARED_MAC}\"\nadvertise_gateway = true\n"
    );
    let map = |name: &str, refused: &str| {
        format!(
            "[[prefix_list]]\nname = \"{name}\"\nrules = [\"deny {refused}\", \
             \"permit 0.0.0.0/0 le 32\", \"permit ::/0 le 128\"]\n\
             [[route_map]]\nname = \"{name}\"\n\
             entry = [{{ seq = 10, action = \"permit\", match = {{ prefix_list = \"{name}\" }}, \
             set = {{ metric = 50 }} }}]\n"
        )
    };
    [
        overlay_head(1, edges),
        shared,
        RED.rbgpd(1).replace(plain, more),
        "advertise = [\"ipv4_unicast\"]\ndefault_originate = [\"ipv4_unicast\"]\n".to_owned(),
        "import = \"IN\"\nexport = \"OUT\"\n".to_owned(),
        format!("gateway_ip = {gateway_ip}\n"),
        map("IN", "10.93.0.0/24"),
        map("OUT", "10.91.0.0/24"),
    ]
    .concat()
}

fn second(edge: &Edge, edges: u8) -> String {
    let id = edge.id();
    if edge.node().is_rbgpd() {
        let plain = "[instance.ipv4_unicast]\n";
        let more = "[instance.ipv4_unicast]\nnetworks = [\"10.93.0.0/24\", \"10.94.0.0/24\"]\n";
        let shared = format!(
            "[[vni]]\nid = {SHARED}\nname = \"shared\"\nmtu = 1500\n\
             gateway = [\"10.150.0.2/24\"]\n"
        );
        return [
            overlay_head(id, edges),
            shared,
            RED.rbgpd(id).replace(plain, more),
            "default_originate = [\"ipv6_unicast\"]\n".to_owned(),
        ]
        .concat();
    }
    let more = format!(
        "router bgp 6500{id} vrf red\n no bgp network import-check\n \
         address-family ipv4 unicast\n  network 10.93.0.0/24\n  network 10.94.0.0/24\n \
         exit-address-family\n address-family l2vpn evpn\n  default-originate ipv6\n \
         exit-address-family\n"
    );
    overlay_frr(id, &[RED]) + &more
}

/// What rbgpd says when it is asked, which has to go well.
fn says(edge: &Edge, words: &[&str]) -> Result<String, Error> {
    let output = edge.node().ctl(words)?;
    match output.ok() {
        true => Ok(output.stdout),
        false => Err(Error::State(format!("{words:?}: {}", output.text()))),
    }
}

fn holds(text: &str, parts: &[&str]) -> Result<(), Error> {
    match parts.iter().find(|part| !text.contains(**part)) {
        None => Ok(()),
        Some(part) => Err(Error::State(format!("no `{part}` in\n{text}"))),
    }
}

/// Default routes, families and maps.
fn what_is_told(lab: &Lab, one: &Edge, two: &Edge) -> Result<(), Error> {
    let id = two.id();
    for prefix in ["default", "10.1.0.0/24", "10.92.0.0/24"] {
        let what = format!("edge {id}: {prefix} from edge 1");
        lab.wait_until(&what, PATIENCE, || RED.routed(two, one, prefix))?;
    }
    let far = tunnel_end(id);
    let default = format!("via ::ffff:{far} dev br4001 ");
    lab.wait_until("edge 1: an IPv6 default route", PATIENCE, || {
        let shown = one.space().ip("-6 route show table 1001 default")?;
        holds(&shown, &[&default])
    })?;
    let [ipv4, _] = RED.networks(id);
    for prefix in [ipv4.as_str(), "10.94.0.0/24"] {
        let what = format!("edge 1: {prefix} from edge {id}");
        lab.wait_until(&what, PATIENCE, || RED.routed(one, two, prefix))?;
    }
    // With those the refused ones would have come, too.
    RED.unrouted(two, "10.91.0.0/24")?;
    RED.unrouted(one, "10.93.0.0/24")?;
    let [_, ipv6] = RED.networks(1);
    RED.unrouted(two, &ipv6)?;
    let refused = says(one, &["--instance", "red", "explain", "10.93.0.0/24"])?;
    holds(&refused, &["evpn", "not used"])?;
    let routers = says(one, &["show", "evpn", "next-hops"])?;
    holds(&routers, &["4001", &far.to_string()])?;
    lab.step(format!("edge {id}: told what is to be told, and no more"));
    Ok(())
}

/// A network behind a station: others send packets to it by the station's address.
fn behind_a_station(lab: &Lab, one: &Edge, two: &Edge, red2: &Host) -> Result<(), Error> {
    let station = Host::plug(lab, one, "red20", "br101", &["10.1.0.20/24"])?;
    station
        .space()
        .ip(&format!("addr add {BEHIND_HOST}/32 dev lo"))?;
    let words = format!("route add {BEHIND} via 10.1.0.20 dev br101 table 1001 proto static");
    one.space().ip(&words)?;
    for gateway in station.gateways() {
        lab.wait_until("the station reaches its gateway", PATIENCE, || {
            station.pings(*gateway)
        })?;
    }
    lab.wait_until("the network behind the station", PATIENCE, || {
        RED.routed(two, one, BEHIND)
    })?;
    let shown = says(two, &["--instance", "red", "show", "routes", BEHIND])?;
    holds(&shown, &["10.1.0.20", "evpn"])?;
    lab.wait_until("red2 reaches it", PATIENCE, || {
        red2.pings(BEHIND_HOST.into())
    })?;
    one.space()
        .ip(&format!("route del {BEHIND} table 1001 proto static"))?;
    lab.reach("it is gone", PATIENCE, || RED.unrouted(two, BEHIND))?;
    Ok(())
}

/// The gateway that edge 1 has alone is known to the other one, and answers its hosts.
fn a_gateway_is_told(lab: &Lab, two: &Edge) -> Result<(), Error> {
    let bridge = format!("br{SHARED}");
    let host = Host::plug(lab, two, "shared2", &bridge, &["10.150.0.20/24"])?;
    lab.wait_until("the gateway of edge 1 at edge 2", PATIENCE, || {
        let known = kernel::remote_macs(two.space(), SHARED)?;
        match known.get(SHARED_MAC) == Some(&tunnel_end(1).to_string()) {
            true => Ok(()),
            false => Err(Error::State(format!("{known:?}"))),
        }
    })?;
    let shown = two.space().ip(&format!("neigh show dev {bridge}"))?;
    holds(&shown, &["10.150.0.1 ", SHARED_MAC])?;
    lab.wait_until("it answers a host there", PATIENCE, || {
        host.pings(Ipv4Addr::new(10, 150, 0, 1).into())
    })?;
    Ok(())
}

/// An order makes a network in the VRF, and takes it away.
fn a_network_is_made(lab: &Lab, one: &Edge, two: &Edge) -> Result<(), Error> {
    let [create, delete] = [
        [
            "network",
            "create",
            "170",
            "extra",
            "10.170.0.0/24",
            "--vrf",
            "red",
        ]
        .as_slice(),
        ["network", "delete", "170"].as_slice(),
    ];
    says(one, create)?;
    let device = one.space().ip("link show dev br170")?;
    holds(&device, &["master red"])?;
    lab.wait_until("others have its network", PATIENCE, || {
        RED.routed(two, one, "10.170.0.0/24")
    })?;
    says(one, delete)?;
    lab.reach("it is gone", PATIENCE, || {
        RED.unrouted(two, "10.170.0.0/24")
    })?;
    match kernel::has_device(one.space(), "br170") {
        false => Ok(()),
        true => Err(Error::State("br170 is left".to_owned())),
    }
}

fn play(lab: &Lab, programs: &[Program]) -> Result<(), Error> {
    let mut edges = Edge::build(lab, programs)?;
    let count = u8::try_from(edges.len()).unwrap_or(u8::MAX);
    // FRR wants the station's address in a VNI that it has itself before it takes such a route.
    let gateway_ip = edges.iter().all(|edge| edge.node().is_rbgpd());
    for edge in &mut edges {
        if !edge.node().is_rbgpd() {
            RED.devices_for_frr(edge)?;
        }
        let config = match edge.id() {
            1 => first(count, gateway_ip),
            _ => second(edge, count),
        };
        edge.start(lab, &config)?;
    }
    let of_red = RED.hosts(lab, &edges)?;
    lab.step("daemons run, hosts are plugged in");
    let ([one, others @ ..], [_, reds @ ..]) = (edges.as_slice(), of_red.as_slice()) else {
        return Err(Error::State("edges with hosts".to_owned()));
    };
    for (two, red2) in others.iter().zip(reds) {
        what_is_told(lab, one, two)?;
        a_network_is_made(lab, one, two)?;
        lab.step("a network in the VRF came and went");
        if two.node().is_rbgpd() {
            behind_a_station(lab, one, two, red2)?;
            a_gateway_is_told(lab, two)?;
            lab.step("stations and gateways are told");
        }
    }
    lab.reach("verify", PATIENCE, || says(one, &["verify"]).map(drop))?;
    for edge in &mut edges {
        edge.node_mut().stop()?;
    }
    Ok(())
}

#[test]
fn each_option_does_what_it_says_between_rbgpds() -> Result<(), Error> {
    scenario_beside_others("l3vni-options", &ROUTING, |lab| {
        play(lab, &[Program::Rbgpd, Program::Rbgpd])
    })
}

#[test]
fn frr_8_takes_and_gives_the_same() -> Result<(), Error> {
    scenario_beside_others("l3vni-options-frr", &ROUTING, |lab| {
        play(lab, &[Program::Rbgpd, Program::Frr(Release::Host)])
    })
}

#[test]
fn frr_10_takes_and_gives_the_same() -> Result<(), Error> {
    let trixie = Release::Suite("trixie".to_owned());
    // Here, where there is a network to fetch it from.
    trixie.prepare()?;
    scenario_beside_others("l3vni-options-frr-10", &ROUTING, |lab| {
        play(lab, &[Program::Rbgpd, Program::Frr(trixie)])
    })
}
