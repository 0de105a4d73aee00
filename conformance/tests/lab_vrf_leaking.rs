//! Routes of one VRF in another (`[[import]]`), with packets: between two tenants on one router,
//! to what a tenant hears from a neighbour and from EVPN, and between a tenant and the main table.
//!
//! ```text
//!  red1 ─ br101 10.1.0.1 ─ red ─┐ edge 1: red imports blue and default,   ┌ red  ─ br102 ─ red2
//!                               │ blue and default import red             │
//!  blue1 ─ br201 10.11.0.1 ─ blue ══ L3VNIs 4001 and 4002 ══ edge 2, .. ──┤
//!  ce (FRR, AS 65077) ─ c1 ──────┘                                        └ blue ─ br202 ─ blue2
//!  outside 172.16.0.10 ─ o1 ─ main table of edge 1
//! ```
//!
//! Only edge 1 imports. Its `red` has blue's subnet behind the device `blue`, what `ce` announces
//! through `c1`, blue's subnet at other edges through blue's L3VNI, and 172.16.0.0/24 through `o1`.
//! What it has from blue is told to others as red's, but for what blue has from EVPN itself.

#![allow(missing_docs)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use conformance::lab::edge::tunnel_end;
use conformance::lab::overlay::ROUTING;
use conformance::lab::{
    Edge, Error, Frr, Host, Lab, Namespace, PATIENCE, Pinger, Program, Release, Tenant, command,
    overlay_frr, overlay_head, scenario_beside_others,
};

const RED: Tenant = Tenant::RED;
const BLUE: Tenant = Tenant::BLUE;

/// What the neighbour in blue announces, and an address there.
const BEHIND: &str = "10.77.0.0/16";
const BEHIND_HOST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// The network beside the main table of edge 1, and a host in it.
const OUTSIDE: &str = "172.16.0.0/24";
const OUTSIDE_HOST: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 10);

/// Edge 1, whose red imports what is named.
fn importing(edges: u8, from: &[&str]) -> String {
    let neighbor = "[[instance.neighbor]]\naddress = \"10.20.0.2\"\nremote_as = 65077\n\
                    timers = { connect_retry = \"1s\" }\nipv4_unicast = {}\n";
    let import = |of: &str, from: &str| format!("[[{of}import]]\nfrom = \"{from}\"\n");
    let imports = from.iter().map(|from| import("instance.", from));
    [
        overlay_head(1, edges),
        "[ipv4_unicast]\nnetworks = [\"172.16.0.0/24\"]\n".to_owned(),
        import("", "red"),
        RED.rbgpd(1),
        imports.collect(),
        BLUE.rbgpd(1),
        neighbor.to_owned(),
        import("instance.", "red"),
    ]
    .concat()
}

fn config(edge: &Edge, edges: u8) -> String {
    let id = edge.id();
    match edge.node().is_rbgpd() {
        true if id == 1 => importing(edges, &["blue", "default"]),
        true => [overlay_head(id, edges), RED.rbgpd(id), BLUE.rbgpd(id)].concat(),
        false => overlay_frr(id, &[RED, BLUE]),
    }
}

/// A link from a namespace of its own to edge 1: the edge's device there, and the addresses of both.
fn link(
    lab: &Lab,
    edge: &Edge,
    (name, device): (&str, &str),
    [there, here]: [&str; 2],
) -> Result<Namespace, Error> {
    let (space, at) = (lab.namespace(name)?, edge.space());
    let (host, router) = (space.name(), at.name());
    let words = format!("link add eth0 netns {host} type veth peer name {device} netns {router}");
    command::host("ip", &words.split_whitespace().collect::<Vec<_>>())?;
    space.ip(&format!("addr add {there} dev eth0"))?;
    space.ip("link set eth0 up")?;
    at.ip(&format!("link set {device} up"))?;
    at.ip(&format!("addr add {here} dev {device}"))?;
    Ok(space)
}

/// The neighbour in blue, an FRR that hears what blue has.
fn customer(lab: &Lab, edge: &Edge) -> Result<Frr, Error> {
    let space = link(lab, edge, ("ce", "c1"), ["10.20.0.2/24", "10.20.0.1/24"])?;
    // The address goes with the move into the VRF only from Linux 6 on for IPv6; this is IPv4.
    edge.space().ip("link set c1 master blue")?;
    space.ip(&format!("addr add {BEHIND_HOST}/32 dev lo"))?;
    let mut frr = Frr::new(Release::Host, space, lab.folder("ce")?);
    frr.start(
        lab,
        &format!(
            "router bgp 65077\n bgp router-id 10.20.0.2\n no bgp ebgp-requires-policy\n \
             no bgp network import-check\n neighbor 10.20.0.1 remote-as 65001\n \
             neighbor 10.20.0.1 timers connect 1\n address-family ipv4 unicast\n  \
             network {BEHIND}\n exit-address-family\n"
        ),
    )?;
    Ok(frr)
}

/// Whether the main table of an edge has this way to a prefix.
fn main_leads(edge: &Edge, prefix: &str, way: &str) -> Result<(), Error> {
    let shown = edge.space().ip(&format!("route show {prefix}"))?;
    match shown.lines().count() == 1 && shown.contains(way) {
        true => Ok(()),
        false => Err(Error::State(format!("{prefix}: `{shown}`"))),
    }
}

/// What rbgpd says when it is asked, which has to go well.
fn says(edge: &Edge, words: &[&str]) -> Result<String, Error> {
    let output = edge.node().ctl(words)?;
    match output.ok() {
        true => Ok(output.stdout),
        false => Err(Error::State(format!("{words:?}: {}", output.stderr))),
    }
}

/// Tables of edge 1, and of the others.
fn routes_are_where_they_belong(lab: &Lab, edges: &[Edge]) -> Result<(), Error> {
    let [one, others @ ..] = edges else {
        return Err(Error::State("an edge".to_owned()));
    };
    for prefix in BLUE.networks(1) {
        lab.wait_until("blue's own in red", PATIENCE, || {
            RED.leads(one, &prefix, "dev blue ")
        })?;
    }
    for prefix in RED.networks(1) {
        lab.wait_until("red's own in blue", PATIENCE, || {
            BLUE.leads(one, &prefix, "dev red ")
        })?;
    }
    lab.wait_until("what ce announces, in red", PATIENCE, || {
        RED.leads(one, BEHIND, "via 10.20.0.2 dev c1 ")
    })?;
    lab.wait_until("the outside in red", PATIENCE, || {
        RED.leads(one, OUTSIDE, "dev o1 ")
    })?;
    lab.wait_until("red's own in the main table", PATIENCE, || {
        main_leads(one, "10.1.0.0/24", "dev red ")
    })?;
    // What red has from blue and from outside is red's to give to neither.
    BLUE.unrouted(one, OUTSIDE)?;
    for other in others {
        let id = other.id();
        let through = format!("via {} dev br{} ", tunnel_end(id), BLUE.l3vni);
        let [blues, _] = BLUE.networks(id);
        let what = format!("blue's subnet at edge {id} in red");
        lab.wait_until(&what, PATIENCE, || RED.leads(one, &blues, &through))?;
        let [own, _] = BLUE.networks(1);
        for prefix in [own.as_str(), BEHIND, OUTSIDE] {
            let what = format!("edge {id}: {prefix} in red, from edge 1");
            lab.wait_until(&what, PATIENCE, || RED.routed(other, one, prefix))?;
        }
        let [reds, _] = RED.networks(1);
        let what = format!("edge {id}: red's subnet at edge 1 in blue");
        lab.wait_until(&what, PATIENCE, || BLUE.routed(other, one, &reds))?;
        // What blue has from EVPN is not told to EVPN a second time, as red's.
        RED.unrouted(other, &blues)?;
    }
    Ok(())
}

/// Everybody who should reaches everybody, with full packets and back.
fn packets_pass(
    lab: &Lab,
    (of_red, of_blue): (&[Host], &[Host]),
    outside: &Namespace,
) -> Result<(), Error> {
    let ([red1, reds @ ..], [blue1, blues @ ..]) = (of_red, of_blue) else {
        return Err(Error::State("a host of each".to_owned()));
    };
    let reaches = |from: &Host, to: IpAddr| {
        let what = format!("{} reaches {to}", from.space().name());
        lab.wait_until(&what, PATIENCE, || from.pings(to))
    };
    for host in of_red.iter().chain(of_blue) {
        for gateway in host.gateways() {
            reaches(host, *gateway)?;
        }
    }
    // Through one router, both IP versions, also the other tenant's gateway itself.
    for (from, to) in [(red1, blue1), (blue1, red1)] {
        for address in to.addresses().iter().chain(to.gateways()) {
            reaches(from, *address)?;
        }
    }
    reaches(red1, BEHIND_HOST.into())?;
    reaches(red1, OUTSIDE_HOST.into())?;
    let to_red = red1.addresses().iter().find_map(|it| match it {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    });
    let to_red = to_red.ok_or_else(|| Error::State("no IPv4 address".to_owned()))?;
    lab.wait_until("outside reaches red1", PATIENCE, || {
        outside.pings(to_red, 1500).map_err(Error::State)
    })?;
    // Through a tunnel, and from one tenant to the other at the end of it.
    for (from, to) in [(red1, blues), (blue1, reds)] {
        for address in to.iter().flat_map(Host::addresses) {
            reaches(from, *address)?;
        }
    }
    for from in reds {
        for address in blue1.addresses() {
            reaches(from, *address)?;
        }
        reaches(from, BEHIND_HOST.into())?;
        reaches(from, OUTSIDE_HOST.into())?;
    }
    lab.step("packets pass between tenants, to the neighbour and to the outside");
    Ok(())
}

/// rbgpd says where routes are from.
fn answers(edge: &Edge) -> Result<(), Error> {
    let shown = says(edge, &["--instance", "red", "show", "routes"])?;
    for text in ["0.0.0.0%blue", "10.20.0.2%c1", " instance blue", "%br4002"] {
        if !shown.contains(text) {
            return Err(Error::State(format!("no `{text}` in\n{shown}")));
        }
    }
    let explained = says(edge, &["--instance", "red", "explain", BEHIND])?;
    for text in ["instance blue", "via 10.20.0.2"] {
        if !explained.contains(text) {
            return Err(Error::State(format!("no `{text}` in\n{explained}")));
        }
    }
    Ok(())
}

/// A reload takes an import away and brings it back; whatever is not from there stays.
fn import_goes_and_comes(
    lab: &Lab,
    edges: &[Edge],
    hosts: (&[Host], &[Host]),
) -> Result<(), Error> {
    let count = u8::try_from(edges.len()).unwrap_or(u8::MAX);
    let ([one, others @ ..], ([red1, ..], [blue1, ..])) = (edges, hosts) else {
        return Err(Error::State("an edge and its hosts".to_owned()));
    };
    one.node().reload(|_| importing(count, &["default"]))?;
    let gone = BLUE.networks(1).into_iter().chain([BEHIND.to_owned()]);
    for prefix in gone {
        lab.reach("red has nothing of blue", PATIENCE, || {
            RED.unrouted(one, &prefix)
        })?;
        for other in others {
            let what = format!("edge {}: nor have others", other.id());
            lab.reach(&what, PATIENCE, || RED.unrouted(other, &prefix))?;
        }
    }
    RED.leads(one, OUTSIDE, "dev o1 ")?;
    red1.pings(OUTSIDE_HOST.into())?;
    for address in blue1.addresses() {
        if red1.pings(*address).is_ok() {
            let why = format!("{address} answered a tenant that has no way there");
            return Err(Error::State(why));
        }
    }
    one.node()
        .reload(|_| importing(count, &["blue", "default"]))?;
    for address in blue1.addresses() {
        let what = format!("red1 reaches {address} again");
        lab.reach(&what, PATIENCE, || red1.pings(*address))?;
    }
    Ok(())
}

/// The kernel forwards from one tenant to the other while there is no daemon, and the next one finds
/// everything in its place.
fn killed(
    lab: &Lab,
    one: &mut Edge,
    edges: u8,
    (red1, blue1): (&Host, &Host),
) -> Result<(), Error> {
    let to = blue1.addresses().iter().find_map(|it| match it {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    });
    let to = to.ok_or_else(|| Error::State("no IPv4 address".to_owned()))?;
    let pinger = Pinger::start(red1.space(), to, Duration::from_millis(20))?;
    one.node_mut().kill9()?;
    let config = config(one, edges);
    one.start(lab, &config)?;
    lab.reach("verify", PATIENCE, || says(one, &["verify"]).map(drop))?;
    let so_far = pinger.received();
    lab.reach("packets pass after that", PATIENCE, || {
        match pinger.received() > so_far + 50 {
            true => Ok(()),
            false => Err(Error::State(format!("{} answers", pinger.received()))),
        }
    })?;
    let report = pinger.stop()?;
    lab.step(report.to_string());
    match report.lost {
        0 => Ok(()),
        lost => Err(Error::State(format!("{lost} packets were lost"))),
    }
}

fn play(lab: &Lab, programs: &[Program]) -> Result<(), Error> {
    let mut edges = Edge::build(lab, programs)?;
    let count = u8::try_from(edges.len()).unwrap_or(u8::MAX);
    let Some(first) = edges.first() else {
        return Err(Error::State("an edge".to_owned()));
    };
    let outside = link(
        lab,
        first,
        ("outside", "o1"),
        ["172.16.0.10/24", "172.16.0.1/24"],
    )?;
    outside.ip("route add default via 172.16.0.1")?;
    for edge in &mut edges {
        if !edge.node().is_rbgpd() {
            RED.devices_for_frr(edge)?;
            BLUE.devices_for_frr(edge)?;
        }
        let config = config(edge, count);
        edge.start(lab, &config)?;
    }
    let (of_red, of_blue) = (RED.hosts(lab, &edges)?, BLUE.hosts(lab, &edges)?);
    let mut ce = match edges.first() {
        Some(edge) => customer(lab, edge)?,
        None => return Ok(()),
    };
    lab.step("daemons run, hosts are plugged in");
    routes_are_where_they_belong(lab, &edges)?;
    lab.step("tables are as they should be");
    packets_pass(lab, (&of_red, &of_blue), &outside)?;
    // As a route of the router it has a session with.
    ce.until_shown(lab, "10.1.0.0/24", &["\"10.20.0.1\"", "65001"])?;
    if let ([one, ..], [red1, ..], [blue1, ..]) =
        (edges.as_mut_slice(), of_red.as_slice(), of_blue.as_slice())
    {
        answers(one)?;
        lab.step("rbgpd shows where routes are from");
        killed(lab, one, count, (red1, blue1))?;
    }
    import_goes_and_comes(lab, &edges, (&of_red, &of_blue))?;
    let Some(one) = edges.first() else {
        return Ok(());
    };
    ce.stop()?;
    lab.reach("what ce announced is gone from red", PATIENCE, || {
        RED.unrouted(one, BEHIND)
    })?;
    lab.reach("verify", PATIENCE, || says(one, &["verify"]).map(drop))?;
    for edge in &mut edges {
        edge.node_mut().stop()?;
    }
    for table in [RED.table, BLUE.table] {
        for edge in edges.iter().filter(|edge| edge.node().is_rbgpd()) {
            let left = edge.space().ip(&format!("route show table {table}"))?;
            // The table's end stays, so that no packet takes another table's way meanwhile.
            let mut routes = left
                .lines()
                .filter(|it| !it.starts_with("unreachable default "));
            if routes.any(|it| it.contains("proto bgp")) {
                return Err(Error::State(format!("left in {table}: {left}")));
            }
        }
    }
    lab.step("all have ended in order");
    Ok(())
}

#[test]
fn two_tenants_reach_each_other_and_the_outside() -> Result<(), Error> {
    scenario_beside_others("vrf-leaking", &ROUTING, |lab| {
        play(lab, &[Program::Rbgpd, Program::Rbgpd])
    })
}

#[test]
fn two_releases_of_frr_have_imported_routes_from_evpn() -> Result<(), Error> {
    let trixie = Release::Suite("trixie".to_owned());
    // Here, where there is a network to fetch it from.
    trixie.prepare()?;
    scenario_beside_others("vrf-leaking-frr", &ROUTING, |lab| {
        let [host, trixie] = [Release::Host, trixie].map(Program::Frr);
        play(lab, &[Program::Rbgpd, host, trixie])
    })
}
