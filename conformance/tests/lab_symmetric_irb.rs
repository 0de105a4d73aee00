//! Symmetric routing between overlays (RFC 9136 §4.4, RFC 9135 §5): two tenants, each with a VRF and
//! an L3VNI on every edge, and a subnet on each of them.
//!
//! ```text
//!         edge 1                                edge 2, edge 3
//!  red1 ─ br101 10.1.0.1 ┐               ┌ 10.2.0.1 br102 ─ red2, ...
//!                       red ═ L3VNI 4001 ═ red
//!  blue1 ─ br201 10.1.0.1 ┐            ┌ 10.12.0.1 br202 ─ blue2, ...
//!                       blue ═ L3VNI 4002 ═ blue
//! ```
//!
//! Red's network 10.150.0.0/24 is on every edge, with the same gateway (br150): a host of it moves.
//! `red1` and `blue1` have the same address. IPv6 beside IPv4, in networks of each tenant's own.

#![allow(missing_docs)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use conformance::lab::edge::tunnel_end;
use conformance::lab::overlay::ROUTING;
use conformance::lab::{
    Edge, Error, Host, Lab, PATIENCE, Pinger, Program, Release, RouteMonitor, Tenant, kernel,
    overlay_frr, overlay_head, scenario_beside_others,
};

const RED: Tenant = Tenant::RED;
/// Its subnet on the first edge is that of red there.
const BLUE: Tenant = Tenant {
    subnets: &[1, 12, 13],
    ..Tenant::BLUE
};

/// Red's overlay that is on every edge.
const EVERYWHERE: u32 = 150;
const EVERYWHERE_GATEWAYS: [&str; 2] = ["10.150.0.1/24", "fd00:10:150::1/64"];
const EVERYWHERE_MAC: &str = "02:00:5e:00:01:96";

/// What rbgpd on an edge is told; it makes all devices itself.
fn rbgpd(edge: u8, edges: u8, tenants: &[Tenant]) -> String {
    let [ipv4, ipv6] = EVERYWHERE_GATEWAYS;
    let mut text = overlay_head(edge, edges);
    text += &format!(
        "[[vni]]\nid = {EVERYWHERE}\nname = \"everywhere\"\nvrf = \"red\"\nmtu = 1500\n\
         gateway = [\"{ipv4}\", \"{ipv6}\"]\ngateway_mac = \"{EVERYWHERE_MAC}\"\n"
    );
    tenants.iter().for_each(|it| text += &it.rbgpd(edge));
    text
}

/// What an operator of FRR makes beforehand.
fn devices_for_frr(edge: &Edge) -> Result<(), Error> {
    for tenant in [RED, BLUE] {
        tenant.devices_for_frr(edge)?;
    }
    let end = IpAddr::V4(tunnel_end(edge.id()));
    let bridge = format!("address {EVERYWHERE_MAC} master red");
    edge.overlay(EVERYWHERE, end, &bridge)?;
    for gateway in EVERYWHERE_GATEWAYS {
        let words = format!("addr add {gateway} dev br{EVERYWHERE} nodad");
        edge.space().ip(&words)?;
    }
    Ok(())
}

/// Tables, FDB and packets of one tenant are as they should be between all edges.
fn tenant_works(lab: &Lab, edges: &[Edge], hosts: &[Host], tenant: Tenant) -> Result<(), Error> {
    let name = tenant.name;
    for edge in edges {
        let id = edge.id();
        for (other, host) in edges.iter().zip(hosts).filter(|(it, _)| it.id() != id) {
            for prefix in tenant.networks(other.id()) {
                let what = format!("{name} on edge {id}: {prefix} through the L3VNI");
                lab.wait_until(&what, PATIENCE, || tenant.routed(edge, other, &prefix))?;
            }
            let what = format!("{name} on edge {id}: MAC of router {}", other.id());
            lab.wait_until(&what, PATIENCE, || tenant.router_mac(edge, other))?;
            // A host is known when it has spoken; that it does.
            let what = format!("{name}{} reaches its gateway", other.id());
            let [ipv4, ipv6] = host.gateways() else {
                return Err(Error::State("a gateway of each IP version".to_owned()));
            };
            lab.wait_until(&what, PATIENCE, || host.pings(*ipv4))?;
            lab.wait_until(&what, PATIENCE, || host.pings(*ipv6))?;
            // By a route of its own: when it moves, the way to it moves.
            for address in host.addresses() {
                let what = format!("{name} on edge {id}: host route to {address}");
                let address = address.to_string();
                lab.wait_until(&what, PATIENCE, || tenant.routed(edge, other, &address))?;
            }
        }
    }
    lab.step(format!("{name}: subnets, hosts and routers are known"));
    for (at, from) in hosts.iter().enumerate() {
        for to in hosts.iter().enumerate().filter(|(to, _)| *to != at) {
            for address in to.1.addresses() {
                let what = format!("{name}: host {at} to {address} with full packets");
                lab.wait_until(&what, PATIENCE, || from.pings(*address))?;
            }
        }
    }
    lab.step(format!("{name}: full packets between all hosts"));
    Ok(())
}

/// No table has a prefix of the other tenant, and no host an answer.
fn tenants_are_apart(edges: &[Edge], of_red: &[Host], of_blue: &[Host]) -> Result<(), Error> {
    for edge in edges {
        // The first edge's are the same for both.
        for other in edges.iter().skip(1).filter(|it| it.id() != edge.id()) {
            for prefix in BLUE.networks(other.id()) {
                RED.unrouted(edge, &prefix)?;
            }
            for prefix in RED.networks(other.id()) {
                BLUE.unrouted(edge, &prefix)?;
            }
        }
    }
    let ([red1, red2, ..], [blue1, blue2, ..]) = (of_red, of_blue) else {
        return Err(Error::State("two hosts of each".to_owned()));
    };
    for (from, to) in [(red1, blue2), (blue1, red2)] {
        for address in to.addresses() {
            if from.pings(*address).is_ok() {
                let why = format!("{address} answered another tenant");
                return Err(Error::State(why));
            }
        }
    }
    // One address is another host to each of them.
    red1.space().ip("link set eth0 down")?;
    let shared = Ipv4Addr::new(10, 1, 0, 10).into();
    blue2.pings(shared)?;
    if red2.pings(shared).is_ok() {
        return Err(Error::State(format!("{shared} of blue answered red")));
    }
    let [one, ..] = edges else { return Ok(()) };
    red1.migrate(one, one, &format!("br{}", RED.vni(1)))
}

/// A host of the network that is everywhere goes from the first edge to the second one and back, and
/// the ways to it follow.
fn host_moves(lab: &Lab, edges: &[Edge], of_red: &[Host]) -> Result<(), Error> {
    let [one, two, ..] = edges else {
        return Err(Error::State("two edges".to_owned()));
    };
    let bridge = format!("br{EVERYWHERE}");
    let addresses = ["10.150.0.10/24", "fd00:10:150::10/64"];
    let mover = Host::plug(lab, one, "mover", &bridge, &addresses)?;
    let moves = [(None, one), (Some(one), two), (Some(two), one)];
    for (from, at) in moves {
        if let Some(from) = from {
            mover.migrate(from, at, &bridge)?;
        }
        let id = at.id();
        for gateway in mover.gateways() {
            let what = format!("the host at edge {id} reaches {gateway}");
            lab.wait_until(&what, PATIENCE, || mover.pings(*gateway))?;
        }
        for address in mover.addresses() {
            let prefix = address.to_string();
            for edge in edges.iter().filter(|edge| edge.id() != id) {
                let what = format!("edge {}: {prefix} is at edge {id}", edge.id());
                lab.wait_until(&what, PATIENCE, || RED.routed(edge, at, &prefix))?;
            }
            let what = format!("edge {id}: {prefix} is here");
            lab.wait_until(&what, PATIENCE, || RED.unrouted(at, &prefix))?;
            for host in of_red {
                let what = format!("{} reaches {prefix}", host.space().name());
                lab.wait_until(&what, PATIENCE, || host.pings(*address))?;
            }
        }
        lab.step(format!("the ways lead to the host at edge {id}"));
    }
    Ok(())
}

/// The last edge ends, takes its routes along, and is back with them.
fn comes_and_goes(lab: &Lab, edges: &mut [Edge], of_blue: &[Host]) -> Result<(), Error> {
    let count = u8::try_from(edges.len()).unwrap_or(u8::MAX);
    let [one, .., last] = edges else {
        return Err(Error::State("two edges".to_owned()));
    };
    let [blue1, .., far] = of_blue else {
        return Err(Error::State("two hosts".to_owned()));
    };
    let end = tunnel_end(last.id()).to_string();
    last.node_mut().stop()?;
    for prefix in BLUE.networks(last.id()) {
        let what = format!("blue on edge 1: {prefix} is gone");
        lab.reach(&what, PATIENCE, || BLUE.unrouted(one, &prefix))?;
    }
    lab.reach("blue on edge 1: the router's MAC is gone", PATIENCE, || {
        let known = kernel::remote_macs(one.space(), BLUE.l3vni)?;
        match known.values().any(|it| *it == end) {
            false => Ok(()),
            true => Err(Error::State(format!("{known:?}"))),
        }
    })?;
    last.start(lab, &config(last, count))?;
    for address in far.addresses() {
        let what = format!("blue1 reaches {address} again");
        lab.reach(&what, PATIENCE, || blue1.pings(*address))?;
    }
    Ok(())
}

/// A tenant is taken out of rbgpd's file on an edge: nothing of it is left there, nobody else notices,
/// and with the file as it was everything is back.
fn tenant_goes(lab: &Lab, edges: &[Edge], at: &Edge, hosts: [&[Host]; 2]) -> Result<(), Error> {
    let (id, count) = (at.id(), u8::try_from(edges.len()).unwrap_or(u8::MAX));
    let [of_red, of_blue] = hosts;
    let number = usize::from(id - 1);
    let (Some(red), Some(blue)) = (of_red.get(number), of_blue.get(number)) else {
        return Err(Error::State("a host of each tenant".to_owned()));
    };
    let (bridge, own, other) = (format!("br{}", BLUE.vni(id)), BLUE.vni(id), BLUE.l3vni);
    let devices = [
        bridge.clone(),
        format!("br{other}"),
        format!("vxlan{own}"),
        format!("vxlan{other}"),
        BLUE.name.to_owned(),
    ];
    for device in &devices {
        at.space().ip(&format!("link show dev {device}"))?;
    }
    at.node().reload(|_| rbgpd(id, count, &[RED]))?;
    let what = format!("nothing of blue is left on edge {id}");
    lab.reach(&what, PATIENCE, || {
        let there = |name: &&String| kernel::has_device(at.space(), name);
        let left: Vec<&String> = devices.iter().filter(there).collect();
        let table = BLUE.table.to_string();
        let mut routes = String::new();
        for family in ["-4", "-6"] {
            // An error says that there is no such table.
            let line = ["ip", family, "route", "show", "table", &table];
            routes += at.space().output(&line)?.stdout.trim();
        }
        match left.is_empty() && routes.is_empty() {
            true => Ok(()),
            false => Err(Error::State(format!("{left:?} {routes}"))),
        }
    })?;
    let others = || edges.iter().filter(|it| it.id() != id);
    for (edge, prefix) in others().flat_map(|it| BLUE.networks(id).map(|prefix| (it, prefix))) {
        let what = format!("edge {} has no way to blue's {prefix}", edge.id());
        lab.wait_until(&what, PATIENCE, || BLUE.unrouted(edge, &prefix))?;
    }
    for host in of_red {
        for address in red.addresses() {
            host.pings(*address)?;
        }
    }
    lab.step("red is as it was");
    at.node().reload(|_| rbgpd(id, count, &[RED, BLUE]))?;
    blue.migrate(at, at, &bridge)?;
    for gateway in blue.gateways() {
        lab.wait_until("blue's gateway is back", PATIENCE, || blue.pings(*gateway))?;
    }
    for (host, address) in of_blue
        .iter()
        .flat_map(|it| blue.addresses().iter().map(move |to| (it, to)))
    {
        let what = format!("{} reaches {address} again", host.space().name());
        lab.wait_until(&what, PATIENCE, || host.pings(*address))?;
    }
    lab.step("blue is back");
    Ok(())
}

/// An edge gets another identifier, and its tenants' routers another AS number too, and then those it had: the
/// others route to its tenants by routes with the new distinguishers, and have none with the former.
fn becomes_another(lab: &Lab, edges: &[Edge], at: &Edge, of_red: &[Host]) -> Result<(), Error> {
    let (id, count) = (at.id(), u8::try_from(edges.len()).unwrap_or(u8::MAX));
    let config = rbgpd(id, count, &[RED, BLUE]);
    let own = tunnel_end(id).to_string();
    let other = format!("10.255.77.{id}");
    let renamed = config.replace(
        &format!("router_id = \"{own}\""),
        &format!("router_id = \"{other}\""),
    );
    let renumbered = [RED, BLUE].iter().fold(renamed, |text, tenant| {
        let table = tenant.table;
        let (before, after) = (65_000 + u32::from(id), 65_100 + u32::from(id));
        text.replace(
            &format!("vrf_table = {table}\nasn = {before}\n"),
            &format!("vrf_table = {table}\nasn = {after}\n"),
        )
    });
    assert_eq!(renumbered.matches("asn = 651").count(), 2, "{renumbered}");
    for (config, known, former) in [(&renumbered, &other, &own), (&config, &own, &other)] {
        at.node().reload(|_| config.clone())?;
        for edge in edges.iter().filter(|it| it.id() != id) {
            let prefixes = |tenant: Tenant| tenant.networks(id).map(|prefix| (tenant, prefix));
            for (tenant, prefix) in [RED, BLUE].into_iter().flat_map(prefixes) {
                let what = format!("edge {}: {prefix} through the L3VNI", edge.id());
                lab.wait_until(&what, PATIENCE, || tenant.routed(edge, at, &prefix))?;
            }
            if !edge.node().is_rbgpd() {
                continue;
            }
            let what = format!(
                "edge {}: the routes of {known}, and none of {former}",
                edge.id()
            );
            lab.reach(&what, PATIENCE, || {
                let shown = says(edge, &["show", "evpn", "routes"])?;
                let of = |identifier: &str| shown.contains(&format!(":[{identifier}:"));
                match (of(known), of(former)) {
                    (true, false) => Ok(()),
                    (_, _) => Err(Error::State(shown)),
                }
            })?;
        }
        for host in of_red {
            for address in of_red.iter().flat_map(Host::addresses) {
                let what = format!("{} reaches {address}", host.space().name());
                lab.wait_until(&what, PATIENCE, || host.pings(*address))?;
            }
        }
        let what = format!("edge {id}: verify as {known}");
        lab.reach(&what, PATIENCE, || says(at, &["verify"]).map(drop))?;
    }
    Ok(())
}

/// What rbgpd says when it is asked, which has to go well.
fn says(edge: &Edge, words: &[&str]) -> Result<String, Error> {
    let output = edge.node().ctl(words)?;
    match output.ok() {
        true => Ok(output.stdout),
        false => Err(Error::State(format!("{words:?}: {}", output.stderr))),
    }
}

/// The instance of a tenant shows where its routes come from, and the kernel has them.
fn answers(edge: &Edge, other: &Edge) -> Result<(), Error> {
    let shown = says(edge, &["--instance", "red", "show", "routes"])?;
    let through = format!("{}%br{}", tunnel_end(other.id()), RED.l3vni);
    if !shown.contains(&through) || !shown.contains(" evpn ") {
        let why = format!("no way through {through}:\n{shown}");
        return Err(Error::State(why));
    }
    let [network, _] = RED.networks(other.id());
    let explained = says(edge, &["--instance", "red", "explain", &network])?;
    if !explained.contains("evpn") {
        return Err(Error::State(explained));
    }
    says(edge, &["verify", "--wait"]).map(drop)
}

fn config(edge: &Edge, edges: u8) -> String {
    match edge.node().is_rbgpd() {
        true => rbgpd(edge.id(), edges, &[RED, BLUE]),
        false => overlay_frr(edge.id(), &[RED, BLUE]),
    }
}

fn play(lab: &Lab, programs: &[Program]) -> Result<(), Error> {
    let mut edges = Edge::build(lab, programs)?;
    let count = u8::try_from(edges.len()).unwrap_or(u8::MAX);
    for edge in &mut edges {
        if !edge.node().is_rbgpd() {
            devices_for_frr(edge)?;
        }
        let config = config(edge, count);
        edge.start(lab, &config)?;
    }
    let (of_red, of_blue) = (RED.hosts(lab, &edges)?, BLUE.hosts(lab, &edges)?);
    lab.step("daemons run, hosts are plugged in");
    tenant_works(lab, &edges, &of_red, RED)?;
    tenant_works(lab, &edges, &of_blue, BLUE)?;
    host_moves(lab, &edges, &of_red)?;
    for edge in edges.iter().filter(|edge| edge.node().is_rbgpd()) {
        let mut others = edges.iter().filter(|other| other.id() != edge.id());
        others.try_for_each(|other| answers(edge, other))?;
    }
    lab.step("rbgpd shows where routes come from, and the kernel has them");
    tenants_are_apart(&edges, &of_red, &of_blue)?;
    lab.step("tenants do not see each other");
    comes_and_goes(lab, &mut edges, &of_blue)?;
    if let Some(edge) = edges.iter().find(|edge| edge.node().is_rbgpd()) {
        tenant_goes(lab, &edges, edge, [&of_red, &of_blue])?;
        becomes_another(lab, &edges, edge, &of_red)?;
    }
    for edge in edges.iter().filter(|edge| edge.node().is_rbgpd()) {
        let id = edge.id();
        lab.reach(&format!("edge {id}: verify"), PATIENCE, || {
            let output = edge.node().ctl(&["verify"])?;
            match output.ok() {
                true => Ok(()),
                false => Err(Error::State(output.text())),
            }
        })?;
    }
    for edge in &mut edges {
        edge.node_mut().stop()?;
    }
    lab.step("all have ended in order");
    Ok(())
}

#[test]
fn two_rbgpds_route_for_two_tenants() -> Result<(), Error> {
    scenario_beside_others("symmetric-irb", &ROUTING, |lab| {
        play(lab, &[Program::Rbgpd, Program::Rbgpd])
    })
}

#[test]
fn rbgpd_and_two_releases_of_frr_route_for_two_tenants() -> Result<(), Error> {
    let trixie = Release::Suite("trixie".to_owned());
    // Here, where there is a network to fetch it from.
    trixie.prepare()?;
    scenario_beside_others("symmetric-irb-frr", &ROUTING, |lab| {
        let [host, trixie] = [Release::Host, trixie].map(Program::Frr);
        play(lab, &[Program::Rbgpd, host, trixie])
    })
}

/// The kernel forwards while there is no daemon, and the next one takes over what is there.
#[test]
fn a_killed_daemon_keeps_tenants_routed() -> Result<(), Error> {
    scenario_beside_others("symmetric-irb-killed", &ROUTING, |lab| {
        let mut edges = Edge::build(lab, &[Program::Rbgpd, Program::Rbgpd])?;
        for edge in &mut edges {
            let config = config(edge, 2);
            edge.start(lab, &config)?;
        }
        let of_red = RED.hosts(lab, &edges)?;
        tenant_works(lab, &edges, &of_red, RED)?;
        let ([one, two], [red1, red2]) = (edges.as_mut_slice(), of_red.as_slice()) else {
            return Err(Error::State("two of each".to_owned()));
        };
        let to = red2.addresses().iter().find_map(|it| match it {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        });
        let to = to.ok_or_else(|| Error::State("no IPv4 address".to_owned()))?;
        // Neither side may take back anything that leads to the machine behind the daemon.
        let monitors = [
            RouteMonitor::start(lab, one.space())?,
            RouteMonitor::start(lab, two.space())?,
        ];
        let mut kept: Vec<String> = red1.addresses().iter().map(IpAddr::to_string).collect();
        kept.extend(RED.networks(1));
        let pinger = Pinger::start(red1.space(), to, Duration::from_millis(20))?;
        one.node_mut().kill9()?;
        let config = config(one, 2);
        one.start(lab, &config)?;
        for edge in [&*one, &*two] {
            let what = format!("edge {}: verify", edge.id());
            lab.reach(&what, PATIENCE, || says(edge, &["verify"]).map(drop))?;
        }
        let so_far = pinger.received();
        lab.reach("packets pass after that", PATIENCE, || {
            match pinger.received() > so_far + 50 {
                true => Ok(()),
                false => Err(Error::State(format!("{} answers", pinger.received()))),
            }
        })?;
        let report = pinger.stop()?;
        lab.step(report.to_string());
        for (monitor, side) in monitors.into_iter().zip(["here", "at the neighbor"]) {
            let deleted = monitor.deleted(&kept, &[])?;
            if !deleted.is_empty() {
                return Err(Error::State(format!("{side}: {}", deleted.join("; "))));
            }
        }
        match report.lost {
            0 => Ok(()),
            lost => Err(Error::State(format!("{lost} packets were lost"))),
        }
    })
}
